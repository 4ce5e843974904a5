"""Write what a timeline says: the overlay film with its sound, and one picture that sums the film up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from PIL import Image

from soundspot.ahead import ahead
from soundspot.localize import draw, draw_classes
from soundspot.localize.classes import blended
from soundspot.localize.draw import Style
from soundspot.localize.paint import Picture
from soundspot.localize.sheets import Sheets, panel
from soundspot.localize.source import Source
from soundspot.localize.timeline import Moment, Timeline
from soundspot.media.files import written_aside
from soundspot.media.planes import PlanarFrame, Planes
from soundspot.media.video import FilmWriter, iter_waveform

MAX_WIDTH = 1280
MAX_FRAMES_PER_SECOND = 30.0
MIN_FRAMES_PER_SECOND = 1.0
"""The average of a film whose last frame claims hours is next to none."""
SOUND_SECONDS = 0.5
"""Of sound between two frames."""
MAX_TILES = 9
AHEAD = 4
"""Frames that are read, or painted, before they are asked for."""


def write_overlay(
    source: Source,
    timeline: Timeline,
    path: Path,
    progress: Callable[[int, int], None] | None = None,
    style: Style | None = None,
) -> None:
    """The film and its sound, with what was found laid over it, and a caption and the strip of the whole film beneath.

    Of a method that tells classes apart: a colour a class, a legend, and a lane a class below the strip. Reading,
    painting and encoding run beside each other; memory does not grow with the film.
    """
    rate = min(max(source.frames_per_second, MIN_FRAMES_PER_SECOND), MAX_FRAMES_PER_SECOND)
    start, end, sound_rate = source.start_seconds, source.seconds, _sound_rate(source)
    total = max(1, round(end * rate))
    with ExitStack() as stack:
        frames = ahead(source.planes(rate, _fitted(source)), AHEAD)
        stack.callback(frames.close)
        first = next(frames)
        sheets = Sheets(timeline, _fitted(source), first.matrix, end, style or Style())
        shown = ahead(_laid_over(chain([first], frames), sheets), AHEAD)
        stack.callback(shown.close)
        sounds = ahead(
            iter_waveform(
                source.sound_path,
                sample_rate=sound_rate,
                chunk_seconds=SOUND_SECONDS,
                layout="stereo",
                start_seconds=start,
            ),
            1,
        )
        stack.callback(sounds.close)
        writer = stack.enter_context(
            FilmWriter(
                path,
                width=sheets.size[0],
                height=sheets.size[1],
                frames_per_second=rate,
                sample_rate=sound_rate,
                layout="stereo",
                matrix=first.matrix,
                quick=True,
            )
        )
        written = 0.0
        for index, (time, planes) in enumerate(shown):
            writer.write_planes(planes)
            while written <= time - start and (chunk := next(sounds, None)) is not None:
                writer.write_sound(chunk.samples)
                written += chunk.samples.shape[1] / chunk.sample_rate
            if progress is not None:
                progress(min(index + 1, total), total)
        for chunk in sounds:
            left = max(0, round((end - written) * chunk.sample_rate))
            if not left:
                break
            writer.write_sound(chunk.samples[:, :left])
            written += chunk.samples.shape[1] / chunk.sample_rate


def _laid_over(frames: Iterable[PlanarFrame], sheets: Sheets) -> Iterator[tuple[float, Planes]]:
    for frame in frames:
        yield frame.time_seconds, sheets.over(frame.planes, frame.time_seconds)


def _fitted(source: Source) -> tuple[int, int]:
    """Width and height of the frame in the film: even, and no wider than MAX_WIDTH."""
    width = min(source.width, MAX_WIDTH)
    height = source.height * width / source.width
    return 2 * round((width + 0.5) / 2), max(2, 2 * round((height + 0.5) / 2))


def _sound_rate(source: Source) -> int:
    """AAC in browsers is safe at these rates."""
    return 44100 if source.sound_rate == 44100 else 48000


def key_moments(timeline: Timeline) -> list[Moment]:
    """The surest moment of each stretch, longest stretches first taken, in order of time."""
    stretches = sorted(timeline.stretches(), key=lambda s: s[0] - s[1])[:MAX_TILES]
    chosen = []
    for begin, end, _, _ in sorted(stretches):
        inside = timeline.known_between(begin, end)
        middle = (begin + end) / 2
        chosen.append(max(inside, key=lambda m: (m.probability or 0.0, -abs(m.time_seconds - middle))))
    return chosen


def write_summary(source: Source, timeline: Timeline, path: Path) -> None:
    """One picture: a key frame a stretch with heat and caption, and the strip of the whole film."""
    wanted = [timeline.at(moment.time_seconds) for moment in key_moments(timeline)]
    palette = draw_classes.palette_of(timeline) if timeline.tells_classes else {}

    def tile(frame: Picture, moment: Moment) -> Picture:
        if not moment.classes:
            return draw.tile(frame, moment)
        layers = blended(moment.classes, moment.classes, 0.0)
        return draw_classes.shown(frame, layers, moment, palette, draw.at_time(moment))

    below = panel(timeline, palette, draw.sheet_width(len(wanted)), source.seconds, Style())
    pictures = [(source.picture_at(moment.time_seconds), moment) for moment in wanted]
    sheet = draw.summary(pictures, below, Path(timeline.source).name, tile=tile)
    with written_aside(path) as aside:
        Image.fromarray(sheet).save(aside)
