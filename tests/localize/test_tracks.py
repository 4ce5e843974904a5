"""Tracks: a region keeps its number as long as it is the same, and no number is given twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.localize.tracks import GONE_SECONDS, LEAST_OVERLAP, Tracker, overlap
from soundspot.types import Box

STEP = 0.5


def square(x: float, y: float, side: float = 0.2) -> Box:
    return (x, y, x + side, y + side)


boxes = st.builds(square, st.floats(0, 0.8), st.floats(0, 0.8), st.floats(0.01, 0.2))
looks = st.lists(st.tuples(st.booleans(), st.lists(st.tuples(boxes, st.sampled_from("ab")), max_size=4)), max_size=12)


@settings(deadline=None, max_examples=150)
@given(looks)
def test_in_any_film_numbers_are_unique_rise_from_one_and_keep_label_and_shot(
    film: list[tuple[bool, list[tuple[Box, str]]]],
) -> None:
    tracker, shot = Tracker(), 0
    labels: dict[int, str] = {}
    shots: dict[int, int] = {}
    last: dict[int, tuple[Box, float]] = {}
    for index, (is_cut, found) in enumerate(film):
        shot += is_cut
        time = index * STEP
        numbers = tracker.numbers(time, shot, [box for box, _ in found], [label for _, label in found])
        assert len(set(numbers)) == len(numbers) == len(found)
        for number, (box, label) in zip(numbers, found, strict=True):
            assert labels.setdefault(number, label) == label
            assert shots.setdefault(number, shot) == shot
            if number in last:
                before, seen = last[number]
                assert overlap(before, box) >= LEAST_OVERLAP
                assert time - seen <= GONE_SECONDS
            last[number] = box, time
    assert sorted(labels) == list(range(1, len(labels) + 1))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_sources_that_move_slowly_keep_their_numbers_in_whatever_order_they_come(seed: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    tracker, known = Tracker(), {}
    for index in range(20):
        places = [square(0.01 * index, 0.25 * which) for which in range(count)]
        order = draw.permutation(count)
        numbers = tracker.numbers(index * STEP, 0, [places[which] for which in order], ["Dog"] * count)
        for which, number in zip(order.tolist(), numbers, strict=True):
            assert known.setdefault(which, number) == number


def test_a_cut_ends_every_track_even_where_the_box_stays() -> None:
    tracker = Tracker()
    box = square(0.3, 0.3)
    assert [tracker.numbers(t, shot, [box], ["Dog"]) for t, shot in ((0, 0), (0.5, 0), (1, 1), (1.5, 1))] == [
        (1,), (1,), (2,), (2,),
    ]  # fmt: skip


@pytest.mark.parametrize(("gap", "number"), [(GONE_SECONDS, 1), (GONE_SECONDS + 0.01, 2)])
def test_a_region_that_was_gone_too_long_is_another(gap: float, number: int) -> None:
    tracker = Tracker()
    tracker.numbers(0.0, 0, [square(0.1, 0.1)], ["Dog"])
    tracker.numbers(gap / 2, 0, [], [])
    assert tracker.numbers(gap, 0, [square(0.1, 0.1)], ["Dog"]) == (number,)


def test_another_label_in_the_same_place_is_another_region() -> None:
    tracker = Tracker()
    box = square(0.1, 0.1)
    assert tracker.numbers(0.0, 0, [box], ["Dog"]) == (1,)
    assert tracker.numbers(0.5, 0, [box], ["Cat"]) == (2,)
    assert tracker.numbers(1.0, 0, [box, box], ["Cat", "Dog"]) == (2, 1)


def test_two_boxes_over_one_track_only_the_nearer_takes_it() -> None:
    tracker = Tracker()
    tracker.numbers(0.0, 0, [square(0.2, 0.2)], ["Dog"])
    assert tracker.numbers(0.5, 0, [square(0.26, 0.2), square(0.21, 0.2)], ["Dog", "Dog"]) == (2, 1)


@settings(deadline=None)
@given(boxes, boxes)
def test_overlap_is_symmetric_and_full_with_itself(one: Box, other: Box) -> None:
    assert overlap(one, other) == overlap(other, one)
    assert 0 <= overlap(one, other) <= 1 + 1e-12
    assert overlap(one, one) == pytest.approx(1)
