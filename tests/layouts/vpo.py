"""VPO in SSLalign's form (visual_frames/, audio_wav/, gray_masks/) and in CAVP's (data/, mask/, a table)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from layouts import Tree
from layouts.is3 import write_instances
from layouts.made import Corners, filled, make_picture, make_sound
from soundspot.data.sets.vpo import CLASS_NUMBERS
from soundspot.media.image import write_image

LEFT: Corners = (0.0, 0.25, 0.5, 1.0)
RIGHT: Corners = (0.5, 0.0, 1.0, 0.5)


def write_ss(folder: Path) -> Tree:
    """Two pictures of one source each."""
    instances = {"000000062491_432356": (LEFT, [LEFT]), "000000053484_188901": (RIGHT, [RIGHT])}
    return write_instances(folder, "vpo_ss", instances, masks="gray_masks", offset=0)


def write_ms(folder: Path) -> Tree:
    """A picture of two sources and one of a lone one, so three clips."""
    instances = {
        "000000489267_157452": (LEFT, [LEFT, RIGHT]),
        "000000489267_159191": (RIGHT, [LEFT, RIGHT]),
        "000000581233_62482": (RIGHT, [RIGHT]),
    }
    return write_instances(folder, "vpo_ms", instances, masks="gray_masks", offset=1)


def write_table(folder: Path, part: str) -> Tree:
    """CAVP's table of three rows, the last for training, and its tree; annotations is the table itself."""
    rows = [
        ("489267", "157452", "dog", "test"),
        ("489267", "159191", "cat", "val"),
        ("581233", "62482", "cow", "train"),
    ]
    places = {"dog": LEFT, "cat": RIGHT, "cow": LEFT}
    root = folder / f"VPO-{part.upper()}"
    lines = ["img_Id,ann_Ids,cateName,vgg_file,split"]
    for number, (image, annotation, label, split) in enumerate(rows):
        sound = f"dddddddddd{number}_000010"
        lines.append(f"{image},{annotation},{label},{sound},{split}")
        make_sound(root / "audios" / f"{sound}.wav", 350.0 * (number + 1))
        shown = [row[2] for row in rows if row[0] == image and (part == "ms" or row is rows[number])]
        stem, below = image.zfill(12), Path(label if part == "ss" else "")
        make_picture(root / "data" / below / f"{stem}.jpg", *(places[name] for name in shown))
        numbers = np.zeros_like(filled(), dtype=np.uint8)
        for name in shown:
            numbers[filled(places[name])] = CLASS_NUMBERS[name]
        mask = root / "mask" / below / (f"{stem}_{annotation.zfill(12)}.png" if part == "ss" else f"{stem}.png")
        mask.parent.mkdir(parents=True, exist_ok=True)
        write_image(mask, numbers)
    table = root / f"vpo_{part}_data.csv"
    table.write_text("\n".join(lines) + "\n")
    return Tree(table, root)
