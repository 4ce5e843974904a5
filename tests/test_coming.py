"""Results come one batch behind what is computed, each with its own clips, whatever happens."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from soundspot.coming import Coming, OneBehind, Results


def test_a_batch_is_taken_when_the_next_was_asked_for_and_the_last_at_the_end() -> None:
    said: list[str] = []

    def take(ids: tuple[str, ...], results: Results) -> None:
        said.append(f"take {ids[0]} {results[0][0]:g}")

    with OneBehind(take) as results:
        for number in range(3):
            said.append(f"ask {number}")
            results.put((str(number),), [torch.tensor([float(number)])])
    assert said == ["ask 0", "ask 1", "take 0 0", "ask 2", "take 1 1", "take 2 2"]


def test_what_was_computed_before_an_error_is_kept() -> None:
    taken: list[str] = []

    def interrupted() -> None:
        with OneBehind(lambda ids, results: taken.extend(ids)) as results:
            results.put(("a",), [torch.zeros(1)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert taken == ["a"]


def test_results_are_taken_once_even_if_taking_them_fails() -> None:
    calls: list[tuple[str, ...]] = []

    def refuse(ids: tuple[str, ...], results: Results) -> None:
        calls.append(ids)
        raise ValueError("not these")

    def two_batches() -> None:
        with OneBehind(refuse) as results:
            results.put(("a",), [torch.zeros(1)])
            results.put(("b",), [torch.zeros(1)])

    with pytest.raises(ValueError, match="not these"):
        two_batches()
    assert calls == [("a",)]


def test_results_come_as_float32_arrays_without_their_graph() -> None:
    learned = torch.nn.Parameter(torch.ones(2))
    half, single = Coming([(learned * 3).bfloat16(), learned]).arrays()
    assert (half.dtype, single.dtype) == (np.float32, np.float32)
    assert half.tolist() == [3, 3]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="not run: no CUDA device")
def test_a_gpu_goes_on_while_its_results_come() -> None:
    wanted, taken = [], []
    with OneBehind(lambda ids, results: taken.append(results[0])) as results:
        for number in range(8):
            made = torch.randn(64, 1000, device="cuda") @ torch.randn(1000, 1000, device="cuda")
            results.put((str(number),), [made])
            wanted.append(made.cpu().numpy())
    assert all(np.array_equal(mine, right) for mine, right in zip(taken, wanted, strict=True))
