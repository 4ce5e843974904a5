"""Pictures of several sounds at once: a colour a class, a legend, the silent grey, a lane a class along the film."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from soundspot.localize import draw
from soundspot.localize.classes import ClassMoment, ClassVerdict, Layer
from soundspot.localize.draw import Colour
from soundspot.localize.paint import Paint, Picture
from soundspot.localize.timeline import Moment, Timeline, Verdict

COLOURS: tuple[Colour, ...] = (
    (255, 136, 0), (85, 153, 255), (102, 255, 170), (221, 51, 68), (255, 187, 255), (170, 255, 119), (170, 34, 255),
    (204, 119, 187), (221, 0, 204), (238, 238, 0), (119, 170, 119), (238, 0, 0),
)  # fmt: skip
"""Searched so that no two, nor one and a grey, look alike to eyes that lack any one kind of cone: at least 20 apart in
CIELAB (Okabe and Ito's six are 16 apart). The first ones are furthest apart."""
SILENT: Colour = (190, 190, 190)
GREYS: dict[Verdict | None, Colour] = {
    "on-screen": (150, 150, 156),
    "off-screen": (90, 90, 96),
    "silent": (50, 50, 56),
    "unsure": (120, 120, 126),
}
"""Of verdicts on the sound as a whole, beside which classes have the colours."""
FAINT: Colour = (140, 140, 146)
"""Text of what is not there."""
LEGEND_ENTRIES = 12
LANE_HEIGHT = 13
LEVELS = 1023
_SAID: dict[ClassVerdict, str] = {"sounding": "", "silent": " (silent)", "off-screen": " (off screen)", "absent": ""}


class Palette(dict[int, Colour]):
    """A colour a class, by its number among its method's classes: the same over a whole film.

    Of more classes than there are colours, those that are given first get different ones.
    """

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        super().__init__()
        for number in numbers:
            free = [colour for colour in _from(number) if colour not in self.values()]
            self[number] = free[0] if free else _from(number)[0]

    def __missing__(self, number: int) -> Colour:
        return _from(number)[0]


def _from(number: int) -> tuple[Colour, ...]:
    """All colours, beginning with the class's own."""
    place = number % len(COLOURS)
    return COLOURS[place:] + COLOURS[:place]


def overlay(
    frame: Picture, layers: Sequence[Layer], palette: Mapping[int, Colour], opacity: float = draw.OPACITY
) -> Picture:
    """The frame with each class's heat in its colour, outlined at one half; what is silent is grey.

    The frame loses its own colours under heat, so that a class's colour is the same on whatever lies below.
    """
    return heat_paint(layers, frame.shape[0], frame.shape[1], palette, opacity).over(frame)


def heat_paint(
    layers: Sequence[Layer], height: int, width: int, palette: Mapping[int, Colour], opacity: float = draw.OPACITY
) -> Paint:
    """The paint of `overlay` for a frame of (height, width)."""
    large = [draw.enlarge(layer.heat, height, width) for layer in layers]
    shades = [_shades().take((heat * LEVELS).astype(np.uint16)) for heat in large]
    most = np.max(shades, axis=0) if shades else np.zeros((height, width), dtype=np.float32)
    tint = np.zeros((height, width, 3), dtype=np.float32)
    total = np.full((height, width), 1e-12, dtype=np.float32)
    for layer, shade in zip(layers, shades, strict=True):
        share = np.square(shade)  # where two meet the stronger one shows, not a third colour
        total += share
        for channel, value in enumerate(_colour(layer, palette)):
            tint[..., channel] += share * np.float32(value)
    weight = most * opacity
    keep = (draw.DIMMED + (1 - draw.DIMMED) * most) * (1 - weight)
    tint *= (weight / total)[..., None]
    return _edged(Paint(keep, np.clip(tint, 0, 255).astype(np.uint8), fade=most), layers, large, palette)


def outline_paint(
    layers: Sequence[Layer], height: int, width: int, palette: Mapping[int, Colour], opacity: float = 1.0
) -> Paint:
    """The edges alone of `overlay`."""
    large = [draw.enlarge(layer.heat, height, width) for layer in layers]
    nothing = Paint(np.ones((height, width), np.float32), np.zeros((height, width, 3), np.uint8))
    return _edged(nothing, layers, large, palette, opacity, thick=2)


def _edged(
    paint: Paint,
    layers: Sequence[Layer],
    large: Sequence[npt.NDArray[np.float32]],
    palette: Mapping[int, Colour],
    opacity: float = 1.0,
    thick: int = 1,
) -> Paint:
    """The paint with a line in its colour around each class, where its heat passes one half."""
    for layer, heat in zip(layers, large, strict=True):
        line = draw.edge(heat >= 0.5, thick * draw.line_width(heat.shape[0]))
        paint.keep[line] = 1 - opacity
        paint.add[line] = np.array(_colour(layer, palette)) * opacity
    return paint


def _colour(layer: Layer, palette: Mapping[int, Colour]) -> Colour:
    return SILENT if layer.silent else palette[layer.number]


@functools.cache
def _shades() -> npt.NDArray[np.float32]:
    """Of heat in LEVELS steps how it is seen."""
    return draw.for_eyes(np.linspace(0, 1, LEVELS + 1, dtype=np.float32))


def labelled(picture: Picture, classes: Sequence[ClassMoment], palette: Mapping[int, Colour]) -> Picture:
    """The picture with a class's name at the hottest place of each that is in view."""
    sheet = Image.fromarray(picture)
    name_classes(sheet, classes, palette)
    return np.asarray(sheet)


def name_classes(sheet: Image.Image, classes: Sequence[ClassMoment], palette: Mapping[int, Colour]) -> None:
    """Write a class's name at the hottest place of each that is in view."""
    pen = ImageDraw.Draw(sheet)
    letters = max(11, round(sheet.height * 0.032))
    for number, each in enumerate(classes):
        if not each.boxes:
            continue
        text = f"{each.name}{_SAID[each.verdict]}"
        corner = (each.boxes[0][0] * sheet.width, each.boxes[0][1] * sheet.height)
        chip(pen, text, corner, sheet.size, SILENT if each.verdict == "silent" else palette[number], letters)


def chip(
    pen: ImageDraw.ImageDraw,
    text: str,
    corner: tuple[float, float],
    size: tuple[int, int],
    colour: Colour,
    letters: int,
) -> None:
    """A name on its colour from a corner on, moved so that it lies inside a picture of that width and height."""
    text = " ".join(text.split())
    wide, high = round(pen.textlength(text, font=draw.font(letters))) + letters, round(letters * 1.5)
    x = min(max(round(corner[0]), 0), max(size[0] - wide, 0))
    y = min(max(round(corner[1]), 0), max(size[1] - high, 0))
    pen.rectangle((x, y, x + wide, y + high), fill=colour)
    pen.text((x + letters // 2, y + high // 2), text, fill=(0, 0, 0), font=draw.font(letters), anchor="lm")


def palette_of(timeline: Timeline, entries: int = LEGEND_ENTRIES) -> Palette:
    """The film's classes and their colours: those that are heard or in view longest."""
    present = np.array([[each.verdict != "absent" for each in moment.classes] for moment in timeline.known])
    counts = present.sum(axis=0)
    chosen = np.argsort(-counts, kind="stable")[:entries]
    return Palette(int(number) for number in chosen if counts[number])


def legend(classes: Sequence[ClassMoment], palette: Mapping[int, Colour], width: int, row: int) -> Picture:
    """(rows * row, width, 3): the palette's classes and what each does now, always at the same place in a film.

    A class that is neither heard nor in view now is faint.
    """
    numbers = sorted(palette)
    size = round(row * 0.62)
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    names = [" ".join(f"{classes[number].name} (off screen)".split()) for number in numbers]
    longest = max((pen.textlength(name, font=draw.font(size)) for name in names), default=0)
    columns = max(1, min(len(numbers), int((width - row) // (longest + 2 * row))))
    rows = max(1, -(-len(numbers) // columns))
    sheet = Image.new("RGB", (width, rows * row), draw.PANEL_BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    slot = (width - row // 2) // columns
    for place, number in enumerate(numbers):
        left, top = row // 2 + place % columns * slot, place // columns * row
        _entry(pen, classes[number], palette[number], (left, top), slot, row)
    return np.asarray(sheet)


def _entry(
    pen: ImageDraw.ImageDraw, each: ClassMoment, colour: Colour, corner: tuple[int, int], slot: int, row: int
) -> None:
    """A swatch and a name: full while it sounds, grey while silent, hollow while off screen."""
    left, top = corner
    side = row // 2
    square = (left, top + side // 2, left + side, top + side // 2 + side)
    fill: dict[ClassVerdict, Colour | None] = {"sounding": colour, "silent": SILENT, "off-screen": None, "absent": None}
    edge = tuple(part // 2 for part in colour) if each.verdict == "absent" else colour
    pen.rectangle(square, fill=fill[each.verdict], outline=edge, width=max(1, row // 10))
    text = FAINT if each.verdict == "absent" else draw.BRIGHT
    place = (left + side + row // 3, top + row // 2)
    draw.write(pen, place, f"{each.name}{_SAID[each.verdict]}", slot - side - row // 2, round(row * 0.62), text)


def lanes(timeline: Timeline, palette: Mapping[int, Colour], width: int, end_seconds: float) -> Picture:
    """(lanes, width, 3): a lane a class over the whole film.

    Full where it sounds, thin and grey where it is silent, hollow where it is off screen.
    """
    sheet = Image.new("RGB", (width, LANE_HEIGHT * len(palette)), draw.PANEL_BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    moments = [timeline.known_at(timeline.start_seconds + (x + 0.5) / width * end_seconds) for x in range(width)]
    for lane, number in enumerate(sorted(palette)):
        top, bottom = lane * LANE_HEIGHT + 1, (lane + 1) * LANE_HEIGHT - 2
        middle, colour = (top + bottom) // 2, palette[number]
        for x, moment in enumerate(moments):
            verdict = moment.classes[number].verdict
            if verdict == "sounding":
                pen.line((x, top, x, bottom), fill=colour)
            elif verdict == "silent":
                pen.line((x, middle - 1, x, middle + 1), fill=SILENT)
            elif verdict == "off-screen":
                pen.point([(x, top), (x, top + 1), (x, bottom - 1), (x, bottom)], fill=colour)
        name = " ".join(timeline.known[0].classes[number].name.split())
        pen.text((4, middle), name, fill=(255, 255, 255), font=draw.font(10), anchor="lm", stroke_width=2,
                 stroke_fill=draw.PANEL_BACKGROUND)  # fmt: skip
    return np.asarray(sheet)


def shown(frame: Picture, layers: Sequence[Layer], moment: Moment, palette: Mapping[int, Colour], text: str) -> Picture:
    """A frame with all that is said of it: heat in colours, names, legend, caption."""
    picture = labelled(overlay(frame, layers, palette), moment.classes, palette)
    names = legend(moment.classes, palette, frame.shape[1], draw.bar_height(frame.shape[0]))
    captioned = draw.caption(picture, text, GREYS[moment.verdict])
    return np.concatenate([captioned[: len(picture)], names, captioned[len(picture) :]])
