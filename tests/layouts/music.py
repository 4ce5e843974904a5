"""MUSIC as DSOL's scripts cut it: four pictures of each second, the whole sound beside, and DSOL's boxes."""

from __future__ import annotations

import json
from pathlib import Path

from layouts import Tree
from layouts.made import HEIGHT, WIDTH, Corners, make_picture, steps

FRAMES = (0, 7, 14, 21)
"""Of a second, those that are kept."""
HERTZ = (300.0, 1200.0, 2400.0)
"""What each of the three seconds sounds like."""
Boxes = tuple[tuple[int, Corners], ...]
"""Category and corners."""


def write_solo(folder: Path) -> Tree:
    """solotest.json: a cellist in second 0, nobody boxed in second 1, an accordion in another film's second 2."""
    left, right = (0.0, 0.25, 0.5, 1.0), (0.5, 0.0, 1.0, 0.5)
    return _write(folder, "solo", {"4Oy5VmaacaI": {0: ((1, left),), 1: ()}, "iB17xqmFw3A": {2: ((13, right),)}})


def write_duet(folder: Path) -> Tree:
    """duettest.json: a cello and a guitar, then the guitar alone."""
    left, right = (0.0, 0.25, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0)
    return _write(folder, "duet", {"HnUOaSfTA6c": {0: ((1, left), (3, right)), 2: ((3, right),)}})


def _write(folder: Path, part: str, films: dict[str, dict[int, Boxes]]) -> Tree:
    root, rows = folder / part, {}
    for film, seconds in films.items():
        video = f"{film}_0_1000"
        steps(root / "audio" / f"{video}.wav", HERTZ)
        for second, boxes in seconds.items():
            for frame in FRAMES[:2]:
                key = f"{video}/frame_{second:03d}/{30 * second + frame:05d}.jpg"
                make_picture(root / "video_frames" / key, *(corners for _, corners in boxes))
                rows[key] = {"bbox": [_box(*box) for box in boxes], "wdith": WIDTH, "height": HEIGHT}
    (folder / f"{part}test.json").write_text(json.dumps(rows))
    names = "\n".join(f"{film}_0_1000.flac {film}_0_1000.mp4" for film in films)
    (folder / f"{part}_testing.txt").write_text(f"{names}\n")
    return Tree(folder, root)


def _box(category: int, corners: Corners) -> dict[str, object]:
    x0, y0, x1, y1 = corners
    shares = [x0, y0, x1 - x0, y1 - y0]
    pixels = [round(share * side) for share, side in zip(shares, (WIDTH, HEIGHT, WIDTH, HEIGHT), strict=True)]
    return {"box": pixels, "normbox": shares, "category_id": category}
