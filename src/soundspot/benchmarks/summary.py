"""Measured clips -> the benchmark's metrics, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from soundspot.benchmarks.breakdown import detection_by_part
from soundspot.benchmarks.measure import Measured
from soundspot.benchmarks.protocols import Protocol
from soundspot.benchmarks.result import Value, mean_value
from soundspot.metrics import detection, overlap
from soundspot.metrics.intervals import Bootstrap
from soundspot.metrics.overlap import SIZE_BINS, auc_shares, size_bins, successes
from soundspot.types import Target

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

_NUDGE = 1.0


@dataclass(frozen=True)
class Counted:
    """What the metrics see: missing clips have got the protocol's values."""

    targets: Sequence[Target]
    used: Bools
    visible: Bools
    """Used, and its source in view."""
    overlaps: dict[str, Floats]
    """By suffix: "" for the protocol's area, "_adaptive" for the true area."""
    pointing: Floats
    confidence: Floats
    area: Floats


def count(measured: Measured, targets: Sequence[Target], protocol: Protocol) -> Counted:
    """Apply the protocol's rule for missing clips."""
    is_visible = np.array([target.kind == "visible" for target in targets], dtype=bool)
    used = measured.present.copy()
    confidence = measured.confidence.copy()
    lost = ~measured.present
    if protocol.missing == "zero":
        used[:] = True
        known = confidence[measured.present]
        low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
        # The worst either could have done: the visible never claimed, the others claimed before all.
        confidence[lost & is_visible] = low - _NUDGE
        confidence[lost & ~is_visible] = high + _NUDGE
    overlaps = {"": measured.ciou, "_adaptive": measured.ciou_adaptive}
    return Counted(
        targets,
        used,
        used & is_visible,
        {suffix: np.where(lost, 0.0, values) for suffix, values in overlaps.items()},
        np.where(lost, 0.0, measured.pointing),
        confidence,
        measured.area,
    )


def summarise(
    counted: Counted, protocol: Protocol, thresholds: Sequence[float], bootstrap: Bootstrap | None = None
) -> dict[str, Value]:
    """All metrics that the targets allow, those that are no breakdown with intervals if a bootstrap is given."""
    summary = _placed(counted, protocol, thresholds, bootstrap)
    summary.update(_by_film(counted, protocol, thresholds[0]))
    summary.update(_interactive(counted, protocol, thresholds, bootstrap))
    summary.update(_by_size(counted, protocol, thresholds[0], bootstrap))
    if (counted.used & ~counted.visible).any():
        summary.update(_detected(counted, protocol, thresholds, bootstrap))
        summary.update(_verdicts(counted, bootstrap))
        parts = (counted.used, counted.visible, counted.overlaps[""], counted.confidence, counted.area)
        summary.update(detection_by_part(counted.targets, *parts, protocol, thresholds))
    return summary


def units_of(targets: Sequence[Target]) -> list[str]:
    """What an interval draws whole: a film's frames, a picture's clips, else a clip by itself."""
    return [
        f"film {target.video}" if target.video else f"group {target.group}" if target.group else target.clip_id
        for target in targets
    ]


def _by_film(counted: Counted, protocol: Protocol, threshold: float) -> dict[str, Value]:
    """The success rates of films: each its frames' mean, so that long films don't count more."""
    films = [target.video for target in counted.targets]
    rows = [row for row in np.flatnonzero(counted.visible).tolist() if films[row] is not None]
    if not rows:
        return {}
    summary = {}
    for suffix, overlaps in counted.overlaps.items():
        reached = successes(overlaps[rows], threshold, strictly=protocol.strictly)
        by_film = overlap.by_film(reached, [str(films[row]) for row in rows])
        summary[f"ciou{suffix}@{threshold:g}/by_film"] = Value(float(by_film.mean()), count=len(by_film))
    return summary


def _placed(
    counted: Counted, protocol: Protocol, thresholds: Sequence[float], bootstrap: Bootstrap | None
) -> dict[str, Value]:
    """Success rates, AUC, mean overlap and pointing over visible clips."""
    summary: dict[str, Value] = {}
    for suffix, overlaps in counted.overlaps.items():
        for threshold in thresholds:
            reached = successes(overlaps, threshold, strictly=protocol.strictly)
            summary[f"ciou{suffix}@{threshold:g}"] = mean_value(reached, counted.visible, bootstrap)
        shares = auc_shares(overlaps, strictly=protocol.strictly)
        summary[f"auc{suffix}"] = mean_value(shares, counted.visible, bootstrap)
        summary[f"mean_iou{suffix}"] = mean_value(overlaps, counted.visible, bootstrap)
    summary["pointing"] = mean_value(counted.pointing, counted.visible, bootstrap)
    return summary


def _interactive(
    counted: Counted, protocol: Protocol, thresholds: Sequence[float], bootstrap: Bootstrap | None
) -> dict[str, Value]:
    """IIoU and IAUC: a group's value is its worst member's, kept at its first member's row."""
    members: dict[str, list[int]] = {}
    for row in np.flatnonzero(counted.visible).tolist():
        target = counted.targets[row]
        if target.group is not None or protocol.groups == "all":
            members.setdefault(f"group {target.group}" if target.group is not None else target.clip_id, []).append(row)
    if all(target.group is None for target in counted.targets):
        return {}
    fewest = 2 if protocol.groups == "two_or_more" else 1
    groups = [rows for rows in members.values() if len(rows) >= fewest]
    chosen = np.zeros(len(counted.targets), dtype=bool)
    chosen[[rows[0] for rows in groups]] = True
    lone = np.zeros(len(counted.targets), dtype=bool)
    lone[[rows[0] for rows in groups if len(rows) == 1]] = True
    summary: dict[str, Value] = {}
    for suffix, overlaps in counted.overlaps.items():
        worst = np.zeros(len(overlaps))
        for rows in groups:
            worst[rows[0]] = overlaps[rows].min()
        for threshold in thresholds:
            reached = successes(worst, threshold, strictly=protocol.strictly)
            summary[f"iiou{suffix}@{threshold:g}"] = mean_value(reached, chosen, bootstrap)
            if lone.any():  # a group of one asks no more than cIoU does: seen apart, it flatters nobody
                summary[f"iiou{suffix}@{threshold:g}/several"] = mean_value(reached, chosen & ~lone, bootstrap)
                summary[f"iiou{suffix}@{threshold:g}/single"] = mean_value(reached, lone, bootstrap)
        summary[f"iauc{suffix}"] = mean_value(auc_shares(worst, strictly=protocol.strictly), chosen, bootstrap)
    return summary


def _by_size(counted: Counted, protocol: Protocol, threshold: float, bootstrap: Bootstrap | None) -> dict[str, Value]:
    """The success rates, and pointing, by the size of what sounds."""
    bins = size_bins(counted.area)
    rates: dict[str, npt.NDArray[Any]] = {
        f"ciou{suffix}@{threshold:g}": successes(overlaps, threshold, strictly=protocol.strictly)
        for suffix, overlaps in counted.overlaps.items()
    }
    rates["pointing"] = counted.pointing
    return {
        f"{key}/{name}": mean_value(reached, counted.visible & (bins == name), bootstrap)
        for key, reached in rates.items()
        for name in SIZE_BINS
    }


def _detected(
    counted: Counted, protocol: Protocol, thresholds: Sequence[float], bootstrap: Bootstrap | None
) -> dict[str, Value]:
    """AP and max-F1 in SLAVC's form and in VOC's, and how often a visible source is placed right (LocAcc)."""
    rows = _by_confidence(counted)
    sampled = protocol.precision == "slavc"
    summary: dict[str, Value] = {}
    for threshold in thresholds:
        hits = successes(counted.overlaps[""], threshold, strictly=protocol.strictly) & counted.visible
        arrays = (counted.confidence[rows], hits[rows], counted.visible[rows])
        forms: dict[str, Callable[..., float]] = {
            "ap": detection.average_precision_slavc if sampled else _ap_slavc_recall,
            "max_f1": detection.max_f1_slavc if sampled else _f1_slavc_recall,
            "ap_voc": detection.average_precision,
            "max_f1_voc": detection.max_f1,
        }
        for name, form in forms.items():
            summary[f"{name}@{threshold:g}"] = _ranked(form, arrays, rows, counted, bootstrap)
        summary[f"locacc@{threshold:g}"] = mean_value(hits, counted.visible, bootstrap)
        summary[f"precision@{threshold:g}"] = mean_value(hits, counted.used, bootstrap)
    return summary


def _ap_slavc_recall(confidences: Floats, hits: Bools, positives: Bools) -> float:
    return detection.average_precision(confidences, hits, positives, recall="slavc")


def _f1_slavc_recall(confidences: Floats, hits: Bools, positives: Bools) -> float:
    return detection.max_f1(confidences, hits, positives, recall="slavc")


def _by_confidence(counted: Counted) -> Rows:
    """Used rows, surest first: resamples keep the order, which makes their sorting cheap."""
    rows = np.flatnonzero(counted.used)
    return np.asarray(rows[np.argsort(-counted.confidence[rows], kind="stable")])


def _ranked(
    form: Callable[..., float],
    arrays: tuple[npt.NDArray, ...],
    rows: Rows,
    counted: Counted,
    bootstrap: Bootstrap | None,
) -> Value:
    """A statistic of (confidences, hits, positives), given along `rows`, with its interval."""
    value = form(*arrays)
    if bootstrap is None or math.isnan(value):
        return Value(value, count=len(rows))
    low, high = bootstrap.of_statistic(lambda drawn: form(*(array[drawn] for array in arrays)), rows)
    return Value(value, low, high, len(rows))


def _verdicts(counted: Counted, bootstrap: Bootstrap | None) -> dict[str, Value]:
    """AUROC of the confidence: visible against every kind of negative, and against all."""
    rows = _by_confidence(counted)
    kinds = np.array([counted.targets[row].kind for row in rows])
    summary: dict[str, Value] = {}
    for negative in ["all", *sorted(set(kinds) - {"visible"})]:
        chosen = np.ones(len(rows), dtype=bool) if negative == "all" else (kinds == "visible") | (kinds == negative)
        kept = rows[chosen]
        arrays = (counted.confidence[kept], counted.visible[kept])
        summary[f"auroc/{negative}"] = _ranked(detection.auroc, arrays, kept, counted, bootstrap)
    return summary
