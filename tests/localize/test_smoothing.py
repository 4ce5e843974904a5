"""Smoothing over time: within a shot and between looks that sound, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.localize.judging import Judge, Moments, smoothed
from soundspot.localize.looks import Look
from soundspot.localize.timeline import Calibration

SURE = Calibration(scale=1.0, offset=0.0, low=0.3, high=0.7)
COUNT = 7


def look(index: int, value: float, level: float = -20.0, change: float = 0.0) -> Look:
    scores = np.full((2, 3), value, np.float32)
    scores[0, index % 3] += 1
    return Look(time_seconds=index / 2, maps=scores, level_dbfs=level, change=change, tags=((f"Tag{index}", 0.5),))


def flat(value: float, level: float = -20.0) -> Look:
    return Look(time_seconds=0.0, maps=np.full((2, 3), value, np.float32), level_dbfs=level)


def at(looks: list[Look], index: int, shots: list[int] | None = None) -> Look:
    return smoothed(looks, shots or [0] * len(looks), looks, index)


@settings(deadline=None)
@given(st.floats(-20, 20, width=32), st.integers(1, 6))
def test_what_stays_the_same_is_unchanged(value: float, count: int) -> None:
    looks = [flat(value) for _ in range(count)]
    for index in range(count):
        assert np.allclose(at(looks, index).maps, value, rtol=1e-6)


@settings(deadline=None)
@given(st.lists(st.floats(-9, 9), min_size=3, max_size=8), st.integers(0, 7))
def test_a_smoothed_map_lies_between_those_around_it(values: list[float], which: int) -> None:
    index = which % len(values)
    got = at([flat(value) for value in values], index).maps
    near = values[max(0, index - 1) : index + 2]
    assert min(near) - 1e-5 <= got.min() <= got.max() <= max(near) + 1e-5


def test_the_look_itself_weighs_as_much_as_both_beside_it() -> None:
    looks = [flat(0.0), flat(4.0), flat(8.0)]
    assert at(looks, 1).maps[0, 0] == 4
    assert at(looks, 0).maps[0, 0] == pytest.approx(4 / 3)


def test_nothing_crosses_a_cut() -> None:
    looks = [flat(0.0), flat(0.0), flat(9.0), flat(9.0)]
    shots = [0, 0, 1, 1]
    for index, value in enumerate([0, 0, 9, 9]):
        assert np.array_equal(at(looks, index, shots).maps, looks[index].maps)
        assert at(looks, index, shots).maps[0, 0] == value
    assert at(looks, 1).maps[0, 0] > 0, "without the cut it would"


def test_silence_neither_gives_nor_takes() -> None:
    looks = [flat(1.0), flat(50.0, -math.inf), flat(3.0)]
    for index, value in enumerate([1, 50, 3]):
        assert np.array_equal(at(looks, index).maps, np.full((2, 3), value, np.float32))


def test_classes_are_smoothed_as_maps_are() -> None:
    def of(value: float) -> Look:
        full = np.full((2, 2, 2), value, np.float32)
        return Look(time_seconds=0.0, maps=full, level_dbfs=-9.0, heard=(value, 1 - value), seen=full)

    got = at([of(0.0), of(1.0), of(0.0)], 1)
    assert got.heard == (0.5, 0.5)
    assert got.seen[0, 0, 0] == got.maps[1, 1, 1] == 0.5


def moments(seed: int) -> tuple[list[Look], Moments]:
    draw = np.random.default_rng(seed)
    levels = [-math.inf if draw.random() < 0.2 else -20.0 for _ in range(COUNT)]
    changes = [0.8 if draw.random() < 0.2 else 0.01 for _ in range(COUNT)]
    looks = [look(index, float(draw.normal()), levels[index], changes[index]) for index in range(COUNT)]
    rows = [replace(each, maps=np.zeros((0, 0), np.float32)) for each in looks]
    return looks, Moments(looks, rows, Judge(SURE))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31), st.permutations(range(COUNT)))
def test_what_is_read_of_a_moment_does_not_depend_on_what_was_read_before(seed: int, order: list[int]) -> None:
    _, in_order = moments(seed)
    _, mixed = moments(seed)
    expected = list(in_order)
    for index in order:
        got, wanted = mixed[index], expected[index]
        assert np.array_equal(got.map, wanted.map)
        assert np.array_equal(got.heat, wanted.heat)
        assert (got.verdict, got.tracks, got.boxes, got.shot) == (
            wanted.verdict, wanted.tracks, wanted.boxes, wanted.shot,
        )  # fmt: skip
        assert mixed.known[index].verdict == got.verdict
        assert mixed.known[index].heat.size == 0, "maps stay where they are"
    assert np.array_equal(mixed[-1].map, expected[-1].map)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31))
def test_a_moment_agrees_with_itself(seed: int) -> None:
    looks, judged = moments(seed)
    for own, moment in zip(looks, judged, strict=True):
        assert moment.time_seconds == own.time_seconds
        assert len(moment.tracks) == len(moment.boxes) == len(moment.box_labels)
        if own.level_dbfs == -math.inf:
            assert (moment.verdict, moment.probability, moment.boxes) == ("silent", 0.0, ())
            assert moment.heat.max() == 0
            assert moment.map.shape == own.maps.shape
        else:
            assert moment.confidence == pytest.approx(float(moment.map.max()))
            assert moment.probability == pytest.approx(float(moment.heat.max()))
            assert moment.verdict == SURE.verdict(moment.probability)
            assert moment.tags == own.tags
