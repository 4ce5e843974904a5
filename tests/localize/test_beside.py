"""Batches side by side: in order, really at the same time, torch's threads given back, failures raised in place."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from soundspot.localize.beside import side_by_side


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order_though_later_ones_are_done_first() -> None:
    def work(number: int) -> int:
        time.sleep(0.02 * (number % 3 == 1))
        return number * number

    for count in (1, 2, 5):
        assert list(side_by_side(work, iter(range(11)), count)) == [number**2 for number in range(11)]
    assert list(side_by_side(work, iter(()), 2)) == []


def test_the_first_is_alone_and_others_meet_with_one_thread_each() -> None:
    meeting, threads = threading.Barrier(2, timeout=10), []

    def work(number: int) -> int:
        threads.append(torch.get_num_threads())
        if number:
            meeting.wait()  # breaks unless another one is at work
        return number

    assert list(side_by_side(work, iter(range(5)), 2)) == [0, 1, 2, 3, 4]
    assert threads == [3, 1, 1, 1, 1]
    assert torch.get_num_threads() == 3


def test_a_failure_is_raised_in_its_place_and_the_threads_are_given_back() -> None:
    def work(number: int) -> float:
        return 1 / (3 - number)

    found = side_by_side(work, iter(range(6)), 2)
    assert [next(found) for _ in range(3)] == [1 / 3, 1 / 2, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert torch.get_num_threads() == 3


def test_stopping_early_gives_the_threads_back_and_takes_few_items() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    found = side_by_side(lambda number: number, items(), 2)
    assert [next(found) for _ in range(4)] == [0, 1, 2, 3]
    found.close()  # type: ignore[attr-defined]
    assert torch.get_num_threads() == 3
    assert len(taken) < 10
