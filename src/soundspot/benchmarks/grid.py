"""Where scores and truth meet: both on the protocol's grid, chunk by chunk in bounded memory, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soundspot.benchmarks.protocols import Protocol
from soundspot.media.image import read_mask
from soundspot.metrics.maps import enlarge, stretch
from soundspot.metrics.truth import boxes_to_weights, mask_to_weights
from soundspot.predictions import Predictions
from soundspot.types import Target, UserError

CHUNK = 16
"""Targets at a time: what fits a cache, 3 MB an array; larger ones take longer."""
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Truth = npt.NDArray
"""(n, P) weights 0..1; bool where none is a fraction."""
Chunk = Sequence[Target]


def in_chunks(
    targets: Sequence[Target],
    protocol: Protocol,
    work: Callable[[Chunk, Truth, int], None],
    *,
    size: int = CHUNK,
    jobs: int | None = None,
) -> None:
    """Call `work(chunk, its truth (n, P), where it starts)` for every chunk, on `jobs` threads (all cores unless told).

    NumPy leaves the interpreter alone in what takes long. Each call has rows of its own to fill, so what it gives does
    not depend on the count of threads.
    """

    def one(start: int) -> None:
        chunk = targets[start : start + size]
        work(chunk, truth_of(chunk, protocol), start)

    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        for _ in pool.map(one, range(0, len(targets), size)):
            pass  # to raise here what was raised there


def truth_of(chunk: Chunk, protocol: Protocol) -> Truth:
    """The chunk's truth: bool for all but Flickr, whose pixels may count half."""
    weights = np.stack([truth_weights(target, protocol).reshape(-1) for target in chunk])
    shared = any(target.consensus > 1 for target in chunk)
    return weights if shared else weights.astype(bool)


def truth_weights(target: Target, protocol: Protocol) -> Floats:
    """A target -> (grid, grid) weights 0..1; zero everywhere for a target whose source isn't visible."""
    if target.kind != "visible":
        return np.zeros((protocol.grid, protocol.grid), dtype=np.float32)
    if target.mask is not None and (protocol.truth == "mask" or not target.boxes):
        return mask_to_weights(mask_of(target.mask), protocol.grid, protocol.mask_sampling)
    return boxes_to_weights(target.boxes, protocol.grid, consensus=target.consensus, rounding=protocol.box_rounding)


def mask_of(mask: Path | Bools) -> Bools:
    """A target's mask, read where it is a file."""
    return read_mask(mask) if isinstance(mask, Path) else mask


def scores_of(predictions: Predictions, ids: Sequence[str], protocol: Protocol) -> Floats:
    """The clips' maps as the protocol enlarges and stretches them, (n, P)."""
    large = enlarged(predictions, ids, protocol)
    return stretch(large, protocol.stretch, predictions.score_range).reshape(len(ids), -1)


def enlarged(predictions: Predictions, ids: Sequence[str], protocol: Protocol) -> Floats:
    """The clips' maps on the protocol's grid, (n, grid, grid); UserError for a map that is not (h, w)."""
    large = np.empty((len(ids), protocol.grid, protocol.grid), dtype=np.float32)
    maps = [predictions.maps[clip_id] for clip_id in ids]
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for row, scores in enumerate(maps):
        check_single(ids[row], scores)
        by_shape.setdefault(scores.shape, []).append(row)
    for rows in by_shape.values():
        large[rows] = enlarge(np.stack([maps[row] for row in rows]), (protocol.grid, protocol.grid), protocol.enlarge)
    return large


def check_single(clip_id: str, scores: npt.NDArray) -> None:
    """UserError for maps of several classes, where one is needed."""
    if scores.ndim != 2:
        raise UserError(
            f"clip {clip_id}: expected one map (h, w), got {scores.shape}; choose one class's map a clip before"
            " scoring, or a protocol of class-aware metrics"
        )
