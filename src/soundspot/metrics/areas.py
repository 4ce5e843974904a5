"""Which pixels a map claims: the rules by which papers turn scores into an area, from (N, P) to bool (N, P)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from soundspot.metrics.overlap import count_true

Bools = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.floating]

AreaRule = Literal[
    "half_ge", "half_gt", "half_gt_or_one", "half_ge_and_level", "level", "level_gt", "share_of_max", "half_exact"
]


def claimed(scores: Scores, rule: AreaRule, level: float = 0.5) -> Bools:
    """(N, P) -> bool (N, P) by one of the field's rules.

    half_ge: at least the value at sorted index P // 2 (EZ-VSL, SLAVC); half_gt: more than it (SSLalign);
    half_gt_or_one: or at least 1, since LVS binarises in place; half_ge_and_level: and at least `level` (RCGrad);
    level: at least `level` (SLAVC's absolute form, SSPL); level_gt: more than it (AVSBench); share_of_max: more than
    `level` times the map's maximum (DSOL, CoarseToFine), so nothing of a map that is nowhere positive;
    half_exact: exactly P // 2 pixels, ties in reading order.
    """
    if rule == "level":
        return scores >= level
    if rule == "level_gt":
        return scores > level
    if rule == "share_of_max":
        return scores > level * scores.max(axis=1, keepdims=True)
    pixels = scores.shape[1]
    if rule == "half_exact":
        return top_exactly(scores, np.full(len(scores), pixels // 2))
    middle = np.partition(scores, pixels // 2, axis=1)[:, pixels // 2, None]
    if rule == "half_ge":
        return scores >= middle
    if rule == "half_ge_and_level":
        return (scores >= middle) & (scores >= level)
    if rule == "half_gt":
        return scores > middle
    if rule == "half_gt_or_one":
        return (scores > middle) | (scores >= 1)
    raise ValueError(f"expected an area rule, got {rule!r}")


def top_exactly(scores: Scores, counts: npt.NDArray[np.integer]) -> Bools:
    """(N, P), (N,) -> bool (N, P) with exactly counts[n] highest pixels; ties go to the first in reading order."""
    bounds = _kth_smallest(scores, scores.shape[1] - np.maximum(counts, 1))
    chosen = scores > bounds
    wanted = counts - count_true(chosen)
    for row in np.flatnonzero(counts > 0):
        ties = np.flatnonzero(scores[row] == bounds[row])
        chosen[row, ties[: wanted[row]]] = True
    chosen[counts <= 0] = False
    return chosen


def top_more_than(scores: Scores, counts: npt.NDArray[np.integer]) -> Bools:
    """(N, P), (N,) -> bool (N, P): pixels above sorted[P - counts], so one pixel fewer than asked (SSLalign's code).

    An empty truth (count 0) asks for half the pixels there.
    """
    pixels = scores.shape[1]
    asked = np.where(counts > 0, counts, pixels // 2)
    return scores > _kth_smallest(scores, pixels - asked)


def _kth_smallest(scores: Scores, ranks: npt.NDArray[np.integer]) -> Scores:
    """(N, P), (N,) -> (N, 1): in each row the value at that index of the ascending order."""
    values = [np.partition(row, rank)[rank] for row, rank in zip(scores, ranks, strict=True)]
    return np.asarray(values, dtype=scores.dtype).reshape(-1, 1)
