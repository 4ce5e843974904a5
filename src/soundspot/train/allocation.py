"""Memory that training frees and asks for again at every step: kept by the process instead of handed to the system."""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Numbers of mallopt(3)'s parameters in glibc's malloc.h."""
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Take large blocks from one heap that never shrinks, in pages of 2 MiB; whether the C library can do the first.

    On a CPU a training step frees and asks for gigabytes of activations. Each block would go to the system and come
    again as pages of 4 KiB that must be cleared one by one: up to half of a step's time (`benchmarks/allocation.py`).
    The process holds about half as much memory again for it.

    Both hold for the whole process and until its end, so that programs call this and the library does not. Torch hears
    of the pages only before it makes its first tensor; a choice in the environment stays.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    return mallopt is not None and bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _MOST))
