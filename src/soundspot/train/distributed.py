"""The processes of one training run: who am I, how many are we, and the few things we tell each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

PATIENCE = timedelta(hours=12)
"""How long ranks wait for rank 0, which may be scoring a whole benchmark."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that `torchrun` started; alone when it did not."""

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    control: Any = None
    """A gloo group for counts and waiting, so that neither ever makes a GPU wait."""

    @property
    def first(self) -> bool:
        return self.rank == 0

    @property
    def on_this_machine(self) -> int:
        """How many of the processes share this machine."""
        return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if self.count > 1 else 1

    def wait(self) -> None:
        """Return when every rank is here."""
        if self.count > 1:
            dist.barrier(group=self.control)

    def smallest(self, number: int) -> int:
        """The smallest of the ranks' numbers."""
        if self.count == 1:
            return number
        value = torch.tensor([number])
        dist.all_reduce(value, op=dist.ReduceOp.MIN, group=self.control)
        return int(value)

    def mean(self, values: list[float]) -> list[float]:
        """The ranks' mean of each value."""
        if self.count == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total, group=self.control)
        return (total / self.count).tolist()

    def total(self, number: float) -> float:
        """The sum of the ranks' numbers."""
        return self.mean([number])[0] * self.count

    def collect(self, thing: Any) -> list[Any]:
        """Every rank's thing, in rank order, on every rank."""
        if self.count == 1:
            return [thing]
        things: list[Any] = [None] * self.count
        dist.all_gather_object(things, thing, group=self.control)
        return things


def restarts() -> int:
    """How often `torchrun`'s agent has started these processes anew; 0 in a first attempt, and without it."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def _join(place: torch.device) -> None:
    # the agent's store outlives an attempt, and with it the addresses of processes that are no more: hence the prefix
    found, rank, count = next(rendezvous("env://"))
    store = dist.PrefixStore(f"attempt_{restarts()}", found)
    # what is on the host, such as the numbers of augmentation, is told on the host: no GPU has to be waited for
    backend = "cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=count)


@contextmanager
def ranks(device: str) -> Iterator[Ranks]:
    """Join the processes that `torchrun` started (or stay alone), and leave them at the end."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks(device=torch.device(device))
        return
    place = torch.device(device)
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(place)
    joined_here = not dist.is_initialized()
    if joined_here:
        _join(place)
    try:
        control = dist.new_group(backend="gloo", timeout=PATIENCE)
        yield Ranks(dist.get_rank(), dist.get_world_size(), place, control)
    finally:
        if joined_here:
            dist.destroy_process_group()
