"""SLAVC's extended test sets (arXiv 2209.09634): VGG-SS and Flickr-SoundNet, and clips whose source isn't in view.

A negative row `video,audio` shows one clip's picture with a sound. `Target.labels` says which sort it is: "real" (the
clip's own sound, its source not in view), "other_class" or "same_class" (another clip's sound, by VGG-SS class), or
"other_clip" where there are no classes. Mind that of "same_class" something in view may look like the source.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from soundspot.data.flickr import read_flickr
from soundspot.data.vggss import annotation_file, ez_clip, read_vggss
from soundspot.types import Clip, Target, UserError

VGGSS_NEGATIVES = "vggss_test_plus_silent.csv"
FLICKR_NEGATIVES = "flickr_test_plus_silent.csv"
Pair = tuple[Clip, Target]


def read_vggss_extended(annotations: Path, root: Path | None = None) -> list[Pair]:
    """VGG-SS, then the 5,158 negatives; `annotations` is a folder with vggss.json and vggss_test_plus_silent.csv."""
    positives = read_vggss(annotations, root)
    classes = {clip.id: clip.labels for clip, _ in positives}
    return positives + _negatives(_beside(annotations, VGGSS_NEGATIVES), root, classes)


def read_flickr_extended(annotations: Path, root: Path | None = None) -> list[Pair]:
    """Flickr-SoundNet's clips with boxes, then the 250 negatives; the folder also holds flickr_test_plus_silent.csv."""
    return read_flickr(annotations, root) + _negatives(_beside(annotations, FLICKR_NEGATIVES), root, {})


def count_negatives(pairs: Iterable[Pair]) -> dict[str, int]:
    """How many negatives of each sort."""
    return dict(Counter(target.labels[0] for _, target in pairs if target.kind != "visible"))


def _beside(annotations: Path, name: str) -> Path:
    return annotation_file(annotations if annotations.is_dir() else annotations.parent, name)


def _negatives(path: Path, root: Path | None, classes: Mapping[str, tuple[str, ...]]) -> list[Pair]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"video", "audio"} <= rows[0].keys():
        raise UserError(f"{path}: expected a table with the columns video and audio, got others; fetch it again")
    return [_negative(row["video"], row["audio"], root, classes) for row in rows]


def _negative(video: str, audio: str, root: Path | None, classes: Mapping[str, tuple[str, ...]]) -> Pair:
    """A clip of its own: its id names picture and sound, since the picture is also some positive's."""
    if video == audio:
        sort = "real"
    elif video in classes and audio in classes:
        sort = "same_class" if classes[video] == classes[audio] else "other_class"
    else:
        sort = "other_clip"
    clip_id = f"{video}+{audio}"
    clip = ez_clip(clip_id, root, picture=video, sound=audio, labels=classes.get(audio, ()))
    return clip, Target(clip_id, kind="offscreen", labels=(sort,))
