"""Timelines of every kind, small, for the tests of what is written of them."""

from __future__ import annotations

import functools
import math
import tempfile
from pathlib import Path

import numpy as np
from test_class_films import RATE, SIZE, Colourful, band, squares

from soundspot.localize.localizer import Localizer
from soundspot.localize.regions import boxes_of
from soundspot.localize.timeline import Moment, Shown, Timeline, Verdict
from soundspot.media.film import FilmWriter

NASTY = 'Dög, "the 1st"\n<b>&amp; --> 🎺'
WIDTH, HEIGHT, FRAMES_PER_SECOND = 64, 48, 25.0
START = 10.0
ROWS, COLUMNS = 6, 8
Place = tuple[int, int, int, int]
LEFT: Place = (1, 4, 0, 3)
RIGHT: Place = (2, 5, 5, 7)


def heat_of(*places: Place, value: float = 0.9) -> np.ndarray:
    """Hot between these rows and columns, each less than the one before."""
    heat = np.full((ROWS, COLUMNS), 0.05, np.float32)
    for number, (top, bottom, left, right) in enumerate(places):
        heat[top:bottom, left:right] = value - 0.05 * number
    return heat


def moment(
    time: float, verdict: Verdict | None, *places: Place, tag: str = "Dog", tracks: tuple[int, ...] = ()
) -> Moment:
    heat = heat_of(*places)
    claimed = verdict in ("on-screen", "unsure")
    return Moment(
        time_seconds=time,
        map=heat * 4,
        heat=np.zeros_like(heat) if verdict == "silent" else heat,
        confidence=float(heat.max() * 4),
        probability={None: None, "on-screen": 0.9, "unsure": 0.5, "off-screen": 0.1, "silent": 0.0}[verdict],
        verdict=verdict,
        level_dbfs=-math.inf if verdict == "silent" else -20.0,
        tags=() if verdict == "silent" else ((tag, 0.75), ("Bark", 0.5)),
        boxes=boxes_of(heat) if claimed else (),
        tracks=tracks if claimed else (),
        balance=None if verdict == "silent" else 0.25,
    )


def timeline(*moments: Moment, source: str = "folder/film.mp4", rate: float = FRAMES_PER_SECOND) -> Timeline:
    start, end = moments[0].time_seconds, moments[-1].time_seconds + 0.5
    wave = tuple(np.linspace(0.1, 0.9, 8 * len(moments)).tolist())
    return Timeline(source, moments, 0.5, {"method": "made"}, wave, Shown(WIDTH, HEIGHT, rate, start, end))


def judged(source: str = f"folder/{NASTY}.mp4") -> Timeline:
    """From 10 s on: two regions twice, one unsure, off screen, silence; 0.5 s each but the first."""
    return timeline(
        moment(START, "on-screen", LEFT, RIGHT, tag=NASTY, tracks=(1, 2)),
        moment(START + 0.5, "on-screen", LEFT, RIGHT, tag=NASTY, tracks=(1, 2)),
        moment(START + 1.0, "unsure", RIGHT, tag="Cat", tracks=(300,)),
        moment(START + 1.5, "off-screen", LEFT, tag="Train"),
        moment(START + 2.0, "silent"),
        source=source,
    )


def unjudged() -> Timeline:
    """Without a calibration."""
    return timeline(*(moment(0.5 * number, None, LEFT) for number in range(3)))


def silence() -> Timeline:
    return timeline(*(moment(0.5 * number, "silent") for number in range(3)))


@functools.cache
def of_classes() -> Timeline:
    """8 s of a method that tells classes apart: cello and piano; cello; cello, and a flute out of view; silence."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "band.mp4"
        parts = [band("cello", "piano"), band("cello"), band("cello", "flute"), band()]
        with FilmWriter(path, width=SIZE[0], height=SIZE[1], frames_per_second=5, sample_rate=RATE) as writer:
            for part in parts:
                for _ in range(10):
                    writer.write_frame(squares())
                writer.write_sound(part)
        found = Localizer(Colourful()).video(path, every_seconds=0.5, batch_size=5)
        return Timeline(found.source, tuple(found.moments), 0.5, found.provenance, found.wave, found.shown)


EVERY = {"judged": judged, "unjudged": unjudged, "silence": silence, "classes": of_classes}
