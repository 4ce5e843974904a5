"""Predictions against targets, clip by clip, in chunks of bounded memory: the protocol's steps in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soundspot.benchmarks.protocols import Protocol
from soundspot.metrics.areas import claimed, top_exactly, top_more_than
from soundspot.metrics.maps import confidence_max, confidence_top_quarter, enlarge, stretch
from soundspot.metrics.overlap import ciou, pointing
from soundspot.metrics.truth import boxes_to_weights, mask_to_weights
from soundspot.predictions import Predictions
from soundspot.types import Target, UserError

CHUNK = 32
"""Targets at a time: what fits a cache, a chunk of 6 MB an array; larger ones take twice as long."""
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    """A value a target, in the targets' order; NaN where there is no map, and overlaps NaN where nothing is visible."""

    present: npt.NDArray[np.bool_]
    ciou: npt.NDArray[np.float64]
    ciou_adaptive: npt.NDArray[np.float64]
    pointing: npt.NDArray[np.float64]
    confidence: npt.NDArray[np.float64]
    area: npt.NDArray[np.float64]
    """Of the truth, in pixels of the grid, by weight."""

    @staticmethod
    def empty(count: int) -> Measured:
        """Nothing measured yet."""
        return Measured(np.zeros(count, dtype=bool), *(np.full(count, np.nan) for _ in range(5)))


def truth_weights(target: Target, protocol: Protocol) -> Floats:
    """A target -> (grid, grid) weights 0..1; zero everywhere for a target whose source isn't visible."""
    if target.kind != "visible":
        return np.zeros((protocol.grid, protocol.grid), dtype=np.float32)
    if target.mask is not None and (protocol.truth == "mask" or not target.boxes):
        return mask_to_weights(_read_mask(target.mask), protocol.grid, protocol.mask_sampling)
    return boxes_to_weights(target.boxes, protocol.grid, consensus=target.consensus, rounding=protocol.box_rounding)


def _read_mask(mask: Path | npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    if not isinstance(mask, Path):
        return mask
    from soundspot.media.image import read_image

    return np.asarray(read_image(mask).max(axis=2) > 0)


def measure(several: Sequence[Predictions], targets: Sequence[Target], protocol: Protocol) -> list[Measured]:
    """Every one of `several` predictions against the same targets; the truth is drawn once for all."""
    results = [Measured.empty(len(targets)) for _ in several]
    for start in range(0, len(targets), CHUNK):
        chunk = targets[start : start + CHUNK]
        truth = np.stack([truth_weights(target, protocol) for target in chunk]).reshape(len(chunk), -1)
        for predictions, measured in zip(several, results, strict=True):
            measured.area[start : start + len(chunk)] = truth.sum(axis=1, dtype=np.float64)
            _measure_chunk(predictions, chunk, truth, protocol, measured, start)
    return results


def _measure_chunk(
    predictions: Predictions, chunk: Sequence[Target], truth: Floats, protocol: Protocol, into: Measured, start: int
) -> None:
    """Fill `into` from `start` on with what one chunk of targets gives."""
    here = np.array([row for row, target in enumerate(chunk) if target.clip_id in predictions.maps], dtype=np.int64)
    if not len(here):
        return
    large = _enlarged(predictions, [chunk[row].clip_id for row in here], protocol)
    into.present[start + here] = True
    into.confidence[start + here] = _confidence(large, predictions, protocol)
    seen = np.array([chunk[row].kind == "visible" for row in here])
    if not seen.any():
        return
    rows = here[seen]
    scores = stretch(large[seen], protocol.stretch, predictions.score_range).reshape(len(rows), -1)
    wanted = truth[rows]
    into.ciou[start + rows] = ciou(claimed(scores, protocol.area, protocol.level), wanted)
    into.ciou_adaptive[start + rows] = ciou(_adaptive(scores, wanted, protocol), wanted)
    into.pointing[start + rows] = pointing(scores, wanted)


def _enlarged(predictions: Predictions, ids: Sequence[str], protocol: Protocol) -> Floats:
    """The clips' maps on the protocol's grid, (n, grid, grid)."""
    large = np.empty((len(ids), protocol.grid, protocol.grid), dtype=np.float32)
    maps = [predictions.maps[clip_id] for clip_id in ids]
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for row, scores in enumerate(maps):
        if scores.ndim != 2:
            raise UserError(
                f"clip {ids[row]}: expected one map (h, w), got {scores.shape};"
                " choose one class's map a clip before scoring"
            )
        by_shape.setdefault(scores.shape, []).append(row)
    for rows in by_shape.values():
        large[rows] = enlarge(np.stack([maps[row] for row in rows]), (protocol.grid, protocol.grid), protocol.enlarge)
    return large


def _confidence(large: Floats, predictions: Predictions, protocol: Protocol) -> npt.NDArray[np.float64]:
    raw = confidence_max(large) if protocol.confidence == "max" else confidence_top_quarter(large)
    if predictions.score_range is None:
        return raw
    low, high = predictions.score_range
    return (raw - low) / (high - low)


def _adaptive(scores: Floats, truth: Floats, protocol: Protocol) -> npt.NDArray[np.bool_]:
    """Claims as many pixels as are true, half-agreed ones included."""
    counts = np.count_nonzero(truth, axis=1)
    return top_exactly(scores, counts) if protocol.adaptive == "exact" else top_more_than(scores, counts)
