"""The truth as weights on the scoring grid: boxes and masks, each paper's rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

BoxRounding = Literal["clip_floor", "unclamped_floor", "coarse_to_fine"]
MaskSampling = Literal["area", "nearest"]

# Boxes given in whole pixels of the grid come back from fractions as 55.99999999: so much is forgiven before flooring.
_FORGIVEN = 1e-6


def box_edges(boxes: npt.ArrayLike, grid: int, rounding: BoxRounding = "clip_floor") -> npt.NDArray[np.int64]:
    """(n, 4) fractions x0, y0, x1, y1 -> (n, 4) cells, end exclusive.

    clip_floor: cut to 0..1, then floor (EZ-VSL, SLAVC, LVS, SSLalign agree); unclamped_floor: towards zero as they are,
    so that a negative coordinate counts from the far edge (ssl_kccv's training-time validation); coarse_to_fine: the
    same, less 1 at every side, on its 256 grid, so that a box from the very left or top covers nothing.
    """
    values = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if rounding == "clip_floor":
        return np.floor(np.clip(values, 0.0, 1.0) * grid + _FORGIVEN).astype(np.int64)
    scaled = values * grid
    edges = np.trunc(scaled + np.copysign(_FORGIVEN, scaled)).astype(np.int64)
    return edges - 1 if rounding == "coarse_to_fine" else edges


def boxes_to_cells(
    boxes: Sequence[Sequence[float]], grid: int, *, rounding: BoxRounding = "clip_floor"
) -> npt.NDArray[np.bool_]:
    """Boxes -> bool (grid, grid), true in any of them; a degenerate box covers nothing."""
    cells = np.zeros((grid, grid), dtype=np.bool_)
    for left, top, right, bottom in box_edges(boxes, grid, rounding):
        cells[top:bottom, left:right] = True
    return cells


def boxes_to_weights(
    boxes: Sequence[Sequence[float]], grid: int, *, consensus: int, rounding: BoxRounding = "clip_floor"
) -> npt.NDArray[np.float32]:
    """Boxes -> (grid, grid) weights min(1, boxes there / consensus); a degenerate box covers nothing."""
    counts = np.zeros((grid, grid), dtype=np.float32)
    for left, top, right, bottom in box_edges(boxes, grid, rounding):
        counts[top:bottom, left:right] += 1
    return np.minimum(counts / np.float32(consensus), np.float32(1))


_HALF = 0.5 - 1e-9
"""Of a cell, for sums that rounding leaves a hair below."""


def mask_to_cells(mask: npt.NDArray[np.bool_], grid: int, sampling: MaskSampling = "area") -> npt.NDArray[np.bool_]:
    """(H, W) -> bool (grid, grid). area: cells at least half covered; nearest: the pixel under the cell's centre.

    A mask too small to fill half a cell keeps the cell it fills most: an object never vanishes.
    """
    if mask.ndim != 2 or 0 in mask.shape:
        raise ValueError(f"expected a mask (H, W), got {mask.shape}")
    if sampling == "nearest":
        rows, columns = (((np.arange(grid) + 0.5) * side / grid).astype(np.int64) for side in mask.shape)
        cells = mask[np.ix_(rows, columns)].astype(np.bool_)
        if cells.any():
            return cells
    covered = area_average(mask.astype(np.float64), (grid, grid))
    chosen = covered >= _HALF
    if not chosen.any() and mask.any():
        chosen = covered == covered.max()
    return chosen


def area_average(values: npt.NDArray[np.floating], size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """(H, W) -> `size`: the mean of `values` over each cell's area, exact for any sides."""
    return _averaged(_averaged(values, size[0]).T, size[1]).T


def _averaged(values: npt.NDArray[np.floating], wanted: int) -> npt.NDArray[np.float64]:
    """(n, m) -> (wanted, m): means over `wanted` equal stretches of the rows, which need not end at one."""
    rows = len(values)
    edges = np.arange(wanted + 1) * (rows / wanted)
    before = np.minimum(edges.astype(np.int64), rows - 1)
    sums = np.zeros((rows + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=sums[1:])
    up_to = sums[before] + (edges - before)[:, None] * values[before]
    return np.diff(up_to, axis=0) * (wanted / rows)
