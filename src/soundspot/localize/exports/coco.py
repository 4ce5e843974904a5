"""COCO JSON: an image a moment, an annotation a region with its mask, a category a label."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from soundspot.localize.exports.rows import UNNAMED, file_name, frame_at, regions_of
from soundspot.localize.exports.text import writing
from soundspot.localize.regions import mask_of
from soundspot.localize.timeline import Timeline
from soundspot.types import UserError


def write(timeline: Timeline, path: Path) -> None:
    """Write the annotations to `path`. UserError where the picture's size is not known."""
    width, height = picture_size(timeline, path)
    categories: dict[str, int] = {}
    name = file_name(timeline.source)
    with writing(path) as file:
        # Annotations come as they are made: those of a long film would be much in memory.
        file.write('{"info": ' + json.dumps(timeline.head() | {"description": f"sound sources in {name}"}))
        file.write(',\n"annotations": [')
        for number, annotation in enumerate(_annotations(timeline, width, height, categories)):
            file.write((",\n" if number else "\n") + json.dumps(annotation))
        images = [
            {
                "id": number,
                "file_name": f"{name}#t={moment.time_seconds:.3f}",
                "width": width,
                "height": height,
                "time_seconds": round(moment.time_seconds, 3),
                "frame": frame_at(timeline, moment.time_seconds),
                "verdict": moment.verdict,
            }
            for number, moment in enumerate(timeline.known, start=1)
        ]
        kinds = [{"id": number, "name": label, "supercategory": "sound"} for label, number in categories.items()]
        file.write(
            '],\n"images": ' + json.dumps(images) + ',\n"categories": ' + json.dumps(kinds) + ', "licenses": []}\n'
        )


def picture_size(timeline: Timeline, path: Path) -> tuple[int, int]:
    """Width and height in pixels of what is looked at."""
    if timeline.shown is None:
        raise UserError(f"{path}: expected a timeline that knows its picture's size, got none; localize a film")
    return timeline.shown.width, timeline.shown.height


def _annotations(timeline: Timeline, width: int, height: int, categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    given = 0
    for image, moment in enumerate(timeline.moments, start=1):
        for region in regions_of(moment):
            given += 1
            x0, y0, x1, y1 = region.box
            mask = mask_of(region.heat, region.number, height, width)
            label = region.label or UNNAMED
            yield {
                "id": given,
                "image_id": image,
                "category_id": categories.setdefault(label, len(categories) + 1),
                "bbox": [round(x0 * width, 2), round(y0 * height, 2), round((x1 - x0) * width, 2),
                         round((y1 - y0) * height, 2)],
                "segmentation": encoded(mask),
                "area": int(mask.sum()),
                "iscrowd": 0,
                "score": round(region.score, 4),
                "track_id": region.track,
            }  # fmt: skip


def encoded(mask: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """(H, W) -> COCO's run lengths as it packs them into text.

    Runs go down the columns and begin with one of zeros. Each number, from the fourth on less the one two before it, is
    written in digits of five bits, lowest first, with one bit that says whether more come and 48 added for a letter.

    >>> encoded(np.array([[0, 1], [0, 1]], dtype=bool))
    {'size': [2, 2], 'counts': '22'}
    """
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False)).tolist()
    runs = np.diff([0, *edges, len(flat)]).tolist()
    letters: list[str] = []
    for place, run in enumerate(runs):
        letters += _digits(run - runs[place - 2] if place > 2 else run)
    return {"size": list(mask.shape), "counts": "".join(letters)}


def _digits(value: int) -> Iterator[str]:
    more = True
    while more:
        digit = value & 31
        value >>= 5
        more = value != (-1 if digit & 16 else 0)
        yield chr(48 + digit + (32 if more else 0))
