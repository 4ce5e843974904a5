"""False areas, thresholds for a whole set, and what combines them."""

from __future__ import annotations

import numpy as np
import pytest

from soundspot.metrics import ciou
from soundspot.metrics.negatives import (
    area_auc,
    area_by_kind,
    area_curve,
    area_under_curve,
    best_threshold,
    combined,
    combined_auc,
    false_areas,
    harmonic_mean,
    overlap_curve,
    quantile_threshold,
    same_claims,
)

some_maps = np.random.default_rng(0).choice(np.linspace(0, 1, 11), (5, 25)).astype(np.float32)
some_weights = np.random.default_rng(1).choice([0, 0, 0.5, 1], (5, 25)).astype(np.float32)


def test_areas_are_strictly_above_and_by_kind() -> None:
    areas = false_areas(np.array([[0.5, 0.6, 0.7, 0.4], [0, 0, 0, 0], [1, 1, 1, 1]]), 0.5)
    assert areas.tolist() == [0.5, 0, 1]
    assert area_by_kind(areas, ["noise", "noise", "silent"]) == {"silent": 1, "noise": 0.25}
    assert area_by_kind(areas, ["visible", "visible", "offscreen"]) == {"offscreen": 1}
    assert area_by_kind([], []) == {}


def test_area_auc_is_high_where_areas_are_small() -> None:
    assert area_auc([0, 0]) == 1
    assert area_auc([1]) == pytest.approx(0.025)
    assert area_auc([0, 1]) == pytest.approx((1 + 0.025) / 2)
    assert area_auc([0.5]) == pytest.approx(0.525)
    assert np.isnan(area_auc([]))


@pytest.mark.parametrize("thresholds", [[0.0, 0.2, 0.35, 1.0], [0.9, 0.1, 0.5], [-1.0, 2.0]])
def test_curves_equal_one_threshold_at_a_time(thresholds: list[float]) -> None:
    areas, overlaps = area_curve(some_maps, thresholds), overlap_curve(some_maps, some_weights, thresholds)
    for column, threshold in enumerate(thresholds):
        assert areas[:, column] == pytest.approx(false_areas(some_maps, threshold))
        assert overlaps[:, column] == pytest.approx(ciou(some_maps > threshold, some_weights))


def test_area_under_the_curve_needs_no_threshold() -> None:
    steps = np.linspace(-1, 1, 201)
    at_zero = np.zeros((2, 9), dtype=np.float32)
    assert area_under_curve(area_curve(at_zero, steps), steps) == pytest.approx(0.5, abs=0.01)
    assert area_under_curve(area_curve(at_zero - 1, steps), steps) == 0
    assert np.isnan(area_under_curve(area_curve(at_zero[:0], steps), steps))


def test_best_threshold_is_where_overlap_or_success_is_highest() -> None:
    truth = np.array([[1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 0, 0, 0, 0.0]])
    maps = np.array([[0.9, 0.9, 0.7, 0.7, 0.7, 0, 0, 0, 0, 0], [0.8, 0.8, 0.8, 0, 0, 0, 0, 0, 0, 0.0]])
    steps = [0.1, 0.75, 0.85]
    curve = overlap_curve(maps, truth, steps)
    assert curve.tolist() == [[0.4, 1, 1], [0.5, 0.5, 0]]
    assert best_threshold(curve, steps) == 0.75
    assert best_threshold(curve[1:], steps, success=0.5) == 0.1
    assert np.isnan(best_threshold(curve[:0], steps))


def test_threshold_by_quantile_holds_for_every_kind() -> None:
    maxima, kinds = np.array([0, 1, 2, 3, 4, 10, 11, 12, 13, 14.0]), ["silent"] * 5 + ["noise"] * 5
    assert quantile_threshold(maxima[:5]) == 3
    assert quantile_threshold(maxima, kinds) == 13
    assert quantile_threshold(maxima, kinds, 0.5) == 12
    assert 3 < quantile_threshold(maxima) < 13
    assert np.isnan(quantile_threshold([]))


def test_combined_by_hand() -> None:
    assert harmonic_mean(0.5, 1) == pytest.approx(2 / 3)
    assert harmonic_mean(0, 0) == 0
    values = combined(0.5, {"silent": 0.0, "noise": 0.5})
    assert values == pytest.approx({"all": 0.6, "silent": 2 / 3, "noise": 0.5})
    assert combined_auc(0.5, {"silent": 1.0, "noise": 0.5}) == pytest.approx(values)
    assert combined(0.5, {}) == combined_auc(0.5, {}) == {}


def test_claims_of_two_sounds() -> None:
    claims = np.array([[True, True, False], [False, False, False], [False, True, False]])
    others = np.array([[True, False, False], [False, False, False], [False, False, False]])
    assert same_claims(claims, others).tolist() == [0.5, 1, 0]
