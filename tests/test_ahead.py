"""Making items ahead: in order, bounded, with errors in their place, and nothing left running."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from soundspot.ahead import ahead


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "ahead"]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_all_items_come_in_order(count: int) -> None:
    assert list(ahead(iter(range(50)), count)) == list(range(50))
    assert list(ahead(iter(()), count)) == []
    assert list(ahead(iter([None, False, None]), count)) == [None, False, None]
    assert running() == []


def test_no_more_is_made_than_may_wait() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = ahead(source(), 3)
    assert next(items) == 0
    time.sleep(0.5)
    assert len(made) == 1 + 3 + 1, "one was taken, three wait, one is in hand"
    items.close()  # type: ignore[attr-defined]
    assert running() == []


def test_it_is_made_while_the_one_before_is_used() -> None:
    def source() -> Iterator[int]:
        for number in range(4):
            time.sleep(0.1)
            yield number

    begin = time.perf_counter()
    for _ in ahead(source(), 2):
        time.sleep(0.1)
    assert time.perf_counter() - begin < 0.7, "eight tenths one after the other"


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_arrives_after_what_came_before_it(kind: type[BaseException]) -> None:
    def source() -> Iterator[int]:
        yield from range(3)
        raise kind("broken")

    items = ahead(source(), 2)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(kind, match="broken"):
        next(items)
    assert running() == []


@pytest.mark.parametrize("taken", [1, 4])
def test_whoever_stops_early_closes_the_source(taken: int) -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.set()

    items = ahead(source(), 2)
    for _ in range(taken):
        next(items)
    items.close()  # type: ignore[attr-defined]
    assert closed.is_set()
    assert running() == []


def test_an_error_of_the_user_of_items_ends_the_thread() -> None:
    def use() -> None:
        for item in ahead(iter(range(1000)), 2):
            if item == 3:
                raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        use()
    assert running() == []
