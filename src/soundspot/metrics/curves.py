"""Curves over what is usually one choice: confidence, overlap, and claimed area (SLAVC's Figures 2 and 3, Table 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from soundspot.metrics import detection
from soundspot.metrics.detection import Recall
from soundspot.metrics.overlap import SIZE_BINS, success_rate, successes

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Scores = npt.NDArray[np.floating]
Form = Literal["sampled", "slavc", "voc"]
"""Of AP and max-F1. sampled: at the confidences SLAVC's code takes, with its recall; slavc, voc: at all, so named."""

CONFIDENCES: Floats = np.linspace(0, 1, 21)
OVERLAPS: Floats = np.array([0.05 * step for step in range(1, 20)])
AREA_SHARES: Floats = np.array([0.1 * step for step in range(1, 10)])
"""10 % ... 90 % of the picture, as in SLAVC's Figure 2."""

_FORGIVEN = 1e-9  # 0.29 * 100 is 28.999999999999996


def f1_over_confidence(
    confidences: npt.ArrayLike,
    hits: npt.ArrayLike,
    positives: npt.ArrayLike,
    thresholds: npt.ArrayLike = CONFIDENCES,
    *,
    recall: Recall = "slavc",
) -> Floats:
    """(N,) each, (T,) -> (T,): F1 where claims are as sure as each threshold (SLAVC, arXiv 2209.09634, Figure 3 left).

    Which thresholds the figure has is not said: ours are 0, .05 ... 1.
    """
    return detection.curve(confidences, hits, positives, thresholds, recall=recall).f1


def ap_over_overlap(
    confidences: npt.ArrayLike,
    overlaps: npt.ArrayLike,
    positives: npt.ArrayLike,
    thresholds: npt.ArrayLike = OVERLAPS,
    *,
    form: Form = "sampled",
) -> Floats:
    """(N,) each, (T,) -> (T,): AP where a hit is an overlap of at least each threshold (SLAVC, Figure 3 right)."""
    metric = _ap(form)
    flags = np.asarray(positives, dtype=bool)
    steps = np.asarray(thresholds, dtype=np.float64)
    return np.array([metric(confidences, successes(overlaps, step) & flags, flags) for step in steps.tolist()])


def overlaps_by_area(scores: Scores, truth: npt.NDArray, shares: npt.ArrayLike = AREA_SHARES) -> Floats:
    """(N, P) scores, (N, P) weights, (S,) shares of the picture -> (N, S): cIoU of so many highest pixels.

    Each map is sorted once for all shares. int(share * P) pixels are claimed, ties in reading order, as `top_exactly`.
    """
    pixels = scores.shape[1]
    counts = np.floor(np.asarray(shares, dtype=np.float64) * pixels + _FORGIVEN).astype(np.int64)
    values = np.empty((len(scores), len(counts)))
    for row, (own, wanted) in enumerate(zip(scores, truth, strict=True)):
        sorted_truth = wanted[np.argsort(-own, kind="stable")].astype(np.float64)
        inside = np.concatenate([[0.0], sorted_truth.cumsum()])
        outside = np.concatenate([[0], (sorted_truth == 0).cumsum()])
        union = inside[-1] + outside[counts]
        values[row] = np.divide(inside[counts], union, out=np.zeros(len(counts)), where=union > 0)
    return values


def success_by_area(
    overlaps: Floats, sizes: Sequence[str], positives: npt.ArrayLike | None = None, threshold: float = 0.5
) -> dict[str, Floats]:
    """(N, S) of `overlaps_by_area`, N size bins, (N,) which are visible (all) -> (S,) success rates by bin, and "all".

    LocAcc of SLAVC's Figure 2; a bin that no visible clip is in has NaN.
    """
    names, seen = np.array(sizes), _visible(positives, len(overlaps))
    bins = {"all": seen} | {name: seen & (names == name) for name in SIZE_BINS}
    return {
        name: np.array([success_rate(column[chosen], threshold) for column in overlaps.T])
        for name, chosen in bins.items()
    }


def ap_by_area(
    confidences: npt.ArrayLike,
    overlaps: Floats,
    sizes: Sequence[str],
    positives: npt.ArrayLike,
    threshold: float = 0.5,
    *,
    form: Form = "sampled",
    with_negatives: bool = False,
) -> dict[str, Floats]:
    """The same for AP: (N,), (N, S), N bins, (N,) -> (S,) by bin; "all" has every clip, negatives too.

    SLAVC's code takes a bin's visible clips alone; its text on Figure 2 speaks of negatives: `with_negatives` adds all.
    """
    sure, names, seen = np.asarray(confidences, float), np.array(sizes), _visible(positives, len(overlaps))
    metric = _ap(form)
    bins = {"all": np.ones(len(seen), dtype=bool)}
    for name in SIZE_BINS:
        bins[name] = seen & (names == name) | (~seen & with_negatives)
    return {
        name: np.array(
            [metric(sure[rows], successes(column[rows], threshold) & seen[rows], seen[rows]) for column in overlaps.T]
        )
        for name, rows in bins.items()
    }


def max_f1_by_kind(
    confidences: npt.ArrayLike,
    hits: npt.ArrayLike,
    positives: npt.ArrayLike,
    kinds: Sequence[str],
    ids: Sequence[str],
    *,
    balanced: bool = True,
    form: Form = "sampled",
    seed: int = 0,
) -> dict[str, float]:
    """(N,) each, N kinds of negatives (any name for positives), N clip ids -> max-F1 by kind (SLAVC, Table 5).

    `balanced` draws as many positives as the kind has negatives (all, if it has more), by `seed` from the sorted ids,
    so that the order of clips doesn't matter; else every positive stands against each kind, and nothing is drawn.
    """
    sure, right = np.asarray(confidences, dtype=np.float64), np.asarray(hits, dtype=bool)
    flags, names = np.asarray(positives, dtype=bool), np.array(kinds)
    metric = _max_f1(form)
    ordered = np.array(sorted(np.flatnonzero(flags).tolist(), key=lambda row: ids[row]), dtype=np.intp)
    values: dict[str, float] = {}
    for kind in sorted(set(names[~flags].tolist())):
        negatives = np.flatnonzero(~flags & (names == kind))
        drawn = _draw(ordered, len(negatives), seed) if balanced else ordered
        rows = np.concatenate([drawn, negatives])
        values[kind] = metric(sure[rows], right[rows], flags[rows])
    return values


def _draw(rows: Rows, count: int, seed: int) -> Rows:
    if count >= len(rows):
        return rows
    return np.random.default_rng(seed).choice(rows, count, replace=False)


def _visible(positives: npt.ArrayLike | None, count: int) -> Bools:
    return np.ones(count, dtype=bool) if positives is None else np.asarray(positives, dtype=bool)


def _ap(form: Form) -> Callable[..., float]:
    if form == "sampled":
        return detection.average_precision_slavc
    return lambda *arrays: detection.average_precision(*arrays, recall=form)


def _max_f1(form: Form) -> Callable[..., float]:
    if form == "sampled":
        return detection.max_f1_slavc
    return lambda *arrays: detection.max_f1(*arrays, recall=form)
