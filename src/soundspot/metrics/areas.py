"""Which pixels a map claims: the rules by which papers turn scores into an area, from (N, P) to bool (N, P)."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from soundspot.metrics.order import Order, Scores
from soundspot.metrics.overlap import count_true

Bools = npt.NDArray[np.bool_]

AreaRule = Literal[
    "half_ge", "half_gt", "half_gt_or_one", "half_ge_and_level", "level", "level_gt", "share_of_max", "half_exact"
]


class Ranked(Protocol):
    """Tells values at places of the ascending order of (N, P) scores, 0 the lowest; `Order` is one."""

    def at(self, place: int) -> Scores:
        """(N, 1): each row's value at the same place."""
        ...

    def at_each(self, places: npt.NDArray[np.integer]) -> Scores:
        """(N,) -> (N, 1): each row's value at a place of its own."""
        ...


def claimed(scores: Scores, rule: AreaRule, level: float = 0.5, *, ranked: Ranked | None = None) -> Bools:
    """(N, P) -> bool (N, P) by one of the field's rules; `ranked` where the scores' order is partly known already.

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
        return top_exactly(scores, np.full(len(scores), pixels // 2), ranked=ranked)
    middle = (ranked or Order(scores)).at(pixels // 2)
    if rule == "half_ge":
        return scores >= middle
    if rule == "half_ge_and_level":
        return (scores >= middle) & (scores >= level)
    if rule == "half_gt":
        return scores > middle
    if rule == "half_gt_or_one":
        return (scores > middle) | (scores >= 1)
    raise ValueError(f"expected an area rule, got {rule!r}")


def top_exactly(scores: Scores, counts: npt.NDArray[np.integer], *, ranked: Ranked | None = None) -> Bools:
    """(N, P), (N,) -> bool (N, P) with exactly counts[n] highest pixels; ties go to the first in reading order."""
    bounds = (ranked or Order(scores)).at_each(scores.shape[1] - np.maximum(counts, 1))
    chosen = scores > bounds
    wanted = counts - count_true(chosen)
    for row in np.flatnonzero(counts > 0):
        ties = np.flatnonzero(scores[row] == bounds[row])
        chosen[row, ties[: wanted[row]]] = True
    chosen[counts <= 0] = False
    return chosen


def top_more_than(scores: Scores, counts: npt.NDArray[np.integer], *, ranked: Ranked | None = None) -> Bools:
    """(N, P), (N,) -> bool (N, P): pixels above sorted[P - counts], so one pixel fewer than asked (SSLalign's code).

    An empty truth (count 0) asks for half the pixels there.
    """
    pixels = scores.shape[1]
    asked = np.where(counts > 0, counts, pixels // 2)
    return scores > (ranked or Order(scores)).at_each(pixels - asked)
