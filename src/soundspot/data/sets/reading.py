"""What the readers of several data sets share: where files lie, numbers, boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from soundspot.textfiles import exists
from soundspot.types import Box, Target, UserError

LARGEST = 1e300
"""Beyond it sums and fractions of numbers may have no finite value."""


def list_file(annotations: Path, names: Sequence[str]) -> Path:
    """`annotations` itself if a file, else the first of `names` in that folder; UserError if there is none."""
    if annotations.is_file():
        return annotations
    path = next((annotations / name for name in names if (annotations / name).is_file()), None)
    if path is None:
        raise UserError(
            f"{annotations}: expected {' or '.join(names)} or a folder that holds it, got none; check the path"
        )
    return path


def first_there(*places: Path) -> Path:
    """The first of `places` that exists; the first of all where none does, so that it can be named as missing."""
    return next((place for place in places if exists(place)), places[0])


def corners(values: object, where: str) -> Box:
    """x, y, width, height -> x0, y0, x1, y1 in the same units; UserError naming `where` for anything else."""
    x, y, width, height = four_numbers(values, "x, y, width, height", where)
    return x, y, x + width, y + height


def four_numbers(values: object, names: str, where: str) -> Box:
    """A list of four finite numbers as they are; UserError naming `where` and what they are for anything else."""
    numbers = values if isinstance(values, list) and len(values) == 4 else []
    if not numbers or not all(map(is_number, numbers)):
        raise UserError(f"{where}: expected a box of four numbers {names}, got {values!r}; fetch it again")
    left, top, right, bottom = (float(value) for value in numbers)
    return left, top, right, bottom


def is_number(value: object) -> bool:
    """Whether it is a number that can be reckoned with: finite, and no whole number beyond all bounds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Each name once, in the order of its first appearance."""
    return tuple(dict.fromkeys(names))


def boxed_target(clip_id: str, boxes: Sequence[Box], box_labels: Sequence[str], video: str | None = None) -> Target:
    """The truth of boxes with a class each. Without any, no source of the sound is boxed: kind "offscreen"."""
    return Target(
        clip_id,
        kind="visible" if boxes else "offscreen",
        boxes=tuple(boxes),
        box_labels=tuple(box_labels),
        labels=unique(box_labels),
        video=video,
    )


def sound_of(root: Path, name: str) -> Path:
    """Where DSOL's layout has a sound: audio/<name>.wav, or .flac."""
    return first_there(root / "audio" / f"{name}.wav", root / "audio" / f"{name}.flac")
