"""Checkpoints: whole or passed over, and exact."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from soundspot.train import checkpoint
from soundspot.train.checkpoint import State
from soundspot.types import UserError


def write_two(folder: Path) -> None:
    for number in (1, 2):
        checkpoint.write(folder, State({"x": torch.full((1000,), float(number))}, {"number": number}))


def test_the_newest_is_read_and_the_one_before_is_kept(tmp_path: Path) -> None:
    write_two(tmp_path)
    found = checkpoint.read_newest(tmp_path)
    assert found.state.facts == {"number": 2}
    assert found.passed_over is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [checkpoint.PREVIOUS, checkpoint.CURRENT]


def test_a_checkpoint_cut_in_half_gives_way_to_the_one_before_and_is_named(tmp_path: Path) -> None:
    write_two(tmp_path)
    current = tmp_path / checkpoint.CURRENT
    current.write_bytes(current.read_bytes()[: current.stat().st_size // 2])
    found = checkpoint.read_newest(tmp_path)
    assert found.state.facts == {"number": 1}
    assert found.path.name == checkpoint.PREVIOUS
    assert found.passed_over is not None
    assert checkpoint.CURRENT in found.passed_over


def test_every_length_of_a_cut_file_is_noticed(tmp_path: Path) -> None:
    write_two(tmp_path)
    current = tmp_path / checkpoint.CURRENT
    whole = current.read_bytes()
    for size in (0, 4, 8, 60, len(whole) - 1):
        current.write_bytes(whole[:size])
        assert checkpoint.read_newest(tmp_path).state.facts == {"number": 1}


def test_a_bit_that_has_changed_is_noticed_wherever_it_is(tmp_path: Path) -> None:
    write_two(tmp_path)
    current = tmp_path / checkpoint.CURRENT
    whole = current.read_bytes()
    for place in range(0, len(whole), 41):
        changed = bytearray(whole)
        changed[place] ^= 1
        current.write_bytes(changed)
        try:
            found = checkpoint.read_newest(tmp_path)
        except UserError as error:
            pytest.fail(f"a bit at {place}: {error}")
        assert found.state.facts == {"number": 1}, place
        assert found.passed_over is not None


def test_an_earlier_part_is_written_over_and_a_failed_one_goes(tmp_path: Path) -> None:
    (tmp_path / (checkpoint.CURRENT + ".part")).write_text("what a killed process left")
    write_two(tmp_path)
    assert checkpoint.read_newest(tmp_path).state.facts == {"number": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == [checkpoint.PREVIOUS, checkpoint.CURRENT]


def test_a_crash_between_the_two_moves_leaves_the_previous(tmp_path: Path) -> None:
    write_two(tmp_path)
    (tmp_path / checkpoint.CURRENT).unlink()
    assert checkpoint.read_newest(tmp_path).state.facts == {"number": 1}


def test_without_any_checkpoint_the_user_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a checkpoint in .*not there.*train without resume"):
        checkpoint.read_newest(tmp_path)


def test_random_generators_go_on_where_they_were(tmp_path: Path) -> None:
    def draws() -> tuple[list[float], float, float, float, float]:
        return torch.randn(3).tolist(), random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn()  # noqa: NPY002

    checkpoint.seed_everything(3)
    draws()  # both gauss functions now hold a spare number
    checkpoint.write(tmp_path, State(checkpoint.random_state(), {}))
    expected = draws()
    checkpoint.restore_random_state(checkpoint.read_newest(tmp_path).state.tensors)
    assert draws() == expected


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_an_optimizer_goes_on_as_if_never_stopped(kind: str, tmp_path: Path) -> None:
    def fresh() -> tuple[torch.nn.Linear, torch.optim.Optimizer]:
        torch.manual_seed(0)
        module = torch.nn.Linear(3, 2)
        if kind == "adam":
            return module, torch.optim.Adam(module.parameters(), lr=0.1)
        return module, torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)

    def step(module: torch.nn.Linear, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        module(torch.ones(1, 3)).square().sum().backward()
        optimizer.step()

    module, optimizer = fresh()
    step(module, optimizer)
    taken = checkpoint.optimizer_state(optimizer)
    checkpoint.write(tmp_path, State({**taken.tensors}, taken.facts))
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    step(module, optimizer)

    again, other = fresh()
    again.load_state_dict(weights)
    checkpoint.restore_optimizer(other, checkpoint.read_newest(tmp_path).state)
    step(again, other)
    assert torch.equal(again.weight, module.weight)


def test_tied_tensors_can_be_written(tmp_path: Path) -> None:
    tensor = torch.arange(4.0)
    checkpoint.write(tmp_path, State({"a": tensor, "b": tensor}, {}))
    assert checkpoint.read_newest(tmp_path).state.tensors["b"].tolist() == [0, 1, 2, 3]
