"""Values at places of an order equal those of a full sort, whatever was asked before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from soundspot.metrics.areas import AreaRule, claimed, top_exactly, top_more_than
from soundspot.metrics.maps import Stretch, Stretching, confidence_top_quarter, stretch
from soundspot.metrics.order import Order

PIXELS = 24
maps_of = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 4), st.just(PIXELS)), elements=st.sampled_from([-1, -0.5, 0, 0.1, 0.7, 3])
)


@given(maps=maps_of, asked=st.lists(st.integers(0, PIXELS - 1), max_size=6), seed=st.integers(0, 99))
def test_every_place_is_that_of_a_full_sort(maps: np.ndarray, asked: list[int], seed: int) -> None:
    before, ordered, order = maps.copy(), np.sort(maps, axis=1), Order(maps)
    for place in asked:
        assert np.array_equal(order.at(place), ordered[:, place, None])
        own = np.random.default_rng(seed + place).integers(0, PIXELS, len(maps))
        assert np.array_equal(order.at_each(own)[:, 0], ordered[np.arange(len(maps)), own])
    assert order.mean_of_highest(6) == pytest.approx(ordered[:, -6:].mean(axis=1, dtype=np.float64))
    assert np.array_equal(maps, before), "what was given is left as it is"


def test_it_works_in_the_array_it_is_given() -> None:
    maps = np.random.default_rng(0).random((3, PIXELS), dtype=np.float32)
    ordered, space = np.sort(maps, axis=1), np.empty_like(maps)
    assert np.array_equal(Order(maps, into=space).at(5), ordered[:, 5, None])
    assert np.array_equal(np.sort(space, axis=1), ordered)
    assert np.array_equal(Order(maps, into=maps).at(5), ordered[:, 5, None]), "also in the values themselves"


def test_values_told_are_kept_when_more_is_asked() -> None:
    order = Order(np.random.default_rng(1).random((2, PIXELS), dtype=np.float32))
    told = order.at(3)
    first = told.copy()
    for place in range(PIXELS):
        order.at(place)
    assert np.array_equal(told, first)


@given(maps=maps_of, rule=st.sampled_from(["half_ge", "half_gt", "half_gt_or_one", "half_exact"]))
def test_areas_are_the_same_with_an_order_at_hand(maps: np.ndarray, rule: AreaRule) -> None:
    counts = np.arange(len(maps)) * 5
    order = Order(maps)
    confidence_top_quarter(maps[:, None], order)
    assert np.array_equal(claimed(maps, rule, ranked=order), claimed(maps, rule))
    assert np.array_equal(top_exactly(maps, counts, ranked=order), top_exactly(maps, counts))
    assert np.array_equal(top_more_than(maps, counts, ranked=order), top_more_than(maps, counts))


@given(
    maps=maps_of,
    how=st.sampled_from(["none", "minmax", "minmax_inverted", "range"]),
    place=st.integers(0, PIXELS - 1),
)
def test_stretching_keeps_the_order(maps: np.ndarray, how: Stretch, place: int) -> None:
    stretched = stretch(maps[:, None], how, (-1.0, 3.0))[:, 0]
    by_value = Stretching(maps, how, (-1.0, 3.0))(Order(maps).at(place))
    assert np.array_equal(by_value[:, 0], np.sort(stretched, axis=1)[:, place])
    over = maps.copy()
    assert np.array_equal(Stretching(over, how, (-1.0, 3.0))(over, out=over), stretched)
