"""`torchrun ... soundspot train`: two processes compute what one does, and a killed one costs nothing but time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from soundspot.train.restart import MARK

ENTRY = (sys.executable, "-c", "from soundspot.cli import main; main()")
LAUNCH = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2")
STEPS = 12
"""Two epochs of 26 clips by batches of four."""
SETTINGS = {
    "data.ids": "none",
    "data.test_ids": "",
    "batch_size": 4,
    "epochs": 2,
    "optimizer": "sgd",  # Adam would hide a wrong factor of the gradients, and blow up their rounding
    "learning_rate": 0.01,
    "log_steps": 1,
    "num_workers": 0,
    "method.image_backbone": "resnet10t",
    "method.audio_backbone": "resnet10t",
    "method.image_size": 64,
    "method.seconds": 0.5,
    "method.sample_rate": 8000,
    "method.batch_norm": "frozen",
    "method.dim": 32,
    "compile": "off",
    "autocast": "off",
}
MORE: dict[str, dict[str, object]] = {
    "ez_vsl": {},
    "slavc": {"method.dropout_image": 0, "method.temperature": 0.01, "seed": 2},
}
"""Dropout draws from a process's generator and not by clip; at a low temperature the loss moves from the start."""
ALIKE = {"ez_vsl": STEPS, "slavc": 6}
"""Steps before what is rounded otherwise has grown: a maximum falls on another place, and that is a step of its own."""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def words(method: str, root: Path, out: Path, **settings: object) -> list[str]:
    """After `soundspot`."""
    chosen = {**SETTINGS, **MORE[method], **settings}
    sets = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
    return ["train", f"{method}_flickr_10k", "--root", str(root), "--out", str(out), *sets]


@pytest.fixture(scope="module")
def together(pairs_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What two processes left, by method."""
    outs = {}
    for method in MORE:
        outs[method] = tmp_path_factory.mktemp(method) / "run"
        command = [*LAUNCH, "--standalone", "--no-python", *ENTRY, *words(method, pairs_root, outs[method])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr[-3000:]
    return outs


def lines(out: Path) -> list[dict[str, Any]]:
    """Of metrics.jsonl, apart from times."""
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: row[key] for key in row if key not in ("seconds", "samples_per_second")} for row in rows]


def summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return found


@pytest.mark.parametrize("method", MORE)
def test_two_processes_have_the_loss_curve_of_one(
    method: str, together: dict[str, Path], pairs_root: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    """Measured: up to 3e-6 (ez_vsl, twelve steps) and 7e-6 (slavc, six) of the loss; half the rate, 2e-2."""
    ended = command(*words(method, pairs_root, tmp_path / "alone"))
    assert ended.code == 0, ended.err
    one, two = ([row["loss"] for row in lines(out)] for out in (tmp_path / "alone", together[method]))
    assert [summary(out)["num_ranks"] for out in (tmp_path / "alone", together[method])] == [1, 2]
    assert len(one) == len(two) == STEPS
    assert two[0] == pytest.approx(one[0], rel=1e-5)
    assert two[: ALIKE[method]] == pytest.approx(one[: ALIKE[method]], rel=5e-4)
    assert max(one) - min(one) > 0.05 * one[0], "else the curve is flat, and says nothing of the gradients"


@pytest.fixture(scope="module")
def disturbed(pairs_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run left whose first process was killed after a step in the middle of its first epoch."""
    out = tmp_path_factory.mktemp("disturbed") / "run"
    given = words("ez_vsl", pairs_root, out, checkpoint_steps=1)
    log = out.parent / "log.txt"
    with log.open("wb") as told:
        agent = subprocess.Popen(
            [*LAUNCH, "--standalone", "--max-restarts=3", "--no-python", *ENTRY, *given],
            stdout=told,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
        )
        try:
            kill_first_process(agent, out / "metrics.jsonl", step=2)
            assert agent.wait(timeout=400) == 0, log.read_text()[-3000:]
        finally:
            agent.terminate()  # which ends its processes, where they still run
            agent.wait(timeout=120)
    return out


def kill_first_process(agent: subprocess.Popen[bytes], metrics: Path, step: int) -> None:
    """As soon as that step is told of."""
    until = time.monotonic() + 300
    while not metrics.exists() or f'"step": {step},' not in metrics.read_text():
        assert agent.poll() is None, "it ended too early"
        assert time.monotonic() < until, "it never got there"
        time.sleep(0.01)
    (first,) = (
        pid for pid in children(agent.pid) if b"RANK=0" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    )
    os.kill(first, signal.SIGKILL)


def children(parent: int) -> Iterator[int]:
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        if f"\nPPid:\t{parent}\n" in text:
            yield int(status.parent.name)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="not run: needs /proc to tell processes apart")
def test_a_killed_process_changes_no_bit(disturbed: Path, together: dict[str, Path]) -> None:
    (note,) = summary(disturbed)["notes"]
    assert note.startswith("started anew by torchrun's agent 1 times, the last time from step ")
    assert 0 < int(note.split()[-1]) < STEPS // 2, "it went on in the middle of an epoch"
    assert summary(together["ez_vsl"])["notes"] == []
    ours, theirs = (load_file(out / "weights.safetensors") for out in (disturbed, together["ez_vsl"]))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name
    assert lines(disturbed) == lines(together["ez_vsl"])
    assert (disturbed / MARK).exists()
