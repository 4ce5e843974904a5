"""Python's garbage collector at rest while very many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Of a hundred thousand clips nothing is garbage, yet the collector would walk through all of them again and again.

    So time would grow faster than their number. A decorator as well.
    """
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()
