"""Lists of clip ids as they are published: plain lists, CSV tables (VGGSound's own too), JSON annotations."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from soundspot.types import UserError

_MEDIA_ENDING = re.compile(r"\.(jpg|png|mp4|wav)$")
ID_KEYS = ("file", "id")
"""Where entries of a JSON list keep their id."""


def read_ids(path: Path) -> list[str]:
    """Clip ids of a list, without labels; see `read_list`."""
    return [name for name, _ in read_list(path)]


def read_list(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Clip ids with their labels, where the list has them; endings such as .jpg are left off.

    A .json or .jsonl file holds ids, or entries with `file` or `id`; of any other the first column counts (of
    VGGSound's own CSV: its train rows, as <video>_<second>). Raises UserError for what is no such list.
    """
    if not path.is_file():
        raise UserError(f"{path}: expected a list of clip ids, got no such file; check the path")
    try:
        rows = _read_json(path) if path.suffix in (".json", ".jsonl") else _read_table(path)
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise UserError(f"{path}: expected clip ids as text, got: {error}; write or fetch it again") from error
    return [(_MEDIA_ENDING.sub("", name), labels) for name, labels in rows]


def _read_table(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row and row[0].strip()]
    if rows and len(rows[0]) == 4 and all(row[-1] in ("train", "test") and row[1].isdigit() for row in rows):
        return [(f"{row[0]}_{int(row[1]):06d}", (row[2],)) for row in rows if row[-1] == "train"]
    return [(row[0].strip(), ()) for row in rows]


def _read_json(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [(_id_of(json.loads(line), path), ()) for line in text.splitlines() if line.strip()]
    entries = json.loads(text)
    if not isinstance(entries, list):
        raise UserError(f"{path}: expected a list of entries, got {type(entries).__name__}; give one")
    return [(_id_of(entry, path), ()) for entry in entries]


def _id_of(entry: object, path: Path) -> str:
    if isinstance(entry, str):
        return entry
    if isinstance(entry, dict):
        for key in ID_KEYS:
            if isinstance(entry.get(key), str):
                return str(entry[key])
    raise UserError(f"{path}: expected ids or entries with `file` or `id`, got {str(entry)[:60]}; add one of them")
