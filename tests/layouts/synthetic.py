"""The tree of MUSIC-Synthetic: mosaics of four pictures, a second of two sounds, boxes as .npy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from layouts import Tree
from layouts.made import make_picture, make_sound

ITEMS = {
    "0": ((0.05, 0.05, 0.4, 0.4, 1), (0.55, 0.55, 0.4, 0.4, 3)),
    "1": ((0.55, 0.05, 0.4, 0.4, 13), (0.05, 0.55, 0.4, 0.4, 11)),
}
"""x, y, width, height, category of the two that sound."""


def write(folder: Path) -> Tree:
    """video/, audio/, box/ with two items, and beside one sound the pickle that is published."""
    for name in ("video", "audio", "box"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, (name, rows) in enumerate(ITEMS.items()):
        corners = [(x, y, x + w, y + h) for x, y, w, h, _ in rows]
        make_picture(folder / "video" / f"{name}.jpg", *corners)
        make_sound(folder / "audio" / f"{name}.wav", 400.0 * (number + 1))
        np.save(folder / "box" / f"{name}.npy", np.array(rows))
    (folder / "audio" / "0.pkl").write_bytes(b"never opened")
    return Tree(folder, folder)


def write_named(folder: Path) -> Tree:
    """The same with names of its categories."""
    tree = write(folder)
    (folder / "categories.json").write_text(json.dumps({"1": "dog", "3": "train", "13": "bird"}))
    return tree
