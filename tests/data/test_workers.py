"""Processes that read clips: as many as suit the machine, and none that waits for threads that it does not have."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from torch.utils.data import DataLoader, Dataset

from soundspot.data import workers
from soundspot.data.workers import begin_worker, choose_workers, clip_bytes
from soundspot.types import Inputs


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """A machine of 16 cores and much shared memory."""
    made = SimpleNamespace(f_bavail=2**20, f_frsize=2**12)
    monkeypatch.setattr(workers, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(workers.os, "statvfs", lambda path: made)
    monkeypatch.setattr(workers, "usable_cores", lambda: 16)
    return made


def test_one_a_core_at_most_eight_and_one_a_batch(machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = Inputs()
    assert choose_workers(inputs, 1000, 10) == 8
    assert choose_workers(inputs, 41, 10) == 5
    assert choose_workers(inputs, 10, 10) == 0
    assert choose_workers(inputs, 0, 10) == 0
    monkeypatch.setattr(workers, "usable_cores", lambda: 2)
    assert choose_workers(inputs, 1000, 10) == 2


def test_little_shared_memory_leaves_fewer_or_none(machine: SimpleNamespace) -> None:
    inputs = Inputs(image_size=400, seconds=3.0, sample_rate=16000)
    assert clip_bytes(inputs) == 3 * 400 * 400 + 4 * 48000
    machine.f_bavail = 64 * 2**20 // machine.f_frsize
    assert choose_workers(inputs, 1000, 8) == 2
    assert choose_workers(inputs, 1000, 64) == 0


def test_what_a_film_shows_beside_its_picture_counts() -> None:
    one = clip_bytes(Inputs(image_size=100, seconds=1.0, sample_rate=16000))
    assert clip_bytes(Inputs(image_size=100, seconds=1.0, sample_rate=16000, views=("frames",), num_frames=4)) == (
        one + 4 * 3 * 100 * 100
    )
    assert clip_bytes(Inputs(image_size=100, seconds=1.0, sample_rate=16000, views=("flow",))) == one + 8 * 100 * 100


def _session() -> onnxruntime.InferenceSession:
    """A product with a session of four threads."""
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [256, 256]) for name in "xy"]
    node = onnx.helper.make_node("MatMul", ["x", "x"], ["y"])
    graph = onnx.helper.make_graph([node], "square", values[:1], values[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


class _Collecting(Dataset[int]):
    """Reads nothing, but collects garbage as any long run does."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        gc.collect()
        return os.getpid()


def test_a_worker_lives_where_the_parent_ran_onnx_and_left_a_session_to_be_collected() -> None:
    gc.disable()
    try:
        ring: list[object] = [_session(), _session()]
        ring[0].run(None, {"x": np.ones((256, 256), np.float32)})  # type: ignore[attr-defined]
        ring.append(ring)
        del ring
        loader = DataLoader(_Collecting(), num_workers=2, worker_init_fn=begin_worker, timeout=120)
        assert os.getpid() not in [int(batch) for batch in loader]
    finally:
        gc.enable()
