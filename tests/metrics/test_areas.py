"""The rules that turn scores into areas, ties included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from soundspot.metrics import ciou, claimed, stretch, top_exactly, top_more_than

Golden = Callable[[str], dict[str, np.ndarray]]
quantised = arrays_of.arrays(np.float32, (3, 20), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


def test_every_rule_equals_its_peer_on_maps_full_of_ties(golden: Golden) -> None:
    arrays = golden("eval_u8__a")
    truth = (arrays["in_gt_x2"] / 2).reshape(8, -1)
    scores = arrays["in_map"].reshape(8, -1).astype(np.float32)
    unit = scores / np.float32(255)
    lowest_is_zero = stretch(arrays["in_map"].astype(np.float32), "minmax_inverted").reshape(8, -1)
    predicted = {
        "ge": claimed(scores, "half_ge"),
        "gt": claimed(scores, "half_gt"),
        "adap": top_more_than(scores, np.count_nonzero(truth, axis=1)),
        "level05": claimed(unit, "level", 0.5),
        "lvs": claimed(unit, "half_gt_or_one"),
        "rcgrad": claimed(lowest_is_zero, "half_ge_and_level", 0.5),
    }
    for rule, areas in predicted.items():
        assert np.abs(ciou(areas, truth) - arrays[f"out_ciou_{rule}_f64"]).max() < 1e-9, rule


@given(scores=quantised, counts=arrays_of.arrays(np.int64, 3, elements=st.integers(0, 20)))
@settings(deadline=None)
def test_exact_areas_are_exact_and_highest_and_first(scores: np.ndarray, counts: np.ndarray) -> None:
    chosen = top_exactly(scores, counts)
    assert np.array_equal(chosen.sum(axis=1), counts)
    for row, count, taken in zip(scores, counts, chosen, strict=True):
        first = np.argsort(-row, kind="stable")[:count]
        assert set(np.flatnonzero(taken)) == set(first)


@given(scores=quantised)
@settings(deadline=None)
def test_half_rules_bracket_the_exact_half(scores: np.ndarray) -> None:
    exact, at_least, more = (claimed(scores, rule) for rule in ("half_exact", "half_ge", "half_gt"))
    assert np.all(exact.sum(axis=1) == 10)
    assert np.all(more <= exact)
    assert np.all(exact <= at_least)


def test_constant_map_is_whole_empty_or_upper_half() -> None:
    flat = np.zeros((1, 16), dtype=np.float32)
    assert claimed(flat, "half_ge").all()
    assert not claimed(flat, "half_gt").any()
    assert np.array_equal(np.flatnonzero(claimed(flat, "half_exact")), np.arange(8))


def test_adaptive_area_of_no_truth_is_half_of_the_picture() -> None:
    scores = np.arange(16, dtype=np.float32)[None]
    assert top_more_than(scores, np.array([0])).sum() == 7
    assert top_more_than(scores, np.array([4])).sum() == 3


def test_share_of_the_maximum_and_level_are_strict() -> None:
    scores = np.array([[0.0, 0.5, 0.6, 1.0], [0.0, 1.0, 1.2, 2.0]])
    assert claimed(scores, "share_of_max", 0.5).tolist() == [[False, False, True, True]] * 2
    assert claimed(scores, "level_gt", 0.5).tolist() == [[False, False, True, True], [False, True, True, True]]
    assert claimed(scores, "level", 0.5)[0].tolist() == [False, True, True, True]


def test_share_of_the_maximum_of_a_map_nowhere_positive_is_nothing() -> None:
    scores = np.array([[0.0, 0.0], [-2.0, -1.0], [1.0, 1.0]])
    for share in (0.0, 0.1, 0.5):
        assert claimed(scores, "share_of_max", share).sum(axis=1).tolist() == [0, 0, 2]


def test_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an area rule, got 'most'"):
        claimed(np.zeros((1, 4)), "most")  # type: ignore[arg-type]
