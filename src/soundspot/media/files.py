"""What every reader checks before it opens a file, and how every writer puts one in place."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soundspot.media.errors import MediaError

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
    there is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: encoders choose the format by it.
    partial = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def folder_aside(path: Path, mark: str) -> Iterator[Path]:
    """The same for a folder: it replaces an empty one, or an older one that holds the file `mark`, and no other."""
    if path.exists() and not (path / mark).is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise MediaError(f"{path}: expected a new folder, got one with something else in it; choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    partial.mkdir()
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
