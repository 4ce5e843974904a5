"""Priors are predictions: floors that don't listen, ceilings that know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from soundspot.benchmarks import PRIORS, PROTOCOLS, prior, score
from soundspot.metrics import claimed
from soundspot.predictions import Predictions
from soundspot.types import Target, UserError

TARGETS = [
    Target("left", boxes=((0.0, 0.2, 0.3, 0.9),)),
    Target("agreed", boxes=((0.1, 0.1, 0.6, 0.6), (0.4, 0.4, 0.9, 0.9)), consensus=2),
    Target("silent", kind="silent"),
]
STRICT = PROTOCOLS["strict"]


@pytest.mark.parametrize("name", PRIORS)
def test_every_prior_predicts_every_clip_and_can_be_saved(name: str, tmp_path: Path) -> None:
    made = prior(name, TARGETS, STRICT)
    assert set(made.maps) == {"left", "agreed", "silent"}
    made.save(tmp_path / "prior.safetensors")
    again = Predictions.load(tmp_path / "prior.safetensors")
    assert again.provenance["method"] == f"prior:{name}"
    assert score(again, TARGETS, intervals=False, beside=False).records == (
        score(made, TARGETS, intervals=False, beside=False).records
    )


def test_square_is_the_published_square() -> None:
    scores = prior("square", TARGETS, STRICT).maps["left"].reshape(1, -1)
    low, high = scores.min(), scores.max()
    area = claimed((scores - low) / (high - low), "half_ge_and_level").reshape(224, 224)
    assert area.sum() == 158 * 158
    assert area[33:191, 33:191].all()


def test_quadrants_are_four_squares_of_half_their_quadrant() -> None:
    scores = prior("quadrants", TARGETS, STRICT).maps["left"].reshape(1, -1)
    low, high = scores.min(), scores.max()
    area = claimed((scores - low) / (high - low), "half_ge_and_level").reshape(224, 224)
    assert area.sum() == 4 * 78 * 78
    for top in (0, 112):
        for left in (0, 112):
            assert area[top + 17 : top + 95, left + 17 : left + 95].all()


def test_gaussian_falls_off_from_the_middle() -> None:
    scores = prior("gaussian", TARGETS, STRICT).maps["left"]
    assert scores.max() == pytest.approx(1, abs=1e-3)
    assert np.array_equal(scores, scores[::-1])
    assert np.array_equal(scores, scores.T)


def test_oracle_on_a_grid_is_between_the_centre_and_the_oracle() -> None:
    targets = [Target(f"{row}", boxes=((row / 40, 0.1, row / 40 + 0.17, 0.33),)) for row in range(20)]
    rates = []
    for made in (
        prior("centre", targets, STRICT),
        prior("oracle", targets, STRICT, (7, 7)),
        prior("oracle", targets, STRICT, (14, 14)),
        prior("oracle", targets, STRICT),
    ):
        summary = score(made, targets, intervals=False, beside=False).summary
        rates.append(summary["mean_iou_adaptive"].value)
    assert rates == sorted(rates)
    assert rates[1] < rates[2] < rates[3] == 1


def test_oracle_fills_the_forced_area_without_ties() -> None:
    made = prior("oracle", TARGETS, STRICT)
    for scores in made.maps.values():
        assert len(np.unique(scores)) == 224 * 224


def test_unknown_prior_and_misplaced_grid_are_refused() -> None:
    with pytest.raises(UserError, match="did you mean 'centre'"):
        prior("center", TARGETS, STRICT)
    with pytest.raises(UserError, match="only the oracle has one"):
        prior("centre", TARGETS, STRICT, (7, 7))
    with pytest.raises(UserError, match="expected targets"):
        prior("centre", [], STRICT)
