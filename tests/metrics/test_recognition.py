"""NMI and multi-label recognition equal what pencil and paper give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.metrics.recognition import multi_map, multi_precision, multi_recall, nmi
from soundspot.types import UserError

# Classes: 0 sounds in clips 0 and 1, 1 in clips 1 and 2, 2 in clip 3, 3 nowhere.
TRUTH = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], dtype=bool)
SCORES = np.array([[0.9, 0.1, 0.2, 0.6], [0.4, 0.8, 0.3, 0.7], [0.6, 0.7, 0.1, 0.0], [0.1, 0.9, 0.4, 0.0]])


def test_precision_and_recall_by_hand() -> None:
    # Claims at 0.5: class 0 clips 0 and 2 (one right), class 1 clips 1, 2, 3 (two right), class 2 none, class 3 two.
    assert multi_precision(SCORES, TRUTH) == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert multi_recall(SCORES, TRUTH) == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert multi_precision(SCORES, TRUTH, average="micro") == pytest.approx(3 / 7)
    assert multi_recall(SCORES, TRUTH, average="micro") == pytest.approx(3 / 5)
    assert multi_recall(SCORES, TRUTH, threshold=0.4) == 1
    assert multi_recall(SCORES, TRUTH, threshold=0.41) == pytest.approx((1 / 2 + 1 + 0) / 3)


def test_mean_average_precision_by_hand() -> None:
    # Class 0: right, wrong, right. Class 1: wrong, right, right. Class 2: right.
    first, second, third = (1 + 2 / 3) / 2, (1 / 2 + 2 / 3) / 2, 1
    assert multi_map(SCORES, TRUTH) == pytest.approx((first + second + third) / 3)
    # All cells: .9 right and wrong as one step, .8 right, .7 right and wrong, .6 wrong twice, .4 right twice.
    assert multi_map(SCORES, TRUTH, average="micro") == pytest.approx((1 / 2 + 2 / 3 + 3 / 5 + 2 * 5 / 9) / 5)


def test_nmi_by_hand() -> None:
    # Clusters 2 + 2, classes 3 + 1: joint shares 1/2, 1/4, 1/4.
    half, quarter = np.log(2), 0.75 * np.log(4 / 3) + 0.25 * np.log(4)
    shared = half + quarter - (0.5 * np.log(2) + 0.5 * np.log(4))
    assert nmi([0, 0, 1, 1], ["a", "a", "a", "b"]) == pytest.approx(2 * shared / (half + quarter))
    assert nmi([5, 5, 9], ["x", "x", "y"]) == pytest.approx(1)
    assert nmi([0, 1, 0, 1], [0, 0, 1, 1]) == pytest.approx(0, abs=1e-12)
    assert nmi([0, 0, 0], [7, 7, 7]) == 1
    assert nmi([0, 0, 0], [0, 1, 2]) == pytest.approx(0, abs=1e-12)
    assert np.isnan(nmi([], []))


@given(labels=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_nmi_knows_neither_names_nor_order(labels: list[tuple[int, int]]) -> None:
    clusters, classes = map(np.array, zip(*labels, strict=True))
    value = nmi(clusters, classes)
    assert 0 <= value <= 1
    assert nmi(classes, clusters) == pytest.approx(value)
    assert nmi(-clusters[::-1], classes[::-1] + 9) == pytest.approx(value)
    assert nmi(clusters, clusters) == pytest.approx(1)


@given(seed=st.integers(0, 999), clips=st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_truth_as_scores_is_perfect_and_order_changes_nothing(seed: int, clips: int) -> None:
    draw = np.random.default_rng(seed)
    truth = draw.random((clips, 4)) < 0.4
    scores = draw.integers(0, 5, (clips, 4)) / 4
    order = draw.permutation(clips)
    for metric in (multi_precision, multi_recall, multi_map):
        for average in ("macro", "micro"):
            assert metric(truth.astype(float), truth, average=average) == (1 if truth.any() else pytest.approx(
                np.nan, nan_ok=True))  # fmt: skip
            value = metric(scores, truth, average=average)
            assert metric(scores[order], truth[order], average=average) == pytest.approx(value, nan_ok=True)
            assert np.isnan(value) or 0 <= value <= 1 + 1e-12
    assert multi_map(np.exp(scores), truth) == pytest.approx(multi_map(scores, truth), nan_ok=True)


def test_nothing_claimed_is_nothing_right() -> None:
    assert multi_precision(np.zeros((2, 2)), np.eye(2)) == 0
    assert multi_precision(np.zeros((2, 2)), np.eye(2), average="micro") == 0
    assert np.isnan(multi_map(np.ones((2, 2)), np.zeros((2, 2))))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match=r"got \(2, 2\) and \(2, 3\)"):
        multi_map(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(UserError, match="got NaN"):
        multi_recall(np.full((1, 1), np.nan), np.ones((1, 1)))
    with pytest.raises(UserError, match="got 2 clusters and 1 classes"):
        nmi([1, 2], [1])
