"""Read Qt resource files (.rcc), in which GCompris ships its photos and sounds."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from soundspot.types import UserError

ZLIB, FOLDER, ZSTD = 1, 2, 4
MOST_FILES = 100_000
MOST_BYTES = 256_000_000
"""Of one file, unpacked; GCompris's are below a megabyte."""


def read_rcc(path: Path, endings: tuple[str, ...] = ("",)) -> dict[str, bytes]:
    """Name -> unpacked contents of the files whose names end in one of `endings`; UserError if it is no .rcc file."""
    raw = path.read_bytes()
    if raw[:4] != b"qres" or len(raw) < 20:
        raise UserError(f"{path}: expected a Qt resource file, got one that begins with {raw[:4]!r}; give another")
    version, tree, data, names = struct.unpack_from(">4I", raw, 4)
    try:
        found = dict(_walk(raw, tree, 14 if version < 2 else 22, names, set()))
        return {name: _contents(raw, data + at, flags) for name, (flags, at) in found.items() if name.endswith(endings)}
    except UserError:
        raise
    except (struct.error, RecursionError, ValueError, zlib.error) as error:
        raise UserError(
            f"{path}: expected a whole Qt resource file, got a broken one ({error}); fetch it again"
        ) from error


def _walk(
    raw: bytes, tree: int, entry: int, names: int, seen: set[int], number: int = 0, above: str = ""
) -> Iterator[tuple[str, tuple[int, int]]]:
    """Full name, flags and data offset of every file below tree node `number`; the root's name is empty."""
    if number in seen or len(seen) > MOST_FILES:
        raise ValueError("a folder that lies in itself")
    seen.add(number)
    at = tree + number * entry
    name_at, flags = struct.unpack_from(">IH", raw, at)
    name = _name(raw, names + name_at) if number else ""
    if flags & FOLDER:
        count, first = struct.unpack_from(">II", raw, at + 6)
        for child in range(first, first + count):
            yield from _walk(raw, tree, entry, names, seen, child, f"{above}{name}/" if number else "")
    else:
        (data_at,) = struct.unpack_from(">I", raw, at + 10)  # behind two bytes each of country and language
        yield above + name, (flags, data_at)


def _name(raw: bytes, at: int) -> str:
    """A name: its length in UTF-16 units, a hash, and the text."""
    (length,) = struct.unpack_from(">H", raw, at)
    return raw[at + 6 : at + 6 + 2 * length].decode("utf-16-be")


def _contents(raw: bytes, at: int, flags: int) -> bytes:
    """A file's bytes, unpacked; zlib's are led by the unpacked size."""
    (length,) = struct.unpack_from(">I", raw, at)
    packed = raw[at + 4 : at + 4 + length]
    if flags & ZLIB:
        return _unpack_zlib(packed)
    return _unpack_zstd(packed) if flags & ZSTD else packed


def _unpack_zlib(packed: bytes) -> bytes:
    """As much as it claims, and never more than MOST_BYTES."""
    size = int.from_bytes(packed[:4], "big")
    if size > MOST_BYTES:
        raise _too_large()
    unpacked = zlib.decompressobj().decompress(packed[4:], size + 1)
    if len(unpacked) != size:
        raise zlib.error(f"expected {size} bytes unpacked, got {len(unpacked)}")
    return unpacked


def _too_large() -> UserError:
    return UserError(f"Qt resource file: expected files of up to {MOST_BYTES} bytes, got more; fetch it again")


def _unpack_zstd(packed: bytes) -> bytes:
    """By the program zstd: Python has it built in only from 3.14 on."""
    program = shutil.which("zstd")
    if program is None:
        raise UserError(
            "Qt resource file: expected the program zstd to unpack it, got none; install it (apt install zstd)"
        )
    with tempfile.TemporaryFile() as given:
        given.write(packed)
        given.seek(0)
        words = [program, "-d", "-c", "-q"]
        with subprocess.Popen(words, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:  # nosec B603 # no words but ours
            assert run.stdout is not None
            assert run.stderr is not None
            unpacked = run.stdout.read(MOST_BYTES + 1)
            if len(unpacked) > MOST_BYTES:
                run.kill()
                raise _too_large()
            told = run.stderr.read().decode(errors="replace").strip()
    if run.returncode != 0:
        raise UserError(f"Qt resource file: expected zstd data, got: {told}; fetch it again")
    return unpacked
