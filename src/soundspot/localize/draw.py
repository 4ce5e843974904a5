"""Pictures for eyes: heat over a frame, the strip that shows a whole film, captions, one summary picture."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from soundspot.localize.classes import told
from soundspot.localize.paint import Paint, Picture
from soundspot.localize.timeline import Moment, Timeline, Verdict
from soundspot.lookup import unknown
from soundspot.types import UserError

Colour = tuple[int, int, int]

# Dark to bright in even steps of perceived lightness, readable with every kind of colour vision.
_HEAT_ANCHORS = [(0, 0, 4), (31, 12, 72), (85, 15, 109), (136, 34, 106), (186, 54, 85), (227, 89, 51), (249, 140, 10),
                 (249, 201, 50), (252, 255, 164)]  # fmt: skip
VERDICT_COLOURS: dict[Verdict | None, Colour] = {
    "on-screen": (230, 159, 0),
    "off-screen": (86, 180, 233),
    "silent": (110, 110, 110),
    "unsure": (204, 121, 167),
    None: (200, 200, 200),
}
PANEL_BACKGROUND = (18, 18, 22)
BRIGHT: Colour = (240, 240, 240)
"""Of text."""
COLUMNS, TILE_WIDTH, GAP = 3, 420, 6
"""Of the summary."""
OPACITY = 0.6
CONTRAST = 3.0
DIMMED = 0.75
"""Of a frame under heat this much is left where there is none: what is hot stands out."""
Show = Literal["heat", "outline", "box"]


@dataclass(frozen=True)
class Style:
    """How a film shows what was found: heat, the outlines of hot regions, or boxes around them."""

    show: Show = "heat"
    opacity: float = OPACITY
    """Of heat, in 0..1; lines fade below OPACITY."""

    def __post_init__(self) -> None:
        if self.show not in get_args(Show):
            raise unknown(get_args(Show), self.show, "look of the overlay")
        if not 0 <= self.opacity <= 1:
            raise UserError(f"expected an opacity from 0 to 1, got {self.opacity}; try {OPACITY}")

    @property
    def line_opacity(self) -> float:
        """Of lines: thin as they are, they are full where heat lets the frame through."""
        return min(1.0, self.opacity / OPACITY)


@functools.cache
def palette() -> npt.NDArray[np.float32]:
    """(256, 3) colours of heat 0..1."""
    anchors = np.array(_HEAT_ANCHORS, dtype=np.float32)
    places = np.linspace(0, 255, len(anchors))
    return np.stack([np.interp(np.arange(256), places, anchors[:, c]) for c in range(3)], axis=1).astype(np.float32)


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Of letters `size` pixels high."""
    return ImageFont.load_default(size=size)


def enlarge(heat: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """(h, w) -> (height, width), smooth, kept in 0..1."""
    large = Image.fromarray(heat.astype(np.float32), mode="F").resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(large), 0.0, 1.0)


def overlay(frame: Picture, heat: npt.NDArray[np.float32], opacity: float = OPACITY) -> Picture:
    """The frame with heat over it: where there is none, the frame is a little darker and otherwise untouched."""
    return heat_paint(heat, frame.shape[0], frame.shape[1], opacity).over(frame)


def heat_paint(heat: npt.NDArray[np.float32], height: int, width: int, opacity: float = OPACITY) -> Paint:
    """(h, w) -> the paint of a frame of (height, width)."""
    index = (enlarge(heat, height, width) * 255 + 0.5).astype(np.uint8)
    keep, add = _heat_tables(opacity)
    return Paint(keep.take(index), add.take(index, axis=0))


@functools.cache
def _heat_tables(opacity: float) -> tuple[npt.NDArray[np.float32], Picture]:
    """(256,), (256, 3): what is kept and what is added, by heat."""
    level = for_eyes(np.linspace(0, 1, 256, dtype=np.float32))
    weight = level * opacity
    keep = (DIMMED + (1 - DIMMED) * level) * (1 - weight)
    colour = palette()[(level * 255).astype(np.uint8)]
    return keep.astype(np.float32), (colour * weight[:, None]).astype(np.uint8)


def edge(inside: npt.NDArray[np.bool_], width: int) -> npt.NDArray[np.bool_]:
    """(H, W) -> (H, W): the rim of what is inside, `width` pixels wide; the frame's own edge is no rim."""
    high, wide = inside.shape
    padded = np.pad(inside, width, mode="edge")
    core = inside.copy()
    for down, across in ((0, width), (2 * width, width), (width, 0), (width, 2 * width)):
        core &= padded[down : down + high, across : across + wide]
    return inside & ~core


def line_width(height: int) -> int:
    """Of outlines and boxes in a picture of that height."""
    return max(1, round(height / 240))


def for_eyes(heat: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """More contrast about the even chance: what is more likely than not is plain to see, what is not fades away."""
    odds = np.clip(heat, 1e-6, 1 - 1e-6)
    return (1 / (1 + np.exp(-(CONTRAST * np.log(odds / (1 - odds)) + 1)))).astype(np.float32)


def say(moment: Moment) -> str:
    """One line about a moment: what was heard, where its source is, how sure."""
    if moment.classes and moment.verdict != "silent":
        return told(moment.classes)
    heard = ", ".join(f"{name} {value:.0%}" for name, value in moment.tags[:2])
    if moment.verdict is None:
        return f"{heard or 'sound'}: relative heat, weights hold no calibration"
    if moment.verdict == "silent":
        return "silent"
    sure = "" if moment.probability is None else f" (visible: {moment.probability:.0%})"
    return f"{moment.verdict}{sure}   {heard}"


def caption(picture: Picture, text: str, colour: Colour) -> Picture:
    """The picture with a line of text in a bar beneath it."""
    height, width = picture.shape[:2]
    return np.concatenate([picture, bar(width, bar_height(height), text, colour)])


def bar(width: int, height: int, text: str, colour: Colour) -> Picture:
    """(height, width, 3): a line of text after a mark in a colour."""
    sheet = Image.new("RGB", (width, height), PANEL_BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((0, 0, round(height * 0.3), height), fill=colour)
    write(pen, (round(height * 0.5), height // 2), text, width - height, round(height * 0.62))
    return np.asarray(sheet)


def bar_height(height: int) -> int:
    """Of a line of text beneath a picture of that height."""
    return max(20, round(height * 0.075))


def write(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, room: int, size: int, fill: Colour = BRIGHT
) -> None:
    """Text in one line with its left middle at `place`, made smaller, then cut, until it fits in `room` pixels."""
    text = text if text.isprintable() else " ".join(text.split())
    while size > 9 and pen.textlength(text, font=font(size)) > room:
        size -= 1
    while len(text) > 1 and pen.textlength(text, font=font(size)) > room:
        text = text[:-2] + "…"
    pen.text(place, text, fill=fill, font=font(size), anchor="lm")


def strip(
    timeline: Timeline,
    width: int,
    height: int,
    end_seconds: float,
    colours: Mapping[Verdict | None, Colour] = VERDICT_COLOURS,
) -> Picture:
    """(height, width, 3): the film's sound as a wave, coloured by verdict, with how sure as a line over it."""
    sheet = Image.new("RGB", (width, height), PANEL_BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    middle = height // 2
    loudest = max(timeline.wave, default=0.0) or 1.0
    loudness = _at_least_two([peak / loudest for peak in timeline.wave])
    levels = np.interp(np.linspace(0, 1, width), np.linspace(0, 1, len(loudness)), loudness)
    line: list[tuple[int, int]] = []
    for x in range(width):
        moment = timeline.known_at(timeline.start_seconds + (x + 0.5) / width * end_seconds)
        reach = 1 + round(levels[x] * (middle - 3))
        pen.line((x, middle - reach, x, middle + reach), fill=colours[moment.verdict])
        if moment.probability is not None:
            line.append((x, round((height - 3) * (1 - moment.probability)) + 1))
    if line:
        pen.line(line, fill=(255, 255, 255), width=1)
    return np.asarray(sheet)


def _at_least_two(values: Sequence[float]) -> Sequence[float]:
    return values if len(values) > 1 else [*(values or [0.0]), *(values or [0.0])]


def with_playhead(panel: Picture, share: float) -> Picture:
    """The strip with a mark at `share` (0..1) of its width."""
    marked = panel.copy()
    x = min(max(int(share * panel.shape[1]), 0), panel.shape[1] - 1)
    marked[:, max(0, x - 1) : x + 1] = 255
    return marked


Tile = Callable[[Picture, Moment], Picture]
"""Draws a moment over its frame, with its words."""


def tile(frame: Picture, moment: Moment) -> Picture:
    """A moment's heat over its frame, and what there is to say of it."""
    return caption(overlay(frame, moment.heat), at_time(moment), VERDICT_COLOURS[moment.verdict])


def at_time(moment: Moment) -> str:
    """What there is to say of a moment, and when it is."""
    return f"{moment.time_seconds:5.1f} s  {say(moment)}"


def sheet_width(tiles: int, columns: int = COLUMNS, width: int = TILE_WIDTH) -> int:
    """Of the summary of so many tiles."""
    return min(columns, tiles) * (width + GAP) - GAP


TALLEST = 4
"""Times its width, a key frame in the summary: a picture of 1x4000 would fill memory."""


def summary(
    pictures: Sequence[tuple[Picture, Moment]],
    panel: Picture | None,
    title: str,
    columns: int = COLUMNS,
    width: int = TILE_WIDTH,
    tile: Tile = tile,
) -> Picture:
    """One picture of a whole film: a key frame a stretch with its caption, and the strip beneath."""
    tiles = []
    for frame, moment in pictures:
        height = min(max(1, round(frame.shape[0] * width / frame.shape[1])), TALLEST * width)
        small = np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))
        tiles.append(tile(small, moment))
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    tall, head = max(t.shape[0] for t in tiles), 30
    below = 0 if panel is None else panel.shape[0] + GAP
    size = (sheet_width(len(tiles), columns, width), head + rows * (tall + GAP) + below)
    sheet = Image.new("RGB", size, PANEL_BACKGROUND)
    write(ImageDraw.Draw(sheet), (8, head // 2), title, sheet.width - 16, 16)
    for index, drawn in enumerate(tiles):
        sheet.paste(Image.fromarray(drawn), (index % columns * (width + GAP), head + index // columns * (tall + GAP)))
    if panel is not None:
        resized = Image.fromarray(panel).resize((sheet.width, panel.shape[0]))
        sheet.paste(resized, (0, sheet.height - panel.shape[0]))
    return np.asarray(sheet)
