"""The key of a film's strip: what its colours mean, what its white line is, and how warm heat looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from soundspot.localize import draw
from soundspot.localize.draw import Colour
from soundspot.localize.paint import Picture
from soundspot.localize.timeline import Timeline, Verdict

ROW = 16
LETTERS = 11
SCALE_WIDTH = 54
"""Of the heat's own scale."""
_GAP = 7
_SWATCH = 9
_RELATIVE: Verdict | None = None
Entry = tuple[str, str, Colour | None]
"""A kind (swatch, line, heat), its words, its colour."""


def key(timeline: Timeline, width: int, colours: Mapping[Verdict | None, Colour], show_heat: bool) -> Picture:
    """(rows * ROW, width, 3): swatches of the verdicts, of the line, and the heat's scale, in as many rows as it needs.

    `colours` are those of the strip; `show_heat` says whether frames are painted with the heat's own colours.
    """
    entries = _entries(timeline, colours, show_heat)
    places, rows = _placed(entries, width)
    sheet = Image.new("RGB", (width, rows * ROW), draw.PANEL_BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for (kind, text, colour), (left, row) in zip(entries, places, strict=True):
        middle = row * ROW + ROW // 2
        sign = _sign_width(kind)
        if kind == "heat":
            sheet.paste(Image.fromarray(scale(sign, _SWATCH)), (left, middle - _SWATCH // 2))
        elif kind == "line":
            pen.line((left, middle + 2, left + sign // 2, middle - 3, left + sign, middle), fill=(255, 255, 255))
        else:
            pen.rectangle((left, middle - _SWATCH // 2, left + sign, middle + _SWATCH // 2), fill=colour)
        draw.write(pen, (left + sign + 4, middle), text, width - left - sign - 4, LETTERS)
    return np.asarray(sheet)


def scale(width: int, height: int) -> Picture:
    """(height, width, 3): the heat's colours from none to most."""
    shades = draw.palette()[np.linspace(0, 255, width).astype(np.uint8)].astype(np.uint8)
    return np.broadcast_to(shades, (height, width, 3)).copy()


def _entries(timeline: Timeline, colours: Mapping[Verdict | None, Colour], show_heat: bool) -> list[Entry]:
    calibrated = any(moment.verdict is not None for moment in timeline.known)
    names = [name for name in colours if name is not None] if calibrated else []
    entries: list[Entry] = [("swatch", str(name), colours[name]) for name in names]
    if not calibrated:
        entries.append(("swatch", "sound, not judged", colours[_RELATIVE]))
    if any(moment.probability is not None for moment in timeline.known):
        entries.append(("line", "visible, 0 to 100%", None))
    if show_heat:
        entries.append(("heat", "heat 0 to 100%" if calibrated else "heat, low to high", None))
    return entries


def _placed(entries: Sequence[Entry], width: int) -> tuple[list[tuple[int, int]], int]:
    """(left, row) of each entry, one after the other, and how many rows that takes."""
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    places: list[tuple[int, int]] = []
    left, row = _GAP, 0
    for kind, text, _ in entries:
        wide = _sign_width(kind) + 4 + round(pen.textlength(text, font=draw.font(LETTERS)))
        if left > _GAP and left + wide > width:
            left, row = _GAP, row + 1
        places.append((left, row))
        left += wide + 2 * _GAP
    return places, row + 1


def _sign_width(kind: str) -> int:
    return SCALE_WIDTH if kind == "heat" else 16 if kind == "line" else _SWATCH
