"""What every reader checks before it opens a file, and how every writer puts one in place."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soundspot.media.errors import MediaError
from soundspot.media.partial import partial

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
SOUNDS = (".wav", ".flac", ".ogg", ".m4a", ".mp3", ".aac", ".opus")
FILMS = (".mp4", ".mkv", ".webm", ".mov", ".avi")
"""Endings of the files that are looked for in folders; of two files of one name the earlier ending wins."""
PICKLES = (".pkl", ".pickle")
REPLACED = ".replaced"
"""In a folder that was just moved into place: the one that was there before."""


def require_file(path: Path, what: str) -> None:
    """Raise MediaError unless `path` is a file with something in it."""
    try:
        if path.is_dir():
            raise MediaError(f"{path}: expected {what}, got a folder; give one file in it")
        if not path.exists():
            raise MediaError(f"{path}: expected {what}, got {absence(path)}")
        if path.is_file() and path.stat().st_size == 0:
            raise MediaError(f"{path}: expected {what}, got an empty file; fetch or export it again")
    except OSError as error:
        raise MediaError(f"{path}: expected {what}, got '{error.strerror}'; check the path and its rights") from error


def absence(path: Path) -> str:
    """Why there is nothing at `path`, and what to do: some data sets ship a pickle in its place."""
    pickled = next((other for ending in PICKLES if (other := path.with_suffix(ending)).is_file()), None)
    if pickled is None:
        return "no such file; check the path"
    return (
        f"only {pickled.name} there, a pickle, which is never loaded as it may run code; write {path.name} beside it,"
        " from the source recording"
    )


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A partial file beside `path`: moved into place at the end, removed if anything goes wrong.

    So nobody ever sees half a file under the final name, and an older one survives a failed run. A folder that isn't
    there is made. What a killed process left is taken over by the next that writes the same file.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial(path, folder=False) as aside:
            yield aside
            aside.replace(path)


@contextmanager
def folder_aside(path: Path, mark: str) -> Iterator[Path]:
    """The same for a folder: it replaces an empty one, or an older one that holds the file `mark`, and no other."""
    if path.exists() and not (path / mark).is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise MediaError(f"{path}: expected a new folder, got one with something else in it; choose another name")
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial(path, folder=True) as aside:
            yield aside
            if path.exists():  # moved as a whole, then removed: what is left of a half of it could not be told
                path.replace(aside / REPLACED)
            aside.replace(path)
    shutil.rmtree(path / REPLACED, ignore_errors=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An error of the system that names no file names this one: a full disk does not say where it is."""
    try:
        yield
    except OSError as error:
        if type(error) is not OSError or error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or one that it came from, says that there is no room left to write."""
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, OSError) and reason.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        reason = reason.__cause__
    return False
