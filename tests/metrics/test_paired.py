"""Paired comparison: by hand on few clips, honest under no difference, and by groups."""

from __future__ import annotations

import numpy as np
import pytest

from soundspot.metrics.paired import FLIPS, compare


def test_few_clips_by_hand() -> None:
    # Three wins of three: of the eight ways to flip two are as large.
    found = compare([1, 1, 1], [0, 0, 0], ["a", "b", "c"])
    assert (found.mean, found.first_better, found.second_better, found.units) == (1, 3, 0, 3)
    assert found.p_value == pytest.approx(2 / 8, abs=0.01)
    assert (found.low, found.high) == (1, 1)


def test_the_other_way_round_is_the_same_with_another_sign() -> None:
    generator = np.random.default_rng(1)
    first, second = generator.random(40), generator.random(40)
    names = [f"{number}" for number in range(40)]
    one, other = compare(first, second, names), compare(second, first, names)
    assert other.mean == -one.mean
    assert other.p_value == one.p_value
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low))
    assert (other.first_better, other.second_better) == (one.second_better, one.first_better)


def test_the_same_maps_do_not_differ() -> None:
    found = compare([0.1, 0.7], [0.1, 0.7], ["a", "b"])
    assert (found.mean, found.p_value, found.first_better, found.second_better) == (0, 1, 0, 0)


def test_a_large_difference_is_as_sure_as_flips_allow() -> None:
    names = [f"{number}" for number in range(60)]
    found = compare(np.ones(60), np.zeros(60), names)
    assert found.p_value == 1 / (FLIPS + 1)


def test_p_values_under_no_difference_are_uniform() -> None:
    generator = np.random.default_rng(0)
    names = [f"{number}" for number in range(30)]
    values = [compare(*generator.random((2, 30)), names, flips=400).p_value for _ in range(300)]
    for share in (0.1, 0.5):
        assert np.mean(np.array(values) <= share) == pytest.approx(share, abs=0.08)


def test_clips_of_one_picture_are_one_unit() -> None:
    # Twenty wins that are all of the same picture are one win.
    values = [1.0] * 20 + [0.0, 0.4], [0.0] * 20 + [0.4, 0.0]
    found = compare(*values, ["same"] * 20 + ["a", "b"])
    assert found.units == 3
    assert found.p_value > 0.2
    assert compare(*values, [f"{number}" for number in range(22)]).p_value < 0.01


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="as many values as units"):
        compare([1, 2], [1], ["a", "b"])
    with pytest.raises(ValueError, match="one at least"):
        compare([], [], [])
