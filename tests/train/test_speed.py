"""How a run computes: chosen as it begins, kept on resume, and never in the way where compiling fails."""

from __future__ import annotations

import copy
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_tower import SMALL
from torch import Tensor
from torch._dynamo.utils import counters

from soundspot.nets.image import ImageTower
from soundspot.train import checkpoint, speed
from soundspot.train.distributed import Ranks
from soundspot.train.loop import TrainResult, train
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.train.steps import make_optimizer
from soundspot.types import UserError

pytestmark = pytest.mark.usefixtures("small_towers")
HERE = Path(__file__).resolve().parent
RECIPE = Recipe(
    "speed",
    "slavc",
    options=SMALL,
    data=DataSpec("flickr"),
    epochs=2,
    batch_size=8,
    learning_rate=1e-3,
    num_workers=0,
    log_steps=1,
)
"""3 steps an epoch on the 26 clips of `pairs_root`, and a short one of 2 clips without drop_last."""
CPU = torch.device("cpu")
Measured = dict[tuple[bool, bool], float]


@pytest.fixture
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile without its last part, which writes and compiles C++; graphs are made and counted as ever."""
    torch._dynamo.reset()
    counters.clear()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    monkeypatch.setattr(speed, "obstacle", lambda device: None)
    monkeypatch.setattr(speed, "pays", lambda device: True)


def run(recipe: Recipe, root: Path, out: Path, **more: Any) -> TrainResult:
    return train(recipe, root=root, out=out, progress=False, **more)


def losses(result: TrainResult) -> list[float]:
    rows = [json.loads(line) for line in result.metrics.read_text().splitlines()]
    return [row["loss"] for row in rows if row["kind"] == "step"]


def tensors(result: TrainResult) -> dict[str, Tensor]:
    return checkpoint.read_newest(result.out).state.tensors


def measures(**seconds: float) -> Callable[[torch.device], Measured]:
    """A stand-in for the measurement: seconds of float32 and of bfloat16, in both layouts."""
    plain = seconds["float32"]
    found = {(False, False): plain, (False, True): seconds.get("channels_last", plain)}
    if "bfloat16" in seconds:
        found |= {(True, False): seconds["bfloat16"], (True, True): seconds["bfloat16"]}
    return lambda device: found


@pytest.mark.usefixtures("quick_compiler")
def test_short_batches_validation_and_teachers_make_no_graph_in_later_epochs(pairs_root: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, compile="on", drop_last=False, validation_fraction=0.25, choose="loss")
    graphs = []
    for epochs in (1, 3):
        counters.clear()
        run(replace(recipe, epochs=epochs), pairs_root, tmp_path / str(epochs))
        graphs.append(counters["stats"]["unique_graphs"])
    assert graphs == [4, 4], "two towers that learn and two teachers, in one shape each"


@pytest.mark.usefixtures("quick_compiler")
def test_a_compiled_run_goes_on_to_the_same_bits(pairs_root: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, compile="on", drop_last=False)
    whole = run(recipe, pairs_root, tmp_path / "whole")
    run(recipe, pairs_root, tmp_path / "parts", max_steps=3)  # what comes next is the short batch
    torch.manual_seed(1)
    parts = run(recipe, pairs_root, tmp_path / "parts", resume=True)
    assert tensors(whole).keys() == tensors(parts).keys()
    for name, tensor in tensors(whole).items():
        assert torch.equal(tensor, tensors(parts)[name]), name
    assert losses(whole) == losses(parts)


def test_without_a_compiler_auto_goes_on_and_says_so_and_on_stops(
    pairs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UserError, match=r"no C\+\+ compiler \(no-such-compiler\)"):
        run(replace(RECIPE, compile="on"), pairs_root, tmp_path / "on")
    made = run(replace(RECIPE, compile="auto"), pairs_root, tmp_path / "auto")
    assert made.summary["speed"]["compile"] is False
    assert made.summary["notes"] == ["not compiled: no C++ compiler (no-such-compiler)"]
    assert "not compiled: no C++ compiler" in capsys.readouterr().err
    assert losses(made) == losses(run(RECIPE, pairs_root, tmp_path / "off"))


def test_where_compiling_fails_at_the_first_step_auto_goes_on_without_a_trace(
    pairs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("the compiler is broken")

    torch._dynamo.reset()
    monkeypatch.setattr(speed, "obstacle", lambda device: None)
    monkeypatch.setattr(speed, "pays", lambda device: True)
    plain = run(RECIPE, pairs_root, tmp_path / "plain")
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=broken))
    with pytest.raises(UserError, match="the compiler is broken"):
        run(replace(RECIPE, compile="on"), pairs_root, tmp_path / "on")
    made = run(replace(RECIPE, compile="auto"), pairs_root, tmp_path / "auto")
    assert made.summary["speed"] == {"autocast": "off", "compile": False, "channels_last": True}
    assert [note.startswith("not compiled: ") for note in made.summary["notes"]] == [True]
    assert capsys.readouterr().err.count("the compiler is broken") == 1
    assert losses(made) == pytest.approx(losses(plain), rel=1e-3)  # in another layout
    counts = [name for name in tensors(plain) if name.endswith("num_batches_tracked")]
    assert counts
    assert all(torch.equal(tensors(plain)[name], tensors(made)[name]) for name in counts)


def test_the_checkpoints_choice_holds_on_a_resumed_run(
    pairs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, autocast="measured")
    monkeypatch.setattr(speed, "measure", measures(float32=2.0, channels_last=1.0))
    begun = run(recipe, pairs_root, tmp_path, max_steps=2)
    assert begun.summary["speed"] == {"autocast": "off", "compile": False, "channels_last": True}
    monkeypatch.setattr(speed, "measure", measures(float32=2.0, channels_last=2.0))
    ended = run(recipe, pairs_root, tmp_path, resume=True)
    assert ended.summary["speed"] == begun.summary["speed"]
    assert checkpoint.read_newest(tmp_path).state.facts["speed"] == begun.summary["speed"]


@pytest.mark.parametrize(
    ("device", "seconds", "expected"),
    [
        ("cpu", {"float32": 1.0, "channels_last": 0.95}, ("off", False)),
        ("cpu", {"float32": 1.0, "channels_last": 0.8}, ("off", True)),
        ("cuda", {"float32": 1.0, "bfloat16": 10.0, "channels_last": 0.8}, ("off", True)),
        ("cuda", {"float32": 1.0, "bfloat16": 0.8, "channels_last": 0.6}, ("off", True)),
        ("cuda", {"float32": 1.0, "bfloat16": 0.5, "channels_last": 0.6}, ("bfloat16", True)),
    ],
)
def test_the_faster_precision_and_layout_are_taken_if_it_is_no_chance(
    device: str, seconds: dict[str, float], expected: tuple[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "measure", measures(**seconds))
    chosen, notes = speed.choose(replace(RECIPE, autocast="measured"), Ranks(device=torch.device(device)))
    assert (chosen.autocast, chosen.channels_last) == expected
    assert notes == []


def test_measuring_leaves_random_numbers_as_they_were() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    seconds = speed.measure(CPU)
    assert torch.equal(torch.rand(3), expected)
    assert seconds.keys() == {(False, False), (False, True)}, "bfloat16 is not trusted on a CPU"
    assert all(each > 0 for each in seconds.values())


@pytest.mark.usefixtures("quick_compiler")
def test_a_copy_of_a_compiled_tower_has_its_own_weights_and_the_same_names() -> None:
    tower = ImageTower("small_image").train()
    names = list(tower.state_dict())
    picture = torch.rand(2, 3, 32, 32)
    tower.lay_channels_last()
    tower.compile_stages(2, pytest.fail)
    before = tower(picture)
    teacher = copy.deepcopy(tower)
    assert list(teacher.state_dict()) == list(tower.state_dict()) == names
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.zero_()
    assert tower(picture).abs().max() == 0
    torch.testing.assert_close(teacher(picture), before)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_fused_steps_are_the_plain_ones_but_for_rounding(name: str) -> None:
    recipe = replace(RECIPE, optimizer=name, weight_decay=0.01, learning_rate=1e-2)  # type: ignore[arg-type]
    results = []
    for fused in (True, False):
        torch.manual_seed(0)
        layer = torch.nn.Linear(7, 5)
        optimizer = make_optimizer(recipe, layer)
        assert optimizer.defaults["fused"] is True
        if not fused:
            optimizer.param_groups[0].update(fused=False, foreach=False)
        for _ in range(5):
            optimizer.zero_grad()
            layer(torch.rand(3, 7)).square().sum().backward()
            optimizer.step()
        results.append([each.detach() for each in layer.parameters()])
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-6)


def test_two_processes_compile_and_agree_with_one(pairs_root: Path, tmp_path: Path) -> None:
    """Both ranks train compiled towers under DistributedDataParallel, by the first one's choice."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*launch, str(HERE / "two_processes_compiled.py"), str(pairs_root), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = {name: json.loads((tmp_path / name / "summary.json").read_text()) for name in ("compiled", "plain")}
    assert found["compiled"]["speed"]["compile"] is True
    assert found["compiled"]["notes"] == []
    assert found["compiled"]["num_ranks"] == 2
    assert found["compiled"]["last_losses"] == pytest.approx(found["plain"]["last_losses"], rel=1e-3)
    graphs = [int((tmp_path / f"graphs{rank}").read_text()) for rank in (0, 1)]
    assert min(graphs) >= 2, "both towers on both ranks"
