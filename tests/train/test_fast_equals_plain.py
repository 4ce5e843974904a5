"""The fast ways of training (compiled, channels last, fused) give what the plain one gives, through the real loop."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_tower import SMALL
from torch import Tensor

from soundspot.train import steps
from soundspot.train.clips import find_clips
from soundspot.train.distributed import Ranks
from soundspot.train.loop import Run
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.train.start import start_method

pytestmark = pytest.mark.usefixtures("small_towers")
RECIPE = Recipe(
    "fast",
    "ez_vsl",
    options=SMALL,
    data=DataSpec("flickr"),
    epochs=17,
    batch_size=8,
    learning_rate=1e-3,
    num_workers=0,
    log_steps=1,
)
"""3 steps an epoch on the 26 clips of `pairs_root`."""
OPTIONS: dict[str, dict[str, float]] = {"ez_vsl": {}, "slavc": {"dropout_image": 0.0}}
STEPS = 50


@pytest.fixture
def compiler() -> None:
    """A machine without a C++ compiler skips; CI may not."""
    if shutil.which(os.environ.get("CXX", "g++")):
        return
    how = "not run: no C++ compiler at hand; install g++"
    if os.environ.get("CI"):
        pytest.fail(how, pytrace=False)
    pytest.skip(how)


@dataclass
class Trained:
    """What a run left."""

    losses: list[float]
    gradients: dict[str, Tensor]
    """Of the first step."""
    facts: dict[str, Any]


def trained(recipe: Recipe, root: Path, out: Path) -> Trained:
    """STEPS steps by the real loop."""
    run = Run(recipe, find_clips(recipe, root), out, start_method(recipe, None), Ranks(), None)
    step, kept = run.stepper.step, {}

    def remembered(*given: Any) -> tuple[Mapping[str, Tensor], Tensor | None]:
        done = step(*given)
        if not kept:
            kept.update(
                {name: each.grad.clone() for name, each in run.method.named_parameters() if each.grad is not None}
            )
        return done

    run.stepper.step = remembered  # type: ignore[method-assign]
    result = run.go(STEPS, shown=False)
    rows = [json.loads(line) for line in result.metrics.read_text().splitlines()]
    return Trained([row["loss"] for row in rows if row["kind"] == "step"], kept, result.summary)


def unfused(recipe: Recipe, method: torch.nn.Module) -> torch.optim.Optimizer:
    """Adam one parameter and one operation after the other."""
    learning = [each for each in method.parameters() if each.requires_grad]
    return torch.optim.Adam(learning, lr=recipe.learning_rate, foreach=False)


def apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The mean difference over the mean."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / sum(other)


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("method", OPTIONS)
def test_fast_training_is_plain_training_but_for_rounding(
    method: str, pairs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, method=method, options={**RECIPE.options, **OPTIONS[method]})
    fast = trained(replace(recipe, compile="on"), pairs_root, tmp_path / "fast")
    monkeypatch.setattr(steps, "make_optimizer", unfused)
    plain = trained(recipe, pairs_root, tmp_path / "plain")
    assert fast.facts["speed"] == {"autocast": "off", "compile": True, "channels_last": True}
    assert plain.facts["speed"] == {"autocast": "off", "compile": False, "channels_last": False}
    assert len(fast.losses) == len(plain.losses) == STEPS
    assert fast.losses[0] == pytest.approx(plain.losses[0], rel=1e-4)
    assert fast.gradients.keys() == plain.gradients.keys()
    whole = torch.cat([each.flatten() for each in plain.gradients.values()]).norm()
    for name, gradient in plain.gradients.items():
        difference = (fast.gradients[name] - gradient).norm()
        assert difference <= 1e-4 * gradient.norm() + 1e-6 * whole, name  # some are 0 but for rounding
    assert fast.losses[:10] == pytest.approx(plain.losses[:10], rel=1e-3)
    assert apart(fast.losses, plain.losses) < 0.01
    assert plain.losses[-1] < 0.9 * plain.losses[0], "something was learned, so something could differ"
