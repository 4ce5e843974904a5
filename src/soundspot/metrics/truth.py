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


def boxes_to_weights(
    boxes: Sequence[Sequence[float]], grid: int, *, consensus: int = 1, rounding: BoxRounding = "clip_floor"
) -> npt.NDArray[np.float32]:
    """Boxes -> (grid, grid) weights min(1, boxes there / consensus); a degenerate box covers nothing."""
    counts = np.zeros((grid, grid), dtype=np.float32)
    for left, top, right, bottom in box_edges(boxes, grid, rounding):
        counts[top:bottom, left:right] += 1
    return np.minimum(counts / np.float32(consensus), np.float32(1))


def mask_to_weights(mask: npt.NDArray[np.bool_], grid: int, sampling: MaskSampling = "area") -> npt.NDArray[np.float32]:
    """(H, W) -> (grid, grid) of 0 and 1. area: cells at least half covered; nearest: the pixel under the cell's centre.

    A mask too small to fill half a cell keeps the cell it fills most: an object never vanishes.
    """
    if mask.ndim != 2 or 0 in mask.shape:
        raise ValueError(f"expected a mask (H, W), got {mask.shape}")
    if sampling == "nearest":
        rows, columns = (((np.arange(grid) + 0.5) * side / grid).astype(np.int64) for side in mask.shape)
        cells = mask[np.ix_(rows, columns)]
        covered = cells if cells.any() else _coverage(mask, grid)
    else:
        covered = _coverage(mask, grid)
    chosen = covered >= 0.5
    if not chosen.any() and mask.any():
        chosen = covered == covered.max()
    return chosen.astype(np.float32)


def _coverage(mask: npt.NDArray[np.bool_], grid: int) -> npt.NDArray[np.float64]:
    """(H, W) -> (grid, grid): the share of each cell's area that is true."""
    return area_average(mask.astype(np.float64), (grid, grid))


def area_average(values: npt.NDArray[np.floating], size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """(H, W) -> `size`: the mean of `values` over each cell's area, exact for any sides."""
    rows, columns = _shares(values.shape[0], size[0]), _shares(values.shape[1], size[1])
    return np.asarray(rows @ values @ columns.T)


def _shares(source: int, wanted: int) -> npt.NDArray[np.float64]:
    """(wanted, source): how much of each wanted cell lies in each source pixel."""
    edges = np.arange(wanted + 1) * (source / wanted)
    pixels = np.arange(source)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.clip(overlap, 0.0, None) * (wanted / source)
