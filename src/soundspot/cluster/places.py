"""Folders and files at addresses that fsspec knows: a disk's path, s3://, gs://, https:// and so on."""

from __future__ import annotations

import errno
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from soundspot.types import UserError

R = TypeVar("R")
AT_ONCE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"})
"""Stores in which a file is there once all of it has come; elsewhere it is written aside and moved."""
TRIES = 3
PAUSE_SECONDS = 1.0
"""Before the second try; four times as long before each further one."""
OF_THE_FILE = frozenset(
    {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
)
"""What an operating system says of a file that is at fault itself: trying again is of no use."""


class StoreError(RuntimeError):
    """A disk or a store did not do what it should; nobody's input is at fault, and later it may go well."""


def fsspec_module() -> Any:
    """fsspec. UserError where it is not installed."""
    try:
        import fsspec
    except ImportError as error:
        raise UserError("expected fsspec for addresses, got none; pip install 'soundspot[cluster]'") from error
    return fsspec


def is_address(text: str) -> bool:
    """Whether it names a protocol.

    >>> is_address("s3://films/a.mp4"), is_address("/films/a.mp4")
    (True, False)
    """
    return "://" in text


def at_fault(error: OSError) -> bool:
    """Whether the file itself is, not the disk or the store it lies in."""
    named = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
    return isinstance(error, named) or error.errno in OF_THE_FILE


class Place:
    """A folder at an address."""

    def __init__(self, address: str) -> None:
        fsspec = fsspec_module()
        try:
            self.fs, self.root = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise UserError(
                f"{address}: expected an address that fsspec can open, got '{error}'; install what it names, or check"
                " the address"
            ) from error
        protocol = self.fs.protocol
        self.protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        self.is_local = "file" in self.protocols

    def path(self, name: str) -> str:
        """Of a file in it, as its file system calls it."""
        return f"{self.root.rstrip('/')}/{name}"

    def read(self, name: str) -> bytes | None:
        """What a file in it holds; None where there is none."""

        def get() -> bytes | None:
            try:
                found: bytes = self.fs.cat_file(self.path(name))
            except FileNotFoundError:
                return None
            return found

        return patiently(get, f"read {self.path(name)}")

    def put(self, name: str, source: Path) -> None:
        """Copy a file into it: whole, or not at all."""
        target = self.path(name)
        aside = target if AT_ONCE & self.protocols else self.path(f".{name}.partial-{uuid.uuid4().hex}")

        def put() -> None:
            self.fs.makedirs(self.root, exist_ok=True)
            self.fs.put_file(str(source), aside)
            if aside != target:
                self.fs.mv(aside, target)

        patiently(put, f"write {target}")

    def address(self, name: str) -> str:
        """Of what its file system calls so: a plain path where it is a disk."""
        return name if self.is_local else str(self.fs.unstrip_protocol(name))

    def files(self, below: str | None = None) -> Iterator[str]:
        """The files in it and in folders in it, as its file system calls them, by the parts of their paths.

        One folder's names at a time are held.
        """
        found = [entry for entry in self._listed(below or self.root) if not _hidden(entry["name"])]
        for entry in sorted(found, key=lambda entry: _last(entry["name"])):
            if entry["type"] == "directory":
                if not entry.get("islink"):
                    yield from self.files(entry["name"])
            else:
                yield entry["name"]

    def _listed(self, folder: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = patiently(lambda: self.fs.ls(folder, detail=True), f"list {folder}")
        return [entry for entry in found if entry["name"].rstrip("/") != folder.rstrip("/")]


def fetch(address: str, folder: Path) -> Path:
    """A copy of the file at an address. Raises FileNotFoundError and the like, or StoreError."""
    place = Place(address)
    path = folder / (_last(address.split("?")[0]) or "film")
    patiently(lambda: place.fs.get_file(place.root, str(path)), f"read {address}")
    return path


def patiently(act: Callable[[], R], what: str) -> R:
    """What `act` gives, tried anew where the file is not at fault. Raises StoreError at the end."""
    for number in range(TRIES):
        try:
            return act()
        except _troubles() as error:
            if isinstance(error, OSError) and at_fault(error):
                raise
            if number + 1 == TRIES:
                raise StoreError(f"could not {what}: {' '.join(str(error).split()) or type(error).__name__}") from error
            time.sleep(PAUSE_SECONDS * 4**number)
    raise AssertionError("unreachable")


def _troubles() -> tuple[type[Exception], ...]:
    """What stores raise; that of HTTP is no OSError."""
    http = sys.modules.get("aiohttp")
    return (OSError,) if http is None else (OSError, http.ClientError)


def _last(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1]


def _hidden(name: str) -> bool:
    return _last(name).startswith(".")
