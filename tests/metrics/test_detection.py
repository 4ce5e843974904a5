"""Detection metrics equal SLAVC's numbers and the textbook's."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.metrics import (
    auroc,
    average_precision,
    average_precision_slavc,
    curve,
    f1_list_slavc,
    max_f1,
    max_f1_slavc,
    size_bin,
)

Golden = Callable[[str], dict[str, np.ndarray]]
clips = st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans()), min_size=1, max_size=40)


@pytest.mark.parametrize("case", ["slavc_stats__a", "slavc_stats__b"])
def test_statistics_equal_the_peer(golden: Golden, case: str) -> None:
    arrays = golden(case)
    expected = json.loads(str(arrays["out_stats_json"]))
    overlaps, confidences = arrays["in_iou_f64"], arrays["in_conf_f64"]
    positives = arrays["in_nbox"] > 0
    bins = np.array([size_bin(area) for area in arrays["in_area_f64"]])
    subsets = {"all": np.ones(len(bins), dtype=bool), "visible": positives}
    subsets |= {name: positives & (bins == name) for name in ("small", "medium", "large", "huge")}
    for percent in (50, 75):
        for name, chosen in subsets.items():
            hits = (overlaps >= percent / 100)[chosen]
            visible = positives[chosen]
            ranked = average_precision_slavc(confidences[chosen], hits, visible)
            assert ranked == pytest.approx(expected[f"AP-{name}@{percent}"], abs=1e-9)
            assert (hits & visible).mean() == pytest.approx(expected[f"Precision-{name}@{percent}"], abs=1e-9)
            printed = " ".join(f"{100 * value:.1f}" for value in f1_list_slavc(confidences[chosen], hits, visible))
            assert printed == expected[f"F1-{name}@{percent}"]


@pytest.mark.parametrize("case", ["slavc_stats__a", "slavc_stats__b"])
def test_curves_equal_the_peer(golden: Golden, case: str) -> None:
    arrays = golden(case)
    confidences, positives = arrays["in_conf_f64"], arrays["in_nbox"] > 0
    hits = arrays["in_iou_f64"] >= 0.5
    ascending = curve(confidences, hits, positives, np.sort(confidences))
    assert np.abs(ascending.precision - arrays["out_precision_curve_f64"]).max() < 1e-9
    assert np.abs(ascending.recall - arrays["out_recall_curve_f64"]).max() < 1e-9
    assert curve(confidences, hits, positives, [0.5]).f1[0] == pytest.approx(arrays["out_f1_at_conf05"], abs=1e-9)
    assert np.abs(f1_list_slavc(confidences, hits, positives) - arrays["out_f1_list_f64"]).max() < 1e-9
    assert max_f1_slavc(confidences, hits, positives) == pytest.approx(arrays["out_max_f1"], abs=1e-9)
    assert average_precision_slavc(confidences, hits, positives) == pytest.approx(arrays["out_ap_at_50"], abs=1e-9)


def test_average_precision_by_hand() -> None:
    # Surest first: right, wrong (a negative), right, misplaced.
    confidences, hits, positives = [4, 3, 2, 1], [1, 0, 1, 0], [1, 0, 1, 1]
    assert average_precision(confidences, hits, positives) == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
    # SLAVC's recall: 1 / 3 after the first, 1 / 3, 2 / 3, and 1 with the misplaced one forgiven.
    forgiven = average_precision(confidences, hits, positives, recall="slavc")
    assert forgiven == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3 + 1 / 3 * 1 / 2)


def test_misplaced_positives_are_forgiven_by_slavc_only() -> None:
    confidences, hits, positives = [3, 2, 1], [1, 0, 0], [1, 1, 1]
    assert curve(confidences, hits, positives).recall[-1] == 1
    assert curve(confidences, hits, positives, recall="voc").recall[-1] == pytest.approx(1 / 3)
    assert average_precision(confidences, hits, positives) == pytest.approx(1 / 3)
    forgiven = average_precision(confidences, hits, positives, recall="slavc")
    assert forgiven == pytest.approx(1 / 3 + 1 / 6 * 1 / 2 + 1 / 2 * 1 / 3)


@given(rows=clips, seed=st.integers(0, 99))
@settings(deadline=None)
def test_order_does_not_matter_and_values_are_shares(rows: list[tuple[int, bool, bool]], seed: int) -> None:
    arrays = [np.array(column) for column in zip(*rows, strict=True)]
    order = np.random.default_rng(seed).permutation(len(rows))
    for metric in (average_precision, average_precision_slavc, max_f1, max_f1_slavc):
        value = metric(*arrays)
        assert metric(*(array[order] for array in arrays)) == pytest.approx(value, nan_ok=True)
        assert np.isnan(value) == (not any(positive for _, _, positive in rows))
        assert np.isnan(value) or 0 <= value <= 1 + 1e-12


@given(rows=clips)
@settings(deadline=None)
def test_auroc_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool, bool]]) -> None:
    scores, _, positives = zip(*rows, strict=True)
    pairs = [
        (high > low) + (high == low) / 2
        for high, is_high in zip(scores, positives, strict=True)
        for low, is_low in zip(scores, positives, strict=True)
        if is_high and not is_low
    ]
    expected = np.mean(pairs) if pairs else np.nan
    assert auroc(scores, positives) == pytest.approx(expected, nan_ok=True)


def test_perfect_order_is_perfect() -> None:
    confidences, positives = np.arange(20.0), np.arange(20) >= 10
    assert average_precision(confidences, positives, positives) == 1
    assert max_f1(confidences, positives, positives) == 1
    assert auroc(confidences, positives) == 1
    assert auroc(-confidences, positives) == 0
