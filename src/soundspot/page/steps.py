"""Work that tells how far it is, and that can be stopped: a thread, seen as what it reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
EVERY_SECONDS = 0.25
"""How often one looks how far it is."""


class Stopped(Exception):
    """The visitor left: nobody wants this any more."""


@dataclass
class Step:
    """How far a piece of work is."""

    name: str = ""
    done: int = 0
    total: int = 0
    started_seconds: float = 0.0

    def seconds_left(self) -> float | None:
        """At the pace so far; None where nothing can be said."""
        passed = time.monotonic() - self.started_seconds
        return passed / self.done * (self.total - self.done) if self.done and passed > 1 else None


class Steps(Generic[T]):
    """Runs `work` in a thread of its own; it is given `self` and calls `to` as it goes."""

    def __init__(self, work: Callable[[Steps[T]], T], gone: threading.Event) -> None:
        self.now = Step()
        self._work, self._gone = work, gone
        self._left = threading.Event()
        self._done: Future[T] = Future()

    def begin(self, name: str) -> Callable[[int, int], None]:
        """The next part of the work; what it returns is told how many of how many are done."""
        self.now = Step(name, started_seconds=time.monotonic())

        def to(done: int, total: int) -> None:
            if self._left.is_set() or self._gone.is_set():
                raise Stopped
            self.now.done, self.now.total = done, total

        to(0, 0)
        return to

    def watch(self) -> Iterator[Step]:
        """How far it is, now and then, until it is done; its error is raised here. Who stops watching stops it."""
        with ThreadPoolExecutor(1) as pool:
            self._done = pool.submit(self._work, self)
            try:
                while wait([self._done], EVERY_SECONDS).not_done:
                    yield self.now
            finally:
                self._left.set()
        self._done.result()

    @property
    def value(self) -> T:
        """What the work gave, once it is done."""
        return self._done.result(timeout=0)
