"""Boxes of a picture, of the square of it that a method sees, and of that square's cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from soundspot.types import Box, Inputs, UserError


def box_of(text: str) -> Box:
    """Four shares of the picture, x0,y0,x1,y1. Raises UserError.

    >>> box_of("0.1,0.2,0.5,0.75")
    (0.1, 0.2, 0.5, 0.75)
    """
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        x0 = y0 = x1 = y1 = -1.0
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise UserError(
            f"--box: expected x0,y0,x1,y1 in 0..1 with x0 < x1 and y0 < y1, got {text!r};"
            " divide pixels by the picture's width and height"
        )
    return (x0, y0, x1, y1)


def square_of(shape: Sequence[int], inputs: Inputs) -> Box:
    """What a method sees of a picture (H, W, ...), as shares of it: all that is squashed, or the middle if cropped."""
    height, width = shape[0], shape[1]
    if inputs.resize == "squash":
        return 0.0, 0.0, 1.0, 1.0
    left, top = (1 - min(1.0, height / width)) / 2, (1 - min(1.0, width / height)) / 2
    return left, top, 1 - left, 1 - top


def into_square(box: Box, square: Box) -> Box:
    """A box of the picture as shares of the square; what lies outside is cut off."""
    (left, top, right, bottom) = square
    x0, x1 = (min(max((x - left) / (right - left), 0.0), 1.0) for x in (box[0], box[2]))
    y0, y1 = (min(max((y - top) / (bottom - top), 0.0), 1.0) for y in (box[1], box[3]))
    return x0, y0, x1, y1


def from_square(box: Box, square: Box) -> Box:
    """A box of the square as shares of the picture.

    >>> from_square((0.0, 0.5, 1.0, 1.0), (0.25, 0.0, 0.75, 1.0))
    (0.25, 0.5, 0.75, 1.0)
    """
    (left, top, right, bottom) = square
    x0, x1 = (left + x * (right - left) for x in (box[0], box[2]))
    y0, y1 = (top + y * (bottom - top) for y in (box[1], box[3]))
    return x0, y0, x1, y1


def cells_of(box: Box, shape: Sequence[int]) -> npt.NDArray[np.float32]:
    """(h, w): how much of each cell lies in a box of the square. Raises UserError where none does."""
    x0, y0, x1, y1 = box
    weights = np.outer(_overlaps(y0, y1, shape[0]), _overlaps(x0, x1, shape[1])).astype(np.float32)
    if not weights.any():
        raise UserError(
            "--box: expected a box of which the method sees a part, got one beside the middle square; move it"
        )
    return weights


def _overlaps(start: float, stop: float, count: int) -> npt.NDArray[np.float64]:
    """How much of each of `count` cells of 0..1 lies between two places."""
    edges = np.arange(count + 1) / count
    return np.clip(np.minimum(edges[1:], stop) - np.maximum(edges[:-1], start), 0, None) * count
