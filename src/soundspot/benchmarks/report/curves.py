"""Curves and histograms: what a single number hides (SLAVC's Figures 2 and 3, How to Listen's Figure 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from soundspot.benchmarks.grid import Chunk, Truth, in_chunks, scores_of
from soundspot.benchmarks.report.classes import is_classed, remark
from soundspot.benchmarks.report.evidence import Evidence, Section
from soundspot.benchmarks.report.svg import Line, density, histogram, line_chart
from soundspot.benchmarks.result import Record, Result
from soundspot.metrics import curves, statistics
from soundspot.metrics.detection import curve
from soundspot.metrics.overlap import AUC_THRESHOLDS, size_bin

Column = npt.NDArray[np.float64]
POSITIONS = 28
"""Cells a side of pictures that show where things lie."""


def from_records(results: Sequence[Result]) -> Section | None:
    """What rows a clip are enough for: success over overlap, precision and recall, histograms."""
    placed = [result for result in results if result.records and "ciou" in result.records[0]]
    classed = [result.name for result in placed if is_classed(result)]
    kept = [result for result in placed if result.name not in classed]
    if not kept:
        return Section("Curves", remark(classed)) if classed else None
    charts = [
        _success(kept, "ciou", "Success over overlap"),
        _success(kept, "ciou_adaptive", "Success over overlap with the true area"),
    ]
    charts.append(_overlaps(kept))
    if any(record["kind"] != "visible" for record in kept[0].records):
        charts += [_precision_recall(kept), _f1(kept), _ap(kept)]
    charts += [_confidences(result) for result in kept]
    return Section("Curves", _figures(charts) + remark(classed))


def from_maps(evidence: Evidence) -> Section | None:
    """What needs the maps: success over claimed area by size, and where truth and heat lie."""
    single = {name: predictions for name, predictions in evidence.predictions.items() if not predictions.tells_classes}
    classed = [name for name in evidence.predictions if name not in single]
    if not single:
        return Section("Areas and places", remark(classed)) if classed else None
    sizes = _sizes(evidence)
    charts = []
    boxed = [target.boxes for target in evidence.targets if target.kind == "visible"]
    boxes = [box for own in boxed for box in own]
    if boxes:
        many = statistics.num_boxes(boxed)
        charts.append(histogram([("clips", many)], title="Boxes a clip", x_title="boxes", bins=10,
                                x_range=(0.5, max(10.5, float(many.max()) + 0.5))))  # fmt: skip
        charts.append(
            histogram([("boxes", statistics.box_areas(boxes))], title="Box areas", x_title="share of picture")
        )
        centres = statistics.position_histogram(statistics.box_centres(boxes), POSITIONS)
        charts.append(density(centres, title="Centres of boxes"))
    areas: list[tuple[str, Column]] = []
    for name in single:
        overlaps, heat, hot = _of_maps(evidence, name)
        areas.append((name, hot))
        found = curves.success_by_area(overlaps, sizes, [bool(size) for size in sizes])
        lines = [Line(size, curves.AREA_SHARES.tolist(), rates.tolist()) for size, rates in found.items()]
        charts.append(line_chart(lines, title=f"{name}: cIoU over claimed area", x_title="claimed share of picture",
                                 y_title="cIoU", x_range=(0, 1), y_range=(0, 1)))  # fmt: skip
        charts.append(density(heat, title=f"Heat of {name}, all clips"))
    charts.append(histogram(areas, title="Hot areas: above half of a map's range", x_title="share of picture",
                            x_range=(0, 1)))  # fmt: skip
    return Section("Areas and places", _figures(charts) + remark(classed))


def _figures(charts: Sequence[str]) -> str:
    return '<div class="figures">' + "\n".join(f"<figure>{chart}</figure>" for chart in charts) + "</div>"


def _column(result: Result, name: str, records: Sequence[Record] | None = None) -> Column:
    values = [record[name] for record in (result.records if records is None else records)]
    return np.array([math.nan if value is None else float(value) for value in values], dtype=np.float64)


def _visible(result: Result) -> npt.NDArray[np.bool_]:
    return np.array([record["kind"] == "visible" for record in result.records], dtype=bool)


def _success(results: Sequence[Result], column: str, title: str) -> str:
    lines = []
    for result in results:
        values = _column(result, column)[_visible(result)]
        known = values[~np.isnan(values)]
        rates = [(known >= step).mean() if len(known) else math.nan for step in AUC_THRESHOLDS]
        lines.append(Line(result.name, AUC_THRESHOLDS.tolist(), rates))
    return line_chart(lines, title=title, x_title="overlap",
                      y_title="share of clips", x_range=(0, 1), y_range=(0, 1))  # fmt: skip


def _overlaps(results: Sequence[Result]) -> str:
    groups = [(result.name, _column(result, "ciou_adaptive")[_visible(result)]) for result in results]
    return histogram(groups, title="Overlaps with the true area", x_title="overlap", x_range=(0, 1))


def _ranked(result: Result) -> tuple[Column, Column, npt.NDArray[np.bool_]]:
    """Confidence, overlap and visibility of clips that have a map."""
    used = [record for record in result.records if record["confidence"] is not None]
    visible = np.array([record["kind"] == "visible" for record in used], dtype=bool)
    return _column(result, "confidence", used), np.nan_to_num(_column(result, "ciou", used)), visible


def _threshold(result: Result) -> float:
    return float(result.provenance["protocol"]["thresholds"][0])


def _precision_recall(results: Sequence[Result]) -> str:
    lines = []
    for result in results:
        confidence, overlaps, visible = _ranked(result)
        found = curve(confidence, overlaps >= _threshold(result), visible, recall="voc")
        lines.append(Line(result.name, found.recall.tolist(), found.precision.tolist()))
    return line_chart(lines, title="Precision over recall", x_title="recall (VOC)", y_title="precision",
                      x_range=(0, 1), y_range=(0, 1))  # fmt: skip


def _f1(results: Sequence[Result]) -> str:
    """Over ranks, not values: confidences of different methods are on scales of their own."""
    lines = []
    shares = np.linspace(0, 1, 41)
    for result in results:
        confidence, overlaps, visible = _ranked(result)
        steps = np.quantile(confidence, shares)
        f1 = curves.f1_over_confidence(confidence, overlaps >= _threshold(result), visible, steps)
        lines.append(Line(result.name, shares.tolist(), f1.tolist()))
    return line_chart(lines, title="F1 over confidence", x_title="share of clips below the confidence threshold",
                      y_title="F1", x_range=(0, 1), y_range=(0, 1))  # fmt: skip


def _ap(results: Sequence[Result]) -> str:
    lines = []
    for result in results:
        confidence, overlaps, visible = _ranked(result)
        values = curves.ap_over_overlap(confidence, overlaps, visible, form="voc")
        lines.append(Line(result.name, curves.OVERLAPS.tolist(), values.tolist()))
    return line_chart(lines, title="AP over the overlap that counts", x_title="overlap", y_title="AP (VOC)",
                      x_range=(0, 1), y_range=(0, 1))  # fmt: skip


def _confidences(result: Result) -> str:
    by_kind: dict[str, list[float]] = {}
    for record in result.records:
        if record["confidence"] is not None:
            by_kind.setdefault(str(record["kind"]), []).append(float(record["confidence"]))
    groups: Mapping[str, list[float]] = by_kind
    return histogram(list(groups.items()), title=f"Confidence of {result.name}", x_title="confidence")


def _sizes(evidence: Evidence) -> list[str]:
    """Each target's size bin; "" where nothing is visible."""
    sizes = [""] * len(evidence.targets)

    def fill(chunk: Chunk, truth: Truth, start: int) -> None:
        for row, (target, own) in enumerate(zip(chunk, truth, strict=True)):
            if target.kind == "visible":
                sizes[start + row] = size_bin(float(own.sum()))

    in_chunks(evidence.targets, evidence.protocol, fill)
    return sizes


def _of_maps(evidence: Evidence, name: str) -> tuple[Column, Column, Column]:
    """(N, S) overlaps by claimed area, 0 without a map; (POSITIONS, POSITIONS) mean map; (N,) areas above the middle.

    Each map is put on 0..1 for the last two.
    """
    predictions, protocol = evidence.predictions[name], evidence.protocol
    overlaps = np.zeros((len(evidence.targets), len(curves.AREA_SHARES)))
    hot = np.full(len(evidence.targets), np.nan)
    sums: dict[int, npt.NDArray[np.float64]] = {}

    def fill(chunk: Chunk, truth: Truth, start: int) -> None:
        here = np.array([row for row, target in enumerate(chunk) if target.clip_id in predictions.maps], dtype=np.int64)
        if not len(here):
            return
        scores = scores_of(predictions, [chunk[row].clip_id for row in here], protocol)
        overlaps[start + here] = curves.overlaps_by_area(scores, truth[here])
        low, high = scores.min(axis=1, keepdims=True), scores.max(axis=1, keepdims=True)
        flat = (scores - low) / np.where(high > low, high - low, 1)
        hot[start + here] = statistics.area_above(flat.reshape(len(here), protocol.grid, protocol.grid))
        sums[start] = flat.sum(axis=0, dtype=np.float64)

    in_chunks(evidence.targets, protocol, fill)
    side = protocol.grid // POSITIONS * POSITIONS
    whole = np.sum([sums[start] for start in sorted(sums)], axis=0)  # in order, though threads end in any
    whole = whole.reshape(protocol.grid, protocol.grid)[:side, :side]
    heat = whole.reshape(POSITIONS, side // POSITIONS, POSITIONS, side // POSITIONS).mean(axis=(1, 3))
    return overlaps, heat - heat.min(), hot
