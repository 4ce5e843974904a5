"""How much of the picture is claimed when nothing in view sounds, at one threshold for the whole set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from soundspot.benchmarks.grid import Chunk, Truth, enlarged, in_chunks
from soundspot.benchmarks.protocols import Protocol
from soundspot.benchmarks.result import Columns, Value, mean_value
from soundspot.metrics import negatives
from soundspot.metrics.intervals import Bootstrap
from soundspot.predictions import Predictions
from soundspot.types import Target

STEPS = 64
"""Thresholds that are tried, evenly over the scores."""


def false_area(
    predictions: Predictions, targets: Sequence[Target], protocol: Protocol, bootstrap: Bootstrap | None
) -> tuple[dict[str, Value], Columns]:
    """Mean share of the picture above the threshold by kind of negative, and how well the visible are placed at it.

    The threshold is the one that places the visible clips of the same set best (by mean overlap): what a method reaches
    at most with any single one. A clip without a map is left out or, where the protocol counts it as failed, overlaps
    nothing, and as a negative claims the whole picture. Nothing for a set without visible clips or negatives.
    """
    kinds = np.array([target.kind for target in targets])
    counted = np.array([target.clip_id in predictions.maps for target in targets], dtype=bool)
    counted |= protocol.missing == "zero"
    visible, absent = counted & (kinds == "visible"), counted & (kinds != "visible")
    if not visible.any() or not absent.any():
        return {}, {}
    thresholds = _thresholds(predictions, [target.clip_id for target in targets if target.clip_id in predictions.maps])
    curves = _curves(predictions, targets, protocol, thresholds)
    best = negatives.best_threshold(curves[visible], thresholds)
    column = curves[:, int(np.flatnonzero(thresholds == best)[0])]
    summary = {
        "false_area_threshold": Value(best, count=int(visible.sum())),
        "mean_iou@threshold": mean_value(column, visible, bootstrap),
    }
    for kind in sorted(set(kinds[absent].tolist())):
        summary[f"false_area/{kind}"] = mean_value(column, absent & (kinds == kind), bootstrap)
    areas = {kind: summary[f"false_area/{kind}"].value for kind in kinds[absent]}
    placed = summary["mean_iou@threshold"].value
    summary["f_placed_quiet"] = Value(negatives.combined(placed, areas)["all"], count=int(counted.sum()))
    return summary, {}


def _thresholds(predictions: Predictions, ids: Sequence[str]) -> npt.NDArray[np.float64]:
    low, high = predictions.score_range or (
        min((float(predictions.maps[clip_id].min()) for clip_id in ids), default=0.0),
        max((float(predictions.maps[clip_id].max()) for clip_id in ids), default=0.0),
    )
    return np.linspace(low, high, STEPS, endpoint=False)


def _curves(
    predictions: Predictions, targets: Sequence[Target], protocol: Protocol, thresholds: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(N, T): overlap of what is above each threshold for visible clips, the share of the picture for the others.

    Without a map the worst: 0 of the visible, 1 of the others.
    """
    worst = [0.0 if target.kind == "visible" else 1.0 for target in targets]
    curves = np.repeat(np.array(worst)[:, None], len(thresholds), axis=1)

    def fill(chunk: Chunk, truth: Truth, start: int) -> None:
        here = np.array([row for row, target in enumerate(chunk) if target.clip_id in predictions.maps], dtype=np.int64)
        if not len(here):
            return
        scores = enlarged(predictions, [chunk[row].clip_id for row in here], protocol).reshape(len(here), -1)
        seen = np.array([chunk[row].kind == "visible" for row in here])
        curves[start + here[seen]] = negatives.overlap_curve(scores[seen], truth[here[seen]], thresholds)
        curves[start + here[~seen]] = negatives.area_curve(scores[~seen], thresholds)

    in_chunks(targets, protocol, fill)
    return curves
