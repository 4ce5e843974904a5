"""Photos with the outlines of their objects: COCO's own instances_*.json, or a tree of YOLO label files.

COCO (Lin et al., arXiv 1405.0312). Outlines are polygons, or run lengths down the columns, as numbers or packed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from soundspot.media.image import FORMATS
from soundspot.textfiles import is_file, read_json, read_text, taken_apart
from soundspot.types import UserError

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
"""(N, 2) of x, y in pixels."""
MOST_WIDTHS = 1000.0
"""Of its picture, by which a point of a label file may lie outside: more is none."""
YOLO_MASKS, YOLO_BOXES = "instance_segmentation", "object_detection"


@dataclass(frozen=True, eq=False)
class Thing:
    """One annotated object: its outline as polygons (their union) or as run lengths, background first."""

    category: str
    crowd: bool = False
    """A region of many: COCO's iscrowd."""
    polygons: tuple[Points, ...] = ()
    runs: tuple[int, ...] = ()

    def mask(self, height: int, width: int) -> Mask:
        """(height, width), true where the object is seen."""
        if self.runs:
            return fill_runs(self.runs, height, width)
        mask = np.zeros((height, width), dtype=bool)
        for points in self.polygons:
            mask |= fill_polygon(points, height, width)
        return mask


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture and everything that is annotated in it."""

    id: str
    path: Path
    width: int
    height: int
    things: tuple[Thing, ...]
    boxed: Mapping[str, int]
    """Category -> how many boxes, where boxes come in files of their own: they may name what no outline shows."""
    licence: str = ""
    url: str = ""

    @property
    def categories(self) -> frozenset[str]:
        """All that is known to be in view, crowds and boxes without an outline included."""
        return frozenset(thing.category for thing in self.things) | frozenset(self.boxed)


def read_photos(folder: Path, annotations: Path | None = None) -> tuple[list[Photo], list[str]]:
    """The annotated photos below `folder` by id, and the ids of listed ones whose file isn't there.

    `annotations` is an instances_*.json; without it the only one below `folder`, or else the folder's YOLO label files.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: expected a folder with COCO's pictures, got none; check the path")
    if annotations is None:
        found = sorted(folder.rglob("instances_*.json"))
        if len(found) > 1:
            names = ", ".join(str(path.relative_to(folder)) for path in found)
            raise UserError(f"{folder}: expected one instances_*.json, got {names}; name one with --annotations")
        if not found and not (folder / YOLO_MASKS).is_dir():
            raise UserError(
                f"{folder}: expected an instances_*.json or a folder {YOLO_MASKS} of label files, got neither;"
                " name the file with --annotations"
            )
        annotations = found[0] if found else None
    photos, missing = _read_yolo(folder) if annotations is None else _read_instances(folder, annotations)
    if not photos:
        raise UserError(f"{folder}: expected the pictures that {annotations} lists, got none of {len(missing)}")
    return sorted(photos, key=lambda photo: photo.id), missing


def _read_instances(folder: Path, path: Path) -> tuple[list[Photo], list[str]]:
    """COCO's own format."""
    wanted = "COCO's instances (images, annotations, categories)"
    whole = read_json(path, wanted)
    with taken_apart(path, wanted):
        names = {row["id"]: str(row["name"]) for row in whole["categories"]}
        licences = {row["id"]: str(row["name"]) for row in whole.get("licenses", ())}
        things: dict[int, list[Thing]] = {}
        for row in whole["annotations"]:
            things.setdefault(row["image_id"], []).append(_thing(names[row["category_id"]], row))
        listed = [(row, tuple(things.get(row["id"], ()))) for row in whole["images"]]
        sizes = [(int(row["width"]), int(row["height"]), str(row["file_name"])) for row, _ in listed]
    photos, missing, files = [], [], _Files(folder)
    for (row, some), (width, height, name) in zip(listed, sizes, strict=True):
        file = files.find(name)
        if file is None:
            missing.append(Path(name).stem)
            continue
        licence, url = licences.get(row.get("license"), ""), str(row.get("flickr_url", ""))
        photos.append(Photo(Path(name).stem, file, width, height, some, {}, licence, url))
    return photos, missing


def _runs(counts: Any) -> tuple[int, ...]:
    """Run lengths from either form; ValueError for what are none."""
    runs = tuple(unpack_runs(counts) if isinstance(counts, str) else map(int, counts))
    if min(runs, default=0) < 0:
        raise ValueError("a run of less than nothing")
    return runs


def _thing(category: str, row: Mapping[str, Any]) -> Thing:
    outline, crowd = row["segmentation"], bool(row.get("iscrowd", 0))
    if isinstance(outline, Mapping):
        return Thing(category, crowd, runs=_runs(outline["counts"]))
    parts = tuple(np.asarray(part, dtype=np.float64).reshape(-1, 2) for part in outline)
    if not all(np.isfinite(part).all() for part in parts):
        raise ValueError("a point that is nowhere")
    return Thing(category, crowd, parts)


class _Files:
    """Finds a listed picture in the folder, in a folder of it, or in one of its images folder's."""

    def __init__(self, folder: Path) -> None:
        self.places = [folder, *sorted(p for p in [*folder.glob("*/"), *folder.glob("images/*/")] if p.is_dir())]

    def find(self, name: str) -> Path | None:
        place = next((place for place in self.places if is_file(place / name)), None)
        if place is None:
            return None
        if place is not self.places[0]:  # the next one lies there too
            self.places.remove(place)
            self.places.insert(0, place)
        return place / name


def _read_yolo(folder: Path) -> tuple[list[Photo], list[str]]:
    """Folders instance_segmentation and perhaps object_detection: labels/<split>/<id>.txt, config.yaml with the names.

    A picture with boxes and no outlines is read too: nothing can be pointed at in it, but it's known what is absent.
    """
    outlines, boxes = folder / YOLO_MASKS, folder / YOLO_BOXES
    names = _names(outlines / "config.yaml")
    box_names = _names(boxes / "config.yaml") if boxes.is_dir() else {}
    photos, missing = [], []
    labels = {path.stem: path for path in sorted(outlines.glob("labels/**/*.txt"))}
    box_labels = {path.stem: path for path in sorted(boxes.glob("labels/**/*.txt"))}
    pictures = {path.stem: path for path in sorted((folder / "images").glob("**/*.jpg"))}
    for name in sorted(labels.keys() | box_labels.keys()):
        if name not in pictures:
            missing.append(name)
            continue
        with Image.open(pictures[name], formats=FORMATS) as picture:
            width, height = picture.size
        things = [
            Thing(category, polygons=(values.reshape(-1, 2) * (width, height),))
            for category, values in _label_lines(labels.get(name), names)
        ]
        boxed: dict[str, int] = {}
        for category, _ in _label_lines(box_labels.get(name), box_names):
            boxed[category] = boxed.get(category, 0) + 1
        photos.append(Photo(name, pictures[name], width, height, tuple(things), boxed))
    return photos, missing


def _names(config: Path) -> dict[int, str]:
    """Class number -> name from the `names:` of a YOLO config."""
    if not config.is_file():
        raise UserError(f"{config}: expected it to name the classes, got no such file; add it")
    text = read_text(config, "rows such as '  18: dog' below names:", "write the names so")
    rows = re.findall(r"^\s+(\d{1,9}):\s*['\"]?([^'\"#\n]+?)['\"]?\s*$", text, re.MULTILINE)
    if not rows:
        raise UserError(f"{config}: expected rows such as '  18: dog' below names:, got none; write the names so")
    return {int(number): name for number, name in rows}


def _label_lines(path: Path | None, names: Mapping[int, str]) -> Iterator[tuple[str, Points]]:
    """Class and numbers of each line of a label file."""
    if path is None:
        return
    wanted = "lines of a class's number and of points x y in 0..1"
    for line in filter(str.strip, read_text(path, wanted).split("\n")):
        number, *words = line.split()
        with taken_apart(path, wanted):
            label, values = int(number), np.array(words, dtype=np.float64)
            if len(values) % 2 or not (np.abs(values) < MOST_WIDTHS).all():
                raise ValueError("no points")
        if label not in names:
            raise UserError(f"{path}: expected classes that config.yaml names, got {number}; add its name")
        yield names[label], values


def unpack_runs(text: str) -> list[int]:
    """COCO's packed run lengths: five bits a character from '0' on, lowest first, the sixth bit says more follow; from
    the fourth number on, the difference to the one two before.

    >>> unpack_runs("52203")
    [5, 2, 2, 2, 5]
    """
    runs: list[int] = []
    value = shift = 0
    for character in text.encode("ascii"):
        bits = character - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs


def fill_runs(runs: Sequence[int], height: int, width: int) -> Mask:
    """Run lengths of background and object in turn, down each column -> (height, width)."""
    if sum(runs) != height * width or min(runs) < 0:
        raise UserError(
            f"run lengths: expected them to sum to {height} x {width}, got {sum(runs)}; fetch the annotations again"
        )
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T.copy()


def fill_polygon(points: Points, height: int, width: int) -> Mask:
    """(N, 2) corners in pixels -> (height, width), true where a pixel's middle lies inside (even-odd)."""
    x0, y0 = points[:, 0], points[:, 1]
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    middles = np.arange(height)[:, None] + 0.5
    rows, edges = np.nonzero((y0 <= middles) != (y1 <= middles))
    share = (rows + 0.5 - y0[edges]) / (y1[edges] - y0[edges])
    across = x0[edges] + share * (x1[edges] - x0[edges])
    turns = np.zeros((height, width + 1), dtype=np.int64)
    # the first pixel whose middle lies at or behind the crossing
    np.add.at(turns, (rows, np.clip(np.ceil(across - 0.5), 0, width).astype(np.int64)), 1)
    return np.cumsum(turns, axis=1)[:, :width] % 2 == 1
