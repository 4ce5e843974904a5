"""The timeline as a picture that can be clicked: verdicts as colours, the sound as a wave, how sure as a curve."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

from soundspot.localize import draw
from soundspot.localize.exports.page_svg import css
from soundspot.localize.timeline import Moment, Timeline, Verdict
from soundspot.page.limits import harmless

WIDTH, HEIGHT = 1000.0, 150.0
"""Of the drawing, in units of its own: it stretches to the room it gets."""
WAVE_MIDDLE, WAVE_REACH, CURVE_HEIGHT = 125.0, 22.0, 96.0
MAX_POINTS = 1500
NUM_TAGS = 3


def colour_of(verdict: Verdict | None) -> str:
    """As the overlay film has it."""
    return css(draw.VERDICT_COLOURS[verdict])


def clock(seconds: float) -> str:
    """
    >>> clock(75.25)
    '1:15.2'
    """
    tenths = int(seconds * 10 + 1e-6)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


class Curve:
    """A timeline's drawing: HTML text."""

    def __init__(self, timeline: Timeline, seconds: float, threshold: float | None) -> None:
        """`threshold`: where a line is drawn across the curve, if any."""
        self.timeline, self.threshold = timeline, threshold
        self.start = timeline.start_seconds
        self.seconds = max(seconds, timeline.step_seconds)

    def html(self) -> str:
        """The whole of it; page.js makes it live."""
        moments = harmless(json.dumps(self._moments(), separators=(",", ":")))
        ticks = "".join(
            f'<span style="left:{share:.0%}">{self._told(self.start + share * self.seconds)}</span>'
            for share in (0.0, 0.25, 0.5, 0.75, 1.0)
        )
        return (
            f'<div class="spot-curve" role="slider" tabindex="0" aria-label="Timeline: click to jump" aria-valuemin="0"'
            f' aria-valuemax="{self.seconds:.3f}" aria-valuenow="0" data-seconds="{self.seconds:.3f}"'
            f' data-step="{self.timeline.step_seconds}" data-moments="{moments}">'
            f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" aria-hidden="true">'
            f"{self._bands()}{self._wave()}{self._line()}</svg>"
            f"{self._threshold_line()}"
            '<i class="spot-head" aria-hidden="true"></i><output class="spot-tip" aria-hidden="true"></output></div>'
            f'<div class="spot-ticks" aria-hidden="true">{ticks}</div>'
        )

    def _moments(self) -> list[list[object]]:
        """For page.js: time from the start, verdict, probability, what is heard."""
        return [
            [
                round(moment.time_seconds - self.start, 3),
                moment.verdict or "relative",
                None if moment.probability is None else round(moment.probability, 3),
                heard_in(moment),
                colour_of(moment.verdict),
            ]
            for moment in self.timeline.known
        ]

    def _told(self, time_seconds: float) -> str:
        """A time along the axis: tenths only where seconds would repeat."""
        told = clock(time_seconds)
        return told if self.seconds < 20 else told[:-2]

    def _x(self, time_seconds: float) -> float:
        return min(max((time_seconds - self.start) / self.seconds, 0.0), 1.0) * WIDTH

    def _bands(self) -> str:
        """What is said when, as colour behind everything."""
        parts = []
        stretches = list(self.timeline.stretches())
        for number, (start, end, verdict, _) in enumerate(stretches):
            left = self._x(start)
            # the last look speaks for what is left
            right = WIDTH if number == len(stretches) - 1 else self._x(end)
            parts.append(
                f'<rect x="{left:.2f}" width="{max(right - left, 0.5):.2f}" y="0" height="{HEIGHT:g}"'
                f' fill="{colour_of(verdict)}" fill-opacity="0.28"/>'
                f'<rect x="{left:.2f}" width="{max(right - left, 0.5):.2f}" y="{CURVE_HEIGHT + 2:g}" height="3"'
                f' fill="{colour_of(verdict)}"/>'
            )
        return "".join(parts)

    def _wave(self) -> str:
        peaks = _thinned(self.timeline.wave, MAX_POINTS)
        loudest = max(peaks, default=0.0) or 1.0
        places = [(number + 0.5) / max(len(peaks), 1) * WIDTH for number in range(len(peaks))]
        reaches = [(x, peak / loudest * WAVE_REACH) for x, peak in zip(places, peaks, strict=True)]
        points = [(x, WAVE_MIDDLE - reach) for x, reach in reaches]
        points += [(x, WAVE_MIDDLE + reach) for x, reach in reversed(reaches)]
        told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        return f'<polygon class="spot-wave" points="{told}"/>' if peaks else ""

    def _line(self) -> str:
        points = [
            f"{self._x(moment.time_seconds):.1f},{CURVE_HEIGHT * (1 - moment.probability):.1f}"
            for moment in self.timeline.known
            if moment.probability is not None
        ]
        return f'<polyline class="spot-sure" points="{" ".join(points)}"/>' if points else ""

    def _threshold_line(self) -> str:
        if self.threshold is None:
            return ""
        top = CURVE_HEIGHT * (1 - self.threshold) / HEIGHT
        return f'<i class="spot-bound" style="top:{top:.2%}" title="threshold"></i>'


def heard_in(moment: Moment) -> list[list[object]]:
    """[[what is heard, how surely], ...], the surest first; of classes those that sound, or are out of sight."""
    if moment.classes:
        heard = [each.name for each in moment.classes if each.verdict in ("sounding", "off-screen")]
        return [[name, None] for name in heard[:NUM_TAGS]]
    return [[name, round(value, 2)] for name, value in moment.tags[:NUM_TAGS]]


def _thinned(values: Sequence[float], most: int) -> list[float]:
    """At most so many: the largest of each part."""
    if len(values) <= most:
        return list(values)
    edges = [round(number * len(values) / most) for number in range(most + 1)]
    return [max(values[start:end]) for start, end in itertools.pairwise(edges)]
