"""Put cut-out photographs on a photo background: the picture, and each object's exact visible mask and box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from soundspot.media.image import FORMATS
from soundspot.samples.outline import cut_along_outline
from soundspot.types import Box, UserError

GRID = 224
"""Sizes are stated on a 224 x 224 frame, whatever the picture's own size."""
BINS: tuple[tuple[str, float], ...] = (("small", 32.0), ("medium", 96.0), ("large", 144.0), ("huge", float("inf")))
"""A bin's name and the side (square root of the box's area, 224 grid) from which on the next one begins."""
MAX_HIDDEN = 0.12
"""How much of an object others may cover."""
MAX_TOUCHING = 0.2
"""How much of an object may lie upon another."""

Rng = np.random.Generator
UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cutout:
    """A photographed object without its background: a picture with alpha, or a photo and its outline's file."""

    name: str
    label: str
    path: Path
    outline: Path | None = None


@dataclass(frozen=True)
class Placed:
    """Where an object landed: its visible pixels, their box, and the box's side on the 224 grid."""

    cutout: Cutout
    mask: BoolArray
    box: Box
    side: float


@dataclass(frozen=True)
class Scene:
    """A finished picture, uint8 (S, S, 3), and its objects."""

    image: UInt8Array
    objects: tuple[Placed, ...]


def size_bin(side: float) -> str:
    """The bin of a box whose area's square root is `side` on the 224 grid.

    >>> size_bin(20), size_bin(32), size_bin(144)
    ('small', 'medium', 'huge')
    """
    return next(name for name, end in BINS if side < end)


@lru_cache(maxsize=1024)
def load_cutout(path: Path, outline: Path | None = None) -> Image.Image:
    """The object as an RGBA picture, cropped to what is not transparent; UserError where nothing is."""
    if outline is not None:
        picture = cut_along_outline(path, outline)
    else:
        with Image.open(path, formats=FORMATS) as opened:
            picture = opened.convert("RGBA")
    box = picture.getchannel("A").point(lambda value: 255 if value > 127 else 0).getbbox()
    if box is None:
        raise UserError(f"{path}: expected a picture with an opaque object, got an empty alpha channel; leave it out")
    return picture.crop(box)


@lru_cache(maxsize=256)
def load_background(path: Path, longest: int = 1000) -> Image.Image:
    """A background photo in RGB, at most `longest` pixels on its longer side, so that many fit in memory."""
    with Image.open(path, formats=FORMATS) as opened:
        opened.draft("RGB", (longest, longest))
        picture = opened.convert("RGB")
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return picture


def crop_background(rng: Rng, path: Path, size: int) -> UInt8Array:
    """A random square part of the photo, resized to `size` and perhaps mirrored."""
    photo = load_background(path)
    side = min(photo.size) * rng.uniform(0.7, 1.0)
    x, y = rng.uniform(0, photo.width - side), rng.uniform(0, photo.height - side)
    part = photo.resize((size, size), Image.Resampling.LANCZOS, box=(x, y, x + side, y + side))
    if rng.random() < 0.5:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(part)


def prepare(rng: Rng, cutout: Cutout, side: float, size: int, *, mirror: bool | None = None) -> FloatArray:
    """The object resized so that its box has `side` (224 grid) in a frame of `size`; float32 (h, w, 4) in 0..1.

    It may be mirrored by chance (`mirror=None`).
    """
    picture = load_cutout(cutout.path, cutout.outline)
    scale = side * size / GRID / np.sqrt(picture.width * picture.height)
    scale = min(scale, 0.92 * size / max(picture.size))
    w, h = max(4, round(picture.width * scale)), max(4, round(picture.height * scale))
    if rng.random() < 0.5 if mirror is None else mirror:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if picture.width > 2 * w or min(w, h) > 60:  # outlines are loose: a pixel less hides the old background's rim
        alpha = picture.getchannel("A").filter(ImageFilter.MinFilter(3))
        picture = picture.copy()
        picture.putalpha(alpha)
    premultiplied = picture.convert("RGBa").resize((w, h), Image.Resampling.BICUBIC).convert("RGBA")
    soft = premultiplied.getchannel("A").filter(ImageFilter.GaussianBlur(0.6))
    pixels = to_canvas(premultiplied)
    # min: feathering may thin the rim but must not show the meaningless colours outside it
    pixels[..., 3] = np.minimum(pixels[..., 3], to_canvas(soft) * np.float32(1.15)).clip(0, 1)
    return pixels


def find_places(
    rng: Rng, alphas: Sequence[BoolArray], height: int, width: int, tries: int = 80
) -> list[tuple[int, int]] | None:
    """Corners (x, y) in drawing order such that each object stays visible but for MAX_HIDDEN; None if not found."""
    placed: list[tuple[int, int, BoolArray]] = []
    hidden = [0] * len(alphas)
    for alpha in alphas:
        h, w = alpha.shape
        for _ in range(tries):
            x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
            covers = [_overlap(x, y, alpha, *before) for before in placed]
            if all(
                hidden[i] + cover <= MAX_HIDDEN * before[2].sum() and cover <= MAX_TOUCHING * alpha.sum()
                for i, (cover, before) in enumerate(zip(covers, placed, strict=True))
            ):
                break
        else:
            return None
        for i, cover in enumerate(covers):
            hidden[i] += cover
        placed.append((x, y, alpha))
    return [(x, y) for x, y, _ in placed]


def _overlap(x: int, y: int, alpha: BoolArray, other_x: int, other_y: int, other: BoolArray) -> int:
    """How many pixels two placed shapes share."""
    x0, y0 = max(x, other_x), max(y, other_y)
    x1 = min(x + alpha.shape[1], other_x + other.shape[1])
    y1 = min(y + alpha.shape[0], other_y + other.shape[0])
    if x0 >= x1 or y0 >= y1:
        return 0
    one = alpha[y0 - y : y1 - y, x0 - x : x1 - x]
    two = other[y0 - other_y : y1 - other_y, x0 - other_x : x1 - other_x]
    return int(np.count_nonzero(one & two))


def match_light(rng: Rng, pixels: FloatArray, around: FloatArray) -> FloatArray:
    """Move the object's brightness and contrast a part of the way to its surroundings', with a slight colour cast."""
    solid = pixels[..., 3] > 0.5
    colours = pixels[..., :3]
    light = colours[solid].mean(axis=-1)
    target = around.mean(axis=-1)
    part = rng.uniform(0.1, 0.35)
    contrast = float(np.clip((target.std() + 1e-3) / (light.std() + 1e-3), 0.7, 1.3)) ** part
    shift = np.clip(target.mean() - light.mean(), -0.4, 0.4) * part * 0.6
    cast = rng.uniform(0.94, 1.06, size=3).astype(np.float32)
    moved = (colours - light.mean()) * contrast + light.mean() + shift
    return np.concatenate([np.clip(moved * cast, 0, 1), pixels[..., 3:]], axis=-1).astype(np.float32)


def draw_shadow(canvas: FloatArray, alpha: FloatArray, x: int, y: int, strength: float) -> None:
    """Darken the canvas softly under and beside an object that will stand at (x, y)."""
    h, w = alpha.shape
    offset = max(2, h // 16)
    pad = 2 * offset
    shape = Image.new("L", (w + 2 * pad, h + 2 * pad))
    shape.paste(Image.fromarray((alpha * 255).astype(np.uint8)), (pad + offset // 2, pad + offset))
    soft = np.asarray(shape.filter(ImageFilter.GaussianBlur(offset)), dtype=np.float32) / 255 * strength
    x0, y0 = max(0, x - pad), max(0, y - pad)
    x1, y1 = min(canvas.shape[1], x + w + pad), min(canvas.shape[0], y + h + pad)
    part = soft[y0 - y + pad : y1 - y + pad, x0 - x + pad : x1 - x + pad]
    canvas[y0:y1, x0:x1] *= 1 - part[..., None]


def paste(canvas: FloatArray, pixels: FloatArray, x: int, y: int) -> None:
    """Blend the object over the canvas with its top left corner at (x, y)."""
    h, w = pixels.shape[:2]
    view = canvas[y : y + h, x : x + w]
    alpha = pixels[..., 3:]
    view *= 1 - alpha
    view += pixels[..., :3] * alpha


def lay_out(
    rng: Rng, cutouts: Sequence[Cutout], sides: Sequence[float], size: int, headroom: int = 0
) -> tuple[list[FloatArray], list[tuple[int, int]], list[int]]:
    """Resized pieces, their corners (x, y), and the order to paste them in: the largest first.

    Boxes measure `sides` on the 224 grid, smaller only where they would not fit; `headroom` rows above each stay in
    the frame.
    """
    shrink = 1.0
    while True:
        pieces = [prepare(rng, c, side * shrink, size) for c, side in zip(cutouts, sides, strict=True)]
        order = sorted(range(len(pieces)), key=lambda i: -pieces[i].shape[0] * pieces[i].shape[1])
        alphas = [np.pad(pieces[i][..., 3] > 0.5, ((headroom, 0), (0, 0))) for i in order]
        places = find_places(rng, alphas, size, size) if max(len(a) for a in alphas) <= size else None
        if places is not None:
            corners = {i: (x, y + headroom) for i, (x, y) in zip(order, places, strict=True)}
            return pieces, [corners[i] for i in range(len(pieces))], order
        shrink *= 0.9


def compose(rng: Rng, cutouts: Sequence[Cutout], sides: Sequence[float], background: Path, size: int) -> Scene:
    """A square scene of `cutouts` whose boxes measure `sides` (224 grid), smaller only where they would not fit."""
    pieces, places, order = lay_out(rng, cutouts, sides, size)
    canvas = to_canvas(crop_background(rng, background, size))
    for i in order:
        (x, y), (h, w) = places[i], pieces[i].shape[:2]
        pieces[i] = match_light(rng, pieces[i], canvas[y : y + h, x : x + w])
        if rng.random() < 0.4:
            draw_shadow(canvas, pieces[i][..., 3], x, y, rng.uniform(0.2, 0.45))
        paste(canvas, pieces[i], x, y)
    owner = owners(pieces, places, order, canvas.shape[0], canvas.shape[1])
    return Scene(to_image(canvas), tuple(place_of(cutouts[i], owner == i) for i in range(len(cutouts))))


def owners(
    pieces: Sequence[FloatArray], places: Sequence[tuple[int, int]], order: Sequence[int], height: int, width: int
) -> npt.NDArray[np.int32]:
    """(height, width) the number of the object seen at each pixel, -1 for the background."""
    owner = np.full((height, width), -1, dtype=np.int32)
    for i in order:
        (x, y), (h, w) = places[i], pieces[i].shape[:2]
        owner[y : y + h, x : x + w][pieces[i][..., 3] > 0.5] = i
    return owner


def to_canvas(picture: Image.Image | UInt8Array) -> FloatArray:
    """A picture as float32 in 0..1, which may be drawn upon."""
    return np.asarray(picture, dtype=np.float32) / np.float32(255)


def to_image(canvas: FloatArray) -> UInt8Array:
    """A canvas in 0..1 as uint8."""
    return (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)


def place_of(cutout: Cutout, mask: BoolArray) -> Placed:
    """The box and size of an object's visible pixels."""
    box = box_of(mask)
    side = float(np.sqrt((box[2] - box[0]) * (box[3] - box[1]))) * GRID
    return Placed(cutout, mask, box, side)


def box_of(mask: BoolArray) -> Box:
    """The tight box of a mask in 0..1; x1 and y1 lie behind the last pixel."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    h, w = mask.shape
    return columns[0] / w, rows[0] / h, (columns[-1] + 1) / w, (rows[-1] + 1) / h


def draw_sides(rng: Rng, count: int) -> list[float]:
    """Sides (224 grid) for `count` objects: one of a drawn bin, the others such that all fit, in random order."""
    # the large are drawn more often: only one of them fits, and it is the source in but one scene of three
    first, rest = (
        ((20, 31), (20, 70)),
        ((34, 94), (28, 100)),
        ((98, 140), (26, 92)),
        ((150, 174), (22, 62)),
    )[int(rng.choice(4, p=(0.2, 0.2, 0.25, 0.35)))]
    sides = [rng.uniform(*first), *(rng.uniform(*rest) for _ in range(count - 1))]
    rng.shuffle(sides)
    return sides
