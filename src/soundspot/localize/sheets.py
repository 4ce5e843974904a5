"""A film's frames with what was found laid over and written below, in planes: what does not move is drawn once a look.

Frames are painted in whole numbers, by paint that was made for the looks before and after: the cost of a frame does not
depend on what is painted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from soundspot.localize import draw, draw_classes, draw_key, draw_regions
from soundspot.localize.classes import blended
from soundspot.localize.draw import Style
from soundspot.localize.paint import Paint, Painter, Picture, Veil, stencil
from soundspot.localize.timeline import Moment, Timeline
from soundspot.media.planes import NO_COLOUR, Planes, parts_of, planes_of

STRIP_HEIGHT = 48
WHITE = 235
"""Of brightness in planes."""
NEAR = 3
"""So many drawings of each kind are kept: those of the looks before and after, and one more."""
T = TypeVar("T")


class Sheets:
    """Lays a timeline over frames of `size` (width, height; both even) whose colours are of `matrix`."""

    def __init__(self, timeline: Timeline, size: tuple[int, int], matrix: int, seconds: float, style: Style) -> None:
        self.timeline, self.matrix, self.seconds, self.style = timeline, matrix, seconds, style
        self.width, self.height = size
        self.palette = draw_classes.palette_of(timeline) if timeline.tells_classes else {}
        whole = panel(timeline, self.palette, self.width, seconds, style)
        self._above_strip = whole.shape[0] - STRIP_HEIGHT - draw_classes.LANE_HEIGHT * len(self.palette)
        self._panel = parts_of(planes_of(whole, matrix))
        self._caption_height = self._caption(timeline.known[0])[0].shape[0]
        self._painter = Painter((self.height * 3 // 2, self.width))
        self._held: dict[tuple[str, int], object] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what `over` gives."""
        return self.width, self.height + self._caption_height + len(self._panel[0])

    def over(self, planes: Planes, time_seconds: float) -> Planes:
        """A frame's planes -> those of the sheet at that time."""
        before, after, part = self.timeline.places_around(time_seconds)
        place = self.timeline.place_at(time_seconds)
        shown = planes
        veil, later = self._once("veil", before, self._veil), self._once("veil", after, self._veil)
        if veil is not None and later is not None:
            shown = self._painter.lay(shown, veil, later, part)
        if (lines := self._once("lines", place, self._lines)) is not None:
            shown = self._painter.lay(shown, lines, lines)
        caption = self._once("caption", place, self._caption)
        sheet = np.empty((self.size[1] * 3 // 2, self.width), np.uint8)
        for target, *parts in zip(parts_of(sheet), parts_of(shown), caption, self._panel, strict=True):
            np.concatenate(parts, out=target)
        self._mark(sheet, (time_seconds - self.timeline.start_seconds) / max(self.seconds, 1e-9))
        return sheet

    def _once(self, kind: str, place: int, make: Callable[[Moment], T]) -> T:
        """What `make` gives for a moment; the last few are kept."""
        if (kind, place) not in self._held:
            kept = [key for key in self._held if key[0] == kind]
            for key in kept[: max(0, len(kept) - NEAR + 1)]:
                del self._held[key]
            self._held[kind, place] = make(self.timeline.moments[place])
        return self._held[kind, place]  # type: ignore[return-value]

    def _veil(self, moment: Moment) -> Veil | None:
        found = paint(moment, self.height, self.width, self.palette, self.style)
        return None if found is None else found.veil(self.matrix)

    def _lines(self, moment: Moment) -> Veil | None:
        """What jumps from look to look: boxes, and names of classes."""
        if self.style.show == "box":
            drawn = draw_regions.boxed(moment, self.height, self.width, self.palette, self.style.line_opacity)
        else:
            drawn = draw_regions.named(moment, self.height, self.width, self.palette)
        return stencil(drawn).veil(self.matrix) if drawn.getbbox() else None

    def _caption(self, moment: Moment) -> tuple[Planes, Planes, Planes]:
        """What stands below the frame at a moment: of classes a legend, and a line of text."""
        row = draw.bar_height(self.height)
        colours = draw_classes.GREYS if moment.classes else draw.VERDICT_COLOURS
        shown = draw.bar(self.width, row, draw.say(moment), colours[moment.verdict])
        if moment.classes:
            names = draw_classes.legend(moment.classes, self.palette, self.width, row)
            shown = np.concatenate([names, shown])
        return parts_of(planes_of(shown, self.matrix))

    def _mark(self, sheet: Planes, share: float) -> None:
        """Where in the strip and the lanes the film is."""
        bright, blue, red = parts_of(sheet)
        x = min(max(int(share * self.width), 1), self.width - 1)
        top = self.height + self._caption_height + self._above_strip
        bright[top:, x - 1 : x + 1] = WHITE
        for part in (blue, red):
            part[-(-top // 2) :, x // 2] = NO_COLOUR


def panel(timeline: Timeline, palette: draw_classes.Palette | dict[int, draw.Colour], width: int, seconds: float,
          style: Style | None = None) -> Picture:  # fmt: skip
    """What never changes over a film: the key, the strip of the whole film, a lane a class."""
    colours = draw_classes.GREYS if timeline.tells_classes else draw.VERDICT_COLOURS
    show_heat = style is not None and style.show == "heat" and not timeline.tells_classes
    parts = [
        draw_key.key(timeline, width, colours, show_heat),
        draw.strip(timeline, width, STRIP_HEIGHT, seconds, colours),
    ]
    if palette:
        parts.append(draw_classes.lanes(timeline, palette, width, seconds))
    return np.concatenate(parts)


def paint(
    moment: Moment, height: int, width: int, palette: draw_classes.Palette | dict[int, draw.Colour], style: Style
) -> Paint | None:
    """What flows from look to look: heat, or outlines; None for boxes, which jump."""
    if style.show == "box":
        return None
    layers = blended(moment.classes, moment.classes, 0.0)
    if style.show == "outline":
        if moment.classes:
            return draw_classes.outline_paint(layers, height, width, palette, style.line_opacity)
        return draw_regions.outline_paint(moment, height, width, style.line_opacity)
    if moment.classes:
        return draw_classes.heat_paint(layers, height, width, palette, style.opacity)
    return draw.heat_paint(moment.heat, height, width, style.opacity)
