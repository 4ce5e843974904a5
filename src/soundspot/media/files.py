"""What every reader checks before it opens a file, and how every writer puts one in place."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soundspot.media.errors import MediaError
from soundspot.media.partial import partial

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
SOUNDS = (".wav", ".flac", ".ogg", ".m4a", ".mp3", ".aac", ".opus")
FILMS = (".mp4", ".mkv", ".webm", ".mov", ".avi")
"""Endings of the files that are looked for in folders; of two files of one name the earlier ending wins."""
PICTURE_ENDINGS = frozenset({*PICTURES, ".bmp", ".tif", ".tiff", ".gif"})
"""What is taken for a picture where one file is named."""
MOST_PIXELS = 7168 * 7168
"""Of one picture or frame: half as many again as an 8K film's, and a 50 megapixel telephone's.

A small file that claims more is made to use up memory.
"""
PICKLES = (".pkl", ".pickle")
REPLACED = ".replaced"
"""In a folder that was just moved into place: the one that was there before."""


def require_file(path: Path, what: str) -> None:
    """Raise MediaError unless `path` is a regular file with something in it: a pipe or a device may never end."""
    try:
        facts = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise MediaError(f"{path}: expected {what}, got {absence(path)}") from None
    except OSError as error:
        raise MediaError(f"{path}: expected {what}, got '{error.strerror}'; check the path and its rights") from error
    except ValueError as error:  # a null byte
        raise MediaError(f"{path}: expected {what}, got a path with '{error}'; check the path") from error
    if stat.S_ISDIR(facts.st_mode):
        raise MediaError(f"{path}: expected {what}, got a folder; give one file in it")
    if not stat.S_ISREG(facts.st_mode):
        raise MediaError(
            f"{path}: expected {what}, got {_kind(facts.st_mode)}; give a file, or `soundspot live` a stream"
        )
    if facts.st_size == 0:
        raise MediaError(f"{path}: expected {what}, got an empty file; fetch or export it again")


def _kind(mode: int) -> str:
    """What a path that is no regular file is."""
    kinds = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")


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
        if isinstance(reason, OSError) and reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return True
        reason = reason.__cause__
    return False
