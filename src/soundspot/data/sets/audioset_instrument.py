"""AudioSet-instrument with boxes of DSOL (arXiv 2010.05466): audioset_box.json, 4,503 seconds of 566 videos.

The videos are AudioSet's on YouTube; the annotations come with DSOL's code (MIT). Media as DSOL's scripts cut them:
`video_frames/<video>/frame_SSS/*.jpg` and `audio/<video>.wav` (or .flac). The file names a second, not a frame: the
first picture of that second's folder is taken. The sound of second SSS lies around SSS.5 as for MUSIC.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from soundspot.data.sets.music import category_name
from soundspot.data.sets.reading import boxed_target, corners, list_file, sound_of
from soundspot.textfiles import read_json
from soundspot.types import Clip, Target, UserError

ANNOTATIONS = "audioset_box.json"
CATEGORIES = dict(
    enumerate(
        (
            "banjo", "cello", "drum", "guitar", "harp", "harmonica", "piano", "saxophone", "trombone", "violin",
            "flute or trumpet", "accordion", "horn",
        )
    )
)  # fmt: skip
"""The file has numbers alone. The names are those of the same boxes in another release (COCO form, with arXiv
2007.06355), one name a number; but of number 10 that release calls 210 boxes flute and 25 trumpet."""
_KEY = re.compile(r"(?P<video>[^/]+)/(?P<second>\d+)")


def read_audioset_instrument(annotations: Path, root: Path | None = None) -> list[tuple[Clip, Target]]:
    """The seconds of audioset_box.json (the file, or a folder that holds it) in its order, with a class a box."""
    path = list_file(annotations, (ANNOTATIONS,))
    wanted = "a JSON object of <video>/<second>, each with bbox"
    rows = read_json(path, wanted)
    if not isinstance(rows, dict) or not rows:
        raise UserError(f"{path}: expected {wanted}, got something else; fetch it again")
    return [_pair(path, key, row, root) for key, row in rows.items()]


def _pair(path: Path, key: str, row: Any, root: Path | None) -> tuple[Clip, Target]:
    found = _KEY.fullmatch(key)
    boxes = row.get("bbox") if isinstance(row, dict) else None
    whole = isinstance(boxes, list) and all(
        isinstance(box, dict) and {"normbox", "category"} <= box.keys() for box in boxes
    )
    if found is None or not whole:
        raise UserError(
            f"{path}: expected <video>/<second> with bbox of normbox and category, got {key!r}: {str(row)[:60]};"
            " fetch it again"
        )
    assert isinstance(boxes, list)
    names = [category_name(box["category"], CATEGORIES) for box in boxes]
    video, second = found["video"], int(found["second"])
    target = boxed_target(key, [corners(box["normbox"], f"{path}, {key}") for box in boxes], names, video)
    labels = target.labels
    if root is None:
        return Clip(key, labels=labels), target
    folder = root / "video_frames" / video / f"frame_{second:03d}"
    picture = next(iter(sorted(folder.glob("*.jpg"))), folder / "00000.jpg")
    sound = sound_of(root, video)
    return Clip(key, image=picture, audio=sound, time_seconds=second + 0.5, labels=labels), target
