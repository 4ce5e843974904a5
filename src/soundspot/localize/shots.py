"""Cuts between looks at a film: nothing is smoothed over them, and no track goes on beyond one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

THUMBNAIL = (64, 36)
PARTS = 3
"""The picture is compared in PARTS x PARTS parts: the same colours elsewhere are another picture."""
LEVELS = 6
"""A colour channel's steps."""
CUT_FROM = 0.5
"""More than this share of the colours is new."""
ABOVE_USUAL = 2.0
"""And so many times what is usual around: a hand-held camera changes much at every look."""
NEIGHBOURS = 4
Histograms = npt.NDArray[np.float32]


def colours_of(picture: npt.NDArray[np.uint8]) -> Histograms:
    """(H, W, 3) -> (PARTS^2, 3, LEVELS) how often each step of each channel stands in each part."""
    small = np.asarray(Image.fromarray(picture).resize(THUMBNAIL, Image.Resampling.BOX)).astype(np.int64)
    rows, columns = (np.arange(size) * PARTS // size for size in small.shape[:2])
    part = rows[:, None] * PARTS + columns[None, :]
    cells = (part[..., None] * 3 + np.arange(3)) * LEVELS + small * LEVELS // 256
    counts = np.bincount(cells.ravel(), minlength=PARTS * PARTS * 3 * LEVELS).reshape(-1, 3, LEVELS)
    return (counts / counts.sum(axis=2, keepdims=True)).astype(np.float32)


def change(before: Histograms, after: Histograms) -> float:
    """Which share of the colours, place by place, is new: 0 the same, 1 none is left."""
    return float(1 - np.minimum(before, after).sum(axis=2).mean())


def shots_of(changes: Sequence[float]) -> list[int]:
    """How much is new at each look -> the number of the shot that it belongs to, from 0."""
    values = np.asarray(changes, dtype=np.float64)
    numbers, shot = [], 0
    for index, value in enumerate(values):
        around = np.concatenate(
            [values[max(1, index - NEIGHBOURS) : index], values[index + 1 : index + 1 + NEIGHBOURS]]
        )
        usual = float(np.median(around)) if len(around) else 0.0
        if index and value > CUT_FROM and value > ABOVE_USUAL * usual:
            shot += 1
        numbers.append(shot)
    return numbers
