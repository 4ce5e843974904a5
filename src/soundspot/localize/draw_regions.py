"""Hot regions drawn as lines: outlines, and boxes with their track's number and what sounds there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image, ImageDraw

from soundspot.localize import draw, draw_classes
from soundspot.localize.draw import Colour
from soundspot.localize.paint import Paint
from soundspot.localize.regions import PEAK_SHARE, boxes_of
from soundspot.localize.timeline import Moment
from soundspot.types import Box

DARK: Colour = (10, 10, 12)
"""Around lines, so that they stand out on whatever lies below."""
Palette = Mapping[int, Colour]


def outline_paint(moment: Moment, height: int, width: int, opacity: float) -> Paint:
    """Lines around the regions of a moment of one map, in its verdict's colour; none where it claims no region.

    Without a verdict they are around what is hottest.
    """
    keep = np.ones((height, width), np.float32)
    add = np.zeros((height, width, 3), np.uint8)
    if moment.boxes or moment.verdict is None:
        heat = draw.enlarge(moment.heat, height, width)
        inside, wide = heat >= max(float(moment.heat.max()) * PEAK_SHARE, 1e-9), draw.line_width(height)
        for line, colour in (
            (draw.edge(inside, 3 * wide), DARK),
            (draw.edge(inside, 2 * wide), draw.VERDICT_COLOURS[moment.verdict]),
        ):
            keep[line] = 1 - opacity
            add[line] = np.array(colour) * opacity
    return Paint(keep, add)


def boxed(moment: Moment, height: int, width: int, palette: Palette, opacity: float = 1.0) -> Image.Image:
    """(height, width) RGBA: a box a region with its track's number and what sounds there; clear elsewhere."""
    sheet = Image.new("RGBA", (width, height))
    pen = ImageDraw.Draw(sheet)
    wide, strength = draw.line_width(height), round(255 * opacity)
    letters = letters_of(height)
    chips = []
    for box, text, colour in _boxes(moment, palette):
        left, top, right, bottom = (
            round(part * side) for part, side in zip(box, (width, height, width, height), strict=True)
        )
        pen.rectangle((left, top, right - 1, bottom - 1), outline=(*DARK, strength), width=3 * wide)
        inner = (left + wide, top + wide, max(left + wide, right - 1 - wide), max(top + wide, bottom - 1 - wide))
        pen.rectangle(inner, outline=(*colour, strength), width=2 * wide)
        chips.append((text, (left, top - round(letters * 1.5)), colour))
    for text, corner, colour in chips:
        if text:
            draw_classes.chip(pen, text, corner, sheet.size, colour, letters)
    return sheet


def named(moment: Moment, height: int, width: int, palette: Palette) -> Image.Image:
    """(height, width) RGBA: the name of each class in view at its hottest place; clear elsewhere."""
    sheet = Image.new("RGBA", (width, height))
    draw_classes.name_classes(sheet, moment.classes, palette)
    return sheet


def letters_of(height: int) -> int:
    """How high letters are in a picture of that height."""
    return max(11, round(height * 0.032))


def _boxes(moment: Moment, palette: Palette) -> Iterator[tuple[Box, str, Colour]]:
    """Each region's box, its words and its colour; of classes the silent ones first, so that they lie below."""
    for each in moment.classes:
        if each.verdict == "silent":
            yield from ((box, f"{each.name} (silent)", draw_classes.SILENT) for box in each.boxes)
    colours = [
        palette[number] for number, each in enumerate(moment.classes) if each.verdict == "sounding" for _ in each.boxes
    ]
    if not moment.classes:
        colours = [draw.VERDICT_COLOURS[moment.verdict]] * len(moment.boxes)
    tracks = moment.tracks or (None,) * len(moment.boxes)
    for box, track, label, colour in zip(moment.boxes, tracks, moment.box_labels, colours, strict=True):
        yield box, " ".join([*([f"#{track}"] if track is not None else []), *([label] if label else [])]), colour
    if moment.verdict is None and not moment.boxes:
        yield from ((box, "", draw.VERDICT_COLOURS[None]) for box in boxes_of(moment.heat))
