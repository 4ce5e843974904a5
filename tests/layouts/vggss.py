"""VGG-SS in EZ-VSL's layout: vggss.json and the lists beside it, frames/<id>.jpg and audio/<id>.wav below the root."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from layouts import Tree
from layouts.made import make_picture, make_sound
from soundspot.data.sets.vggss import LISTS

CLIPS = {
    "aaaaaaaaaaa_000030": ("dog barking", [(0.125, 0.25, 0.5, 0.75)]),
    "bbbbbbbbb-b_000107": ("dog barking", [(0.5, 0.25, 0.875, 0.75), (0.0, 0.0, 0.25, 0.25)]),
    "ccccccccc_c_000000": ("playing cello", [(0.25, 0.5, 0.75, 1.0)]),
}
ONLY_SEEN = "nnnnnnnnnnn_000002"
"""A negative whose own sound comes from out of view."""


def write(folder: Path) -> Tree:
    """vggss.json with three clips, one of them with two boxes."""
    root = folder / "media"
    rows = [{"file": name, "class": label, "bbox": boxes} for name, (label, boxes) in CLIPS.items()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vggss.json").write_text(json.dumps(rows))
    for number, (name, (_, boxes)) in enumerate(CLIPS.items()):
        make_picture(root / "frames" / f"{name}.jpg", *boxes)
        make_sound(root / "audio" / f"{name}.wav", 300.0 * (number + 1))
    return Tree(folder, root)


def write_extended(folder: Path) -> Tree:
    """With SLAVC's table of negatives: a clip's own sound from out of view, and another clip's sound."""
    tree = write(folder)
    first, second, third = CLIPS
    rows = [(ONLY_SEEN, ONLY_SEEN), (first, second), (second, third)]
    lines = ["video,audio,label", *(f"{video},{audio},non-sounding" for video, audio in rows)]
    (folder / "vggss_test_plus_silent.csv").write_text("\n".join(lines) + "\n")
    make_picture(tree.root / "frames" / f"{ONLY_SEEN}.jpg")
    make_sound(tree.root / "audio" / f"{ONLY_SEEN}.wav", 90.0)
    return tree


def write_list(folder: Path, name: str) -> Tree:
    """With the list of a part, which names the first and the third clip, spelled as in the published file."""
    tree = write(folder)
    ids = [clip_id for number, clip_id in enumerate(CLIPS) if number != 1]
    if name == "vggss_4655":
        ids = [_milliseconds(clip_id) for clip_id in ids]
    if name in ("vggss_4911", "vggss_openset_heard", "vggss_openset_unheard"):
        ids = [f"{clip_id}.jpg" for clip_id in ids]
    (folder / LISTS[name][0]).write_text("\n".join(ids) + "\n")
    return tree


def _milliseconds(clip_id: str) -> str:
    start = 1000 * int(clip_id[12:])
    return f"{clip_id[:11]}_{start}_{start + 10_000}"


write_heard = partial(write_list, name="vggss_heard")
write_unheard = partial(write_list, name="vggss_unheard")
write_4911 = partial(write_list, name="vggss_4911")
write_4692 = partial(write_list, name="vggss_4692")
write_4670 = partial(write_list, name="vggss_4670")
write_4655 = partial(write_list, name="vggss_4655")
write_openset_heard = partial(write_list, name="vggss_openset_heard")
write_openset_unheard = partial(write_list, name="vggss_openset_unheard")
