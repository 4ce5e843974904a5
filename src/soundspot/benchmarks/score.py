"""Score a predictions file: every clip accounted for, floors and ceilings beside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from soundspot.benchmarks.measure import Measured, measure
from soundspot.benchmarks.priors import prior
from soundspot.benchmarks.protocols import PROTOCOLS, Protocol
from soundspot.benchmarks.result import Record, Result
from soundspot.benchmarks.summary import Counted, count, summarise
from soundspot.data.check import defects
from soundspot.lookup import find
from soundspot.metrics.intervals import NUM_RANK_RESAMPLES, NUM_RESAMPLES, SEED
from soundspot.metrics.overlap import size_bin
from soundspot.predictions import Predictions
from soundspot.types import Missing, Target, UserError


def score(
    predictions: Predictions,
    targets: Sequence[Target],
    protocol: Protocol | str = "strict",
    *,
    name: str = "",
    benchmark: str = "",
    thresholds: Sequence[float] = (0.5, 0.75),
    without_truth: Sequence[Missing] = (),
    intervals: bool = True,
    beside: bool = True,
) -> Result:
    """Score `predictions` on `targets`; the first of `thresholds` is also used by size.

    `without_truth` names clips that the benchmark lists but has no truth for: they count as listed. `beside` adds the
    centre prior and the oracles. UserError if no target has a prediction, ids repeat, a map isn't (h, w), or the
    protocol needs a score range that the predictions don't state.
    """
    rules = find(PROTOCOLS, protocol, "protocol") if isinstance(protocol, str) else protocol
    _check(predictions, targets, rules)
    others = _priors_beside(predictions, targets, rules) if beside else {}
    measured, *rest = measure([predictions, *others.values()], targets, rules)
    counted = count(measured, targets, rules)
    known = {
        label: summarise(count(other, targets, rules), rules, thresholds, intervals=False)
        for label, other in zip(others, rest, strict=True)
    }
    return Result(
        name=name or predictions.provenance.get("method", "unnamed"),
        benchmark=benchmark,
        protocol=rules.name,
        summary=summarise(counted, rules, thresholds, intervals=intervals),
        records=_records(predictions, measured, counted),
        provenance=_provenance(predictions, targets, rules, without_truth, intervals),
        beside={label: {key: item.value for key, item in values.items()} for label, values in known.items()},
    )


def _check(predictions: Predictions, targets: Sequence[Target], protocol: Protocol) -> None:
    if not targets:
        raise UserError("expected targets to score against, got none; check the annotations")
    ids = [target.clip_id for target in targets]
    if len(set(ids)) < len(ids):
        twice = next(clip_id for clip_id in ids if ids.count(clip_id) > 1)
        raise UserError(f"expected every clip once in the targets, got {twice} twice; remove the duplicate")
    if not any(clip_id in predictions.maps or clip_id in predictions.missing for clip_id in ids):
        theirs = next(iter(predictions.maps), "nothing")
        raise UserError(
            f"expected predictions for clips such as {ids[0]}, got {theirs}; give the predictions of this benchmark"
        )
    if protocol.stretch == "range" and predictions.score_range is None:
        raise UserError(
            f"protocol {protocol.name}: expected score_low and score_high in the predictions' provenance, got none;"
            " use a method that states its score range, or another protocol"
        )


def _priors_beside(predictions: Predictions, targets: Sequence[Target], protocol: Protocol) -> dict[str, Predictions]:
    """The floor that never hears, the ceiling of the protocol, and that of the map's own grid."""
    others = {name: prior(name, targets, protocol) for name in ("centre", "oracle")}
    is_prior = predictions.provenance.get("method", "").startswith("prior:")
    shapes = set() if is_prior else {scores.shape[-2:] for scores in predictions.maps.values()}
    if len(shapes) == 1:
        (shape,) = shapes
        if max(shape) < protocol.grid:
            others[f"oracle {shape[0]}x{shape[1]}"] = prior("oracle", targets, protocol, (shape[0], shape[1]))
    return others


def _records(predictions: Predictions, measured: Measured, counted: Counted) -> list[Record]:
    """A row a clip, as measured: a missing clip's values are None and `status` says why."""
    return [
        {
            "clip_id": target.clip_id,
            "kind": target.kind,
            "status": "scored" if measured.present[row] else f"missing: {_reason(predictions, target.clip_id)}",
            "ciou": _number(measured.ciou[row]),
            "ciou_adaptive": _number(measured.ciou_adaptive[row]),
            "pointing": _number(measured.pointing[row]),
            "confidence": _number(measured.confidence[row]),
            "area": float(counted.area[row]),
            "size_bin": size_bin(counted.area[row]) if target.kind == "visible" else None,
            "group": target.group,
        }
        for row, target in enumerate(counted.targets)
    ]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _reason(predictions: Predictions, clip_id: str) -> str:
    return predictions.missing.get(clip_id, "not in the predictions")


def _provenance(
    predictions: Predictions,
    targets: Sequence[Target],
    protocol: Protocol,
    without_truth: Sequence[Missing],
    intervals: bool,
) -> dict[str, Any]:
    """Everything needed to trust and repeat the numbers."""
    ids = {target.clip_id for target in targets}
    missing = {
        target.clip_id: _reason(predictions, target.clip_id)
        for target in targets
        if target.clip_id not in predictions.maps
    }
    unit = "groups of clips" if any(target.group is not None for target in targets) else "clips"
    how = (
        f"95 %, percentile bootstrap over {unit}, {NUM_RESAMPLES} resamples ({NUM_RANK_RESAMPLES} for AP, F1, AUROC),"
        f" seed {SEED}"
    )
    return {
        "clips_listed": len(targets) + len(without_truth),
        "clips_used": len(targets) - len(missing),
        "clips_missing": missing,
        "clips_without_truth": {clip.clip_id: clip.reason for clip in without_truth},
        "clips_not_in_benchmark": sum(clip_id not in ids for clip_id in predictions.maps),
        "missing_rule": f"{protocol.missing}: " + _MISSING_RULES[protocol.missing],
        "weights_sha256": predictions.provenance.get("weights_sha256", "not recorded"),
        "predictions": dict(predictions.provenance),
        "versions": {package: version(package) for package in ("soundspot", "numpy")},
        "protocol": asdict(protocol),
        "protocol_rules": protocol.description,
        "interval": how if intervals else "none",
        "defects": [asdict(defect) for defect in defects(targets)],
    }


_MISSING_RULES = {
    "zero": "a clip without a map fails (overlap 0); as a negative it counts as claimed",
    "leave_out": "a clip without a map is counted here and left out of the metrics",
}
