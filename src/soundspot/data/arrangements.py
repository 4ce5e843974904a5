"""Several clips' pictures as one: mosaics, side by side, or objects pasted on the first; boxes and masks go along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isqrt

import numpy as np
import numpy.typing as npt
from PIL import Image

from soundspot.media.image import resize
from soundspot.types import Box, UserError

TRIES = 200
"""Places tried for a pasted object at each of its sizes."""
SMALLEST = 12
"""Pixels: the shorter side below which a pasted object is no longer shrunk to find room."""

Pixels = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Alpha = npt.NDArray[np.float32]
Samples = npt.NDArray[np.float32]
Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Seen:
    """An object in view."""

    label: str
    box: Box
    mask: Bools | None = None
    """(H, W) of the whole picture: where it is seen, if that is known."""
    sounding: bool = True
    name: str = ""
    """Which photo or clip it comes from."""


@dataclass(frozen=True, eq=False)
class View:
    """A picture, (H, W, 3), and all objects in it."""

    image: Pixels
    objects: tuple[Seen, ...]


@dataclass(frozen=True, eq=False)
class Single:
    """A clip of one source."""

    view: View
    label: str
    waveform: Samples
    """(N,) mono."""
    name: str = ""

    def hushed(self) -> Single:
        """The same, and nothing in view sounds."""
        silent = tuple(replace(seen, sounding=False) for seen in self.view.objects)
        return replace(self, view=replace(self.view, objects=silent))


def mosaic(singles: Sequence[Single], size: int, rng: Rng) -> View:
    """4, 9, ... clips as a square of `size` pixels, row by row, each shrunk; UserError for another number."""
    per_row = isqrt(len(singles))
    if per_row**2 != len(singles):
        raise UserError(f"mosaic: expected 4 or 9 frames, got {len(singles)}; give a square number")
    return _grid(singles, per_row, per_row, size // per_row)


def side_by_side(singles: Sequence[Single], size: int, rng: Rng) -> View:
    """n clips from left to right, each `size` x `size`: a picture of n * size x size."""
    return _grid(singles, 1, len(singles), size)


def composite(singles: Sequence[Single], size: int, rng: Rng) -> View:
    """The first clip's picture with the objects of the others' classes pasted in, none hiding another.

    They keep their size or shrink to find room. UserError where a mask is lacking, or there is no room.
    """
    ground = _fitted(singles[0].view, size, size)
    image, objects = ground.image.copy(), list(ground.objects)
    taken = np.zeros((size, size), dtype=bool)
    for seen in objects:
        taken |= _area(seen, size)
    for single in singles[1:]:
        alpha, pixels = _cut(single, size)
        x, y, alpha, pixels = _find_room(rng, alpha, pixels, taken, single.name)
        h, w = alpha.shape
        part = image[y : y + h, x : x + w]
        part[:] = np.round(part * (1 - alpha[..., None]) + pixels * alpha[..., None]).astype(np.uint8)
        mask = np.zeros((size, size), dtype=bool)
        mask[y : y + h, x : x + w] = alpha > 0.5
        taken |= mask
        own = next(seen for seen in single.view.objects if seen.label == single.label)
        objects.append(replace(own, box=box_of(mask), mask=mask))
    return View(image, tuple(objects))


ARRANGEMENTS: dict[str, Callable[[Sequence[Single], int, Rng], View]] = {
    "mosaic": mosaic,
    "side_by_side": side_by_side,
    "composite": composite,
}


def box_of(mask: Bools) -> Box:
    """The tight box of a mask in 0..1."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    h, w = mask.shape
    return columns[0] / w, rows[0] / h, (columns[-1] + 1) / w, (rows[-1] + 1) / h


def _grid(singles: Sequence[Single], num_rows: int, num_columns: int, side: int) -> View:
    """Cells of `side` x `side` pixels, row by row."""
    image = np.zeros((num_rows * side, num_columns * side, 3), dtype=np.uint8)
    objects: list[Seen] = []
    for i, single in enumerate(singles):
        row, column = divmod(i, num_columns)
        cell = np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]
        view = _fitted(single.view, side, side)
        image[cell] = view.image
        for seen in view.objects:
            x0, y0, x1, y1 = seen.box
            box = (
                (column + x0) / num_columns,
                (row + y0) / num_rows,
                (column + x1) / num_columns,
                (row + y1) / num_rows,
            )
            mask = None
            if seen.mask is not None:
                mask = np.zeros(image.shape[:2], dtype=bool)
                mask[cell] = seen.mask
            objects.append(replace(seen, box=box, mask=mask))
    return View(image, tuple(objects))


def _fitted(view: View, height: int, width: int) -> View:
    """The view squashed to height x width."""
    if view.image.shape[:2] == (height, width):
        return view
    objects = tuple(
        replace(seen, mask=None if seen.mask is None else _resized(seen.mask, height, width)) for seen in view.objects
    )
    return View(resize(view.image, (height, width)), objects)


def _shares(mask: Bools, height: int, width: int) -> Alpha:
    """(height, width) which share of each new pixel the mask covers."""
    picture = Image.fromarray(mask.astype(np.uint8) * 255).resize((width, height), Image.Resampling.BILINEAR)
    return (np.asarray(picture) / 255).astype(np.float32)


def _resized(mask: Bools, height: int, width: int) -> Bools:
    shares = _shares(mask, height, width)
    return np.asarray(shares > 0.5 if np.any(shares > 0.5) else shares > 0)  # never to nothing


def _area(seen: Seen, size: int) -> Bools:
    """(size, size) where an object is, or may be."""
    if seen.mask is not None:
        return seen.mask
    x0, y0, x1, y1 = (round(value * size) for value in seen.box)
    area = np.zeros((size, size), dtype=bool)
    area[y0:y1, x0:x1] = True
    return area


def _cut(single: Single, size: int) -> tuple[Alpha, Pixels]:
    """Alpha (h, w) and pixels (h, w, 3) of the clip's own object, as large as in a picture of `size` pixels."""
    view = _fitted(single.view, size, size)
    own = [seen for seen in view.objects if seen.label == single.label]
    masks = [seen.mask for seen in own if seen.mask is not None]
    if len(masks) != 1 or len(own) != 1:
        raise UserError(
            f"{single.name}: expected one {single.label} and its mask to cut out, got {len(own)} with {len(masks)}"
            " masks; make a mosaic of them"
        )
    rows, columns = np.flatnonzero(masks[0].any(axis=1)), np.flatnonzero(masks[0].any(axis=0))
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return masks[0][part].astype(np.float32), view.image[part]


def _find_room(rng: Rng, alpha: Alpha, pixels: Pixels, taken: Bools, name: str) -> tuple[int, int, Alpha, Pixels]:
    """A corner (x, y) where the piece covers nothing that is taken, and the piece, shrunk if need be."""
    (h, w), size, shape = alpha.shape, taken.shape[0], alpha > 0.5
    scale = min(1.0, 0.6 * size / max(h, w))
    while True:
        height, width = max(1, round(h * scale)), max(1, round(w * scale))
        if min(height, width) < min(SMALLEST, h, w):
            raise UserError(f"{name}: expected room to paste it, got none; give pictures with smaller objects")
        soft = _shares(shape, height, width)
        for _ in range(TRIES):
            x, y = int(rng.integers(0, size - width + 1)), int(rng.integers(0, size - height + 1))
            if not np.any(taken[y : y + height, x : x + width] & (soft > 0)):
                return x, y, soft, resize(pixels, (height, width))
        scale *= 0.85
