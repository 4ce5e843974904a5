"""Lists of clip ids as they are published: plain lists, CSV tables (VGGSound's own too), JSON annotations."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from soundspot.media.files import written_aside
from soundspot.misread import parse_json
from soundspot.textfiles import TEXT
from soundspot.types import Clip, Missing, Target, UserError

_MEDIA_ENDING = re.compile(r"\.(jpg|png|mp4|wav)$")
_SOUND_AND_FILM = re.compile(r"(?P<id>\S+)\.flac (?P=id)\.mp4")
"""A line of DSOL's and CSOL's lists."""
_MILLISECONDS = re.compile(r"(?P<video>.{11})_(?P<start>\d+)_(?P<end>\d+)")
MOST_DIGITS = 10
ID_KEYS = ("file", "id")
"""Where entries of a JSON list keep their id."""


@dataclass(frozen=True)
class ClipList:
    """A user's choice among a data set's clips, and what names it in a result."""

    name: str
    sha256: str
    ids: tuple[str, ...]

    def provenance(self) -> dict[str, str]:
        """What a result says of it."""
        return {"clip_list": self.name, "clip_list_sha256": self.sha256}

    def choose(
        self, pairs: Sequence[tuple[Clip, Target]], without_truth: Sequence[Missing] = ()
    ) -> tuple[list[tuple[Clip, Target]], list[Missing]]:
        """The listed clips and the listed ones without truth, in the benchmark's order, each id once.

        A negative <video>+<audio> comes with its picture's and its sound's clip where both are listed, unless the list
        names negatives itself. UserError naming the first listed id that is none of the benchmark's. Both VGGSound
        spellings of an id are the same clip.
        """
        wanted = {_key(clip_id) for clip_id in self.ids}
        joined = {clip.id: halves for clip, target in pairs if (halves := _halves(clip.id, target))}
        names_negatives = any(_key(clip_id) in wanted for clip_id in joined)
        there = {_key(clip.id) for clip, _ in pairs} | {_key(clip.clip_id) for clip in without_truth}
        there |= {half for halves in joined.values() for pair in halves for half in pair}
        strange = next((clip_id for clip_id in self.ids if _key(clip_id) not in there), None)
        if strange is not None:
            raise UserError(
                f"{self.name}: expected ids of the benchmark, got {strange!r}, which it does not have; remove it, or"
                " name the list's own benchmark"
            )
        chosen: dict[str, tuple[Clip, Target]] = {}
        for clip, target in pairs:
            both = not names_negatives and any(wanted.issuperset(pair) for pair in joined.get(clip.id, ()))
            if both or _key(clip.id) in wanted:
                chosen.setdefault(clip.id, (clip, target))
        return list(chosen.values()), [clip for clip in without_truth if _key(clip.clip_id) in wanted]


def read_clip_list(path: Path) -> ClipList:
    """The list of a file, in any form that `read_list` takes."""
    ids = tuple(read_ids(path))
    if not ids:
        raise UserError(f"{path}: expected clip ids, got an empty list; write some")
    return ClipList(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), ids)


def write_ids(path: Path, ids: Iterable[str]) -> None:
    """One id a line without a header, as `read_ids` reads it; aside, then moved."""
    with written_aside(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([clip_id] for clip_id in ids)


def same_id(clip_id: str) -> str:
    """A VGGSound id in milliseconds as one in seconds; any other id as it is.

    >>> same_id("zpWuikVorYg_32000_42000")
    'zpWuikVorYg_000032'
    """
    spelled = _MILLISECONDS.fullmatch(clip_id)
    if spelled is None or int(spelled["end"]) - int(spelled["start"]) != 10_000:
        return clip_id
    return f"{spelled['video']}_{int(spelled['start']) // 1000:06d}"


def _key(clip_id: str) -> str:
    """What an id and its spellings in lists have in common."""
    return same_id(_MEDIA_ENDING.sub("", clip_id.strip()))


def is_joined(target: Target) -> bool:
    """Is it a negative that joins one clip's picture to a clip's sound, with the id <video>+<audio>?"""
    return target.kind == "offscreen" and "+" in target.clip_id.strip("+")


def _halves(clip_id: str, target: Target) -> list[tuple[str, str]]:
    """The clips that such an id may join (a file's name may hold a + of its own); none for any other."""
    places = [at for at, sign in enumerate(clip_id) if sign == "+"] if is_joined(target) else []
    return [(_key(clip_id[:at]), _key(clip_id[at + 1 :])) for at in places]


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
    with path.open(newline="", encoding=TEXT) as file:
        rows = [row for row in csv.reader(file) if row and row[0].strip()]
    if rows and all(map(_is_vggsound, rows)):
        return [(f"{row[0]}_{int(row[1]):06d}", (row[2],)) for row in rows if row[-1] == "train"]
    return [(_without_film(row[0].strip()), ()) for row in rows]


def _is_vggsound(row: Sequence[str]) -> bool:
    """Whether it is a row of VGGSound's own table: video, second, class, split."""
    return len(row) == 4 and row[-1] in ("train", "test") and row[1].isdecimal() and len(row[1]) < MOST_DIGITS


def _without_film(name: str) -> str:
    """Of a sound's and a film's file the id that both bear; any other name as it is."""
    both = _SOUND_AND_FILM.fullmatch(name)
    return name if both is None else both["id"]


def _read_json(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    text = path.read_text(encoding=TEXT)
    if path.suffix == ".jsonl":
        return [(_id_of(parse_json(line), path), ()) for line in text.split("\n") if line.strip()]
    entries = parse_json(text)
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
