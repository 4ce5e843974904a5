"""What a run does with what lies in its folder when `torchrun`'s agent has started it anew."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from soundspot.train.loop import train
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.train.restart import MARK
from soundspot.types import UserError

RECIPE = Recipe(
    "tiny",
    "tiny_methods:Tiny",
    data=DataSpec("flickr"),
    epochs=2,
    batch_size=4,
    num_workers=0,
    log_steps=1,
    checkpoint_steps=4,
)


@pytest.fixture
def attempt(monkeypatch: pytest.MonkeyPatch, pairs_root: Path):
    """A function that trains as attempt `number` of a launch."""

    def run(out: Path, number: int, *, launch: str = "one", recipe: Recipe = RECIPE, **more):
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", str(number))
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", launch)
        return train(recipe, root=pairs_root, out=out, progress=False, **more)

    return run


def steps(out: Path) -> list[int]:
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [row["step"] for row in rows if row["kind"] == "step"]


def test_a_second_attempt_goes_on_and_says_so(attempt, tmp_path):
    whole = attempt(tmp_path / "whole", 0)
    assert whole.summary["notes"] == []
    attempt(tmp_path / "out", 0, max_steps=5)
    again = attempt(tmp_path / "out", 1)
    assert again.summary["notes"] == ["started anew by torchrun's agent 1 times, the last time from step 5"]
    assert steps(tmp_path / "out") == steps(tmp_path / "whole") == list(range(1, 13))
    left, right = (load_file(run.weights) for run in (whole, again))
    assert all(torch.equal(tensor, right[name]) for name, tensor in left.items())


def test_a_second_attempt_without_a_checkpoint_begins_anew(attempt, tmp_path, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("soundspot.train.checkpoint.write", die)
        with pytest.raises(KeyboardInterrupt):
            attempt(tmp_path / "out", 0)
    assert steps(tmp_path / "out") == [1, 2, 3, 4]
    again = attempt(tmp_path / "out", 1)
    assert again.summary["notes"] == ["started anew by torchrun's agent 1 times, the last time from step 0"]
    assert steps(tmp_path / "out") == list(range(1, 13))


@pytest.mark.parametrize("launch", ["two", "none"])
def test_a_launch_that_was_refused_is_refused_again(attempt, tmp_path, launch):
    """The agent starts anew whatever failed: it must not get by this into another launch's run."""
    attempt(tmp_path / "out", 0, max_steps=4)
    for number in (0, 1, 2):
        with pytest.raises(UserError, match=r"expected an empty folder, got .* with a run in it; resume it"):
            attempt(tmp_path / "out", number, launch=launch)


def test_without_a_name_the_agent_is_who_started_the_process(attempt, tmp_path, monkeypatch):
    attempt(tmp_path / "out", 0, launch="none", max_steps=4)
    assert attempt(tmp_path / "out", 1, launch="none", max_steps=5).summary["steps"] == 5
    monkeypatch.setattr("os.getppid", lambda: 1)
    with pytest.raises(UserError, match="expected an empty folder"):
        attempt(tmp_path / "out", 1, launch="none")


def test_another_recipe_is_refused_on_restart_too(attempt, tmp_path):
    attempt(tmp_path / "out", 0, max_steps=4)
    with pytest.raises(UserError, match="another recipe's learning_rate"):
        attempt(tmp_path / "out", 1, recipe=replace(RECIPE, learning_rate=0.5))


def test_alone_no_mark_is_left(tmp_path, pairs_root, monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    train(RECIPE, root=pairs_root, out=tmp_path / "out", progress=False, max_steps=1)
    assert not (tmp_path / "out" / MARK).exists()
