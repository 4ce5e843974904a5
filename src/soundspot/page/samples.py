"""Films to try the page with: those of a folder, or one that is drawn and sounded by code."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from soundspot.media.files import FILMS, PICTURES, SOUNDS
from soundspot.media.video import FilmWriter
from soundspot.types import UserError

GUITAR = "A guitar, drawn by code"
RATE = 48000
FRAMES_PER_SECOND = 10
WIDTH, HEIGHT = 640, 360
SHOTS = ((4.5, 0.32, 25.0), (4.5, 0.7, 55.0), (3.0, None, 0.0))
"""Seconds, where across the picture the guitar stands (None: it has left), and how far it leans, in degrees."""
PLAYED = ((0.0, 3.2), (4.5, 12.0))
"""When it is heard: it falls silent in the first shot, and plays on out of sight in the last."""
CHORDS = ((82.4, 123.5, 164.8, 207.7, 246.9, 329.6), (110.0, 164.8, 220.0, 277.2, 329.6), (146.8, 220.0, 293.7, 370.0))
"""E, A and D major, in hertz."""
STROKE_SECONDS, RING_SECONDS = 0.45, 2.0
EDGE, WOOD, DARK, LIGHT = (92, 51, 23), (205, 133, 63), (50, 28, 14), (230, 224, 205)


@dataclass(frozen=True)
class Sample:
    """A film, or a picture and its sound; `path` None: the film that `draw_guitar` makes."""

    path: Path | None
    sound_path: Path | None = None


def samples_in(folder: Path | None) -> dict[str, Sample]:
    """By name: the films of a folder, and its pictures beside sounds of the same name. UserError for none."""
    if folder is None:
        return {GUITAR: Sample(None)}
    if not folder.is_dir():
        raise UserError(f"{folder}: expected a folder of sample films, got no folder; check --samples")
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    sounds = {path.stem: path for path in files if path.suffix.lower() in SOUNDS}
    found = {path.stem: Sample(path) for path in files if path.suffix.lower() in FILMS}
    for path in files:
        if path.suffix.lower() in PICTURES and path.stem in sounds and path.stem not in found:
            found[path.stem] = Sample(path, sounds[path.stem])
    if not found:
        raise UserError(
            f"{folder}: expected films, or pictures beside sounds of the same name, got none; choose another --samples"
        )
    return found


def draw_guitar(path: Path) -> None:
    """A film of a guitar that plays, stops, plays elsewhere, and plays out of sight; nothing in it is a recording."""
    with FilmWriter(path, width=WIDTH, height=HEIGHT, frames_per_second=FRAMES_PER_SECOND, sample_rate=RATE) as film:
        for seconds, place, lean in SHOTS:
            picture = _room(place, lean)
            for _ in range(round(seconds * FRAMES_PER_SECOND)):
                film.write_frame(picture)
        film.write_sound(_music())


def _room(place: float | None, lean: float) -> npt.NDArray[np.uint8]:
    """(HEIGHT, WIDTH, 3) a wall and a floor, and perhaps a guitar; drawn at twice the size for smooth edges."""
    width, height = 2 * WIDTH, 2 * HEIGHT
    sheet = Image.new("RGB", (width, height), (200, 206, 204))
    ImageDraw.Draw(sheet).rectangle((0, height * 0.8, width, height), fill=(133, 98, 70))
    if place is not None:
        guitar = _guitar().rotate(lean, expand=True, resample=Image.Resampling.BICUBIC)
        sheet.paste(guitar, (round(width * place - guitar.width / 2), (height - guitar.height) // 2), guitar)
    return np.asarray(sheet.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def _guitar() -> Image.Image:
    """Upright, 500 x 640 pixels, nothing about it."""
    sheet = Image.new("RGBA", (500, 640))
    pen, x = ImageDraw.Draw(sheet), 250
    for grow, colour in ((10, EDGE), (0, WOOD)):
        pen.ellipse((x - 125 - grow, 400 - grow, x + 125 + grow, 620 + grow), fill=colour)
        pen.ellipse((x - 92 - grow, 290 - grow, x + 92 + grow, 460 + grow), fill=colour)
    pen.ellipse((x - 125, 400, x + 125, 620), fill=WOOD)
    pen.ellipse((x - 48, 382, x + 48, 478), fill=EDGE)
    pen.ellipse((x - 40, 390, x + 40, 470), fill=DARK)
    pen.rectangle((x - 17, 60, x + 17, 400), fill=DARK)
    for fret in range(14):
        y = 80 + 300 * (1 - 2 ** (-fret / 9))
        pen.line((x - 17, y, x + 17, y), fill=LIGHT, width=2)
    pen.polygon((x - 26, 5, x + 26, 5, x + 18, 62, x - 18, 62), fill=EDGE)
    for peg in range(6):
        side, y = (-1, 1)[peg % 2], 12 + peg // 2 * 16
        pen.ellipse((x + side * 34 - 6, y, x + side * 34 + 6, y + 10), fill=LIGHT)
    pen.rectangle((x - 50, 545, x + 50, 560), fill=DARK)
    for string in range(6):
        pen.line((x - 12 + 5 * string, 40, x - 12 + 5 * string, 552), fill=LIGHT)
    return sheet


def _music() -> npt.NDArray[np.float32]:
    """(1, N) chords, struck in even time."""
    sound = np.zeros(round(sum(seconds for seconds, _, _ in SHOTS) * RATE))
    strings = {hertz: _string(hertz, number) for number, hertz in enumerate(sorted({*sum(CHORDS, ())}))}
    for start, end in PLAYED:
        passage = np.zeros_like(sound)
        for stroke in range(math.ceil((end - start) / STROKE_SECONDS)):
            for number, hertz in enumerate(CHORDS[stroke // 4 % len(CHORDS)]):
                at = round((start + stroke * STROKE_SECONDS + 0.03 * number) * RATE)
                passage[at : at + RATE * 2] += strings[hertz][: max(0, len(passage) - at)]
        passage[round(end * RATE) :] = 0  # a hand laid on the strings
        sound += passage
    return (0.6 * sound / np.abs(sound).max())[None].astype(np.float32)


def _string(hertz: float, seed: int) -> npt.NDArray[np.float64]:
    """(N,) a plucked string after Karplus and Strong: a short noise goes round and is smoothed each time."""
    size = round(RATE / hertz)
    around = np.random.default_rng(seed).uniform(-1, 1, size)
    rounds = []
    for _ in range(math.ceil(RING_SECONDS * RATE / size)):
        rounds.append(around)
        around = 0.498 * (around + np.roll(around, 1))
    return np.concatenate(rounds)[: round(RING_SECONDS * RATE)]
