"""What a method makes of a film before anything is judged: look after look, on disk as they come.

So memory does not grow with the film, a stopped run goes on where it was, and what is judged later (smoothing, tracks,
verdicts) needs no method.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from soundspot.media.files import naming
from soundspot.misread import parse_json

FORMAT = "soundspot looks 1"
Floats = npt.NDArray[np.float32]
_NOTHING: Floats = np.zeros((0, 0), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Look:
    """What a method says at one time step."""

    time_seconds: float
    maps: Floats
    """(h, w) raw scores, or (K, h, w) of a method that tells classes apart."""
    level_dbfs: float
    """Root mean square of the middle second of what was heard; minus infinity for digital silence."""
    change: float = 0.0
    """How much of the picture's colours is new since the look before, 0..1."""
    peaks: tuple[float, ...] = ()
    """The largest sample in each part of the step about the look, 0..1: for drawing a wave."""
    tags: tuple[tuple[str, float], ...] = ()
    """What was heard, most likely first, with probabilities."""
    balance: float | None = None
    """Where the sound's power lies: -1 all left, 1 all right; None for mono."""
    heard: tuple[float, ...] = ()
    """(K,) probability of each class, of a method that tells classes apart."""
    seen: Floats = field(default_factory=lambda: _NOTHING)
    """(K, h, w) where each class is in view, in 0..1."""


class Looks(Sequence[Look]):
    """The looks at one film, in order: a line of values each in memory, the maps in a file.

    `key` says what makes them (film, weights, rate, ...): a folder that holds looks of the same key is gone on with, of
    another it is begun anew. Without a folder they lie in a temporary one, which goes when they do.
    """

    def __init__(self, folder: Path | None, key: Mapping[str, Any]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="soundspot-")) if folder is None else folder
        if folder is None:
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lines_path, self._maps_path = self.folder / "looks.jsonl", self.folder / "looks.f32"
        self._rows: list[Look] = []
        self._places: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
        self._flushed = True
        self._head = json.dumps({"format": FORMAT, **key}, sort_keys=True)
        self._take_up()
        self._lines = self._lines_path.open("ab")
        self._maps = self._maps_path.open("ab")
        self._file = os.open(self._maps_path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def _take_up(self) -> None:
        """Keep the whole lines whose maps are whole, if they are of this key; cut off the rest."""
        try:
            head, *lines = self._lines_path.read_bytes().split(b"\n")[:-1]
        except (FileNotFoundError, ValueError):
            head, lines = b"", []
        kept, size = 0, 0
        if head.decode(errors="replace") == self._head:
            kept, there = len(head) + 1, self._maps_path.stat().st_size if self._maps_path.exists() else 0
            for line in lines:
                row = _parsed(line)
                if row is None or size + row.num_bytes > there:
                    break
                self._note(row, size)
                size += row.num_bytes
                kept += len(line) + 1
        for path, length in ((self._lines_path, kept), (self._maps_path, size)):
            with path.open("ab") as file:
                file.truncate(length)
        if not kept:
            self._lines_path.write_text(self._head + "\n")

    def _note(self, row: _Row, offset: int) -> None:
        self._rows.append(row.look)
        self._places.append((offset, *row.shapes))

    def add(self, look: Look) -> None:
        """Append one; `flush` makes it last. What is kept of it is what a later run will read."""
        look = replace(look, change=round(look.change, 4), peaks=tuple(round(peak, 4) for peak in look.peaks))
        maps, seen = (np.ascontiguousarray(each, dtype="<f4") for each in (look.maps, look.seen))
        row = {
            "time_seconds": look.time_seconds,
            "level_dbfs": look.level_dbfs if math.isfinite(look.level_dbfs) else None,
            "change": look.change,
            "peaks": look.peaks,
            "tags": look.tags,
            "balance": look.balance,
            "heard": look.heard,
            "shapes": [maps.shape, seen.shape],
        }
        offset = self._maps.tell()
        with naming(self.folder):
            self._maps.write(maps.tobytes() + seen.tobytes())
            self._lines.write(json.dumps(row).encode() + b"\n")
        self._note(_Row(replace(look, maps=_NOTHING, seen=_NOTHING), (maps.shape, seen.shape)), offset)
        self._flushed = False

    def flush(self) -> None:
        """Hand everything to the system: maps first, so that no line stands without its maps."""
        with naming(self.folder):
            self._maps.flush()
            self._lines.flush()
        self._flushed = True

    @property
    def rows(self) -> Sequence[Look]:
        """The looks without their maps, from memory."""
        return self._rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Look: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Look, ...]: ...
    def __getitem__(self, index: int | slice) -> Look | tuple[Look, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        row = self._rows[index]
        if not self._flushed:
            self.flush()
        offset, maps_shape, seen_shape = self._places[index]
        count = math.prod(maps_shape)
        values = np.frombuffer(os.pread(self._file, 4 * (count + math.prod(seen_shape)), offset), "<f4")
        return replace(row, maps=values[:count].reshape(maps_shape), seen=values[count:].reshape(seen_shape))


class _Row(NamedTuple):
    """A line: a look without its maps, and the shapes of its `maps` and `seen`."""

    look: Look
    shapes: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def num_bytes(self) -> int:
        return 4 * sum(math.prod(shape) for shape in self.shapes)


def _parsed(line: bytes) -> _Row | None:
    """None for a line that `add` did not write."""
    try:
        row = parse_json(line)
        maps, seen = (tuple(int(size) for size in shape) for shape in row.pop("shapes"))
        level = -math.inf if row["level_dbfs"] is None else float(row["level_dbfs"])
        balance = None if row["balance"] is None else float(row["balance"])
        moment, change = float(row["time_seconds"]), float(row["change"])
        tags = tuple((str(name), float(value)) for name, value in row["tags"])
        heard, peaks = (tuple(float(value) for value in row[name]) for name in ("heard", "peaks"))
        look = Look(moment, _NOTHING, level, change, tags=tags, balance=balance, heard=heard, peaks=peaks)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None
    fine = math.isfinite(moment) and len(maps) in (2, 3) and min((*maps, *seen), default=0) >= 0
    return _Row(look, (maps, seen)) if fine else None
