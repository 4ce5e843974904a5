"""Mosaics of four frames of which two are heard: MUSIC-Synthetic of DSOL (arXiv 2010.05466) and CSOL's sets.

MUSIC-Synthetic's test part (Zenodo 4079386, 455 items of one second; How to Listen? calls it Music Synthesis) is a tree
`video/<id>.jpg`, `audio/<id>.*`, `box/<id>.npy`, where a box row is x, y, width, height in 0..1 and a category.
CSOL's (arXiv 2112.11749) VGGSound-Synthetic (Zenodo 6237158), Realistic MUSIC (6235313) and DailyLife (6235340) are
read in the same form, since CSOL's loader is DSOL's; their archives were not at hand to check it. Licences: see Zenodo.

The sound ships as a pickled spectrogram. Pickles may run code and are never loaded, and a waveform cannot be had back
from it: put `audio/<id>.wav` or `.flac` beside, cut from the source videos. Until then the clips are named as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from soundspot.arrays import load_array
from soundspot.data.sets.music import CATEGORIES as MUSIC_CATEGORIES
from soundspot.data.sets.music import category_name
from soundspot.data.sets.reading import boxed_target, corners, sound_of
from soundspot.textfiles import read_json
from soundspot.types import Clip, Target, UserError

NAMES = "categories.json"
MOST_DIGITS = 10


def read_music_synthetic(annotations: Path, root: Path | None = None) -> list[tuple[Clip, Target]]:
    """MUSIC-Synthetic or Realistic MUSIC: `read_synthetic` with DSOL's names of instruments."""
    return read_synthetic(annotations, root, names=MUSIC_CATEGORIES)


def read_synthetic(
    annotations: Path, root: Path | None = None, *, names: Mapping[int, str] | None = None
) -> list[tuple[Clip, Target]]:
    """The items of box/*.npy (or of a folder of such files) by name, with a class a box.

    Class names: `names`, else categories.json beside box/ ({"3": "dog"}), else "category 3". No box: kind "offscreen".
    """
    folder = annotations / "box" if (annotations / "box").is_dir() else annotations
    files = sorted(folder.glob("*.npy"))
    if not files:
        raise UserError(f"{annotations}: expected boxes as box/<id>.npy, got none; give the folder that holds box/")
    known = _names(folder.parent / NAMES) if names is None else names
    return [_pair(path, root, known) for path in files]


def _names(path: Path) -> dict[int, str]:
    if not path.is_file():
        return {}
    wanted = "a JSON object of class names by number"
    found = read_json(path, wanted)
    if not isinstance(found, dict) or not all(number.isdecimal() and len(number) < MOST_DIGITS for number in found):
        raise UserError(f"{path}: expected {wanted}, got {str(found)[:60]}; mend it")
    return {int(number): str(name) for number, name in found.items()}


def _pair(path: Path, root: Path | None, names: Mapping[int, str]) -> tuple[Clip, Target]:
    clip_id, rows = path.stem, _rows(path)
    box_labels = [category_name(row[4], names) for row in rows]
    target = boxed_target(clip_id, [corners(row[:4], str(path)) for row in rows], box_labels)
    labels = target.labels
    if root is None:
        return Clip(clip_id, labels=labels), target
    sound = sound_of(root, clip_id)
    return Clip(clip_id, image=root / "video" / f"{clip_id}.jpg", audio=sound, labels=labels), target


def _rows(path: Path) -> list[list[float]]:
    """(n, 5) as lists; pickled contents are refused, not run."""
    wanted = f"{path}: expected an (n, 5) array of x, y, width, height, category"
    try:
        boxes = load_array(path)
    except ValueError as error:
        raise UserError(f"{wanted}, got no such file ({error}); fetch it again") from error
    if boxes.size == 0:
        return []
    if boxes.ndim != 2 or boxes.shape[1] != 5 or boxes.dtype.kind not in "fiu":
        raise UserError(f"{wanted}, got {boxes.dtype} {boxes.shape}; fetch it again")
    rows: list[list[float]] = boxes.astype(np.float64).tolist()
    return rows
