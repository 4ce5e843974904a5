"""A small source folder for `samples instruments`: drawn cut-outs, tones in place of melodies, gradient backgrounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from make_media import tone
from soundspot.media.audio import write_wav
from soundspot.samples.instruments_source import CLASSES

RATE = 16000
PHOTOS = 6
HERTZ = {label: 150.0 * 1.7**i for i, label in enumerate(CLASSES)}
"""Class -> the lowest tone of its recordings; each further one is a little higher."""


def make_source(root: Path) -> Path:
    """Six photos a class, unlike each other, two things that are no instruments, three recordings, five backgrounds."""
    draw = np.random.default_rng(1)
    for label in (*CLASSES, "kettle", "lamp"):
        for number in range(PHOTOS):
            _draw(root / f"cutouts/{label}/{label}_{number}.png", draw)
    for label, hertz in HERTZ.items():
        (root / f"sounds/{label}").mkdir(parents=True)
        for number in range(3):
            samples = tone(hertz * (1 + 0.03 * number), 3.5, RATE)
            write_wav(root / f"sounds/{label}/{label}-tone-{number}.wav", samples, RATE)
    (root / "backgrounds").mkdir()
    for number in range(5):
        ramp = np.linspace(0, 150, 96)[None, :, None] + draw.uniform(0, 100, 3)
        picture = np.broadcast_to(ramp, (80, 96, 3)).astype(np.uint8)
        Image.fromarray(picture).save(root / f"backgrounds/ground_{number}.jpg")
    return root


def _draw(path: Path, draw: np.random.Generator) -> None:
    """An opaque rectangle of coarse coloured cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = draw.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    picture = Image.fromarray(cells).resize((60, 40), Image.Resampling.NEAREST).convert("RGBA")
    frame = Image.new("RGBA", (70, 50))
    frame.paste(picture, (5, 5))
    ImageDraw.Draw(frame).line((5, 5, 64, 44), fill=(0, 0, 0, 255), width=2)
    frame.save(path)
