"""A timeline as a table: a row a region and moment, a row a moment without any."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from soundspot.localize.regions import boxes_of
from soundspot.localize.timeline import Moment, Timeline
from soundspot.types import Box

COLUMNS: dict[str, type] = {
    "time_seconds": float, "frame": int, "shot": int, "verdict": str, "probability": float, "confidence": float,
    "level_dbfs": float, "balance": float, "heard": str, "heard_probability": float, "peak_x": float, "peak_y": float,
    "track": int, "label": str, "state": str, "score": float, "x0": float, "y0": float, "x1": float, "y1": float,
}  # fmt: skip
"""Name and type of each; any but time_seconds, shot, confidence and the peak may be empty."""
UNNAMED = "sound"
"""What a region is called where nothing names it."""


@dataclass(frozen=True)
class Region:
    """Something that sounds and is in view at one moment."""

    box: Box
    label: str
    track: int | None
    score: float
    """The highest heat in it, 0..1."""
    heat: npt.NDArray[np.float32]
    """(h, w) of its class, or of all."""
    number: int
    """Among the regions of this heat, hottest first."""


def regions_of(moment: Moment) -> list[Region]:
    """What a moment's boxes lie around, in their order."""
    heats = [each.heat for each in moment.classes if each.verdict == "sounding" for _ in each.boxes]
    if not moment.classes:
        heats = [moment.heat] * len(moment.boxes)
    found: list[Region] = []
    for place, (box, label, heat) in enumerate(zip(moment.boxes, moment.box_labels, heats, strict=True)):
        number = found[-1].number + 1 if found and found[-1].heat is heat else 0
        track = moment.tracks[place] if moment.tracks else None
        found.append(Region(box, label, track, _hottest(heat, box), heat, number))
    return found


def rows_of(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """A dict of all COLUMNS a row; None where there is nothing to say."""
    for moment in timeline.moments:
        common = dict.fromkeys(COLUMNS) | _moment(moment, frame_at(timeline, moment.time_seconds))
        parts = [*_sounding(moment), *_others(moment)]
        yield from (common | part for part in parts or [{}])


def frame_at(timeline: Timeline, time_seconds: float) -> int | None:
    """The number of the frame on screen at a time, from 0 at the film's beginning; None where its rate is not known."""
    return None if timeline.shown is None else math.floor(time_seconds * timeline.shown.frames_per_second + 1e-6)


def one_line(text: str) -> str:
    """A text for formats that end it where a line ends."""
    return " ".join(text.split())


def file_name(source: str) -> str:
    """Of what is looked at, in one line and without its folders."""
    return one_line(Path(source).name) or one_line(source) or "film"


def _moment(moment: Moment, frame: int | None) -> dict[str, Any]:
    row = moment.row()
    heard, probability = moment.tags[0] if moment.tags else (None, None)
    names = ("time_seconds", "shot", "verdict", "probability", "confidence", "level_dbfs", "balance")
    return {name: row[name] for name in names} | {
        "frame": frame,
        "heard": heard,
        "heard_probability": None if probability is None else round(probability, 4),
        "peak_x": row["peak"][0],
        "peak_y": row["peak"][1],
    }


def _sounding(moment: Moment) -> Iterator[dict[str, Any]]:
    for region in regions_of(moment):
        state = "sounding" if moment.classes else None
        known: dict[str, Any] = {
            "track": region.track,
            "label": region.label or None,
            "state": state,
            "score": round(region.score, 4),
        }
        yield known | _sides(region.box)


def _others(moment: Moment) -> Iterator[dict[str, Any]]:
    """Classes in view that are silent, and classes heard that are not in view: the latter have no box."""
    for each in moment.classes:
        known: dict[str, Any] = {"label": each.name, "state": each.verdict}
        if each.verdict == "silent":
            boxes = each.boxes or boxes_of(each.heat)
            yield from (known | {"score": round(_hottest(each.heat, box), 4)} | _sides(box) for box in boxes)
        elif each.verdict == "off-screen":
            yield known


def _sides(box: Box) -> dict[str, float]:
    return {name: round(side, 4) for name, side in zip(("x0", "y0", "x1", "y1"), box, strict=True)}


def _hottest(heat: npt.NDArray[np.float32], box: Box) -> float:
    rows, columns = heat.shape
    left, top, right, bottom = (round(side * size) for side, size in zip(box, (columns, rows) * 2, strict=True))
    inside = heat[top:bottom, left:right]
    return float(inside.max()) if inside.size and math.isfinite(float(inside.max())) else 0.0
