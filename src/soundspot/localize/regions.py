"""Boxes around the hot regions of a heat map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
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
    labels, count = ndimage.label(heat >= max(float(heat.max()) * share, 1e-9))
    found = ndimage.find_objects(labels)
    order = np.argsort([-ndimage.maximum(heat, labels, index + 1) for index in range(count)], kind="stable")
    return tuple(
        (
            float(found[i][1].start / columns),
            float(found[i][0].start / rows),
            float(found[i][1].stop / columns),
            float(found[i][0].stop / rows),
        )
        for i in order
    )
