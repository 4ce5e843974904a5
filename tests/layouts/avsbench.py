"""AVSBench's own trees of S4 and MS3, with its tables, and SSLalign's lists of boxes and masks of the same frames."""

from __future__ import annotations

import json
from pathlib import Path

from layouts import Tree
from layouts.is3 import ELSEWHERE, GRID
from layouts.made import Corners, make_mask, make_picture, make_sound

FRAMES: tuple[Corners | None, ...] = (
    (0.0, 0.0, 0.5, 0.5), (0.25, 0.0, 0.75, 0.5), (0.25, 0.25, 0.75, 0.75), None, (0.5, 0.5, 1.0, 1.0),
)  # fmt: skip
"""Where the source of each frame is; in the fourth nothing sounds."""
S4_FILM, S4_LABEL = "0d9u2CymIxc", "helicopter"
MS3_FILM = "rq5RDUm2Hnk_1"


def write_s4(folder: Path) -> Tree:
    """s4_meta_data.csv with a test film of five frames and a training film, whose first frame alone has a mask."""
    root = folder / "s4_data"
    for film, split, frames in ((S4_FILM, "test", FRAMES), ("trainfilm_x", "train", FRAMES[:1])):
        below = Path(split, S4_LABEL)
        make_sound(root / "audio_wav" / below / f"{film}.wav", 500.0)
        for number, corners in enumerate(frames, start=1):
            places = () if corners is None else (corners,)
            make_picture(root / "visual_frames" / below / film / f"{film}_{number}.png", *places)
            make_mask(root / "gt_masks" / below / film / f"{film}_{number}.png", *places)
    lines = ["name,start,category,split", f"{S4_FILM},3,{S4_LABEL},test", f"trainfilm_x,0,{S4_LABEL},train"]
    (folder / "s4_meta_data.csv").write_text("\n".join(lines) + "\n")
    return Tree(folder, root)


def write_ms3(folder: Path) -> Tree:
    """ms3_meta_data.csv with one test film of five frames."""
    root = folder / "ms3_data"
    make_sound(root / "audio_wav" / "test" / f"{MS3_FILM}.wav", 600.0)
    for number, corners in enumerate(FRAMES, start=1):
        places = () if corners is None else (corners,)
        make_picture(root / "visual_frames" / MS3_FILM / f"{MS3_FILM}.mp4_{number}.png", *places)
        make_mask(root / "gt_masks" / "test" / MS3_FILM / f"{MS3_FILM}_{number}.png", *places)
    (folder / "ms3_meta_data.csv").write_text(f"name,split\n{MS3_FILM},test\n")
    return Tree(folder, root)


def write_s4_boxes(folder: Path) -> Tree:
    """The same tree of S4 with s4_box.json and s4_seg.json."""
    tree = write_s4(folder)
    below = f"test/{S4_LABEL}/{S4_FILM}"
    _write_lists(folder, "s4", [f"{below}/{S4_FILM}_{n}.png" for n in range(1, 6)], f"{below}.wav", below, S4_FILM)
    return tree


def write_ms3_boxes(folder: Path) -> Tree:
    """The same tree of MS3 with ms3_box.json and ms3_seg.json."""
    tree = write_ms3(folder)
    pictures = [f"{MS3_FILM}/{MS3_FILM}.mp4_{n}.png" for n in range(1, 6)]
    _write_lists(folder, "ms3", pictures, f"test/{MS3_FILM}.wav", f"test/{MS3_FILM}", MS3_FILM)
    return tree


def _write_lists(folder: Path, subset: str, pictures: list[str], sound: str, masks: str, film: str) -> None:
    """Boxes are inclusive, as far as 223; four zeros where nothing sounds."""
    base = f"{ELSEWHERE}/{subset}_data"
    boxes: list[dict[str, object]] = []
    segments: list[dict[str, object]] = []
    for number, (picture, corners) in enumerate(zip(pictures, FRAMES, strict=True), start=1):
        row = {"image": f"{base}/visual_frames/{picture}", "audio": f"{base}/audio_wav/{sound}"}
        box = [0.0] * 4 if corners is None else [min(GRID * value, GRID - 1.0) for value in corners]
        boxes.append({**row, "gt_box": box})
        segments.append({**row, "gt_box": f"{base}/gt_masks/{masks}/{film}_{number}.png", "offset": 1})
    (folder / f"{subset}_box.json").write_text(json.dumps(boxes))
    (folder / f"{subset}_seg.json").write_text(json.dumps(segments))
