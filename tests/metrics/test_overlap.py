"""Overlap metrics equal the peers' lists and obey their own laws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from soundspot.metrics import auc, ciou, group_of_name, iauc, iiou, pointing, size_bin, success_rate
from soundspot.metrics.overlap import AUC_THRESHOLDS, auc_shares

Golden = Callable[[str], dict[str, np.ndarray]]
overlaps_of = arrays_of.arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1))
weights = arrays_of.arrays(np.float32, (2, 12), elements=st.sampled_from([0.0, 0.5, 1.0]))


def test_lists_equal_the_peer(golden: Golden) -> None:
    arrays = golden("iiou_lists__a")
    groups = [group_of_name(str(name)) for name in arrays["in_names"]]
    for suffix in ("", "_adap"):
        values = arrays[f"in_iou{suffix}_f64"]
        assert success_rate(values) == pytest.approx(arrays[f"out_cIoU{suffix}"], abs=1e-9)
        assert auc(values) == pytest.approx(arrays[f"out_AUC{suffix}"], abs=1e-9)
        assert iiou(values, groups) == pytest.approx(arrays[f"out_IIoU{suffix}"], abs=1e-9)
        assert iauc(values, groups) == pytest.approx(arrays[f"out_IAUC{suffix}"], abs=1e-9)
    assert arrays["in_iou_f64"].mean() == pytest.approx(arrays["out_mean_iou"], abs=1e-9)


def test_ciou_by_hand() -> None:
    predicted = np.array([[True, True, False, True]])
    truth = np.array([[1.0, 0.5, 1.0, 0.0]])
    assert ciou(predicted, truth) == pytest.approx([1.5 / 3.5])


def test_nothing_met_by_nothing_scores_zero() -> None:
    assert ciou(np.zeros((1, 4), dtype=bool), np.zeros((1, 4))) == [0]


@given(truth=weights)
@settings(deadline=None)
def test_the_truth_itself_scores_one(truth: np.ndarray) -> None:
    assert np.allclose(ciou(truth > 0, truth), truth.any(axis=1))


@given(truth=weights, order=st.permutations(range(12)), seed=st.integers(0, 99))
@settings(deadline=None)
def test_order_of_pixels_does_not_matter(truth: np.ndarray, order: list[int], seed: int) -> None:
    predicted = np.random.default_rng(seed).random(truth.shape) < 0.5
    assert np.allclose(ciou(predicted[:, order], truth[:, order]), ciou(predicted, truth))


@given(values=overlaps_of, seed=st.integers(0, 99))
@settings(deadline=None)
def test_order_of_clips_does_not_matter(values: np.ndarray, seed: int) -> None:
    mixed = np.random.default_rng(seed).permutation(values)
    assert auc(mixed) == pytest.approx(auc(values))
    assert success_rate(mixed) == success_rate(values)


@given(values=overlaps_of)
@settings(deadline=None)
def test_auc_is_the_mean_of_shares_and_near_the_mean_overlap(values: np.ndarray) -> None:
    rates = [success_rate(values, threshold) for threshold in AUC_THRESHOLDS]
    assert auc(values) == pytest.approx(np.trapezoid(rates, AUC_THRESHOLDS))
    assert np.all(np.abs(auc_shares(values) - values) <= 0.05 + 1e-9)


@given(values=overlaps_of)
@settings(deadline=None)
def test_groups_of_one_are_clips_and_larger_ones_only_lower(values: np.ndarray) -> None:
    assert iiou(values, [str(row) for row in range(len(values))]) == success_rate(values)
    assert iiou(values, ["all"] * len(values)) == float(values.min() >= 0.5)


def test_success_at_the_threshold_itself() -> None:
    assert success_rate([0.5, 0.4]) == 0.5
    assert success_rate([0.5, 0.4], strictly=True) == 0
    assert success_rate([0.3, 0.2], 0.3) == 0.5
    assert np.isnan(success_rate([]))
    assert np.isnan(auc([]))


def test_pointing_takes_the_first_of_equals() -> None:
    scores = np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    truth = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.5]])
    assert list(pointing(scores, truth)) == [False, True]


def test_size_bins_are_half_open() -> None:
    areas = [0, 32**2 - 1, 32**2, 96**2 - 1, 96**2, 144**2 - 1, 144**2, 224**2]
    names = ["small", "small", "medium", "medium", "large", "large", "huge", "huge"]
    assert [size_bin(area) for area in areas] == names
