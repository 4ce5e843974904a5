"""Cuts between looks at a film: nothing is smoothed over them, and no track goes on beyond one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

THUMBNAIL = (64, 36)
OUTLINE = (16, 9)
PARTS = 3
"""The picture is compared in PARTS x PARTS parts: the same colours elsewhere are another picture."""
LEVELS = 6
"""A colour channel's steps."""
FLAT = 1.0
"""Grey levels of 255: a picture that varies less has no outline."""
CUT_FROM = 0.25
"""More than this is new. Where two films of 18 real ones were joined, 98 joins of 100 were above 0.29; within their
shots, hand-held ones among them, 99 steps of 100 of half a second were below 0.22."""
ABOVE_USUAL = 2.0
"""And so many times what is usual around: a hand-held camera changes much at every look."""
QUIET_CUT_FROM = 0.12
ABOVE_QUIET = 10.0
"""A smaller change is a cut where nothing else around comes near it: between two dark shots from a tripod, say."""
NEIGHBOURS = 4


class Glance(NamedTuple):
    """What is kept of a picture to compare it with the next."""

    colours: npt.NDArray[np.float32]
    """(PARTS^2, 3, LEVELS) how often each step of each channel stands in each part."""
    outline: npt.NDArray[np.float64]
    """(9 * 16,) greys without their mean, of length 1: equal for the same picture darker. Zeros for a flat one."""


def glance_of(picture: npt.NDArray[np.uint8]) -> Glance:
    """(H, W, 3) -> what there is to compare."""
    image = Image.fromarray(picture)
    small = np.asarray(image.resize(THUMBNAIL, Image.Resampling.BOX)).astype(np.int64)
    rows, columns = (np.arange(size) * PARTS // size for size in small.shape[:2])
    part = rows[:, None] * PARTS + columns[None, :]
    cells = (part[..., None] * 3 + np.arange(3)) * LEVELS + small * LEVELS // 256
    counts = np.bincount(cells.ravel(), minlength=PARTS * PARTS * 3 * LEVELS).reshape(-1, 3, LEVELS)
    colours = (counts / counts.sum(axis=2, keepdims=True)).astype(np.float32)
    grey = np.asarray(Image.fromarray(small.mean(axis=2).astype(np.float32)).resize(OUTLINE, Image.Resampling.BOX))
    varied = grey.astype(np.float64).ravel() - grey.mean(dtype=np.float64)
    spread = float(np.sqrt(np.mean(varied**2)))
    return Glance(colours, varied / (spread * np.sqrt(varied.size)) if spread >= FLAT else np.zeros_like(varied))


def change(before: Glance, after: Glance) -> float:
    """How much of a picture is new: 0 the same, if only lighter or darker; 1 neither colours nor outline are left.

    Colours alone would take a lamp or a fade for a cut, the outline alone a hand before the lens.
    """
    colours = max(0.0, 1 - float(np.minimum(before.colours, after.colours).sum(axis=2).mean()))
    return colours * (1 - max(0.0, float(before.outline @ after.outline)))


def shots_of(changes: Sequence[float]) -> list[int]:
    """How much is new at each look -> the number of the shot that it belongs to, from 0."""
    values = np.asarray(changes, dtype=np.float64)
    numbers, shot = [], 0
    for index, value in enumerate(values):
        around = np.concatenate(
            [values[max(1, index - NEIGHBOURS) : index], values[index + 1 : index + 1 + NEIGHBOURS]]
        )
        if index and _is_cut(float(value), around):
            shot += 1
        numbers.append(shot)
    return numbers


def _is_cut(value: float, around: npt.NDArray[np.float64]) -> bool:
    if value > CUT_FROM and value > ABOVE_USUAL * (float(np.median(around)) if len(around) else 0.0):
        return True
    if len(around) < NEIGHBOURS or value <= QUIET_CUT_FROM:
        return False
    return value > ABOVE_QUIET * float(np.sort(around)[-2])  # the largest may be a cut itself
