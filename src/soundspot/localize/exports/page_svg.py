"""The page's timeline: the wave in the verdicts' colours, how sure, and a lane a track or class, as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from soundspot.localize import draw, draw_classes
from soundspot.localize.draw import Colour
from soundspot.localize.exports.rows import one_line
from soundspot.localize.exports.vtt import SAID
from soundspot.localize.timeline import Timeline, Verdict

VERDICTS = Verdict | None
WIDTH, STRIP, WAVE, LANE = 1000, 14, 90, 20
MAX_LANES = 12
MAX_BARS = 500


def timeline_svg(timeline: Timeline) -> str:
    """The chart and its key; it says in its data from when to when it goes, in seconds of the film."""
    start, end = span(timeline)
    lanes = list(_class_lanes(timeline) if timeline.tells_classes else _track_lanes(timeline))
    height = STRIP + WAVE + LANE * len(lanes) + 4
    parts, names = [*_strip(timeline), *_wave(timeline), _curve(timeline)], []
    for place, (name, stretches) in enumerate(lanes):
        top = STRIP + WAVE + 4 + place * LANE
        parts += [
            f'<rect x="{_x(timeline, begin):.1f}" y="{top}" width="{_width(timeline, begin, stop):.1f}"'
            f' height="{LANE - 4}" fill="{fill}" rx="2"/>'
            for begin, stop, fill in stretches
        ]
        names.append(f'<span style="top:{top}px">{escape(one_line(name))}</span>')
    parts.append(
        f'<line id="playhead" x1="0" x2="0" y1="0" y2="{height}" stroke="#fff" stroke-width="2"'
        ' vector-effect="non-scaling-stroke"/>'
    )
    # Only its width follows the page's, and names are no part of it: both stay readable on a narrow one.
    return (
        f'<div class="chart"><svg id="timeline" viewBox="0 0 {WIDTH} {height}" height="{height}"'
        f' preserveAspectRatio="none" data-start="{start:.3f}" data-end="{end:.3f}" tabindex="0"'
        f' role="slider" aria-label="timeline" aria-valuemin="{start:.1f}" aria-valuemax="{end:.1f}"'
        f' aria-valuenow="{start:.1f}">\n' + "\n".join(parts) + f"\n</svg>{''.join(names)}</div>\n{_key(timeline)}"
    )


def span(timeline: Timeline) -> tuple[float, float]:
    """From when to when it goes, in seconds of the film."""
    end = timeline.known[-1].time_seconds + timeline.step_seconds
    return timeline.start_seconds, end if timeline.shown is None else max(timeline.shown.end_seconds, end - 1e-6)


def _x(timeline: Timeline, time: float) -> float:
    start, end = span(timeline)
    return min(max((time - start) / (end - start), 0.0), 1.0) * WIDTH


def _width(timeline: Timeline, begin: float, stop: float) -> float:
    return max(_x(timeline, stop) - _x(timeline, begin), 1.0)


def css(colour: Colour) -> str:
    """A colour as a page writes it.

    >>> css((230, 159, 0))
    '#e69f00'
    """
    return "#" + "".join(f"{part:02x}" for part in colour)


def _strip(timeline: Timeline) -> Iterator[str]:
    for start, end, verdict, tag in timeline.stretches():
        said = escape(f"{SAID[verdict]} {one_line(tag)}".strip())
        yield (
            f'<rect x="{_x(timeline, start):.1f}" y="0" width="{_width(timeline, start, end):.1f}" height="{STRIP}"'
            f' fill="{css(draw.VERDICT_COLOURS[verdict])}"><title>{said}</title></rect>'
        )


def _wave(timeline: Timeline) -> Iterator[str]:
    """Bars of the sound's loudness, one path a colour."""
    wave = np.array(timeline.wave, dtype=np.float64)
    if not wave.size:
        return
    parts = [part.max() for part in np.array_split(wave, min(MAX_BARS, wave.size))]
    start, _ = span(timeline)
    seconds = len(timeline.known) * timeline.step_seconds
    middle, loudest = STRIP + WAVE / 2, max(max(parts), 1e-9)
    paths: dict[VERDICTS, list[str]] = {}
    for place, peak in enumerate(parts):
        # A step's wave lies about its look.
        time = start + place / len(parts) * seconds
        verdict = timeline.known_at(time + seconds / len(parts) / 2 - timeline.step_seconds / 2).verdict
        reach = 1 + (WAVE / 2 - 5) * peak / loudest
        x = _x(timeline, time + seconds / len(parts) / 2 - timeline.step_seconds / 2)
        paths.setdefault(verdict, []).append(f"M{x:.1f} {middle - reach:.1f}v{2 * reach:.1f}")
    thick = max(1.0, WIDTH / len(parts) * 0.7)
    for verdict, path in paths.items():
        colour = css(draw.VERDICT_COLOURS[verdict])
        yield f'<path d="{"".join(path)}" stroke="{colour}" stroke-width="{thick:.1f}" opacity="0.75"/>'


def _curve(timeline: Timeline) -> str:
    """How sure it is that what sounds is in view, from 0 below to 1 above."""
    points = [
        f"{_x(timeline, moment.time_seconds):.1f},{STRIP + 3 + (WAVE - 6) * (1 - moment.probability):.1f}"
        for moment in timeline.known
        if moment.probability is not None
    ]
    if not points:
        return ""
    return (
        f'<polyline id="confidence" points="{" ".join(points)}" fill="none" stroke="#fff" stroke-width="2"'
        ' stroke-linejoin="round" vector-effect="non-scaling-stroke"/>'
    )


Lane = tuple[str, list[tuple[float, float, str]]]


def _track_lanes(timeline: Timeline) -> Iterator[Lane]:
    """Of the tracks that last longest, in order of their beginning: from when to when each region was found."""
    seen: dict[int, list[float]] = {}
    labels: dict[int, str] = {}
    for moment in timeline.known:
        for number, label in zip(moment.tracks, moment.box_labels, strict=False):
            seen.setdefault(number, []).append(moment.time_seconds)
            labels.setdefault(number, label)
    longest = sorted(seen, key=lambda number: (-len(seen[number]), number))[:MAX_LANES]
    for number in sorted(longest):
        fill = css(draw_classes.COLOURS[(number - 1) % len(draw_classes.COLOURS)])
        yield f"#{number} {labels[number]}".strip(), [(*run, fill) for run in _joined(timeline, seen[number])]


def _joined(timeline: Timeline, times: list[float]) -> Iterator[tuple[float, float]]:
    """Times of looks -> from when to when, where they follow each other."""
    half = timeline.step_seconds / 2
    begin = last = times[0]
    for time in times[1:]:
        if time - last > 1.5 * timeline.step_seconds:
            yield begin - half, last + half
            begin = time
        last = time
    yield begin - half, last + half


def _class_lanes(timeline: Timeline) -> Iterator[Lane]:
    """A lane a class that is heard or in view: its colour where it sounds, grey where silent, dark off screen."""
    found: dict[str, list[tuple[float, float, str]]] = {}
    numbers = {each.name: number for number, each in enumerate(timeline.known[0].classes)}
    palette = draw_classes.palette_of(timeline)
    for start, end, state, name in timeline.class_stretches():
        colour = palette[numbers[name]]
        faint = (colour[0] // 3, colour[1] // 3, colour[2] // 3)
        fill = {"sounding": colour, "silent": draw_classes.SILENT, "off-screen": faint}[state]
        found.setdefault(name, []).append((start, end, css(fill)))
    yield from list(found.items())[:MAX_LANES]


def _key(timeline: Timeline) -> str:
    present = dict.fromkeys(moment.verdict for moment in timeline.known)
    swatches = [f'<li><i class="v-{name or "none"}"></i>{escape(SAID[name])}</li>' for name in SAID if name in present]
    if any(moment.probability is not None for moment in timeline.known):
        swatches.append("<li>white line: how surely it is in view, 0 to 100%</li>")
    if timeline.tells_classes:
        swatches.append("<li>lanes: each class sounding (its colour), silent (grey), off screen (dark)</li>")
    return f'<ul class="keys">{"".join(swatches)}<li>click to jump</li></ul>'
