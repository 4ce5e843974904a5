"""Boxes around the hot regions of a heat map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from soundspot.types import Box

PEAK_SHARE = 0.5
"""A region reaches down to this share of the map's highest heat."""


def boxes_of(heat: npt.NDArray[np.float32], share: float = PEAK_SHARE) -> tuple[Box, ...]:
    """(h, w) heat -> boxes of its connected hot regions, hottest first, as fractions of the frame.

    >>> heat = np.zeros((4, 4), dtype=np.float32); heat[1, 2] = 1.0
    >>> boxes_of(heat)
    ((0.5, 0.25, 0.75, 0.5),)
    """
    rows, columns = heat.shape
    labels, order = _regions(heat, _level(heat, share))
    found = ndimage.find_objects(labels)
    return tuple(
        (
            float(found[i][1].start / columns),
            float(found[i][0].start / rows),
            float(found[i][1].stop / columns),
            float(found[i][0].stop / rows),
        )
        for i in order
    )


def mask_of(
    heat: npt.NDArray[np.float32], number: int, height: int, width: int, share: float = PEAK_SHARE
) -> npt.NDArray[np.bool_]:
    """(h, w) heat -> (height, width): the pixels of the region that is `number` of `boxes_of`, with a smooth rim.

    Run lengths hold such a mask as it is, holes and all, so no format here needs its rim as a polygon.

    >>> heat = np.zeros((4, 4), dtype=np.float32); heat[1, 2] = 1.0
    >>> mask_of(heat, 0, 8, 8).sum(axis=0).tolist()
    [0, 0, 0, 0, 2, 2, 0, 0]
    """
    level = _level(heat, share)
    labels, order = _regions(heat, level)
    own = labels == order[number] + 1
    # Without the other regions nothing of them comes in where two lie close together. Straight lines between cells
    # stay below the level beyond the cells beside the region; smoother ones would swing over it.
    alone = np.where(own | (labels == 0), heat, np.float32(0)).astype(np.float32)
    size = (width, height)
    inside = np.asarray(Image.fromarray(alone).resize(size, Image.Resampling.BILINEAR)) >= level
    return inside if inside.any() else np.asarray(Image.fromarray(own).resize(size, Image.Resampling.NEAREST))


def _level(heat: npt.NDArray[np.float32], share: float) -> float:
    return max(float(heat.max()) * share, 1e-9)


def _regions(heat: npt.NDArray[np.float32], level: float) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.intp]]:
    """(h, w) heat -> (h, w) numbers from 1 of the connected regions, and (N,) those less 1, hottest first."""
    labels, count = ndimage.label(heat >= level)
    return labels, np.argsort([-ndimage.maximum(heat, labels, index + 1) for index in range(count)], kind="stable")
