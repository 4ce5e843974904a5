"""Counts, areas and places of boxes and maps."""

from __future__ import annotations

import numpy as np
import pytest

from soundspot.metrics.statistics import (
    area_above,
    area_shares,
    box_areas,
    box_centres,
    centroids,
    entropies,
    histogram,
    laid_over,
    num_boxes,
    position_histogram,
    spreads,
)

BOXES = [(0, 0, 0.5, 0.5), (-1, 0.5, 1, 2), (0.5, 0.5, 0.5, 1), (0.6, 0.1, 0.4, 0.2)]


def test_boxes() -> None:
    assert num_boxes([BOXES, [], BOXES[:1]]).tolist() == [4, 0, 1]
    assert box_areas(BOXES) == pytest.approx([0.25, 0.5, 0, 0])
    assert box_centres(BOXES).tolist() == [[0.25, 0.25], [0.5, 0.75]]
    assert box_areas([]).shape == (0,)
    assert box_centres([]).shape == (0, 2)


def test_histograms_are_shares() -> None:
    edges, shares = histogram([0, 0.1, 0.9, 1, np.nan, 7], bins=2)
    assert edges.tolist() == [0, 0.5, 1]
    assert shares.tolist() == [0.5, 0.5]
    assert histogram([], bins=2).shares.tolist() == [0, 0]
    places = position_histogram([(0.9, 0.1), (0.9, 0.1), (0.1, 0.1), (np.nan, 0.5)], bins=2)
    assert places == pytest.approx(np.array([[1 / 3, 2 / 3], [0, 0]]))  # rows from the top
    assert position_histogram([], bins=3).tolist() == [[0] * 3] * 3


def test_areas_of_maps_and_truth() -> None:
    maps = np.array([[[0.0, 0.5], [1, 0.2]], [[0, 0], [0, 0]]])
    assert area_above(maps).tolist() == [0.5, 0]
    assert area_above(maps, 0.2).tolist() == [0.75, 0]
    assert area_shares(maps > 0).tolist() == [0.75, 0]
    assert laid_over(maps).tolist() == [[0, 0.25], [0.5, 0.1]]
    assert np.isnan(laid_over(maps[:0])).all()


def test_where_a_map_is_and_how_wide() -> None:
    maps = np.full((3, 4, 8), -1.0)
    maps[0, 1, 6] = 5
    maps[1, :, [0, 7]] = 3
    assert centroids(maps) == pytest.approx(np.array([[6.5 / 8, 1.5 / 4], [0.5, 0.5], [0.5, 0.5]]))
    one, sides, flat = spreads(maps)
    assert one == 0
    assert sides > flat > 0.35
    assert spreads(np.zeros((1, 200, 200)))[0] == pytest.approx(np.sqrt(1 / 6), abs=1e-3)
    assert entropies(maps) == pytest.approx([0, np.log(8) / np.log(32), 1])
    assert entropies(np.ones((1, 1, 1))) == [0]


def test_scale_and_offset_of_a_map_change_nothing() -> None:
    maps = np.random.default_rng(0).random((2, 6, 6))
    for metric in (centroids, spreads, entropies):
        assert metric(3 * maps - 7) == pytest.approx(metric(maps))
