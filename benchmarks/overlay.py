"""How fast the overlay film is written, beside drawing every frame by itself in floating-point RGB.

    python benchmarks/overlay.py [--seconds 40] [--repeats 3]

Both read the same made film of 640x360 at 25 frames a second with a sound, and write a film with the same heat, caption
and strip. The simple way is what the overlay was before: decode to RGB, enlarge and colour the heat, darken and blend
in floats, write the caption's letters, copy the strip, convert, encode with x264's `veryfast`, one after the other.
Prints frames a second of each (median of the repeats, taken in turn) and their ratio.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from soundspot.localize import draw
from soundspot.localize.film import write_overlay
from soundspot.localize.regions import boxes_of
from soundspot.localize.source import Source, open_source
from soundspot.localize.timeline import Moment, Timeline
from soundspot.media.film import FilmWriter
from soundspot.media.video import iter_waveform

WIDTH, HEIGHT, RATE, SOUND_RATE = 640, 360, 25, 48000
CELLS = 40
STEP_SECONDS = 0.5


def made_film(path: Path, seconds: int) -> Path:
    """A view that glides over a large picture with edges, slopes and grain, and two tones."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0 : HEIGHT + 120, 0 : WIDTH + 400]
    wide = np.stack([(x // 40 % 2) * 90 + y // 4, (y // 30 % 2) * 70 + x // 8, (x + y) // 6 % 200], axis=2)
    wide = np.clip(wide + rng.normal(0, 6, wide.shape), 0, 255).astype(np.uint8)
    times = np.arange(seconds * SOUND_RATE) / SOUND_RATE
    sound = np.stack([np.sin(2 * np.pi * hertz * times) * 0.3 for hertz in (330, 440)]).astype(np.float32)
    with FilmWriter(path, width=WIDTH, height=HEIGHT, frames_per_second=RATE, sample_rate=SOUND_RATE,
                    layout="stereo") as film:  # fmt: skip
        for number in range(seconds * RATE):
            left, top = round(200 + 199 * np.sin(number / 90)), round(60 + 59 * np.cos(number / 70))
            film.write_frame(np.ascontiguousarray(wide[top : top + HEIGHT, left : left + WIDTH]))
        film.write_sound(sound)
    return path


def made_timeline(source: Source) -> Timeline:
    """Heat that wanders, with verdicts that change every few seconds."""
    y, x = np.mgrid[0:CELLS, 0:CELLS] / CELLS
    moments = []
    for number in range(int(source.seconds / STEP_SECONDS)):
        middle = 0.5 + 0.3 * np.sin(number / 7), 0.5 + 0.3 * np.cos(number / 5)
        heat = np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / 0.02).astype(np.float32)
        on = number // 12 % 3 < 2
        heat = heat if on else heat * np.float32(0.2)
        moments.append(
            Moment(number * STEP_SECONDS, heat, heat, float(heat.max()), float(heat.max()), "on-screen" if on else
                   "off-screen", -20.0, (("Dog", 0.9), ("Bark", 0.7)), boxes_of(heat) if on else ())
        )  # fmt: skip
    wave = tuple(np.random.default_rng(1).uniform(0.1, 1, 8 * len(moments)).tolist())
    return Timeline(str(source.path), moments, STEP_SECONDS, {}, wave, source.shown())


def simple_overlay(source: Source, timeline: Timeline, path: Path) -> None:
    """Every frame by itself: kept here as the way to compare with."""
    panel = draw.strip(timeline, source.width, 48, source.seconds)
    sounds = iter_waveform(source.sound_path, sample_rate=SOUND_RATE, chunk_seconds=0.5, layout="stereo")
    height = source.height + draw.bar_height(source.height) + 48
    written = 0.0
    with FilmWriter(path, width=source.width, height=height, frames_per_second=source.frames_per_second,
                    sample_rate=SOUND_RATE, layout="stereo") as film:  # fmt: skip
        for time_seconds, frame in source.frames(source.frames_per_second):
            moment = timeline.at(time_seconds)
            heated = simple_heat(frame, timeline.heat_at(time_seconds))
            captioned = draw.caption(heated, draw.say(moment), draw.VERDICT_COLOURS[moment.verdict])
            film.write_frame(np.concatenate([captioned, draw.with_playhead(panel, time_seconds / source.seconds)]))
            while written <= time_seconds and (chunk := next(sounds, None)) is not None:
                film.write_sound(chunk.samples)
                written += chunk.samples.shape[1] / chunk.sample_rate


def simple_heat(frame: np.ndarray, heat: np.ndarray, opacity: float = draw.OPACITY) -> np.ndarray:
    """The frame with heat over it, in floats."""
    large = draw.for_eyes(draw.enlarge(heat, frame.shape[0], frame.shape[1]))
    colour = draw.palette()[(large * 255).astype(np.uint8)]
    weight = (large * opacity)[..., None]
    dimmed = frame.astype(np.float32) * (0.75 + 0.25 * large[..., None])
    return np.clip(dimmed * (1 - weight) + colour * weight, 0, 255).astype(np.uint8)


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, and of work by all threads."""
    clock, work_began = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - work_began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("--seconds", 40), ("--repeats", 3)):
        parser.add_argument(name, type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = open_source(made_film(Path(folder) / "film.mp4", given.seconds))
        timeline = made_timeline(source)
        out = {"painted in planes": Path(folder) / "ours.mp4", "frame by frame": Path(folder) / "simple.mp4"}
        ways = {"painted in planes": write_overlay, "frame by frame": simple_overlay}
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(given.repeats):
            for name, write in ways.items():
                taken[name].append(timed(lambda write=write, name=name: write(source, timeline, out[name])))
        sizes = {name: path.stat().st_size / 2**20 for name, path in out.items()}
    frames = given.seconds * RATE
    print(
        f"{given.seconds} s of {WIDTH}x{HEIGHT}, {RATE} frames a second, {os.cpu_count()} cores, {given.repeats} times"
    )
    rates, work = {}, {}
    for name, times in taken.items():
        rates[name] = frames / statistics.median(clock for clock, _ in times)
        work[name] = statistics.median(spent for _, spent in times) / frames * 1000
        print(
            f"{name}: {rates[name]:.0f} frames a second ({rates[name] / RATE:.1f} x real time),"
            f" {work[name]:.1f} ms of work a frame, {sizes[name]:.1f} MiB"
        )
    ours, simple = ways
    print(f"ratio {rates[ours] / rates[simple]:.1f} by the clock, {work[simple] / work[ours]:.1f} by work")


if __name__ == "__main__":
    main()
