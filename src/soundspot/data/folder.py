"""Read a data set in soundspot's own layout: scenes.jsonl and the pictures, sounds and masks that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from soundspot.collector import collector_at_rest
from soundspot.lookup import find
from soundspot.media.image import FORMATS
from soundspot.misread import parse_json
from soundspot.textfiles import is_file, read_text
from soundspot.types import KINDS, Box, Clip, Target, UserError

LISTING = "scenes.jsonl"
FIELDS = frozenset(
    {
        "id", "image", "video", "time_seconds", "audio", "mask", "objects", "boxes", "box_labels", "labels", "kind",
        "group", "split", "size_bin", "sound", "sources", "background",
    }
)  # fmt: skip
FILES = ("image", "video", "audio", "mask", "objects")
"""The fields that name files, relative to the folder."""
Row = Mapping[str, Any]


@collector_at_rest()
def read_folder(root: Path, *, split: str | None = None) -> list[tuple[Clip, Target]]:
    """The clips of a folder (of one split, if named) in the order of scenes.jsonl, their files checked.

    UserError where the listing is wrong, names files that are not there, or a mask is not of its picture's size.
    """
    rows = list(read_rows(root))
    if split is not None:
        splits = {str(row["split"]): None for _, row in rows if "split" in row}
        if not splits:
            raise UserError(
                f"{root}: expected scenes of the split {split}, got scenes without any; name one in scenes.jsonl"
            )
        find(splits, split, "split")
        rows = [(where, row) for where, row in rows if str(row.get("split")) == split]
    pairs = [_read_row(root, where, row) for where, row in rows]
    seen: set[str] = set()
    for clip, _ in pairs:
        if clip.id in seen:
            raise UserError(f"{root / LISTING}: expected every id once, got {clip.id!r} twice; rename one")
        seen.add(clip.id)
    _check_files(root, pairs)
    return pairs


def read_rows(root: Path) -> Iterator[tuple[str, Row]]:
    """Each row of scenes.jsonl with where it stands ("file:line"), for what clips and targets do not carry."""
    listing = root / LISTING
    if not listing.is_file():
        raise UserError(f"{root}: expected a folder with {LISTING}, got none; give the folder that `samples` wrote")
    for number, line in enumerate(read_text(listing, "a JSON object a line", "mend it").split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{listing}:{number}"
        try:
            row = parse_json(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{where}: expected a JSON object a line, got {error.msg}; mend the line") from error
        if not isinstance(row, dict):
            raise UserError(f"{where}: expected a JSON object a line, got {type(row).__name__}; mend the line")
        yield where, row


def _read_row(root: Path, where: str, row: Row) -> tuple[Clip, Target]:
    """The clip and target of a row; UserError naming the row's place."""
    _check_fields(where, row)
    if ("image" in row) == ("video" in row):
        raise UserError(
            f"{where}: expected either image or video, got {sorted(set(row) & {'image', 'video'})}; give one"
        )
    if "image" in row and "audio" not in row:
        raise UserError(f"{where}: expected audio beside image, got none; name the sound's file")
    kind = row.get("kind", "visible")
    if kind not in KINDS:
        raise UserError(f"{where}: expected kind in {KINDS}, got {kind!r}; use one of them")
    boxes = tuple(_read_box(where, box) for box in row.get("boxes", ()))
    if kind == "visible" and not boxes and "mask" not in row:
        raise UserError(
            f"{where}: expected boxes or a mask for a visible source, got none; add them or set another kind"
        )
    labels, group = tuple(row.get("labels", ())), row.get("group")
    files = {name: root / row[name] if name in row else None for name in FILES}
    clip = Clip(
        row["id"], image=files["image"], video=files["video"], time_seconds=row.get("time_seconds"),
        audio=files["audio"], labels=labels, group=group,
    )  # fmt: skip
    target = Target(
        row["id"], kind=kind, boxes=boxes, box_labels=tuple(row.get("box_labels", ())), mask=files["mask"],
        objects=files["objects"], labels=labels, group=group,
    )  # fmt: skip
    return clip, target


def _check_fields(where: str, row: Row) -> None:
    """UserError for a field that is unknown or holds another kind of value than it should."""
    for name in row:
        find(dict.fromkeys(FIELDS), name, f"field in {where}:")
    if not isinstance(row.get("id"), str) or not row["id"]:
        raise UserError(f"{where}: expected an id, got {row.get('id')!r}; give each clip a name of its own")
    for name in FILES:
        if not isinstance(row.get(name, ""), str):
            raise UserError(f"{where}: expected {name} as a file's name, got {row[name]!r}; mend it")
    for name in ("labels", "box_labels"):
        names = row.get(name, [])
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise UserError(f"{where}: expected {name} as a list of names, got {names!r}; mend it")
    if not isinstance(row.get("boxes", []), list):
        raise UserError(f"{where}: expected boxes as a list of boxes, got {row['boxes']!r}; mend it")
    if not isinstance(row.get("time_seconds", 0.0), int | float):
        raise UserError(f"{where}: expected time_seconds as a number, got {row['time_seconds']!r}; mend it")


def _read_box(where: str, box: object) -> Box:
    """A box as four numbers in 0..1, corners in order; else UserError."""
    fine = isinstance(box, list) and len(box) == 4 and all(isinstance(value, int | float) for value in box)
    if not fine:
        raise UserError(f"{where}: expected a box as [x0, y0, x1, y1], got {box!r}; mend it")
    assert isinstance(box, list)
    x0, y0, x1, y1 = (float(value) for value in box)
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise UserError(
            f"{where}: expected a box [x0, y0, x1, y1] in 0..1 with x0 < x1 and y0 < y1, got {box};"
            " divide pixels by the picture's width and height"
        )
    return x0, y0, x1, y1


def _check_files(root: Path, pairs: list[tuple[Clip, Target]]) -> None:
    """UserError if a named file is not there or a mask's size is not its picture's."""
    sizes: dict[Path, tuple[int, int]] = {}
    missing = [
        path
        for clip, target in pairs
        for path in (clip.image, clip.video, clip.audio, target.mask, target.objects)
        if isinstance(path, Path) and not is_file(path)
    ]
    if missing:
        names = ", ".join(str(path.relative_to(root) if path.is_relative_to(root) else path) for path in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UserError(f"{root}: expected all files that {LISTING} names, got none for {names}{more}; add them")
    for clip, target in pairs:
        for mask in (target.mask, target.objects):
            if clip.image is None or not isinstance(mask, Path):
                continue
            expected, got = (_size(path, sizes) for path in (clip.image, mask))
            if expected != got:
                raise UserError(
                    f"{mask}: expected a mask of its picture's size {expected[0]}x{expected[1]},"
                    f" got {got[0]}x{got[1]}; save the mask at the picture's size"
                )


def _size(path: Path, known: dict[Path, tuple[int, int]]) -> tuple[int, int]:
    """(width, height) from a picture's header."""
    from PIL import Image, UnidentifiedImageError

    if path not in known:
        try:
            with Image.open(path, formats=FORMATS) as picture:
                known[path] = picture.size
        except UnidentifiedImageError as error:
            raise UserError(f"{path}: expected a picture, got another kind of file; replace it") from error
    return known[path]
