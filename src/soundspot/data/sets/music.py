"""MUSIC solo and duet frames with boxes, of DSOL (arXiv 2010.05466): solotest.json (13,472), duettest.json (11,512).

The videos are MUSIC's (Sound of Pixels, arXiv 1804.03160) on YouTube; the annotations come with DSOL's code (MIT).
Media as DSOL's scripts cut them, in one folder a part: `video_frames/<video>/frame_SSS/NNNNN.jpg`, four frames of each
second SSS, and `audio/<video>.wav` (or .flac). DSOL hears of each frame the one second SSS..SSS+1, so the picture
stands at SSS.5 of that file; `predict --set seconds=1 --set window=frame` cuts just that second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from soundspot.data.lists import read_ids
from soundspot.data.sets.reading import boxed_target, corners, is_number, list_file, sound_of
from soundspot.textfiles import read_json
from soundspot.types import Clip, Missing, Target, UserError

Part = Literal["solo", "duet"]
CATEGORIES = {
    1: "cello",
    3: "acoustic_guitar",
    8: "saxophone",
    10: "trumpet",
    11: "violin",
    12: "flute",
    13: "accordion",
}
"""DSOL's numbers. Their names agree with MUSIC's own list of videos by instrument in every test video."""
_KEY = re.compile(r"(?P<video>[^/]+)/frame_(?P<second>\d{3,})/\d+\.jpg")


def read_music(annotations: Path, root: Path | None = None, *, part: Part) -> list[tuple[Clip, Target]]:
    """The frames of solotest.json or duettest.json (the file, or a folder that holds it) in its order.

    Boxes are of sounding instruments only, a class each. A frame without any has kind "offscreen": no source of its
    sound is boxed, whether it is out of view or nobody plays (the file does not tell). DSOL's scores leave it out.
    """
    path = list_file(annotations, (f"{part}test.json",))
    wanted = "a JSON object of frames, each with bbox"
    rows = read_json(path, wanted)
    if not isinstance(rows, dict) or not rows:
        raise UserError(f"{path}: expected {wanted}, got something else; fetch it again")
    return [_pair(path, key, row, root) for key, row in rows.items()]


def missing_music(annotations: Path, ids: Path, *, part: Part) -> list[Missing]:
    """Videos that a list (such as solo_testing.txt) names but of which no frame is annotated."""
    known = {target.video for _, target in read_music(annotations, part=part)}
    return [Missing(name, f"no frame in {part}test.json") for name in read_ids(ids) if name not in known]


def category_name(category: Any, names: Mapping[int, str]) -> str:
    """A category's name, or "category 7" where the table has none.

    >>> category_name(1, CATEGORIES), category_name(7.0, CATEGORIES)
    ('cello', 'category 7')
    """
    if not is_number(category) or int(category) != category:
        raise UserError(f"expected a category as a whole number, got {category!r}; fetch the annotations again")
    return names.get(int(category), f"category {int(category)}")


def _pair(path: Path, key: str, row: Any, root: Path | None) -> tuple[Clip, Target]:
    found = _KEY.fullmatch(key)
    boxes = row.get("bbox") if isinstance(row, dict) else None
    if found is None or not isinstance(boxes, list) or not all(_whole(box) for box in boxes):
        raise UserError(
            f"{path}: expected <video>/frame_<second>/<frame>.jpg with bbox of normbox and category_id,"
            f" got {key!r}: {str(row)[:60]}; fetch it again"
        )
    clip_id, video, second = key.removesuffix(".jpg"), found["video"], int(found["second"])
    names = [category_name(box["category_id"], CATEGORIES) for box in boxes]
    target = boxed_target(clip_id, [corners(box["normbox"], f"{path}, {key}") for box in boxes], names, video)
    labels = target.labels
    if root is None:
        return Clip(clip_id, labels=labels), target
    sound = sound_of(root, video)
    picture = root / "video_frames" / key
    return Clip(clip_id, image=picture, audio=sound, time_seconds=second + 0.5, labels=labels), target


def _whole(box: object) -> bool:
    return isinstance(box, dict) and {"normbox", "category_id"} <= box.keys()
