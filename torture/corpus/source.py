"""The real recording that every file of the corpus is made of: three seconds of a film, small, each frame numbered."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
WIDTH, HEIGHT, RATE, NUM_FRAMES = 192, 108, 12, 36
SECONDS = NUM_FRAMES / RATE
SAMPLE_RATE = 48000
NUM_BITS = 6
FROM_SHARED = "data/media/films/drum.mp4"
THUMB = 12
"""Pixels a side of the small grey picture that says what a frame looks like."""


@dataclass(frozen=True)
class Material:
    """Frames (N, H, W, 3) that carry their number in their lowest sixth, and stereo sound (2, n) as long as they."""

    name: str
    frames: Pixels
    sound: npt.NDArray[np.float32]


def material(film: Path) -> Material:
    """Three seconds of a film, from its third second on."""
    from soundspot.media.video import iter_frames, read_waveform

    start = 2.0
    frames = [
        numbered(np.asarray(Image.fromarray(frame.image).resize((WIDTH, HEIGHT), Image.Resampling.BOX)), number)
        for number, frame in enumerate(
            iter_frames(film, frames_per_second=RATE, start_seconds=start, end_seconds=start + SECONDS)
        )
    ]
    sound = read_waveform(
        film, start_seconds=start, duration_seconds=SECONDS, sample_rate=SAMPLE_RATE, layout="stereo"
    ).samples
    loud = sound / max(float(np.abs(sound).max()), 1e-3) * 0.5
    return Material(film.name, np.stack(frames[:NUM_FRAMES]), np.resize(loud, (2, round(SECONDS * SAMPLE_RATE))))


def film_to_use(named: Path | None, work: Path) -> Path:
    """The film that is named, a shared one, or the sample film, which is made in `work`."""
    if named is not None:
        return named
    shared = os.environ.get("SOUNDSPOT_SHARED")
    if shared and (found := Path(shared) / FROM_SHARED).is_file():
        return found
    from soundspot.encoders import cache_folder
    from soundspot.samples.film import build

    made = work / "sample-film" / "film.mp4"
    if not made.is_file():
        build(made.parent, cache=cache_folder())
    return made


def numbered(frame: Pixels, number: int) -> Pixels:
    """The frame with its number in black and white across the lowest sixth, each bit beside its opposite."""
    marked = frame.copy()
    bits = [(number >> place) & 1 for place in range(NUM_BITS)]
    cells = np.array([value for bit in bits for value in (bit, 1 - bit)]) * 255
    height, width = frame.shape[:2]
    marked[height - height // 6 :] = cells[np.arange(width) * len(cells) // width][None, :, None]
    return marked


def thumb(picture: npt.NDArray[Any]) -> list[list[int]]:
    """(THUMB, THUMB) grey values of a picture (H, W, 3), whatever its shape."""
    small = Image.fromarray(np.ascontiguousarray(picture)).convert("L").resize((THUMB, THUMB), Image.Resampling.BOX)
    return [[int(value) for value in row] for row in np.asarray(small)]
