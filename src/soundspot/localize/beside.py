"""Batches worked on side by side, each by one thread, in place of all threads on one batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(work: Callable[[T], R], items: Iterator[T], count: int) -> Iterator[R]:
    """What `work` makes of the items, in order, so many at a time; the first alone, as it may load what all need.

    Meanwhile each has one of torch's threads: threads that wait for each other at every layer are slower than as many
    batches side by side, and far slower where other programs take a core from one of them.
    """
    first = next(items, None)
    if first is None:
        return
    yield work(first)
    if count < 2:
        yield from map(work, items)
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    waiting: deque[Future[R]] = deque()
    try:
        with ThreadPoolExecutor(count, "side by side") as pool:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        torch.set_num_threads(threads)
