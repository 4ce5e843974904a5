"""Urbansas (Fuentes et al., ICASSP 2022; Zenodo 6658386): street films of 10 s with boxes of vehicles, two a second.

`audio_annotations.csv` lists sound events, `video_annotations.csv` boxes in pixels; both lie in annotations/. Media:
`audio/<film>.wav` (stereo) and `video_2fps/<film>.mp4` (also found in video/video_2fps/). See Zenodo for the licence.
A clip is one annotated frame, and its sound is laid around it: `predict --set seconds=1 --set window=frame` cuts the
second that How to Listen? (arXiv 2204.05156) uses, at a film's ends the nearest whole second.

A box sounds where an event of its class covers the frame's moment, both ends included: the rule by which Urbansas'
own baseline confirms boxes. Choices of ours where no source speaks: an event without a class, marked as a vehicle that
nobody could identify, confirms every box; an event "offscreen" none; a start of -1 is no event; a box whose visibility
is 0 is hidden and left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from soundspot.data.sets.reading import corners, first_there, is_number, unique
from soundspot.textfiles import read_table
from soundspot.types import Box, Clip, Kind, Missing, Target, UserError

EVENTS, BOXES = "audio_annotations.csv", "video_annotations.csv"
FRAME_SIZE = (1280, 720)
"""Width and height in pixels where no film is at hand: the width that Urbansas' baseline code sets; the height is our
guess, as films of 16:9. With media, each film's own size counts."""
NO_EVENT = -1.0
LEFT_OUT = "no box of a sounding vehicle: left out by the rule of How to Listen?"
_EVENT_FIELDS = {"filename", "label", "non_identifiable_vehicle_sound", "start", "end"}
_BOX_FIELDS = {"filename", "label", "time", "x", "y", "w", "h"}
Pair = tuple[Clip, Target]


@dataclass(frozen=True)
class Event:
    """What is heard from `start` to `end`, in seconds."""

    label: str
    start: float
    end: float

    def confirms(self, label: str, moment: float) -> bool:
        """Whether it is the sound of a vehicle of this class in view at `moment`."""
        return self.start <= moment <= self.end and self.label in (label, "")


class _Boxed(NamedTuple):
    label: str
    pixels: Box


Frame = tuple[str, float]
"""Film and moment in seconds."""


def read_urbansas(
    annotations: Path,
    root: Path | None = None,
    *,
    only_sounding: bool = True,
    frame_size: tuple[int, int] | None = None,
) -> list[Pair]:
    """A clip a frame with boxes, by film and time; `annotations` is the folder of both tables, or the one above it.

    Only boxes of sounding vehicles count. Frames without any are left out, as in How to Listen? (10,802 remained), and
    `missing_urbansas` names them; with `only_sounding=False` they come too, as "offscreen" where an event is heard and
    "silent" where none is. `frame_size` (width, height) replaces each film's own, or FRAME_SIZE without media.
    """
    events, frames = _tables(annotations)
    pairs = []
    sizes: dict[Path, tuple[int, int]] = {}
    for (film, moment), boxed in sorted(frames.items()):
        sounding = [box for box in boxed if _confirmed(events.get(film, ()), box.label, moment)]
        if not sounding and only_sounding:
            continue
        clip_id, labels = _clip_id(film, moment), unique([box.label for box in sounding])
        clip = _clip(clip_id, film, moment, labels, root)
        size = frame_size or _size(clip.video, sizes)
        target = Target(
            clip_id,
            kind="visible" if sounding else _kind(events.get(film, ()), moment),
            boxes=tuple(_fractions(box.pixels, size) for box in sounding),
            box_labels=tuple(box.label for box in sounding),
            labels=labels,
            video=film,
        )
        pairs.append((clip, target))
    if not pairs:
        raise UserError(f"{annotations}: expected boxes of sounding vehicles, got none in {len(frames)} frames")
    return pairs


def missing_urbansas(annotations: Path) -> list[Missing]:
    """The annotated frames that have no box of a sounding vehicle."""
    events, frames = _tables(annotations)
    return [
        Missing(_clip_id(film, moment), LEFT_OUT)
        for (film, moment), boxed in sorted(frames.items())
        if not any(_confirmed(events.get(film, ()), box.label, moment) for box in boxed)
    ]


def _clip_id(film: str, moment: float) -> str:
    return f"{film}@{moment:g}"


def _confirmed(events: Iterable[Event], label: str, moment: float) -> bool:
    return any(event.confirms(label, moment) for event in events)


def _kind(events: Iterable[Event], moment: float) -> Kind:
    """Of a frame in which no box sounds."""
    return "offscreen" if any(event.start <= moment <= event.end for event in events) else "silent"


def _clip(clip_id: str, film: str, moment: float, labels: tuple[str, ...], root: Path | None) -> Clip:
    if root is None:
        return Clip(clip_id, labels=labels)
    video = first_there(root / "video_2fps" / f"{film}.mp4", root / "video" / "video_2fps" / f"{film}.mp4")
    return Clip(clip_id, video=video, time_seconds=moment, audio=root / "audio" / f"{film}.wav", labels=labels)


def _size(video: Path | None, known: dict[Path, tuple[int, int]]) -> tuple[int, int]:
    """The film's width and height; FRAME_SIZE where it is not there or can't be read, and so will be missing."""
    if video is None:
        return FRAME_SIZE
    if video not in known:
        known[video] = _probed(video)
    return known[video]


def _probed(video: Path) -> tuple[int, int]:
    from soundspot.media.errors import MediaError
    from soundspot.media.video import probe

    try:
        info = probe(video)
    except MediaError:
        return FRAME_SIZE
    return (info.width, info.height) if info.width and info.height else FRAME_SIZE


def _fractions(pixels: Box, size: tuple[int, int]) -> Box:
    width, height = size
    return pixels[0] / width, pixels[1] / height, pixels[2] / width, pixels[3] / height


def _tables(annotations: Path) -> tuple[Mapping[str, Sequence[Event]], Mapping[Frame, Sequence[_Boxed]]]:
    """Events by film, boxes by frame."""
    folder = annotations.parent if annotations.is_file() else first_there(annotations / "annotations", annotations)
    events: dict[str, list[Event]] = {}
    for where, row in _rows(folder / EVENTS, _EVENT_FIELDS):
        event = _event(where, row)
        if event is not None:
            events.setdefault(_film(row), []).append(event)
    frames: dict[Frame, list[_Boxed]] = {}
    for where, row in _rows(folder / BOXES, _BOX_FIELDS):
        moment = _number(where, row, "time")
        if moment < 0:  # a film without a vehicle has one row at -1 and no frame
            continue
        boxed = frames.setdefault((_film(row), moment), [])
        if "visibility" not in row or _number(where, row, "visibility") > 0:
            boxed.append(_Boxed(row["label"], corners([_number(where, row, name) for name in "xywh"], where)))
    return events, frames


def _event(where: str, row: Mapping[str, str]) -> Event | None:
    """None where the row says that there is no event, or only that something unknown is heard at no stated time."""
    start, end = _number(where, row, "start"), _number(where, row, "end")
    unknown = row["label"] in ("-1", "")
    if start == NO_EVENT or (unknown and _number(where, row, "non_identifiable_vehicle_sound") != 1):
        return None
    return Event("" if unknown else row["label"], start, end)


def _film(row: Mapping[str, str]) -> str:
    return row["filename"].removesuffix(".mp4").removesuffix(".wav")


def _rows(path: Path, fields: set[str]) -> list[tuple[str, dict[str, str]]]:
    """Each row with where it stands."""
    if not path.is_file():
        raise UserError(f"{path.parent}: expected {EVENTS} and {BOXES}, got no {path.name}; give the folder of both")
    return [(f"{path}:{number}", row) for number, row in enumerate(read_table(path, sorted(fields)), start=2)]


def _number(where: str, row: Mapping[str, str], field: str) -> float:
    try:
        value = float(row[field])
    except (TypeError, ValueError):
        value = math.nan
    if not is_number(value):
        raise UserError(f"{where}: expected {field} as a number, got {row[field]!r}; fetch the table again")
    return value
