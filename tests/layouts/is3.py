"""IS3 as SSLalign's list names it: visual_frames/, audio_wav/ and gt_masks/ with a file an instance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from layouts import Tree
from layouts.made import Corners, make_mask, make_picture, make_sound

ELSEWHERE = "/data/of/the/authors"
"""Where the published lists say that everything lies."""
GRID = 224
PAIRS: dict[str, dict[str, Corners]] = {
    "accordion_baby_10467": {"accordion": (0.0, 0.25, 0.5, 1.0), "baby": (0.5, 0.25, 1.0, 0.75)},
    "donkey_sea-lion_77": {"donkey": (0.0, 0.0, 0.5, 0.5), "sea-lion": (0.5, 0.5, 1.0, 1.0)},
}


def write(folder: Path) -> Tree:
    """Two pictures of two sources each, so four clips."""
    instances = {
        f"{picture}_{label}": (corners, list(sources.values()))
        for picture, sources in PAIRS.items()
        for label, corners in sources.items()
    }
    return write_instances(folder, "synthetic3240", instances, masks="gt_masks", offset=1)


def write_instances(
    folder: Path, name: str, instances: Mapping[str, tuple[Corners, list[Corners]]], *, masks: str, offset: int
) -> Tree:
    """<name>_bbox.json, <name>_seg.json and the tree; by instance, where it is and what its picture shows."""
    root = folder / "media"
    boxes: list[dict[str, object]] = []
    segments: list[dict[str, object]] = []
    for number, (stem, (corners, shown)) in enumerate(instances.items()):
        row = {
            "image": f"{ELSEWHERE}/{name}/visual_frames/{stem}.jpg",
            "audio": f"{ELSEWHERE}/{name}/audio_wav/{stem}.wav",
        }
        boxes.append({**row, "gt_box": [GRID * value for value in corners]})
        segments.append({**row, "gt_box": f"{ELSEWHERE}/{name}/{masks}/{stem}.jpg", "offset": offset})
        make_picture(root / "visual_frames" / f"{stem}.jpg", *shown)
        make_sound(root / "audio_wav" / f"{stem}.wav", 250.0 * (number + 1))
        make_mask(root / masks / f"{stem}.jpg", corners)
    (folder / f"{name}_bbox.json").write_text(json.dumps(boxes))
    (folder / f"{name}_seg.json").write_text(json.dumps(segments))
    return Tree(folder, root)
