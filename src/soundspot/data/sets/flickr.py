"""Flickr-SoundNet's test set (Senocak et al., CVPR 2018): 250 photos, each boxed by about three people.

A cell counts half for one person's box and fully for two: `Target.consensus` is 2. Boxes are on a 256 x 256 grid.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree  # nosec B405 # see parse_xml
from collections.abc import Sequence
from pathlib import Path
from xml.parsers import expat

from soundspot.data.lists import read_ids
from soundspot.data.sets.reading import four_numbers
from soundspot.data.sets.vggss import ez_clip
from soundspot.misread import why
from soundspot.textfiles import is_file, read_json
from soundspot.types import Box, Clip, Missing, Target, UserError

TEST_LIST = "flickr_test.csv"
_GRID = 256
FORM = "Annotations/<id>.xml, or one JSON file of boxes_xyxy_256 by clip"


def read_flickr(annotations: Path, root: Path | None = None, *, ids: Path | None = None) -> list[tuple[Clip, Target]]:
    """The clips of the test list that have boxes, in its order; `missing_flickr` names the others.

    `annotations` is a folder with Annotations/<id>.xml, or a JSON file of boxes (or a folder with one such file);
    the list of ids is flickr_test.csv beside them unless given. Media: root/frames/<id>.jpg, root/audio/<id>.wav.
    """
    listed, boxes = _listed(annotations, ids), _Boxes(annotations)
    pairs = []
    for clip_id in listed:
        if clip_id in boxes:
            fractions = tuple(_fractions(box) for box in boxes.of(clip_id))
            target = Target(clip_id, boxes=fractions, consensus=2)
            pairs.append((ez_clip(clip_id, root), target))
    if not pairs:
        raise UserError(
            f"{annotations}: expected boxes for the listed clips, got none of {len(listed)}; check the path"
        )
    return pairs


def missing_flickr(annotations: Path, *, ids: Path | None = None) -> list[Missing]:
    """Listed clips that the annotations have no boxes for."""
    boxes = _Boxes(annotations)
    return [
        Missing(clip_id, "no boxes in the annotations") for clip_id in _listed(annotations, ids) if clip_id not in boxes
    ]


def _listed(annotations: Path, ids: Path | None) -> list[str]:
    folder = annotations if annotations.is_dir() else annotations.parent
    beside = [folder / TEST_LIST, folder.parent / TEST_LIST]
    path = ids or next((path for path in beside if path.is_file()), None)
    if path is None:
        raise UserError(
            f"{folder}: expected the list of test clips {TEST_LIST}, got none; put it beside the annotations"
        )
    return read_ids(path)


class _Boxes:
    """Boxes by clip id on the 256 grid, from either form."""

    def __init__(self, annotations: Path) -> None:
        self.folder = next(
            (path for path in (annotations / "Annotations", annotations) if any(path.glob("*.xml"))), None
        )
        self._known = {} if self.folder else _read_json(annotations)

    def __contains__(self, clip_id: str) -> bool:
        return is_file(self.folder / f"{clip_id}.xml") if self.folder else clip_id in self._known

    def of(self, clip_id: str) -> Sequence[Sequence[float]]:
        """The clip's boxes, one a person and object."""
        if self.folder:
            return parse_xml((self.folder / f"{clip_id}.xml").read_bytes(), clip_id)
        return self._known[clip_id]


def _read_json(annotations: Path) -> dict[str, list[Box]]:
    found = sorted(annotations.glob("*.json")) if annotations.is_dir() else [annotations]
    wanted = f"{annotations}: expected {FORM}"
    if len(found) != 1 or not found[0].is_file():
        raise UserError(f"{wanted}, got {len(found)} JSON files; give the file itself")
    rows = read_json(found[0], FORM)
    try:
        return {
            clip_id: [four_numbers(box, "x0, y0, x1, y1", f"{found[0]}, {clip_id}") for box in row["boxes_xyxy_256"]]
            for clip_id, row in rows.items()
        }
    except (AttributeError, TypeError, KeyError) as error:
        raise UserError(f"{wanted}, got another content ({why(error)}); fetch it again") from error


def parse_xml(text: bytes, clip_id: str) -> list[tuple[int, int, int, int]]:
    """Boxes (x0, y0, x1, y1) on the 256 grid: of each <bbox>, the four values after its first child, the person.

    A document type is refused, as only it could name entities or files to read.
    """
    wanted = f"clip {clip_id}: expected XML with <bbox> elements of a person and four numbers"
    try:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = _refuse
        parser.Parse(text, True)
        root = ElementTree.fromstring(text)  # nosec B314 # what could name entities was refused just above
        boxes = [element for part in root for element in part if element.tag == "bbox"]
        values = [[int(child.text or "") for child in list(box)[1:5]] for box in boxes]
    except _Refused as error:
        raise UserError(f"{wanted}, got a document type declaration; remove it") from error
    except (expat.ExpatError, ElementTree.ParseError, ValueError) as error:
        raise UserError(f"{wanted}, got '{error}'; fetch the annotations again") from error
    if any(len(numbers) != 4 for numbers in values):
        raise UserError(f"{wanted}, got fewer numbers; fetch the annotations again")
    return [(numbers[0], numbers[1], numbers[2], numbers[3]) for numbers in values]


class _Refused(Exception):
    pass


def _refuse(*_: object) -> None:
    raise _Refused


def _fractions(box: Sequence[float]) -> Box:
    left, top, right, bottom = (value / _GRID for value in box)
    return left, top, right, bottom
