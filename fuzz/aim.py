"""What a target is: valid examples, and what is done with hostile bytes in an example's place."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz.oracle import outcome
from fuzz.places import made


@dataclass(frozen=True)
class Aim:
    """One reader and the file that it gets."""

    examples: Callable[[], Sequence[bytes]]
    """Files that it reads."""
    read: Callable[[bytes], object]
    """Puts the bytes where the reader looks, calls it, and checks what it gives."""

    def __call__(self, data: bytes) -> str:
        """How it ended, "value" or "refused"; raises Finding."""
        return outcome(lambda: self.read(data))


def at(folder: str, name: str, write: Callable[[Path], object], read: Callable[[Path], object]) -> Aim:
    """The file `name` of a folder that `write` makes with a valid one in it; `read` gets the folder.

    The file is put back before each read, so that what a reader leaves beside it does no harm to the next.
    """

    def valid() -> bytes:
        return (made(f"{folder}-valid", write) / name).read_bytes()

    def spoilt(data: bytes) -> object:
        place = made(folder, write)
        (place / name).write_bytes(data)
        return read(place)

    return Aim(lambda: [valid()], spoilt)


def anew(folder: str, name: str, write: Callable[[Path], object], read: Callable[[Path], object]) -> Aim:
    """The same for readers that write into their folder: each gets a copy of its own."""

    def spoilt(data: bytes) -> object:
        valid = made(folder, write)
        place = valid.with_name(f"{valid.name}-copy")
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(valid, place)
        (place / name).write_bytes(data)
        return read(place)

    return Aim(lambda: [(made(folder, write) / name).read_bytes()], spoilt)


def of_bytes(examples: Sequence[bytes], read: Callable[[bytes], object]) -> Aim:
    """A reader that takes bytes."""
    return Aim(lambda: examples, read)
