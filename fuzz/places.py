"""Folders for one process: trees of valid files, one of which a target overwrites with hostile bytes."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

MEMORY = Path("/dev/shm")


@cache
def scratch() -> Path:
    """A folder of this process, in memory where the system has such a place; gone when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="soundspot-fuzz-", dir=MEMORY if MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def made(name: str, write: Callable[[Path], object]) -> Path:
    """The folder `name`, written once."""
    folder = scratch() / name
    folder.mkdir()
    write(folder)
    return folder
