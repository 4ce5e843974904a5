"""What the files between methods and metrics share: safetensors with a numbered format, written whole, checked whole.

Written and read by hand: the library would want every tensor in memory at once, and metrics need no torch.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import Any, NamedTuple

from soundspot.media.files import written_aside
from soundspot.misread import parse_json, why
from soundspot.types import UserError


@dataclass(frozen=True)
class Kind:
    """A kind of such file."""

    what: str
    """What a user calls it: "a predictions file"."""
    format: str
    """What its header says, with a number."""
    verb: str
    """The verb that writes it."""
    fields: Mapping[str, type]
    """What else its header holds, as JSON: list or dict."""
    optional: Mapping[str, type] = field(default_factory=dict)
    """What it may hold beside; files that lack it are read as with an empty one."""


class Stored(NamedTuple):
    """Where a float32 tensor lies in a file."""

    shape: tuple[int, ...]
    offset: int
    """Bytes from the file's start."""

    @property
    def num_bytes(self) -> int:
        """As long as it is."""
        return num_bytes(self.shape)


def num_bytes(shape: tuple[int, ...]) -> int:
    """Of a float32 tensor."""
    return 4 * math.prod(shape)


def write_file(
    path: Path,
    kind: Kind,
    fields: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
    pieces: Iterable[bytes],
) -> None:
    """A file at `path`, whole or not at all: the header, then `pieces`, all tensors' little-endian float32 in order."""
    assert set(fields) == {*kind.fields, *kind.optional}
    metadata = {"format": kind.format, **{name: json.dumps(value) for name, value in fields.items()}}
    entries: dict[str, object] = {"__metadata__": metadata}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + num_bytes(shape)
        entries[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    with written_aside(path) as aside, aside.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def refusal(path: Path, kind: Kind) -> str:
    """How every complaint about a file begins."""
    return f"{path}: expected {kind.what} (.safetensors, {kind.format!r})"


def read_header(path: Path, kind: Kind) -> tuple[dict[str, Any], dict[str, Stored]]:
    """The header's fields, and where its tensors lie.

    Checked against the file's size, so that a truncated file is an error and not a crash later. UserError for no file,
    another kind of file, and a cut-off one.
    """
    refused = refusal(path, kind)
    if not Path(path).is_file():
        raise UserError(f"{refused}, got no such file; write one with `{kind.verb}`")
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        length = struct.unpack("<Q", file.read(8).ljust(8, b"\xff"))[0]
        if length > size - 8:
            raise UserError(f"{refused}, got another or a cut-off file; write it again")
        text = file.read(length)
    try:
        entries = parse_json(text)
        metadata = entries.pop("__metadata__")
        if metadata["format"] != kind.format:
            raise UserError(f"{refused}, got format {metadata['format']!r}; write it again with this version")
        fields = {name: parse_json(metadata[name]) for name in kind.fields}
        fields |= {name: parse_json(metadata[name]) if name in metadata else of() for name, of in kind.optional.items()}
        stored = {
            name: Stored(tuple(map(index, entry["shape"])), 8 + length + index(entry["data_offsets"][0]))
            for name, entry in entries.items()
        }
        floats = all(entry["dtype"] == "F32" for entry in entries.values())
    except (json.JSONDecodeError, AttributeError, LookupError, TypeError) as error:
        raise UserError(
            f"{refused}, got one without its metadata ({why(error)}); write it with `{kind.verb}`"
        ) from error
    wrong = [name for name, of in {**kind.fields, **kind.optional}.items() if not isinstance(fields[name], of)]
    wrong += [name for name in kind.fields if name not in wrong and not _holds_texts(fields[name])]
    if wrong:
        raise UserError(f"{refused}, got one whose {wrong[0]} are of another form; write it with `{kind.verb}`")
    if not floats or not _lie_apart(stored.values(), 8 + length, size):
        raise UserError(f"{refused}, got a cut-off file or tensors of another kind; write it again")
    return fields, stored


def _holds_texts(value: list[Any] | dict[str, Any]) -> bool:
    """Whether all in it are texts, lists of texts, or nothing."""
    each = value.values() if isinstance(value, dict) else value
    return all(
        one is None or isinstance(one, str) or (isinstance(one, list) and all(isinstance(text, str) for text in one))
        for one in each
    )


def _lie_apart(stored: Iterable[Stored], begin: int, end: int) -> bool:
    """Whether tensors have whole shapes and lie between two bytes of their file, none over another."""
    for each in sorted(stored, key=lambda one: one.offset):
        if min(each.shape, default=0) < 0 or each.offset < begin:
            return False
        begin = each.offset + each.num_bytes
    return begin <= end
