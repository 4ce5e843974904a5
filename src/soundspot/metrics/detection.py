"""Is it there and is it found: precision, recall, AP and F1 over confidences with negatives; the verdict's AUROC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Recall = Literal["slavc", "voc"]
"""What a sure but misplaced positive is. slavc: a false positive only, so recall ends at 1; voc: a miss as well."""


@dataclass(frozen=True)
class Curve:
    """Precision and recall at confidence thresholds; what is a share of nothing is 1, as in SLAVC's code."""

    thresholds: Floats
    precision: Floats
    recall: Floats

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall; 0 where both are 0."""
        total = self.precision + self.recall
        return np.divide(2 * self.precision * self.recall, total, out=np.zeros_like(total), where=total > 0)


def curve(
    confidences: npt.ArrayLike,
    hits: npt.ArrayLike,
    positives: npt.ArrayLike,
    thresholds: npt.ArrayLike | None = None,
    *,
    recall: Recall = "slavc",
) -> Curve:
    """(N,) confidences, (N,) placed right, (N,) source visible -> the curve; by default at every distinct confidence.

    At a threshold, claimed positives placed right are true, all other claims false positives (SLAVC, arXiv 2209.09634).
    """
    values = np.asarray(confidences, dtype=np.float64)
    visible = np.asarray(positives, dtype=bool)
    right = np.asarray(hits, dtype=bool) & visible
    order = np.argsort(-values, kind="stable")
    descending = values[order]
    at = descending[_last_of_equals(descending)] if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    claims = np.searchsorted(-descending, -at, side="right")
    true_claims = _counts(right[order])[claims]
    visible_claims = _counts(visible[order])[claims]
    if recall == "slavc":
        wanted = true_claims + (visible.sum() - visible_claims)
    else:
        wanted = np.full(len(at), visible.sum())
    return Curve(at, _ratio(true_claims, claims), _ratio(true_claims, wanted))


def _last_of_equals(descending: Floats) -> npt.NDArray[np.int64]:
    return np.flatnonzero(np.append(np.diff(descending) != 0, np.ones(min(1, len(descending)), dtype=bool)))


def _counts(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(flags)])


def _ratio(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> Floats:
    return np.divide(part, whole, out=np.ones(len(whole)), where=whole > 0)


def average_precision(
    confidences: npt.ArrayLike, hits: npt.ArrayLike, positives: npt.ArrayLike, *, recall: Recall = "voc"
) -> float:
    """Area under the precision envelope over all confidences, from recall 0 on, as VOC does; NaN of no positive."""
    if not np.any(positives):
        return float("nan")
    full = curve(confidences, hits, positives, recall=recall)
    envelope = np.maximum.accumulate(full.precision[::-1])[::-1]
    return float(np.sum(np.diff(full.recall, prepend=0.0) * envelope))


def average_precision_slavc(confidences: npt.ArrayLike, hits: npt.ArrayLike, positives: npt.ArrayLike) -> float:
    """AP as SLAVC's code prints it: some 200 thresholds from the second highest confidence, first segment dropped."""
    values = np.asarray(confidences, dtype=np.float64)
    if not np.any(positives):
        return float("nan")
    steps = np.sort(values)[::-1][1 :: max(1, len(values) // 200)]
    sampled = curve(values, hits, positives, steps, recall="slavc")
    envelope = np.maximum.accumulate(sampled.precision[::-1])[::-1]
    return float(np.sum(np.diff(sampled.recall) * envelope[:-1]))


def max_f1(
    confidences: npt.ArrayLike, hits: npt.ArrayLike, positives: npt.ArrayLike, *, recall: Recall = "voc"
) -> float:
    """The highest F1 over all confidences; NaN of no positive."""
    if not np.any(positives):
        return float("nan")
    return float(curve(confidences, hits, positives, recall=recall).f1.max())


def f1_list_slavc(confidences: npt.ArrayLike, hits: npt.ArrayLike, positives: npt.ArrayLike) -> Floats:
    """F1 at every tenth of the ascending confidences, the list SLAVC's code prints."""
    values = np.asarray(confidences, dtype=np.float64)
    steps = np.sort(values)[:: max(1, len(values) // 10)]
    return curve(values, hits, positives, steps, recall="slavc").f1


def max_f1_slavc(confidences: npt.ArrayLike, hits: npt.ArrayLike, positives: npt.ArrayLike) -> float:
    """The highest of the ten or eleven F1 values that SLAVC's code prints; NaN of no positive."""
    return float(f1_list_slavc(confidences, hits, positives).max()) if np.any(positives) else float("nan")


def auroc(scores: npt.ArrayLike, positives: npt.ArrayLike) -> float:
    """Chance that a positive scores above a negative, ties counting half; NaN where one of the two is missing."""
    values, flags = np.asarray(scores, dtype=np.float64), np.asarray(positives, dtype=bool)
    high, low = values[flags], np.sort(values[~flags])
    if not len(high) or not len(low):
        return float("nan")
    below, not_above = np.searchsorted(low, high, side="left"), np.searchsorted(low, high, side="right")
    return float((below + not_above).mean() / (2 * len(low)))
