"""Where a method is good and where not: detection by the size of what sounds and by the sort of negative."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from soundspot.benchmarks.protocols import Protocol
from soundspot.benchmarks.result import Value
from soundspot.data.sets.extended import SORTS
from soundspot.metrics.curves import Form, max_f1_by_kind
from soundspot.metrics.detection import average_precision, average_precision_slavc, max_f1, max_f1_slavc
from soundspot.metrics.overlap import SIZE_BINS, size_bins, successes
from soundspot.types import Target


def sort_of(target: Target) -> str:
    """The sort of a negative in extended sets; others go by their kind (silent, noise, offscreen)."""
    return next((label for label in target.labels if label in SORTS), target.kind)


def detection_by_part(
    targets: Sequence[Target],
    used: np.ndarray,
    visible: np.ndarray,
    overlaps: np.ndarray,
    confidence: np.ndarray,
    area: np.ndarray,
    protocol: Protocol,
    thresholds: Sequence[float],
) -> dict[str, Value]:
    """AP and max-F1 of the visible clips of each size alone, as SLAVC's code has them, and against each negative sort.

    Against a sort, AP has every visible clip; max-F1 is that of SLAVC's Table 5, with as many as there are negatives.
    """
    sampled = protocol.precision == "slavc"
    form: Form = "sampled" if sampled else "voc"
    ap, f1 = (average_precision_slavc, max_f1_slavc) if sampled else (average_precision, max_f1)
    bins = size_bins(area)
    sorts = np.array([sort_of(target) for target in targets])
    ids = [target.clip_id for target in targets]
    summary: dict[str, Value] = {}
    for threshold in thresholds:
        hits = successes(overlaps, threshold, strictly=protocol.strictly) & visible
        for size in SIZE_BINS:
            rows = np.flatnonzero(visible & (bins == size))
            arrays = (confidence[rows], hits[rows], visible[rows])
            summary[f"ap@{threshold:g}/{size}"] = Value(ap(*arrays), count=len(rows))
            summary[f"max_f1@{threshold:g}/{size}"] = Value(f1(*arrays), count=len(rows))
        rows = np.flatnonzero(used)
        named = [str(sorts[row]) for row in rows]
        balanced = max_f1_by_kind(
            confidence[rows], hits[rows], visible[rows], named, [ids[row] for row in rows], form=form
        )
        for sort, value in balanced.items():
            against = rows[visible[rows] | (sorts[rows] == sort)]
            precise = ap(confidence[against], hits[against], visible[against])
            many = int((~visible[against]).sum())
            summary[f"ap@{threshold:g}/{sort}"] = Value(precise, count=many)
            summary[f"max_f1@{threshold:g}/{sort}"] = Value(value, count=many)
    return summary
