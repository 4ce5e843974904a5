"""Let something be made while what came before is still used: a thread that runs ahead by a bounded number of items."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

T = TypeVar("T")
WAIT_SECONDS = 0.1


def ahead(items: Iterator[T], count: int) -> Generator[T]:
    """The items in order, made in another thread: at most `count` wait to be asked for, and one more is in the making.

    What fails there is raised here, in its place. When this generator is closed, so is `items`.
    """
    waiting: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(maxsize=count)
    stopped = threading.Event()

    def hand_over(entry: tuple[bool, T | BaseException | None]) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(entry, timeout=WAIT_SECONDS)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not hand_over((True, item)):
                    break
            else:
                hand_over((False, None))
        except BaseException as error:  # noqa: BLE001 - raised again where the items are used
            hand_over((False, error))
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            is_item, value = waiting.get()
            if is_item:
                yield value  # type: ignore[misc]
            elif value is None:
                return
            else:
                raise value  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
