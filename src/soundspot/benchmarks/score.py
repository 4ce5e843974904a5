"""Score a predictions file: every clip accounted for, floors and ceilings beside."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from soundspot.benchmarks.forms import FORMS
from soundspot.benchmarks.grid import check_single
from soundspot.benchmarks.measure import Measured, measure
from soundspot.benchmarks.priors import prior
from soundspot.benchmarks.protocols import PROTOCOLS, Protocol
from soundspot.benchmarks.result import Columns, Record, Result, Value
from soundspot.benchmarks.summary import Counted, count, summarise, units_of
from soundspot.data.check import defects, leaks
from soundspot.lookup import find
from soundspot.metrics.intervals import NUM_RANK_RESAMPLES, NUM_RESAMPLES, SEED, Bootstrap
from soundspot.metrics.overlap import size_bins
from soundspot.predictions import Predictions
from soundspot.types import Missing, Target, UserError

Known = dict[str, float]
FLOORS = ("centre",)


def score(
    predictions: Predictions,
    targets: Sequence[Target],
    protocol: Protocol | str = "strict",
    *,
    name: str = "",
    benchmark: str = "",
    thresholds: Sequence[float] = (),
    without_truth: Sequence[Missing] = (),
    intervals: bool = True,
    beside: bool = True,
    floors: Sequence[str] = FLOORS,
    jobs: int | None = None,
    device: str = "cpu",
    train_ids: Mapping[str, Collection[str]] | None = None,
) -> Result:
    """Score `predictions` on `targets`; the first of `thresholds` (the protocol's, if none) is also used by size.

    `without_truth` names clips that the benchmark lists but has no truth for: they count as listed. `beside` adds the
    `floors`, priors that never hear (`gaussian` for `centre` where a share of a map's maximum is claimed), and the
    oracles. `train_ids` are training lists by name: how many test clips each holds is recorded. UserError if no target
    has a prediction, ids repeat, a map isn't (h, w), or the protocol needs a score range that the predictions don't
    state.
    """
    rules = find(PROTOCOLS, protocol, "protocol") if isinstance(protocol, str) else protocol
    at = thresholds or rules.thresholds
    _check(predictions, targets, rules)
    bootstrap = Bootstrap(units_of(targets)) if intervals else None
    summary: dict[str, Value] = {}
    columns: Columns = {}
    for form in rules.forms:
        values, by_clip = FORMS[form](predictions, targets, rules, bootstrap)
        summary, columns = summary | values, columns | by_clip
    others = _priors_beside(predictions, targets, rules, floors) if beside else {}
    single = _one_map_each(predictions)
    measured, *rest = measure([single, *others.values()], targets, rules, jobs=jobs, device=device)
    counted = count(measured, targets, rules)
    if single is predictions:
        summary = summarise(counted, rules, at, bootstrap) | summary
    return Result(
        name=name or predictions.provenance.get("method", "unnamed"),
        benchmark=benchmark,
        protocol=rules.name,
        summary=summary,
        records=_records(predictions, measured, counted, columns),
        provenance={
            **_provenance(predictions, targets, rules, without_truth, intervals),
            "leaks": {
                name: len(leaks(ids, [target.clip_id for target in targets])) for name, ids in (train_ids or {}).items()
            },
        },
        beside={
            label: _beside(others[label], count(other, targets, rules), rules, at)
            for label, other in zip(others, rest, strict=True)
        },
    )


def _beside(predictions: Predictions, counted: Counted, protocol: Protocol, thresholds: Sequence[float]) -> Known:
    values = summarise(counted, protocol, thresholds)
    for form in protocol.forms:
        values |= FORMS[form](predictions, counted.targets, protocol, None)[0]
    return {key: item.value for key, item in values.items()}


def _one_map_each(predictions: Predictions) -> Predictions:
    """Without maps by class, which only the class-aware form can measure."""
    if predictions.tells_classes:
        return Predictions({}, predictions.missing, predictions.provenance)
    return predictions


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
    if "classes" not in protocol.forms:
        for clip_id in ids:
            if clip_id in predictions.maps:
                check_single(clip_id, predictions.maps[clip_id], predictions)
    if protocol.stretch == "range" and predictions.score_range is None:
        raise UserError(
            f"protocol {protocol.name}: expected score_low and score_high in the predictions' provenance, got none;"
            " use a method that states its score range, or another protocol"
        )


def _priors_beside(
    predictions: Predictions, targets: Sequence[Target], protocol: Protocol, floors: Sequence[str]
) -> dict[str, Predictions]:
    """The floors that never hear, the ceiling of the protocol, and that of the map's own grid."""
    if protocol.area == "share_of_max":  # `centre` is above 0 nowhere, so that it would claim nothing
        floors = ["gaussian" if name == "centre" else name for name in floors]
    others = {name: prior(name, targets, protocol) for name in (*floors, "oracle")}
    is_prior = predictions.provenance.get("method", "").startswith("prior:")
    shapes = set() if is_prior else {scores.shape[-2:] for scores in predictions.maps.values()}
    if len(shapes) == 1:
        (shape,) = shapes
        if max(shape) < protocol.grid:
            others[f"oracle {shape[0]}x{shape[1]}"] = prior("oracle", targets, protocol, (shape[0], shape[1]))
    return others


def _records(predictions: Predictions, measured: Measured, counted: Counted, columns: Columns) -> list[Record]:
    """A row a clip, as measured: a missing clip's values are None and `status` says why."""
    bins = size_bins(counted.area)
    return [
        {
            "clip_id": target.clip_id,
            "kind": target.kind,
            "status": "scored"
            if target.clip_id in predictions.maps
            else f"missing: {_reason(predictions, target.clip_id)}",
            "ciou": _number(measured.ciou[row]),
            "ciou_adaptive": _number(measured.ciou_adaptive[row]),
            "pointing": _number(measured.pointing[row]),
            "confidence": _number(measured.confidence[row]),
            "area": float(counted.area[row]),
            "size_bin": str(bins[row]) if target.kind == "visible" else None,
            "group": target.group,
            "unit": unit,
            **{name: _number(values[row]) for name, values in columns.items()},
        }
        for row, (target, unit) in enumerate(zip(counted.targets, units_of(counted.targets), strict=True))
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
    unit = "films" if any(target.video for target in targets) else "clips"
    unit = "groups of clips" if any(target.group for target in targets) else unit
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
