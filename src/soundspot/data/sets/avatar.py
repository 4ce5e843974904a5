"""Films annotated frame by frame, as AVATAR is (arXiv 2507.04667: 5,000 videos, 24,266 frames, 80 classes).

AVATAR's own files were not at hand, so this is SOUNDSPOT'S form: write it from whatever AVATAR, or any other set of
annotated films, ships. One JSON file, conventionally avatar.json; all coordinates are fractions of the frame, from the
top left:

    {"videos": [{
        "id": "a name", "file": "video/x.mp4",              below the root
        "audio": "audio/x.wav",                             optional: else the film's own sound
        "frames_per_second": 25, "size": [640, 360],        only for `frame` and `polygon` below
        "frames": [{
            "time_seconds": 1.5,                            or "frame": 37, counted from 0
            "scenario": "single-sound",                     or mixed-sound, multi-entity, off-screen
            "instances": [{"class": "dog", "sounding": true, "box": [x0, y0, x1, y1], "polygon": [[x, y], ...]}],
            "mask": "masks/x_37.png",                       optional: a picture, above 0 where something sounds
            "kind": "offscreen"                             needed where no instance sounds, but for off-screen
        }]}]}

An instance has a box, a polygon or both. Silent ones are checked and not used. Converting: one entry a film, pixels
divided by width and height, COCO boxes [x, y, w, h] as [x, y, x + w, y + h], run-length masks written as pictures
(or, for a few thousand frames at most, as polygons: those are drawn in memory, in pixels of `size`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from soundspot.data.sets.reading import is_number, list_file, unique
from soundspot.lookup import find
from soundspot.textfiles import read_json
from soundspot.types import KINDS, Box, Clip, Kind, Missing, Target, UserError

ANNOTATIONS = "avatar.json"
SCENARIOS = ("single-sound", "mixed-sound", "multi-entity", "off-screen")
_VIDEO_FIELDS = ("id", "file", "audio", "frames_per_second", "size", "frames")
_FRAME_FIELDS = ("time_seconds", "frame", "scenario", "instances", "mask", "kind")
_INSTANCE_FIELDS = ("class", "sounding", "box", "polygon")
Row = Mapping[str, Any]
Point = tuple[float, float]
Pair = tuple[Clip, Target]


def read_avatar(annotations: Path, root: Path | None = None) -> list[Pair]:
    """The annotated frames in the file's order, each a clip; `annotations` is avatar.json or a folder that holds it.

    Masks are files below `root`, or without it below the annotations' folder. UserError naming the film and frame where
    the form is not kept.
    """
    path = list_file(annotations, (ANNOTATIONS,))
    pairs = [
        _pair(where, video, frame, root, root or path.parent)
        for video_where, video in _videos(path)
        for where, frame in _frames(video_where, video)
    ]
    seen: set[str] = set()
    for clip, _ in pairs:
        if clip.id in seen:
            raise UserError(f"{path}: expected every moment of a film once, got {clip.id} twice; join the two")
        seen.add(clip.id)
    if not pairs:
        raise UserError(f"{path}: expected annotated frames, got none; add some")
    return pairs


def missing_avatar(annotations: Path) -> list[Missing]:
    """Films that are listed without any annotated frame."""
    path = list_file(annotations, (ANNOTATIONS,))
    return [Missing(str(video["id"]), "no annotated frame") for _, video in _videos(path) if not video["frames"]]


def scenarios(annotations: Path) -> dict[str, str]:
    """The scenario of each clip that states one, by clip id: to score a part of the frames alone."""
    path = list_file(annotations, (ANNOTATIONS,))
    return {
        _clip_id(video, _moment(where, video, frame)): str(frame["scenario"])
        for video_where, video in _videos(path)
        for where, frame in _frames(video_where, video)
        if "scenario" in frame
    }


def _videos(path: Path) -> list[tuple[str, Row]]:
    """Each film with where it stands, its fields checked."""
    wanted = 'a JSON object {"videos": [...]} in soundspot\'s form'
    found = read_json(path, wanted)
    videos = found.get("videos") if isinstance(found, dict) else None
    if not isinstance(videos, list) or not videos:
        raise UserError(f"{path}: expected {wanted}, got {str(found)[:60]}; see soundspot.data.sets.avatar")
    rows = [(f"{path}, video {number}", video) for number, video in enumerate(videos)]
    for where, video in rows:
        _check_fields(where, video, _VIDEO_FIELDS, needed=("id", "file", "frames"))
        for name in ("id", "file", "audio"):
            _need(where, name, video.get(name, "-"), lambda value: isinstance(value, str) and value != "", "text")
        _need(where, "frames", video["frames"], lambda value: isinstance(value, list), "a list")
    return rows


def _frames(where: str, video: Row) -> list[tuple[str, Row]]:
    rows = [(f"{where} ({video['id']}), frame {number}", frame) for number, frame in enumerate(video["frames"])]
    for here, frame in rows:
        _check_fields(here, frame, _FRAME_FIELDS, needed=("instances",))
        if "scenario" in frame:
            find(dict.fromkeys(SCENARIOS), str(frame["scenario"]), f"scenario in {here}:")
        if "kind" in frame:
            find(dict.fromkeys(KINDS), str(frame["kind"]), f"kind in {here}:")
        _need(here, "instances", frame["instances"], lambda value: isinstance(value, list), "a list")
        for number, instance in enumerate(frame["instances"]):
            _check_instance(f"{here}, instance {number}", instance)
    return rows


def _check_instance(where: str, row: Row) -> None:
    _check_fields(where, row, _INSTANCE_FIELDS, needed=("class", "sounding"))
    _need(where, "class", row["class"], lambda value: isinstance(value, str) and value != "", "a name")
    _need(where, "sounding", row["sounding"], lambda value: isinstance(value, bool), "true or false")
    if "box" not in row and "polygon" not in row:
        raise UserError(f"{where}: expected a box or a polygon, got neither; add one")
    if "box" in row:
        _box(where, row["box"])
    if "polygon" in row:
        _polygon(where, row["polygon"])


def _pair(where: str, video: Row, frame: Row, root: Path | None, masks: Path) -> Pair:
    moment = _moment(where, video, frame)
    clip_id = _clip_id(video, moment)
    sounding = [row for row in frame["instances"] if row["sounding"]]
    box_labels = tuple(str(row["class"]) for row in sounding)
    labels, kind = unique(box_labels), _kind(where, frame, bool(sounding))
    target = Target(
        clip_id,
        kind=kind,
        boxes=tuple(_box(where, row["box"]) if "box" in row else _around(row["polygon"]) for row in sounding),
        box_labels=box_labels,
        mask=masks / str(frame["mask"]) if "mask" in frame else _drawn(where, video, sounding),
        labels=labels,
        video=str(video["id"]),
    )
    if root is None:
        return Clip(clip_id, labels=labels), target
    audio = root / str(video["audio"]) if "audio" in video else None
    return Clip(clip_id, video=root / str(video["file"]), time_seconds=moment, audio=audio, labels=labels), target


def _kind(where: str, frame: Row, sounding: bool) -> Kind:
    """As stated, or as the instances say; UserError where the two disagree or neither tells."""
    stated = frame.get("kind", "offscreen" if frame.get("scenario") == "off-screen" else None)
    kind = stated or ("visible" if sounding else None)
    if kind is None:
        raise UserError(f"{where}: expected a kind, as no instance sounds, got none; add e.g. kind offscreen")
    if (kind == "visible") != sounding:
        raise UserError(
            f"{where}: expected sounding instances in visible frames and none in others, got kind {kind} with"
            f" {'some' if sounding else 'none'}; mend one of them"
        )
    return next(known for known in get_args(Kind) if known == kind)


def _clip_id(video: Row, moment: float) -> str:
    return f"{video['id']}@{moment:.3f}"


def _moment(where: str, video: Row, frame: Row) -> float:
    """Seconds from the film's start."""
    if ("time_seconds" in frame) == ("frame" in frame):
        raise UserError(f"{where}: expected either time_seconds or frame, got both or neither; give one")
    if "time_seconds" in frame:
        return _number(where, "time_seconds", frame["time_seconds"])
    if "frames_per_second" not in video:
        raise UserError(f"{where}: expected frames_per_second of a film whose frames are numbered, got none; add it")
    rate = _number(where, "frames_per_second", video["frames_per_second"])
    _need(where, "frames_per_second", rate, lambda value: value > 0, "a number above 0")
    return _number(where, "frame", frame["frame"]) / rate


def _number(where: str, name: str, value: object) -> float:
    _need(where, name, value, lambda it: is_number(it) and it >= 0, "a number of 0 or more")
    assert isinstance(value, int | float)
    return float(value)


def _box(where: str, values: object) -> Box:
    if not isinstance(values, list) or len(values) != 4 or not all(map(is_number, values)):
        raise UserError(f"{where}: expected a box as [x0, y0, x1, y1], got {values!r}; mend it")
    x0, y0, x1, y1 = (float(value) for value in values)
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise UserError(
            f"{where}: expected a box [x0, y0, x1, y1] in 0..1 with x0 < x1 and y0 < y1, got {values};"
            " divide pixels by the frame's width and height"
        )
    return x0, y0, x1, y1


def _polygon(where: str, points: object) -> list[Point]:
    if not isinstance(points, list) or len(points) < 3 or not all(map(_is_point, points)):
        raise UserError(
            f"{where}: expected a polygon of three and more points [x, y] in 0..1, got {str(points)[:60]}; mend it"
        )
    return [(float(x), float(y)) for x, y in points]


def _around(points: Sequence[Sequence[float]]) -> Box:
    """The tight box around a polygon."""
    across, down = zip(*points, strict=True)
    return float(min(across)), float(min(down)), float(max(across)), float(max(down))


def _drawn(where: str, video: Row, sounding: Sequence[Row]) -> npt.NDArray[np.bool_] | None:
    """The sounding polygons as one mask (H, W); None unless every sounding instance has one."""
    if not sounding or not all("polygon" in row for row in sounding):
        return None
    from PIL import Image, ImageDraw

    size = video.get("size")
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise UserError(f"{where}: expected size [width, height] of a film with polygons, got {size!r}; add it")
    width, height = size
    picture = Image.new("1", (width, height))
    for row in sounding:
        # Pillow colours the pixels on the outline too: its coordinates are those of pixels' centres
        points = [(x * width - 0.5, y * height - 0.5) for x, y in _polygon(where, row["polygon"])]
        ImageDraw.Draw(picture).polygon(points, fill=1)
    return np.asarray(picture, dtype=np.bool_)


def _is_point(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(is_number(each) and 0 <= each <= 1 for each in value)


def _need(where: str, name: str, value: Any, fine: Callable[[Any], bool], what: str) -> None:
    if not fine(value):
        raise UserError(f"{where}: expected {name} as {what}, got {value!r}; mend it")


def _check_fields(where: str, row: object, known: Sequence[str], needed: Sequence[str]) -> None:
    if not isinstance(row, dict):
        raise UserError(f"{where}: expected an object with {', '.join(needed)}, got {str(row)[:40]}; mend it")
    for name in row:
        find(dict.fromkeys(known), name, f"field in {where}:")
    lost = [name for name in needed if name not in row]
    if lost:
        raise UserError(f"{where}: expected {', '.join(lost)}, got none; add it")
