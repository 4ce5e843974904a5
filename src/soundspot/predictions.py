"""The boundary between methods and metrics: raw maps by clip id with their provenance, in one safetensors file."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from soundspot.boundary import Kind, num_bytes, read_header, refusal, write_file
from soundspot.media.partial import clear
from soundspot.misread import parse_json
from soundspot.types import Missing, UserError

Map = npt.NDArray[np.float32]
"""(h, w) raw scores on the method's own grid, or (K, h, w) of a class-aware method."""

FORMAT = "soundspot predictions 1"
_FIELDS = {"ids": dict, "missing": dict, "provenance": dict}
_KIND = Kind("a predictions file", FORMAT, "soundspot predict", _FIELDS, {"made": dict})
_PART = ".part-"
_PART_BYTES = 64 * 2**20
_PART_SECONDS = 60.0
"""Small maps of a slow method are put by too."""


@dataclass(frozen=True)
class Predictions:
    """Raw maps by clip id, the clips that have none and why, and where the maps come from.

    `provenance` names at least the method; also, where known, options, weights_sha256, versions, score_low, score_high.
    `made` are the words, places and machine of the run that made them: they may differ where the maps do not.
    """

    maps: Mapping[str, Map]
    missing: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)

    @property
    def score_range(self) -> tuple[float, float] | None:
        """The method's fixed range of raw scores, if it states one."""
        texts = self.provenance.get("score_low", ""), self.provenance.get("score_high", "")
        if "" in texts:
            return None
        try:
            low, high = map(float, texts)
        except ValueError:
            low = high = math.nan
        if not -math.inf < low < high < math.inf:
            raise UserError(
                "predictions: expected score_low < score_high in the provenance, got"
                f" {' and '.join(map(repr, texts))}; predict again"
            )
        return low, high

    @property
    def tells_classes(self) -> bool:
        """Whether its maps are (K, h, w)."""
        return any(scores.ndim == 3 for scores in self.maps.values())

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of its K maps, `classes` in the provenance as a JSON list; none where it names none."""
        text = self.provenance.get("classes", "[]")
        try:
            return tuple(map(str, parse_json(text)))
        except (json.JSONDecodeError, TypeError) as error:
            raise UserError(
                f"predictions: expected classes as a JSON list in the provenance, got {text}; predict again"
            ) from error

    def save(self, path: Path) -> None:
        """Write one file at `path`, whole or not at all."""
        with PredictionsWriter(path, self.provenance, made=self.made) as writer:
            for clip_id, scores in self.maps.items():
                writer.add([clip_id], [scores])
            writer.add_missing([Missing(clip_id, reason) for clip_id, reason in self.missing.items()])

    @staticmethod
    def load(path: Path) -> Predictions:
        """Read a file; UserError if it isn't one of ours."""
        header = _read_header(path)
        maps: dict[str, Map] = {}
        for name, ids in header.ids.items():
            # A view of the file, not a copy: gigabytes of full-size maps are read chunk by chunk as they are scored.
            stack = np.memmap(path, np.dtype("<f4"), "r", header.offsets[name], (len(ids), *header.shapes[name]))
            maps.update(zip(ids, np.asarray(stack), strict=True))
        return Predictions(maps, header.missing, header.provenance, header.made)


def unfinished(path: Path) -> list[Path]:
    """The parts that an interrupted run left beside `path`, in order."""
    return sorted(path.parent.glob(f"{_glob_safe(path.name)}{_PART}*"))


class PredictionsWriter:
    """Writes maps as they come into numbered parts beside `path`; `close` merges them and moves the file into place.

    As a context manager it closes on success; after an error the parts stay, and `resume=True` goes on from them
    (`done` names the clips they hold). UserError where a part is of another run: of another provenance, or with a clip
    that is not among `ids`, where these are given. Of `made` a run that goes on leaves its own.
    """

    def __init__(
        self,
        path: Path,
        provenance: Mapping[str, str],
        *,
        resume: bool = False,
        ids: Collection[str] | None = None,
        made: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        self.provenance = dict(provenance)
        self.made = dict(made or {})
        self._ids = ids
        self.done: set[str] = set()
        self._maps: dict[str, Map] = {}
        self._missing: dict[str, str] = {}
        self._bytes = 0
        self._since = time.monotonic()
        self._parts = unfinished(self.path)
        if self._parts and not resume:
            raise UserError(
                f"{self.path}: expected no unfinished parts, got {self._parts[0].name}; resume or delete them"
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for part in self._parts:
            self._take_up(part)

    def _take_up(self, part: Path) -> None:
        header = _read_header(part)
        if header.provenance != self.provenance:
            raise UserError(f"{part}: expected parts of this same run, got another provenance; delete the parts")
        held = set().union(*header.ids.values(), header.missing)
        strange = None if self._ids is None else next(iter(sorted(held.difference(self._ids))), None)
        if strange is not None:
            raise UserError(f"{part}: expected parts of this same run, got other clips ({strange}); delete the parts")
        self.done |= held

    def add(self, ids: Sequence[str], maps: npt.ArrayLike | Sequence[Map]) -> None:
        """Take maps (B, h, w) or (B, K, h, w), or a sequence of differing shapes, for B clips."""
        for clip_id, scores in zip(ids, maps, strict=True):  # type: ignore[arg-type]
            array = np.ascontiguousarray(scores, dtype=np.float32)
            _check_map(clip_id, array)
            self._note(clip_id)
            self._maps[clip_id] = array
            self._bytes += array.nbytes
        if self._bytes >= _PART_BYTES or time.monotonic() - self._since >= _PART_SECONDS:
            self.flush()

    def add_missing(self, missing: Sequence[Missing]) -> None:
        """Record clips without a map, with the reason."""
        for clip in missing:
            self._note(clip.clip_id)
            self._missing[clip.clip_id] = clip.reason

    def _note(self, clip_id: str) -> None:
        if clip_id in self.done:
            raise UserError(
                f"{self.path}: expected each clip once, got {clip_id} twice; remove the duplicate from the list"
            )
        self.done.add(clip_id)

    def flush(self) -> None:
        """Put what has come so far into a part that survives a crash."""
        if not self._maps and not self._missing:
            return
        part = self.path.with_name(f"{self.path.name}{_PART}{len(self._parts) + 1:06d}")
        stacks: dict[str, list[str]] = {}
        for clip_id, scores in self._maps.items():
            stacks.setdefault(_tensor_name(scores.shape), []).append(clip_id)
        shapes = {name: self._maps[ids[0]].shape for name, ids in stacks.items()}
        pieces = (self._maps[clip_id].astype("<f4").tobytes() for ids in stacks.values() for clip_id in ids)
        _write(part, _Header(stacks, shapes, {}, self._missing, self.provenance, self.made), pieces)
        self._parts.append(part)
        self._maps, self._missing, self._bytes, self._since = {}, {}, 0, time.monotonic()

    def close(self) -> None:
        """Merge the parts into the one file, move it into place, and remove the parts."""
        self.flush()
        headers = {part: _read_header(part) for part in self._parts}
        merged = _Header({}, {}, {}, {}, self.provenance, self.made)
        for header in headers.values():
            merged.missing.update(header.missing)
            merged.shapes.update(header.shapes)
            for name, ids in header.ids.items():
                merged.ids.setdefault(name, []).extend(ids)
        pieces = (_tensor_bytes(part, headers[part], name) for name in merged.ids for part in self._parts)
        _write(self.path, merged, pieces)
        for part in self._parts:
            part.unlink()
            clear(part)  # a signal may have come between the making of a partial file and what would remove it
        self._parts = []

    def __enter__(self) -> PredictionsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.flush()


@dataclass
class _Header:
    ids: dict[str, list[str]]
    shapes: dict[str, tuple[int, ...]]
    offsets: dict[str, int]
    missing: dict[str, str]
    provenance: dict[str, str]
    made: dict[str, Any]


def _check_map(clip_id: str, scores: Map) -> None:
    if scores.ndim not in (2, 3) or 0 in scores.shape:
        raise UserError(
            f"clip {clip_id}: expected a map (h, w) or (K, h, w), got {scores.shape}; check the method's output"
        )
    if not np.isfinite(scores).all():
        raise UserError(f"clip {clip_id}: expected finite scores, got NaN or infinity; check the method's output")


def _tensor_name(shape: tuple[int, ...]) -> str:
    return "maps_" + "x".join(map(str, shape))


def _glob_safe(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _tensor_bytes(path: Path, header: _Header, name: str) -> bytes:
    if name not in header.ids:
        return b""
    with path.open("rb") as file:
        file.seek(header.offsets[name])
        return file.read(_num_bytes(header, name))


def _num_bytes(header: _Header, name: str) -> int:
    return num_bytes((len(header.ids[name]), *header.shapes[name]))


def _write(path: Path, header: _Header, pieces: Iterable[bytes]) -> None:
    fields = {"ids": header.ids, "missing": header.missing, "provenance": header.provenance, "made": header.made}
    shapes = {name: (len(ids), *header.shapes[name]) for name, ids in header.ids.items()}
    write_file(path, _KIND, fields, shapes, pieces)


def _read_header(path: Path) -> _Header:
    """The header, checked: the ids are those of its tensors, each once."""
    fields, stored = read_header(path, _KIND)
    ids: dict[str, list[str]] = fields["ids"]
    fits = set(ids) == set(stored) and all(
        isinstance(ids[name], list) and len(shape) in (3, 4) and min(shape) > 0 and len(ids[name]) == shape[0]
        for name, (shape, _) in stored.items()
    )
    plain = all(isinstance(text, str) for name in ("missing", "provenance") for text in fields[name].values())
    if not (fits and plain) or len(set().union(*ids.values())) != sum(map(len, ids.values())):
        raise UserError(f"{refusal(path, _KIND)}, got a cut-off file or ids that don't fit its tensors; write it again")
    shapes = {name: each.shape[1:] for name, each in stored.items()}
    offsets = {name: each.offset for name, each in stored.items()}
    return _Header(ids, shapes, offsets, fields["missing"], fields["provenance"], fields["made"])
