"""Memory that training frees and asks for again at every step: kept by the process instead of handed to the system."""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Numbers of mallopt(3)'s parameters in glibc's malloc.h."""
_MOST = 2**31 - 1


def prefer_huge_pages() -> None:
    """Ask torch for pages of 2 MiB in place of 4 KiB; it listens before it has made its first tensor only.

    A choice in the environment stays. For the command line: a library does not change its process at import.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def keep_freed_memory() -> bool:
    """Let large blocks come from one heap that never shrinks; whether the C library can do that.

    On a CPU a training step frees and asks for gigabytes of activations. Each block of its own would be returned to the
    system and come back as pages that must be cleared one by one: half of a step's time where pages are slow
    (`benchmarks/allocation.py`). The process holds more memory for it, about half as much again.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _MOST))
