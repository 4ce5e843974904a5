"""What a timeline is written as, by name: each a small function, its fields in docs/exports.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from soundspot.localize.exports import coco, csv, edl, html, jsonl, masks, parquet, vtt
from soundspot.localize.timeline import Timeline
from soundspot.lookup import find, unknown

ALL = "all"
"""Stands for every export."""


@dataclass(frozen=True)
class Export:
    """A format: the file's usual name, what it is for, and what writes it, whole or not at all."""

    file_name: str
    about: str
    write: Callable[[Timeline, Path], None]
    require: Callable[[], object] | None = None
    """Raises UserError where something is missing that it needs."""


EXPORTS: dict[str, Export] = {
    "jsonl": Export("timeline.jsonl", "JSON Lines: all there is, a line a moment", jsonl.write),
    "csv": Export("timeline.csv", "a row a region and moment, for pandas and spreadsheets", csv.write),
    "parquet": Export(
        "timeline.parquet", "the same rows with types (extra 'tables')", parquet.write, parquet.pyarrow_modules
    ),
    "coco": Export("coco.json", "COCO annotations with masks, for pycocotools and labelling tools", coco.write),
    "masks": Export("masks", "a folder of PNGs, a track number a pixel", masks.write),
    "vtt": Export("captions.vtt", "WebVTT: a player shows who sounds, beside them", vtt.write),
    "edl": Export("timeline.edl", "an edit decision list, for film editors", edl.write),
    "html": Export("timeline.html", "one page: player, captions, a timeline to click, a table", html.write),
}
ENDINGS = {Path(export.file_name).suffix: name for name, export in EXPORTS.items()}
"""Of which file is of which format; a name without an ending is a folder."""


def wanted_exports(names: Sequence[str]) -> list[str]:
    """The names in the table's order, each once, "all" taken apart. UserError for one that can't be written here."""
    for name in names:
        if name != ALL:
            find(EXPORTS, name, "export")
    wanted = [name for name in EXPORTS if name in names or ALL in names]
    for name in wanted:
        if (require := EXPORTS[name].require) is not None:
            require()
    return wanted


def kind_of(path: Path) -> str:
    """The format that a path's ending names. UserError where it names none."""
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise unknown([ending for ending in ENDINGS if ending], path.suffix, f"ending of {path.name}")
    return kind
