"""A method may see all training clips before an epoch, and finds again what it remembered of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_methods import Tiny
from torch import Tensor

from soundspot.train import checkpoint
from soundspot.train.loop import train
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.types import Batch

RECIPE = Recipe(
    "surveying",
    "test_survey:Surveying",
    data=DataSpec("flickr"),
    epochs=3,
    batch_size=4,
    learning_rate=1e-2,
    num_workers=0,
    log_steps=1,
)
"""6 steps an epoch on the 26 clips of `pairs_root`."""
ALL = tuple(f"clip{number:03d}" for number in range(26))
SEEN: list[tuple[str, ...]] = []


class Surveying(Tiny):
    """Before every epoch but the first it ranks all clips by brightness; its loss pulls by that rank."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__(dropout=dropout)
        self.ranks = torch.zeros(0)
        self.ids: tuple[str, ...] = ()

    def surveys(self, epoch: int) -> bool:
        return epoch > 0

    def survey(self, batches: Iterable[Batch]) -> None:
        assert not self.training
        assert not torch.is_grad_enabled()
        torch.manual_seed(5)  # must leave no trace in the run
        brightness: dict[str, float] = {}
        for batch in batches:
            brightness.update(zip(batch.clip_ids, batch.image.mean(dim=(1, 2, 3)).tolist(), strict=True))
        SEEN.append(tuple(brightness))
        self.ids = tuple(brightness)
        self.ranks = torch.tensor(list(brightness.values())).argsort().argsort().float()

    def memory(self) -> dict[str, Tensor]:
        return {"ranks": self.ranks}

    def recall(self, memory: Mapping[str, Tensor]) -> None:
        self.ranks, self.ids = memory["ranks"], ALL

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        terms = super().loss(batch)
        if not len(self.ranks):
            return terms
        own = torch.stack([self.ranks[self.ids.index(name)] for name in batch.clip_ids])
        return {**terms, "rank": 0.01 * (own * self.image(batch.image).mean(dim=(1, 2, 3))).mean()}


@pytest.mark.parametrize("cache", ["off", "memory"])
def test_every_clip_is_seen_in_order_before_the_epochs_that_ask(cache: str, pairs_root: Path, tmp_path: Path) -> None:
    SEEN.clear()
    result = train(replace(RECIPE, cache=cache), root=pairs_root, out=tmp_path, progress=False)
    assert SEEN == [ALL, ALL]
    assert "loss_rank" in result.summary["last_losses"]


@pytest.mark.parametrize("stop", [5, 6, 9, 12])
def test_what_was_remembered_survives_a_stop_anywhere(stop: int, pairs_root: Path, tmp_path: Path) -> None:
    whole = train(RECIPE, root=pairs_root, out=tmp_path / "whole", progress=False)
    train(RECIPE, root=pairs_root, out=tmp_path / "parts", progress=False, max_steps=stop)
    parts = train(RECIPE, root=pairs_root, out=tmp_path / "parts", progress=False, resume=True)
    left, right = (checkpoint.read_newest(result.out).state.tensors for result in (whole, parts))
    assert left.keys() == right.keys()
    assert len(left["memory/ranks"]) == 26
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name
