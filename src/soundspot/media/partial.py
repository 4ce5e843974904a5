"""Where a file or folder is written before it is moved into place, and whose leftovers are told apart by locks."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path


class _NoLocks(Exception):
    """This file system knows no locks."""


@contextmanager
def partial(path: Path, *, folder: bool) -> Iterator[Path]:
    """An empty partial file or folder beside `path` that nobody else writes; it goes if anything goes wrong.

    Its name is the first of `.NAME.partial-0`, `-1`, ... on which no living process holds the system's lock. A lock
    goes with its process, however that ends: what lies there without one is a leftover, and is taken over or removed.
    """
    number, lock = _free(path, folder)
    place = _named(path, number, folder)
    try:
        yield place
    except BaseException:
        _remove(place)
        raise
    finally:
        if lock is not None:
            os.close(lock)


def clear(path: Path) -> None:
    """Remove partial files of `path` on which no living process holds a lock: what stopped writers of it have left."""
    for place in path.parent.glob(f".{glob.escape(path.stem)}.partial-*{glob.escape(path.suffix)}"):
        with suppress(_NoLocks):
            lock = _hold(place, folder=False)
            if lock is not None:
                _remove(place)
                os.close(lock)


def _free(path: Path, folder: bool) -> tuple[int, int | None]:
    """The number of a partial that is ours from now on, and the descriptor that holds its lock."""
    try:
        for number in count():
            lock = _hold(_named(path, number, folder), folder)
            if lock is not None:
                break
        for further in count(number + 1):
            place = _named(path, further, folder)
            if not place.exists():
                break
            other = _hold(place, folder)
            if other is not None:
                _remove(place)
                os.close(other)
    except _NoLocks:
        _make(_named(path, os.getpid(), folder), folder)
        return os.getpid(), None
    return number, lock


def _named(path: Path, number: int, folder: bool) -> Path:
    # The suffix stays last: encoders choose the format by it.
    return path.with_name(f".{path.name}.partial-{number}" if folder else f".{path.stem}.partial-{number}{path.suffix}")


def _hold(place: Path, folder: bool) -> int | None:
    """A descriptor that holds the lock of `place`, which is empty then; None where a living process holds it."""
    while True:
        _make(place, folder)
        try:
            descriptor = os.open(place, os.O_RDONLY if folder else os.O_RDWR)
        except FileNotFoundError:  # removed, or moved into place, meanwhile
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            _remove(place)
            raise _NoLocks from error
        if _is_still(place, descriptor):
            _empty(place, descriptor, folder)
            return descriptor
        os.close(descriptor)


def _is_still(place: Path, descriptor: int) -> bool:
    """Whether the name stands for what was opened: its last holder may have moved it."""
    try:
        return os.path.samestat(place.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _make(place: Path, folder: bool) -> None:
    if folder:
        place.mkdir(exist_ok=True)
    else:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT, 0o666))


def _empty(place: Path, descriptor: int, folder: bool) -> None:
    if not folder:
        os.ftruncate(descriptor, 0)
        return
    for inside in place.iterdir():
        _remove(inside)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
        return
    with suppress(FileNotFoundError):
        place.unlink()
