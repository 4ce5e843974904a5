"""One picture of a separation: numbered regions over the energy map, and the wave of each beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from soundspot.localize import draw
from soundspot.localize.draw import PANEL_BACKGROUND, Colour, overlay
from soundspot.localize.draw_classes import SILENT, Palette
from soundspot.types import Box

Pixels = npt.NDArray[np.uint8]
WIDTH = 900
HIGHEST = 600
"""Pixels of the picture; what is taller is made narrower."""
WAVE_HEIGHT = 64
BAR_HEIGHT = 28
UNSEEN = 0.4
"""Brightness left to what the method does not see."""


@dataclass(frozen=True)
class Strip:
    """A sound and what is said of it; with a box it is a region's."""

    text: str
    samples: npt.NDArray[np.float32]
    box: Box | None = None


def draw_regions(
    picture: Pixels, heat: npt.NDArray[np.float32], square: Box, strips: Sequence[Strip], title: str
) -> Pixels:
    """(H, W, 3) picture, (h, w) heat of its `square` -> the picture with heat and boxes, and a strip for each sound.

    Heat is stretched to its own highest; all waves have one scale, that of the loudest, so that what is quieter looks
    so. The first strip may be the whole sound; regions are numbered from 1 in their order.
    """
    shown = _heated(_fitted(picture), heat, square)
    sheet = Image.fromarray(shown)
    boxes = [strip.box for strip in strips if strip.box is not None]
    palette = Palette(range(len(boxes)))
    for number, box in reversed(list(enumerate(boxes, start=1))):  # the first lies on top
        _box(ImageDraw.Draw(sheet), box, sheet.size, str(number), palette[number - 1])
    loudest = max((float(np.abs(strip.samples).max(initial=0.0)) for strip in strips), default=0.0)
    parts = [_on_sheet(np.asarray(sheet)), _bar(title, PANEL_BACKGROUND)]
    number = 0
    for strip in strips:
        number += strip.box is not None
        colour = SILENT if strip.box is None else palette[number - 1]
        parts.append(_bar(strip.text if strip.box is None else f"{number}   {strip.text}", colour))
        parts.append(_wave(strip.samples, loudest, colour))
    return np.concatenate(parts)


def _fitted(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    scale = min(WIDTH / width, HIGHEST / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _heated(picture: Pixels, heat: npt.NDArray[np.float32], square: Box) -> Pixels:
    """Heat over the square, the rest dark."""
    height, width = picture.shape[:2]
    columns = slice(round(square[0] * width), round(square[2] * width))
    rows = slice(round(square[1] * height), round(square[3] * height))
    low, high = float(heat.min()), float(heat.max())
    shown = (picture * UNSEEN).astype(np.uint8)
    shown[rows, columns] = overlay(picture[rows, columns], (heat - low) / max(high - low, 1e-12))
    return shown


def _on_sheet(picture: Pixels) -> Pixels:
    """The picture in the middle of WIDTH pixels."""
    sheet = np.full((len(picture), WIDTH, 3), PANEL_BACKGROUND, np.uint8)
    left = (WIDTH - picture.shape[1]) // 2
    sheet[:, left : left + picture.shape[1]] = picture
    return sheet


def _box(pen: ImageDraw.ImageDraw, box: Box, size: tuple[int, int], number: str, colour: Colour) -> None:
    """An outline, and its number on a tag in the upper left corner."""
    width, height = size
    left, top = round(box[0] * (width - 1)), round(box[1] * (height - 1))
    right, bottom = round(box[2] * (width - 1)), round(box[3] * (height - 1))
    pen.rectangle((left, top, right, bottom), outline=(0, 0, 0), width=5)
    pen.rectangle((left + 1, top + 1, max(right - 1, left + 1), max(bottom - 1, top + 1)), outline=colour, width=3)
    font = draw.font(20)
    across = round(pen.textlength(number, font=font)) + 12
    pen.rectangle((left, top, left + across, top + 26), fill=colour)
    pen.text((left + across // 2, top + 13), number, fill=(0, 0, 0), font=font, anchor="mm")


def _bar(text: str, colour: Colour) -> Pixels:
    """(BAR_HEIGHT, WIDTH, 3): a line of text, cut where there is no room, beside a mark of its colour."""
    sheet = Image.new("RGB", (WIDTH, BAR_HEIGHT), PANEL_BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((0, 2, 6, BAR_HEIGHT - 2), fill=colour)
    draw.write(pen, (14, BAR_HEIGHT // 2), text, WIDTH - 24, 16)
    return np.asarray(sheet)


def _wave(samples: npt.NDArray[np.float32], loudest: float, colour: Colour) -> Pixels:
    """(WAVE_HEIGHT, WIDTH, 3): the lowest and the highest sample of each column's stretch of time."""
    sheet = Image.new("RGB", (WIDTH, WAVE_HEIGHT), PANEL_BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    middle = WAVE_HEIGHT // 2
    edges = np.linspace(0, len(samples), WIDTH + 1).astype(int)
    for x, (start, stop) in enumerate(pairwise(edges)):
        part = samples[start : max(stop, start + 1)] / (loudest or 1.0)
        low, high = (float(part.min()), float(part.max())) if len(part) else (0.0, 0.0)
        reach = (middle - 2) * np.clip([high, low], -1, 1)
        pen.line((x, middle - round(float(reach[0])), x, middle - round(float(reach[1]))), fill=colour)
    return np.asarray(sheet)
