"""Scoring maps that are not square."""

from __future__ import annotations

import numpy as np
import pytest

from soundspot.benchmarks import score
from soundspot.predictions import Predictions
from soundspot.types import Target


def test_the_oracle_of_the_maps_own_grid_has_its_height_and_width() -> None:
    targets = [Target("a", boxes=((0.125, 0.25, 0.25, 1.0),)), Target("b", boxes=((0.5, 0.0, 0.875, 0.25),))]
    maps = {target.clip_id: np.random.default_rng(0).random((4, 8)).astype(np.float32) for target in targets}
    result = score(Predictions(maps, {}, {"method": "noise"}), targets, "strict", intervals=False)
    right, square = (
        score(
            Predictions({one.clip_id: _covered(one, height, width) for one in targets}, {}, {"method": "by hand"}),
            targets,
            "strict",
            intervals=False,
        ).summary["auc_adaptive"]
        for height, width in ((4, 8), (4, 4))
    )
    assert result.beside["oracle 4x8"]["auc_adaptive"] == pytest.approx(right.value)
    assert right.value > square.value + 0.2


def _covered(target: Target, height: int, width: int) -> np.ndarray:
    """The share of each cell that the box covers, by counting fine points."""
    ((left, top, right, bottom),) = target.boxes
    rows, columns = (np.arange(height * 56) + 0.5) / (height * 56), (np.arange(width * 56) + 0.5) / (width * 56)
    inside = ((rows >= top) & (rows < bottom))[:, None] & ((columns >= left) & (columns < right))[None]
    return inside.reshape(height, 56, width, 56).mean(axis=(1, 3)).astype(np.float32)
