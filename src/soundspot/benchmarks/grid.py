"""Where scores and truth meet: both on the protocol's grid, chunk by chunk in bounded memory, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soundspot.benchmarks.protocols import Protocol
from soundspot.media.image import read_mask
from soundspot.metrics.maps import enlarge, stretch
from soundspot.metrics.truth import MaskSampling, boxes_to_cells, boxes_to_weights, mask_to_cells
from soundspot.predictions import Predictions
from soundspot.types import Target, UserError

CHUNK = 32
"""Targets at a time, 6 MB an array: more no longer fit the processor's cache, fewer cost Python's calls."""
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
    return np.stack([truth_weights(target, protocol).reshape(-1) for target in chunk])


def truth_weights(target: Target, protocol: Protocol) -> Truth:
    """A target -> (grid, grid) weights 0..1, bool where none is a fraction; nowhere true if its source isn't visible.

    A mask's file is read once for all that asks for it.
    """
    grid = protocol.grid
    if target.kind != "visible":
        return np.zeros((grid, grid), dtype=np.bool_)
    if target.mask is not None and (protocol.truth == "mask" or not target.boxes):
        if isinstance(target.mask, Path):
            known = target.mask.stat() if target.mask.is_file() else None
            bits = _cells_of_file(target.mask, known and known.st_mtime_ns, grid, protocol.mask_sampling)
            return np.unpackbits(bits, count=grid * grid).reshape(grid, grid).view(np.bool_)
        return mask_to_cells(target.mask, grid, protocol.mask_sampling)
    if target.consensus > 1:
        return boxes_to_weights(target.boxes, grid, consensus=target.consensus, rounding=protocol.box_rounding)
    return boxes_to_cells(target.boxes, grid, rounding=protocol.box_rounding)


@lru_cache(maxsize=8192)
def _cells_of_file(path: Path, changed: int | None, grid: int, sampling: MaskSampling) -> npt.NDArray[np.uint8]:
    """A mask's cells, 8 a byte: floors, ceilings and forms all ask for the same ones, and decoding is what takes long.

    `changed` is there for a file that is written anew.
    """
    return np.packbits(mask_to_cells(read_mask(path), grid, sampling))


def mask_of(mask: Path | Bools) -> Bools:
    """A target's mask, read where it is a file."""
    return read_mask(mask) if isinstance(mask, Path) else mask


def scores_of(predictions: Predictions, ids: Sequence[str], protocol: Protocol) -> Floats:
    """The clips' maps as the protocol enlarges and stretches them, (n, P)."""
    large = enlarged(predictions, ids, protocol)
    return stretch(large, protocol.stretch, predictions.score_range).reshape(len(ids), -1)


def enlarged(predictions: Predictions, ids: Sequence[str], protocol: Protocol, *, out: Floats | None = None) -> Floats:
    """The clips' maps on the protocol's grid, (n, grid, grid), nobody else's; UserError for a map that is not (h, w).

    `out`: an array of that shape that may be used for it.
    """
    size = (protocol.grid, protocol.grid)
    maps = [predictions.maps[clip_id] for clip_id in ids]
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for row, scores in enumerate(maps):
        check_single(ids[row], scores, predictions)
        by_shape.setdefault(scores.shape, []).append(row)
    if len(by_shape) == 1:  # as nearly always: nothing to put together
        return enlarge(np.stack(maps), size, protocol.enlarge, out=out)
    large = np.empty((len(ids), *size), dtype=np.float32)
    for rows in by_shape.values():
        large[rows] = enlarge(np.stack([maps[row] for row in rows]), size, protocol.enlarge)
    return large


def check_single(clip_id: str, scores: npt.NDArray, predictions: Predictions) -> None:
    """UserError for maps of several classes, where one is needed; it names the method's option, if it has one."""
    if scores.ndim != 2:
        tells = '"output"' in predictions.provenance.get("options", "{}")
        one = "predict again with --set output=one" if tells else "choose one class's map a clip"
        raise UserError(
            f"clip {clip_id}: expected one map (h, w), got {scores.shape}; {one} before scoring, or take a protocol of"
            " class-aware metrics (dsol_duet, ...)"
        )
