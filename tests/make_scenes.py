"""Small folders of scenes in soundspot's own layout: coloured squares, each with a tone of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from soundspot.media.audio import write_wav
from soundspot.media.image import write_image

RATE = 16000
COLOURS = ((230, 40, 40), (40, 220, 60), (60, 80, 240))
HERTZ = (300.0, 900.0, 2700.0)
LABELS = ("red", "green", "blue")


def make_scenes(
    root: Path, kinds: Sequence[str], *, size: int = 64, seconds: float = 1.0, split: str = "test", seed: int = 0
) -> Path:
    """scenes.jsonl with a scene for each of `kinds`, its picture, sound, mask and objects.

    A visible scene holds a square of the sound's colour and one of another, an off-screen one only the other.
    """
    for folder in ("image", "audio", "mask", "objects"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    rows = [_scene(root, number, kind, size, seconds, split, draw) for number, kind in enumerate(kinds)]
    with (root / "scenes.jsonl").open("a") as listing:
        listing.writelines(json.dumps(row) + "\n" for row in rows)
    return root


def _scene(
    root: Path, number: int, kind: str, size: int, seconds: float, split: str, draw: np.random.Generator
) -> dict[str, object]:
    name, which, side = f"{split}{number:03d}", number % 3, size // 3
    picture = draw.integers(0, 40, (size, size, 3), dtype=np.uint8)
    mask, objects = np.zeros((2, size, size), np.uint8)
    left = int(draw.integers(0, 2)) * (size // 2)
    places = [(which, left), ((which + 1) % 3, size // 2 - left)]
    for colour, x in places if kind == "visible" else places[1:]:
        y = int(draw.integers(0, size - side))
        picture[y : y + side, x : x + side] = COLOURS[colour]
        objects[y : y + side, x : x + side] = colour + 1
        if colour == which:
            mask[y : y + side, x : x + side] = 255
            box = [x / size, y / size, (x + side) / size, (y + side) / size]
    write_image(root / f"image/{name}.png", picture)
    write_image(root / f"objects/{name}.png", objects)
    time = np.arange(round(seconds * RATE)) / RATE
    loud = {"silent": 0.0}.get(kind, 0.5)
    sound = draw.normal(0, 0.1, len(time)) if kind == "noise" else loud * np.sin(2 * np.pi * HERTZ[which] * time)
    write_wav(root / f"audio/{name}.wav", sound[None].astype(np.float32), RATE)
    row: dict[str, object] = {"id": name, "image": f"image/{name}.png", "audio": f"audio/{name}.wav", "kind": kind}
    row |= {"objects": f"objects/{name}.png", "labels": [LABELS[which]], "split": split}
    if kind == "visible":
        write_image(root / f"mask/{name}.png", mask)
        row |= {"mask": f"mask/{name}.png", "boxes": [box]}
    return row
