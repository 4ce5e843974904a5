"""VGG-SS (Chen et al., arXiv 2104.02691): 5,158 VGGSound test clips with boxes of what sounds, in vggss.json.

Papers score on lists of them, LISTS by our name of the benchmark: what each group still had of the films, or the
classes that were left out of training. SSL-TIE's heard and unheard classes are not EZ-VSL's, though 110 each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from soundspot.data.lists import read_ids, same_id
from soundspot.data.sets.reading import four_numbers, list_file
from soundspot.textfiles import read_json
from soundspot.types import Clip, Missing, Target, UserError

ANNOTATIONS = "vggss.json"
LISTS: dict[str, tuple[str, int, str]] = {
    "vggss_heard": ("vggss_heard_test.csv", 2564, "110 classes heard in training"),
    "vggss_unheard": ("vggss_unheard_test.csv", 2575, "110 classes not heard in training"),
    "vggss_4911": ("test_vggss_4911.txt", 4911, "SSL-TIE's list (arXiv 2206.12772)"),
    "vggss_4692": ("vggss_test_4692.csv", 4692, "SSPL's list (arXiv 2203.13412)"),
    "vggss_4670": ("vggss_test_trimmed.csv", 4670, "HearTheFlow's list (arXiv 2211.03019)"),
    "vggss_4655": ("ours_vggss.txt", 4655, "SSLalign's list (arXiv 2407.13676)"),
    "vggss_openset_heard": ("openset_test_110_heard_2425.txt", 2425, "SSL-TIE's 110 classes heard in training"),
    "vggss_openset_unheard": ("openset_test_110_unheard_2463.txt", 2463, "SSL-TIE's 110 classes not heard in training"),
}
"""By benchmark: the list's published file name, how many clips it names (all are in vggss.json), and whose it is."""


def read_vggss(annotations: Path, root: Path | None = None, *, ids: Path | None = None) -> list[tuple[Clip, Target]]:
    """The clips in the order of vggss.json (the file, or a folder that holds it), of those in the list `ids` if given.

    Boxes stay as they are, defects included. With `root`, media are root/frames/<id>.jpg and root/audio/<id>.wav.
    A list may spell ids in milliseconds, or with .jpg; clips bear those of vggss.json.
    """
    pairs = [_pair(row, root) for row in _rows(list_file(annotations, (ANNOTATIONS,)))]
    if ids is None:
        return pairs
    wanted = {same_id(clip_id) for clip_id in read_ids(ids)}
    chosen = [(clip, target) for clip, target in pairs if clip.id in wanted]
    if not chosen:
        raise UserError(f"{ids}: expected ids of clips in {ANNOTATIONS}, got none of {len(wanted)}; check the list")
    return chosen


def missing_vggss(annotations: Path, ids: Path) -> list[Missing]:
    """Clips that the list `ids` names but vggss.json does not hold."""
    known = {clip.id for clip, _ in read_vggss(annotations)}
    lost = [clip_id for clip_id in read_ids(ids) if same_id(clip_id) not in known]
    return [Missing(clip_id, f"no boxes in {ANNOTATIONS}") for clip_id in lost]


def ez_clip(
    clip_id: str, root: Path | None, *, picture: str = "", sound: str = "", labels: tuple[str, ...] = ()
) -> Clip:
    """A clip in EZ-VSL's and SLAVC's layout: root/frames/<picture>.jpg, root/audio/<sound>.wav; by default its id's."""
    if root is None:
        return Clip(clip_id, labels=labels)
    image, audio = root / "frames" / f"{picture or clip_id}.jpg", root / "audio" / f"{sound or clip_id}.wav"
    return Clip(clip_id, image=image, audio=audio, labels=labels)


def _rows(path: Path) -> list[dict[str, Any]]:
    wanted = "a JSON list of objects with file, class and bbox"
    rows = read_json(path, wanted, f"fetch {ANNOTATIONS} again")
    fine = isinstance(rows, list) and all(
        isinstance(row, dict) and {"file", "class", "bbox"} <= row.keys() and isinstance(row["bbox"], list)
        for row in rows
    )
    if not fine or not rows:
        raise UserError(f"{path}: expected {wanted}, got something else; fetch {ANNOTATIONS} again")
    return rows


def _pair(row: dict[str, Any], root: Path | None) -> tuple[Clip, Target]:
    clip_id, labels = str(row["file"]), (str(row["class"]),)
    boxes = tuple(four_numbers(values, "in 0..1", f"{ANNOTATIONS}, clip {clip_id}") for values in row["bbox"])
    return ez_clip(clip_id, root, labels=labels), Target(clip_id, boxes=boxes, labels=labels)
