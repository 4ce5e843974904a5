"""Two real processes over gloo: the same training as one with the same global batch, and as exact on resume."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from two_processes import RECIPE

from soundspot.train import checkpoint

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def broken_root(pairs_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same clips, three of which cannot be read."""
    root = tmp_path_factory.mktemp("broken") / "set"
    shutil.copytree(pairs_root, root)
    for number in (2, 3, 11):
        (root / "frames" / f"clip{number:03d}.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def outs(pairs_root: Path, broken_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """What one process and two processes left, by their number."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    made = {}
    for count, how in ((1, []), (2, launch)):
        made[count] = tmp_path_factory.mktemp(f"by{count}")
        command = [
            sys.executable,
            *how,
            str(HERE / "two_processes.py"),
            str(pairs_root),
            str(broken_root),
            str(made[count]),
        ]
        paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr[-3000:]
    return made


def rows(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: row[key] for key in row if key not in ("seconds", "samples_per_second")} for row in lines]


def test_the_first_loss_is_that_of_one_process_with_the_whole_batch(outs: dict[int, Path]) -> None:
    alone, together = (rows(outs[count] / "plain") for count in (1, 2))
    assert together[0]["loss"] == pytest.approx(alone[0]["loss"], rel=1e-5)
    assert together[0]["gradient_norm"] == pytest.approx(alone[0]["gradient_norm"], rel=1e-4)


def test_gradients_flow_through_the_gathered_negatives(outs: dict[int, Path]) -> None:
    """Were they cut, the runs would part after the first step."""
    alone, together = (rows(outs[count] / "plain") for count in (1, 2))
    assert len(alone) == len(together) == 2 * (1 + len([row for row in alone if row["kind"] == "step"]) // 2)
    for one, two in zip(alone, together, strict=True):
        assert two["kind"] == one["kind"]
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-3)
    left, right = (checkpoint.read_newest(outs[count] / "plain").state.tensors for count in (1, 2))
    assert torch.allclose(left["method/image.weight"], right["method/image.weight"], atol=2e-4)


def test_a_stopped_run_goes_on_to_the_same_bits_on_both_ranks(outs: dict[int, Path]) -> None:
    left, right = (checkpoint.read_newest(outs[2] / name).state for name in ("whole", "stopped"))
    assert left.facts["num_ranks"] == 2
    assert {name for name in left.tensors if name.startswith("random/1/")}, "each rank's generators are kept"
    assert left.tensors.keys() == right.tensors.keys()
    for name, tensor in left.tensors.items():
        assert torch.equal(tensor, right.tensors[name]), name
    assert left.facts["now"] == right.facts["now"]
    assert rows(outs[2] / "whole") == rows(outs[2] / "stopped")
    random = [left.tensors[f"random/{rank}/torch"] for rank in (0, 1)]
    assert not torch.equal(*random), "ranks do not share their dropout"


def test_ranks_stay_in_step_when_clips_cannot_be_read(outs: dict[int, Path]) -> None:
    out = outs[2] / "broken"
    summary = json.loads((out / "summary.json").read_text())
    missing = [json.loads(line)["id"] for line in (out / "missing.jsonl").read_text().splitlines()]
    assert summary["finished"]
    assert set(missing) <= {"clip002", "clip003", "clip011"}
    assert len(missing) >= 2
    assert summary["clips_missing"] == len(missing)
    assert summary["clips_trimmed"] > 0


def test_only_the_first_rank_writes(outs: dict[int, Path]) -> None:
    steps = [row["step"] for row in rows(outs[2] / "plain") if row["kind"] == "step"]
    assert steps == sorted(set(steps))
    summary = json.loads((outs[2] / "plain" / "summary.json").read_text())
    assert summary["num_ranks"] == 2
    assert summary["chosen"] == RECIPE.choose
