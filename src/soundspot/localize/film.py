"""Write what a timeline says: the overlay film with its sound, and one picture that sums the film up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from soundspot.localize import draw, draw_classes
from soundspot.localize.classes import blended
from soundspot.localize.source import Source
from soundspot.localize.timeline import Moment, Timeline
from soundspot.media.video import FilmWriter, iter_waveform

MAX_WIDTH = 1280
MAX_FRAMES_PER_SECOND = 30.0
STRIP_HEIGHT = 48
MAX_TILES = 9


def write_overlay(
    source: Source, timeline: Timeline, path: Path, progress: Callable[[int, int], None] | None = None
) -> None:
    """The film with heat over it, a caption, and the strip of the whole film beneath, with its own sound.

    Of a method that tells classes apart: a colour a class, a legend, and a lane a class below the strip.
    """
    rate = min(source.frames_per_second, MAX_FRAMES_PER_SECOND)
    start, end = source.start_seconds, source.seconds
    total = max(1, round(end * rate))
    sounds = iter_waveform(
        source.sound_path,
        sample_rate=_sound_rate(source),
        chunk_seconds=0.5,
        layout="stereo",
        start_seconds=start,
    )
    words = _Words(timeline)
    written = 0.0
    writer: FilmWriter | None = None
    panel: npt.NDArray[np.uint8] | None = None
    try:
        for index, (time, frame) in enumerate(source.frames(rate)):
            small = _fit(frame)
            if panel is None:
                panel = words.panel(small.shape[1], end)
            shown = np.concatenate(
                [words.over(small, time), draw.with_playhead(panel, (time - start) / max(end, 1e-9))]
            )
            if writer is None:
                writer = FilmWriter(
                    path,
                    width=shown.shape[1],
                    height=shown.shape[0],
                    frames_per_second=rate,
                    sample_rate=_sound_rate(source),
                    layout="stereo",
                ).__enter__()
            writer.write_frame(shown)
            while written <= time - start and (chunk := next(sounds, None)) is not None:
                writer.write_sound(chunk.samples)
                written += chunk.samples.shape[1] / chunk.sample_rate
            if progress is not None:
                progress(min(index + 1, total), total)
    except BaseException as error:
        if writer is not None:
            writer.__exit__(type(error), error, error.__traceback__)
        raise
    if writer is not None:
        for chunk in sounds:
            left = max(0, round((end - written) * chunk.sample_rate))
            if not left:
                break
            writer.write_sound(chunk.samples[:, :left])
            written += chunk.samples.shape[1] / chunk.sample_rate
        writer.__exit__(None, None, None)


class _Words:
    """What is drawn over and below a film's frames: heat alone, or classes in colours."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.palette = draw_classes.palette_of(timeline) if timeline.tells_classes else {}

    def over(self, frame: npt.NDArray[np.uint8], time: float) -> npt.NDArray[np.uint8]:
        """The frame of a time with heat and what is said of it."""
        moment = self.timeline.at(time)
        if moment.classes:
            layers = self.timeline.layers_at(time)
            return draw_classes.shown(frame, layers, moment, self.palette, draw.say(moment))
        heated = draw.overlay(frame, self.timeline.heat_at(time))
        return draw.caption(heated, draw.say(moment), draw.VERDICT_COLOURS[moment.verdict])

    def tile(self, frame: npt.NDArray[np.uint8], moment: Moment) -> npt.NDArray[np.uint8]:
        """A moment in the summary."""
        if not moment.classes:
            return draw.tile(frame, moment)
        layers = blended(moment.classes, moment.classes, 0.0)
        return draw_classes.shown(frame, layers, moment, self.palette, draw.at_time(moment))

    def panel(self, width: int, end_seconds: float) -> npt.NDArray[np.uint8]:
        """The strip of the whole film, with a lane a class."""
        colours = draw_classes.GREYS if self.timeline.tells_classes else draw.VERDICT_COLOURS
        strip = draw.strip(self.timeline, width, STRIP_HEIGHT, end_seconds, colours)
        if not self.palette:
            return strip
        return np.concatenate([strip, draw_classes.lanes(self.timeline, self.palette, width, end_seconds)])


def _sound_rate(source: Source) -> int:
    """AAC in browsers is safe at these rates."""
    return 44100 if source.sound_rate == 44100 else 48000


def _fit(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = frame.shape[:2]
    if width <= MAX_WIDTH:
        return frame
    size = (MAX_WIDTH, round(height * MAX_WIDTH / width))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))


def key_moments(timeline: Timeline) -> list[Moment]:
    """The surest moment of each stretch, longest stretches first taken, in order of time."""
    stretches = sorted(timeline.stretches(), key=lambda s: s[0] - s[1])[:MAX_TILES]
    chosen = []
    for begin, end, _, _ in sorted(stretches):
        inside = [m for m in timeline.known if begin <= m.time_seconds < end]
        middle = (begin + end) / 2
        chosen.append(max(inside, key=lambda m: (m.probability or 0.0, -abs(m.time_seconds - middle))))
    return chosen


def write_summary(source: Source, timeline: Timeline, path: Path) -> None:
    """One picture: a key frame a stretch with heat and caption, and the strip of the whole film."""
    wanted = [timeline.at(moment.time_seconds) for moment in key_moments(timeline)]
    words = _Words(timeline)
    panel = words.panel(draw.sheet_width(len(wanted)), source.seconds)
    pictures = [(source.picture_at(moment.time_seconds), moment) for moment in wanted]
    sheet = draw.summary(pictures, panel, Path(timeline.source).name, tile=words.tile)
    aside = path.with_name(path.stem + ".part.png")
    Image.fromarray(sheet).save(aside)
    aside.replace(path)
