"""Made media: small pictures with one bright rectangle, its mask, and tones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from soundspot.media.audio import write_wav
from soundspot.media.image import write_image

WIDTH, HEIGHT = 48, 36
RATE = 8000
Corners = tuple[float, float, float, float]
"""x0, y0, x1, y1 as fractions of the frame."""


def make_picture(path: Path, *corners: Corners) -> Path:
    """A dark picture, bright within the given rectangles; the path's name makes it unlike others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = sum(path.name.encode()) % 64
    picture = np.full((HEIGHT, WIDTH, 3), (shade, 30, 60), np.uint8)
    picture[filled(*corners)] = 240, 200, 80
    write_image(path, picture)
    return path


def make_mask(path: Path, *corners: Corners) -> Path:
    """White within the given rectangles, black elsewhere; none is an empty mask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, filled(*corners).astype(np.uint8) * 255)
    return path


def filled(*corners: Corners) -> np.ndarray:
    """(HEIGHT, WIDTH) bool, true within the rectangles."""
    inside = np.zeros((HEIGHT, WIDTH), bool)
    for x0, y0, x1, y1 in corners:
        inside[round(y0 * HEIGHT) : round(y1 * HEIGHT), round(x0 * WIDTH) : round(x1 * WIDTH)] = True
    return inside


def make_sound(path: Path, hertz: float, seconds: float = 1.0) -> Path:
    """A tone, mono."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * RATE)) / RATE
    write_wav(path, 0.5 * np.sin(2 * np.pi * hertz * time), RATE)
    return path


def steps(path: Path, hertz: Sequence[float], seconds: float = 1.0) -> Path:
    """A tone after the other, `seconds` each, mono."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * RATE)) / RATE
    write_wav(path, np.concatenate([0.5 * np.sin(2 * np.pi * each * time) for each in hertz]), RATE)
    return path
