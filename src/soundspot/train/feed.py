"""Where a run's batches come from: files or shards, memory, or what frozen parts made of every clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from soundspot.data.features import KeptFeatures, KeptStack, unmoved
from soundspot.data.loader import Stack
from soundspot.data.resident import Resident, fitting
from soundspot.data.training import Plan, TrainingSet, training_batches
from soundspot.methods.base import Method
from soundspot.train.distributed import Ranks
from soundspot.train.recipe import Recipe
from soundspot.types import Missing

Fetched = tuple[Sequence["Stack | KeptStack"], list[Missing]]
"""What a batch's clips gave, and which of them could not be read."""


class Feed(Protocol):
    """A training set, in batches."""

    def batches(self, plan: Plan, epochs: int, first_epoch: int, first_step: int) -> Iterable[Fetched]:
        """All batches from a step of an epoch to the end of the run, in the plan's order."""

    def in_order(self) -> Iterator[Stack | KeptStack]:
        """All clips that can be read, as they are, in the order of the set."""


@dataclass(frozen=True)
class Read:
    """Clips that are read anew in every epoch, from files or shards."""

    training: TrainingSet
    num_workers: int
    device: torch.device

    def batches(self, plan: Plan, epochs: int, first_epoch: int, first_step: int) -> Iterable[Fetched]:
        """By worker processes."""
        return training_batches(
            self.training,
            plan,
            epochs=epochs,
            first_epoch=first_epoch,
            first_step=first_step,
            num_workers=self.num_workers,
            pin_memory=self.device.type == "cuda",
        )

    def in_order(self) -> Iterator[Stack | KeptStack]:
        """The middle crop of each, not mirrored."""
        return (stacked for stacks, _ in unmoved(self.training, self.num_workers) for stacked in stacks)


def feed_of(
    recipe: Recipe,
    training: TrainingSet,
    method: Method,
    here: Ranks,
    kept: KeptFeatures | None,
    tell: Callable[[str], None],
) -> Feed:
    """As the recipe's `cache` says; `kept` are features of an earlier run. `tell` hears what memory could not hold."""
    if recipe.cache == "features":
        if kept is None:
            return KeptFeatures(training, method, here.device, recipe.num_workers)
        kept.check(training, method, here.device)
        return kept
    if recipe.cache == "memory":
        fit = fitting(training, here.device, here.on_this_machine)
        if fit.note is not None:
            tell(fit.note)
        if fit.place is not None:
            return Resident(training, fit.place, recipe.num_workers, fit.num_bytes, for_device=here.device)
    return Read(training, recipe.num_workers, here.device)
