"""Masks: a folder of PNGs, one a moment, whose pixels are track numbers, with colours to look at them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from soundspot.localize.draw_classes import COLOURS
from soundspot.localize.exports.coco import picture_size
from soundspot.localize.exports.rows import Region, frame_at, regions_of
from soundspot.localize.exports.text import writing
from soundspot.localize.regions import mask_of
from soundspot.localize.timeline import Moment, Timeline
from soundspot.media.files import folder_aside

INDEX = "index.jsonl"
MAX_VALUE = 255


def write(timeline: Timeline, path: Path) -> None:
    """Write the folder `path`; one that holds no masks is not touched (UserError)."""
    width, height = picture_size(timeline, path)
    palette = [0, 0, 0] + [part for value in range(MAX_VALUE) for part in COLOURS[value % len(COLOURS)]]
    with folder_aside(path, INDEX) as aside, writing(aside / INDEX) as index:
        index.write(json.dumps(timeline.head() | {"width": width, "height": height}, ensure_ascii=False) + "\n")
        for number, moment in enumerate(timeline.moments):
            picture, row = _picture(moment, width, height)
            picture.putpalette(palette)
            name = f"{number:06d}.png"
            picture.save(aside / name, optimize=False)
            known = {"file": name, "time_seconds": round(moment.time_seconds, 3), "verdict": moment.verdict}
            line = known | {"frame": frame_at(timeline, moment.time_seconds), "regions": row}
            index.write(json.dumps(line, ensure_ascii=False) + "\n")


def _picture(moment: Moment, width: int, height: int) -> tuple[Image.Image, list[dict[str, Any]]]:
    values = np.zeros((height, width), np.uint8)
    regions = regions_of(moment)
    numbers = _numbers(regions)
    for region, number in reversed(list(zip(regions, numbers, strict=True))):  # the hottest lies on top
        values[mask_of(region.heat, region.number, height, width)] = number
    row = [
        {"value": number, "track": region.track, "label": region.label, "score": round(region.score, 4)}
        for region, number in zip(regions, numbers, strict=True)
    ]
    return Image.fromarray(values, mode="P"), row


def _numbers(regions: list[Region]) -> list[int]:
    """A pixel value each: the track's number, beyond 255 from 1 on again, and the next free one where that is taken."""
    given: list[int] = []
    for place, region in enumerate(regions[:MAX_VALUE]):
        value = ((region.track or place + 1) - 1) % MAX_VALUE + 1
        while value in given:
            value = value % MAX_VALUE + 1
        given.append(value)
    return given + [0] * (len(regions) - len(given))
