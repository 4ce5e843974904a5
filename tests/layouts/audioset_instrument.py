"""AudioSet-instrument as DSOL's scripts cut it: a folder of pictures a second, the whole sound beside, DSOL's boxes."""

from __future__ import annotations

import json
from pathlib import Path

from layouts import Tree
from layouts.made import make_picture, steps
from layouts.music import HERTZ


def write(folder: Path) -> Tree:
    """audioset_box.json: a cello and a guitar in second 0, a trombone in second 2."""
    film, root = "8LYWfpPUokc", folder / "audioset"
    seconds = {
        0: [{"category": 1, "normbox": [0.0, 0.0, 0.5, 0.5]}, {"category": 3, "normbox": [0.5, 0.5, 0.5, 0.5]}],
        2: [{"category": 8, "normbox": [0.25, 0.25, 0.5, 0.5]}],
    }
    steps(root / "audio" / f"{film}.wav", HERTZ)
    for second in seconds:
        for frame in (8, 1):
            make_picture(root / "video_frames" / film / f"frame_{second:03d}" / f"{30 * second + frame:05d}.jpg")
    rows = {f"{film}/{second}": {"bbox": boxes} for second, boxes in seconds.items()}
    (folder / "audioset_box.json").write_text(json.dumps(rows))
    return Tree(folder, root)
