"""Work over many files in several processes, of which one that is brought down takes only its own file with it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from soundspot.processes import Pool
from soundspot.processes import pool as started
from soundspot.types import UserError

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[str, T], R]
"""(name, item) -> what comes of it; a function of a module, for processes to import."""
QUIET_SECONDS = 900.0
"""Without any item done: what takes that long is taken for hanging, and its process is ended."""


def each(items: Mapping[str, T], work: Work[T, R], crashed: Work[T, R], jobs: int | None) -> Iterator[tuple[str, R]]:
    """(name, what `work` gave) of every item, as they are done, by `jobs` processes; by this one if 1.

    None: as many as there are cores.
    An item that ends its process (decoders do crash), or over which it hangs, gives what `crashed` says, and no other
    does. Not many more items are under way than there are processes, so what comes out of order is little.
    """
    jobs = jobs or os.cpu_count() or 1
    if jobs == 1:
        yield from ((name, work(name, item)) for name, item in items.items())
        return
    rest = deque(items.items())
    while rest:
        suspects: list[tuple[str, T]] = []
        with started(jobs) as pool:
            running: dict[Future[R], tuple[str, T]] = {}
            while _fill(pool, running, rest, work, 2 * jobs):
                for future in _ended(pool, running):
                    item = running.pop(future)
                    try:
                        yield item[0], future.result()
                    except BrokenProcessPool:
                        suspects.append(item)
                if suspects:
                    suspects += running.values()
                    break
        yield from _one_by_one(suspects, work, crashed)


def _fill(
    pool: Pool,
    running: dict[Future[R], tuple[str, T]],
    rest: deque[tuple[str, T]],
    work: Work[T, R],
    most: int,
) -> bool:
    """Hand out items until `most` are under way; whether any is."""
    while rest and len(running) < most:
        try:
            running[pool.submit(work, *rest[0])] = rest[0]
        except BrokenProcessPool:  # what was under way is told so too
            break
        rest.popleft()
    return bool(running)


def _one_by_one(suspects: Sequence[tuple[str, T]], work: Work[T, R], crashed: Work[T, R]) -> Iterator[tuple[str, R]]:
    """Each in a process of its own: which of those that ran together ended theirs."""
    for name, item in suspects:
        with started(1) as pool:
            _require_start(pool)
            (future,) = _ended(pool, [pool.submit(work, name, item)])
            try:
                yield name, future.result()
            except BrokenProcessPool:
                yield name, crashed(name, item)


def _ended(pool: Pool, running: Collection[Future[R]]) -> set[Future[R]]:
    """Those that are done first; if none is for too long, all of them, as broken."""
    done = wait(running, timeout=QUIET_SECONDS, return_when=FIRST_COMPLETED).done
    if done:
        return done
    pool.kill()
    return wait(running).done


def _require_start(pool: Pool) -> None:
    """A process that cannot even begin must not be taken for a file that brings it down."""
    try:
        pool.submit(_begin).result()
    except BrokenProcessPool:
        raise UserError(
            "expected to be able to start processes, got one that ended at once; in a script call this below"
            " `if __name__ == '__main__':`, or use jobs=1"
        ) from None


def _begin() -> None:
    """Nothing: all that counts is that it runs."""
