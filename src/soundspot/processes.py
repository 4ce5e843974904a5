"""Pools of processes that end with the one that started them, however that ends, and at once when it is stopped."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

R = TypeVar("R")


class Pool:
    """Some processes that take up work; BrokenProcessPool once one of them has died."""

    def __init__(self, jobs: int) -> None:
        self._others = set(multiprocessing.active_children())
        # Started anew, not forked: a forked process would inherit locks of decoders' threads.
        self._executor = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), end_with_parent)

    def submit(self, work: Callable[..., R], *given: Any) -> Future[R]:
        """Have `work(*given)` done by the next process that is free."""
        return self._executor.submit(work, *given)

    def kill(self) -> None:
        """End them at once; what they work on is lost."""
        for child in set(multiprocessing.active_children()) - self._others:
            child.kill()

    def close(self) -> None:
        """Wait for what they work on, and let them end."""
        self._executor.shutdown(cancel_futures=True)


@contextmanager
def pool(jobs: int) -> Iterator[Pool]:
    """`jobs` processes for the work below; if that is left by an error they are killed, not waited for."""
    started = Pool(jobs)
    try:
        yield started
    except BaseException:
        started.kill()
        raise
    finally:
        started.close()


def end_with_parent() -> None:
    """Let this process end when the one that started it does; Ctrl-C, which reaches both, is for that one to answer.

    Each process of a pool holds both ends of the pipe that it gets its work from, so it would wait in it for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
