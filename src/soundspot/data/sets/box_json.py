"""The JSON lists of SSLalign's repository (arXiv 2407.13676), one row a picture with its sound: IS3, VPO, AVSBench.

A row is {"image", "audio", "gt_box"}. In *_bbox.json and *_box.json `gt_box` is [x0, y0, x1, y1] in pixels of a frame
of 224 x 224; in *_seg.json it is a mask's file, beside an "offset" that no published code reads and that is nowhere
explained. The paths are those of the authors' machines: only what stands below the data set's own folders
(visual_frames, audio_wav, gt_masks and so on) counts here, and is looked for below the user's root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from soundspot.data.sets.reading import is_number
from soundspot.textfiles import read_json
from soundspot.types import Box, UserError

GRID = 224
PICTURES = ("visual_frames", "images")
"""Folders of pictures: as in the JSON lists, and as the published archive of IS3 has them."""
SOUNDS = ("audio_wav", "audio_waw")
MASKS = ("gt_masks", "gray_masks", "gt_segmentation")


@dataclass(frozen=True)
class Row:
    """One picture with one sound; files are named below the data set's folder of that sort."""

    image: PurePosixPath
    audio: PurePosixPath
    box: Box | None = None
    """Fractions of the frame; None in a list of masks."""
    mask: PurePosixPath | None = None
    """None in a list of boxes."""


def read_rows(path: Path) -> list[Row]:
    """The rows of a list, in its order; UserError for another content."""
    wanted = "a JSON list of objects with image, audio and gt_box"
    rows = read_json(path, wanted)
    if not isinstance(rows, list) or not rows or not all(_is_row(row) for row in rows):
        raise UserError(f"{path}: expected {wanted}, got something else; fetch it again")
    return [_row(row, path) for row in rows]


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("image"), str) and isinstance(row.get("audio"), str)


def _row(row: dict[str, Any], path: Path) -> Row:
    truth, wanted = row.get("gt_box"), f"{path}, {row['image']}: expected gt_box as four numbers or a mask's file"
    image, audio = _below(row["image"], PICTURES, path), _below(row["audio"], SOUNDS, path)
    if isinstance(truth, str):
        return Row(image, audio, mask=_below(truth, MASKS, path))
    if not isinstance(truth, list) or len(truth) != 4 or not all(map(is_number, truth)):
        raise UserError(f"{wanted}, got {truth!r}; fetch it again")
    left, top, right, bottom = (float(value) / GRID for value in truth)
    return Row(image, audio, box=(left, top, right, bottom))


def _below(name: str, folders: Sequence[str], path: Path) -> PurePosixPath:
    """What follows the data set's own folder in an authors' path; of a path without such a folder, the file's name."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts:
        raise UserError(f"{path}: expected a file's path without '..', got {name!r}; fetch the list again")
    starts = [number for number, part in enumerate(parts[:-1]) if part in folders]
    return PurePosixPath(*parts[starts[-1] + 1 :]) if starts else PurePosixPath(parts[-1])


@dataclass(frozen=True)
class Media:
    """The folders of a data set below the user's root; None where there is no root."""

    pictures: Path | None = None
    sounds: Path | None = None
    masks: Path | None = None
    """None as well where there are no masks at hand."""

    def image(self, row: Row) -> Path | None:
        """The row's picture."""
        return None if self.pictures is None else self.pictures / row.image

    def audio(self, row: Row) -> Path | None:
        """The row's sound."""
        return None if self.sounds is None else self.sounds / row.audio


def media_below(root: Path | None) -> Media:
    """The data set's folders below `root`: the first of its names that is there, else the first that is usual."""
    if root is None:
        return Media()
    if not root.is_dir():
        raise UserError(f"{root}: expected the folder that holds {PICTURES[0]} and {SOUNDS[0]}, got none; check --root")
    found = [next((root / name for name in names if (root / name).is_dir()), None) for names in (PICTURES, SOUNDS)]
    masks = next((root / name for name in MASKS if (root / name).is_dir()), None)
    return Media(found[0] or root / PICTURES[0], found[1] or root / SOUNDS[0], masks)


def find_masks(masks: Path | None, stems: Sequence[str]) -> dict[str, Path]:
    """The mask of each stem, whatever its ending; nothing without a folder. UserError where only some are there."""
    if masks is None:
        return {}
    there = {path.stem: path for path in masks.iterdir()}
    lost = [stem for stem in stems if stem not in there]
    if lost:
        raise UserError(
            f"{masks}: expected a mask for each of {len(stems)} rows, got none for {len(lost)} (the first: {lost[0]});"
            " fetch the masks again, or move the folder away to use boxes alone"
        )
    return {stem: there[stem] for stem in stems}
