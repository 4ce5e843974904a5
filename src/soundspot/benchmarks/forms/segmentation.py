"""mIoU and F-score of masks: film by film as AVSBench's code has them, and over all pixels at once as CAVP's does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from soundspot.benchmarks.grid import Chunk, Truth, in_chunks, scores_of
from soundspot.benchmarks.measure import adaptive
from soundspot.benchmarks.protocols import Protocol
from soundspot.benchmarks.result import Columns, Value
from soundspot.metrics import segmentation as metrics
from soundspot.metrics.areas import claimed
from soundspot.metrics.intervals import Bootstrap
from soundspot.metrics.segmentation import FrameCounts
from soundspot.predictions import Predictions
from soundspot.types import Target

FORMS = ("", "_adaptive")


def segmentation(
    predictions: Predictions, targets: Sequence[Target], protocol: Protocol, bootstrap: Bootstrap | None
) -> tuple[dict[str, Value], Columns]:
    """By the protocol's area and by the true one; frames with an empty mask count, as in AVSBench.

    A frame without a map has claimed nothing of what is there and all of what is not. Nothing without masks.
    """
    rows = [row for row, target in enumerate(targets) if target.mask is not None]
    if not rows:
        return {}, {}
    framed = [targets[row] for row in rows]
    counts = _counts(predictions, framed, protocol)
    films = [target.video or target.clip_id for target in framed]
    chosen = np.zeros(len(targets), dtype=bool)
    chosen[rows] = True
    summary: dict[str, Value] = {}
    for suffix in FORMS:
        own = counts[suffix]
        whole = np.zeros(len(targets))
        whole[rows] = metrics.frame_iou(own)
        low, high = bootstrap.of_mean(whole, chosen) if bootstrap else (math.nan, math.nan)
        scored = {
            f"fscore{suffix}": metrics.fscore(own, films=films),
            f"miou_dataset{suffix}": metrics.miou_dataset(own),
            f"fscore_dataset{suffix}": metrics.fscore_dataset(own),
        }
        summary[f"miou{suffix}"] = Value(metrics.miou(own, films), low, high, len(rows))
        summary |= {name: Value(value, count=len(rows)) for name, value in scored.items()}
    return summary, {}


def _counts(predictions: Predictions, targets: Sequence[Target], protocol: Protocol) -> dict[str, FrameCounts]:
    parts: dict[int, dict[str, FrameCounts]] = {}

    def count(chunk: Chunk, truth: Truth, start: int) -> None:
        here = [row for row, target in enumerate(chunk) if target.clip_id in predictions.maps]
        scores = np.zeros(truth.shape, dtype=np.float32)
        decided = {suffix: truth == 0 for suffix in FORMS}  # noqa: C420 - each is filled apart
        if here:
            scores[here] = scores_of(predictions, [chunk[row].clip_id for row in here], protocol)
            decided[""][here] = claimed(scores[here], protocol.area, protocol.level)
            decided["_adaptive"][here] = adaptive(scores[here], truth[here], protocol)
        lost = np.setdiff1d(np.arange(len(chunk)), here)
        parts[start] = {suffix: _frames(scores, truth, mask, lost, protocol) for suffix, mask in decided.items()}

    in_chunks(targets, protocol, count)
    ordered = [parts[start] for start in sorted(parts)]
    return {suffix: metrics.join([part[suffix] for part in ordered]) for suffix in FORMS}


def _frames(scores: np.ndarray, truth: Truth, decided: np.ndarray, lost: np.ndarray, protocol: Protocol) -> FrameCounts:
    taken = decided.astype(np.float32) if protocol.segmentation == "mask" else scores
    found = metrics.frame_counts(taken, truth, decided)
    if not len(lost):
        return found
    # A map of zeros reaches the lowest level everywhere: without a map nothing is hit at any level.
    values = {field.name: getattr(found, field.name).copy() for field in fields(found)}
    values["hits"][lost] = 0
    return FrameCounts(**values)
