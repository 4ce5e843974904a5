"""What metrics do at their edges: sizes that are not square, the least there can be, defaults, and wrong requests."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from soundspot.metrics.areas import claimed
from soundspot.metrics.classes import match_clusters
from soundspot.metrics.curves import CONFIDENCES, OVERLAPS, ap_by_area
from soundspot.metrics.detection import curve
from soundspot.metrics.embedding_space import unit_rows
from soundspot.metrics.intervals import NUM_RANK_RESAMPLES, NUM_RESAMPLES
from soundspot.metrics.maps import confidence_max, enlarge, stretch
from soundspot.metrics.negatives import area_under_curve, overlap_curve, quantile_threshold
from soundspot.metrics.overlap import ciou, group_overlaps
from soundspot.metrics.paired import compare
from soundspot.metrics.retrieval import chance
from soundspot.metrics.segmentation import frame_counts, fscore_curve
from soundspot.metrics.statistics import histogram, position_histogram
from soundspot.metrics.truth import area_average
from soundspot.types import UserError


@pytest.mark.parametrize("size", [(900, 40), (40, 900), (1500, 300)])
def test_tall_and_wide_maps_are_enlarged_whole(size: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).random((2, 14, 9), dtype=np.float32)
    expected = torch.nn.functional.interpolate(torch.from_numpy(maps)[:, None].double(), size, mode="bilinear")
    assert np.abs(enlarge(maps, size) - expected[:, 0].numpy()).max() < 1e-6


def test_maps_that_are_not_square_are_stretched_one_by_one() -> None:
    maps = np.random.default_rng(0).random((3, 2, 5)).astype(np.float32)
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    assert stretch(maps, "minmax") == pytest.approx((maps - low) / (high - low), abs=1e-6)
    assert confidence_max(maps).tolist() == high.ravel().tolist()


def test_areas_of_a_grid_that_is_not_square() -> None:
    values = np.arange(24.0).reshape(4, 6)
    assert area_average(values, (2, 3)).tolist() == values.reshape(2, 2, 3, 2).mean(axis=(1, 3)).tolist()


def test_an_unknown_area_rule_is_refused() -> None:
    for rule in ("all", "half", "zero"):
        with pytest.raises(ValueError, match="expected an area rule"):
            claimed(np.zeros((1, 4), np.float32), rule)  # type: ignore[arg-type]


def test_numbers_of_no_class_and_of_no_cluster_are_named() -> None:
    with pytest.raises(UserError, match=r"expected cluster numbers in 0\.\.3, got 0\.\.4"):
        match_clusters([0, 1], [0, 4], 2, 4)
    with pytest.raises(UserError, match=r"expected class numbers in 0\.\.1, got -1\.\.1"):
        match_clusters([-1, 1], [0, 3], 2, 4)
    assert match_clusters([0, 1, 1], [3, 0, 0], 2, 4)[[0, 1], [3, 0]].tolist() == [1, 1]


@pytest.mark.parametrize("vectors", [[1.0, 2.0], [[1.0, np.nan]], [[[1.0]]], [[np.inf, 1.0]]])
def test_vectors_must_be_finite_rows(vectors: list) -> None:
    with pytest.raises(UserError, match=r"expected finite vectors \(N, C\)"):
        unit_rows(vectors)


def test_lists_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        group_overlaps([0.1, 0.2], ["a"])
    with pytest.raises(ValueError, match="zip"):
        overlap_curve(np.zeros((2, 4)), np.ones((1, 4)), [0.5])
    with pytest.raises(ValueError, match="as many values as units"):
        compare([1, 2], [0, 1], ["a"])
    with pytest.raises(ValueError, match="as many values as units"):
        compare([[1, 2]], [[0, 1]], ["a", "b"])


def test_how_often_is_drawn() -> None:
    assert (NUM_RESAMPLES, NUM_RANK_RESAMPLES) == (1000, 200)
    found = compare(np.ones(60), np.zeros(60), [f"{number}" for number in range(60)])
    assert found.p_value == 1 / 20_001


def test_a_negatives_threshold_is_the_third_quartile() -> None:
    assert quantile_threshold([0, 1, 2, 3, 4]) == 3
    assert quantile_threshold([0, 1, 2, 3, 4, 10, 11, 12, 13, 14], ["a"] * 5 + ["b"] * 5) == 13
    assert np.isnan(quantile_threshold([]))


def test_chance_of_one_answer_and_of_none() -> None:
    assert chance(1, 1) == 1
    assert chance(4, 1) == 0.25
    assert chance(3, 2, ["a", "a", "b"]) == pytest.approx(8 / 9)
    assert np.isnan(chance(0, 1))


def test_histograms_have_twenty_bins_and_places_twenty_eight() -> None:
    assert histogram([0.5]).shares.shape == (20,)
    assert histogram([0.5]).edges[[0, -1]].tolist() == [0, 1]
    assert position_histogram([(0.5, 0.5)]).shape == (28, 28)


def test_a_true_pixel_alone_counts_in_the_curve() -> None:
    scores, truth = np.array([[0.9, 0.1, 0.1, 0.1]], np.float32), np.array([[True, False, False, False]])
    assert fscore_curve(frame_counts(scores, truth)).max() == pytest.approx(1)
    assert not fscore_curve(frame_counts(scores, ~truth & False)).any()


def test_nothing_claimed_of_nothing_overlaps_nothing() -> None:
    nothing = np.zeros((1, 4), bool)
    for truth in (nothing, nothing.astype(np.float32)):
        with np.errstate(all="raise"):
            assert ciou(nothing, truth).tolist() == [0]


def test_sizes_leave_negatives_out_unless_asked() -> None:
    told = ([0.9, 0.8, 0.7], np.array([[0.9], [0.0], [0.6]]), ["small", "none", "small"], [True, False, True])
    alone, among = ap_by_area(*told, form="voc"), ap_by_area(*told, form="voc", with_negatives=True)
    assert alone["small"][0] == 1
    assert among["small"][0] < 1
    assert alone["all"][0] == among["all"][0] == among["small"][0]


def test_a_curve_once_made_stays_as_it_is() -> None:
    made = curve([0.5, 0.4], [True, False], [True, True])
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.precision = made.recall  # type: ignore[misc]


def test_the_area_under_curves_is_that_of_their_mean() -> None:
    curves = np.array([[1, 0.5, 0], [1, 1, 0.5]])
    assert area_under_curve(curves, [0, 1, 2]) == 0.6875
    assert area_under_curve(curves, [-3, 1, 5]) == 0.6875
    assert np.isnan(area_under_curve(curves[:, :1], [1]))


def test_curves_are_taken_at_every_twentieth() -> None:
    assert pytest.approx(np.arange(21) / 20) == CONFIDENCES
    assert pytest.approx(np.arange(1, 20) / 20) == OVERLAPS


def test_a_class_seen_once_counts_as_much_as_others() -> None:
    # Class 0 is all of one item, in cluster 0; class 1 has four items there and one in cluster 1: 1 + 0.2 beats 0.8.
    matched = match_clusters([0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1], 2, 2)
    assert matched.tolist() == [[1, 0], [0, 1]]
