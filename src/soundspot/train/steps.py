"""One optimizer step, for any method: forward, backward over the accumulated batches, clipping, and the rate to use."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from soundspot.data.features import KeptStack
from soundspot.data.loader import Stack
from soundspot.nets.tower import Tower
from soundspot.train.distributed import Ranks
from soundspot.train.recipe import Recipe
from soundspot.train.speed import PLAIN, Speed, choose
from soundspot.types import Inputs, UserError

FUSED = frozenset({"cpu", "cuda"})
"""Devices on which optimizers have a fused step."""


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The rate of step number `step` (from 0): a function of the number alone, so that resuming needs no state."""
    rate = recipe.learning_rate
    if step < recipe.warmup_steps:
        return rate * (step + 1) / recipe.warmup_steps
    if recipe.schedule == "cosine":
        left = max(1, recipe.epochs * steps_per_epoch - recipe.warmup_steps)
        return rate * (1 + math.cos(math.pi * min(1.0, (step - recipe.warmup_steps) / left))) / 2
    if recipe.schedule == "step":
        return rate * recipe.decay_factor ** (step // steps_per_epoch // recipe.decay_epochs)
    return rate


def make_optimizer(recipe: Recipe, method: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimizer over all that is trainable."""
    parameters = [parameter for parameter in method.parameters() if parameter.requires_grad]
    if not parameters:
        raise UserError(f"expected a method with something to train, {recipe.method} has nothing; choose another")
    rate, decay = recipe.learning_rate, recipe.weight_decay
    # one pass over memory for all of a step's arithmetic; None is torch's own choice among the other ways
    fused = all(each.is_floating_point() and each.device.type in FUSED for each in parameters) or None
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=recipe.momentum, weight_decay=decay, fused=fused)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=fused)
    return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=fused)


class Stepper:
    """Moves a method by one step at a time."""

    def __init__(self, recipe: Recipe, method: nn.Module, inputs: Inputs, ranks: Ranks) -> None:
        self.recipe, self.method, self.inputs, self.ranks = recipe, method, inputs, ranks
        self.optimizer = make_optimizer(recipe, method)
        self.speed = replace(PLAIN, autocast="off" if recipe.autocast == "measured" else recipe.autocast)
        self.notes: list[str] = []
        # half precision alone needs its gradients scaled away from zero
        self.scaler = torch.amp.GradScaler(ranks.device.type, enabled=recipe.autocast == "float16")

    @cached_property
    def module(self) -> nn.Module:
        """The method over all ranks; made late, since its buckets are laid out as the weights are by then."""
        return _over_ranks(self.method, self.ranks)

    def settle(self, speed: Speed | None) -> None:
        """Before the first step: compute as these choices say from now on, or (None) make them now."""
        if speed is None:
            speed, notes = choose(self.recipe, self.ranks)
            for note in notes:
                self.note(note)
        self.speed = speed
        for tower in self._towers():
            if speed.channels_last:
                tower.lay_channels_last()
            if speed.compile:
                tower.compile_stages(max(1, self.recipe.batch_size // self.ranks.count), self._run_eagerly)
        _match_layout(self.optimizer)

    def _run_eagerly(self, reason: str) -> None:
        """What to do where compiling failed: compile=auto goes on without, as if it had never been asked for."""
        if self.recipe.compile == "on":
            raise UserError(f"expected towers that can be compiled, got: {reason}; set compile=auto or off")
        for tower in self._towers():
            tower.run_eagerly()
        self.speed = replace(self.speed, compile=False)
        self.note(f"not compiled: {reason}")

    def note(self, text: str) -> None:
        """Say it now, and in the run's summary."""
        self.notes.append(text)
        if self.ranks.first:
            print(text, file=sys.stderr)

    def _towers(self) -> list[Tower]:
        return [module for module in self.method.modules() if isinstance(module, Tower)]

    def step(self, stacks: Sequence[Stack | KeptStack], rate: float) -> tuple[Mapping[str, Tensor], Tensor | None]:
        """One step over batches whose gradients are averaged -> the mean of each loss term, and the gradient's norm."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        for number, stacked in enumerate(stacks):
            with self._without_sync(number < len(stacks) - 1):
                terms = self._backward(stacked, len(stacks))
            for name, term in terms.items():
                sums[name] = sums[name] + term if name in sums else term
        norm = self._clip()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.method.after_step()  # type: ignore[operator]
        return {name: term / len(stacks) for name, term in sums.items()}, norm

    def _backward(self, stacked: Stack | KeptStack, num_batches: int) -> dict[str, Tensor]:
        batch = stacked.to_batch(self.inputs, self.ranks.device)
        kind = torch.float16 if self.speed.autocast == "float16" else torch.bfloat16
        with torch.autocast(self.ranks.device.type, dtype=kind, enabled=self.speed.autocast != "off"):
            terms: dict[str, Tensor] = self.module(batch)
            loss = torch.stack([term.float() for term in terms.values()]).sum()
        self.scaler.scale(loss / num_batches).backward()
        return {name: term.detach().float() for name, term in terms.items()}

    def _clip(self) -> Tensor | None:
        if self.recipe.clip_norm == 0:
            return None
        self.scaler.unscale_(self.optimizer)
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        return nn.utils.clip_grad_norm_(parameters, self.recipe.clip_norm)

    def _without_sync(self, wanted: bool) -> AbstractContextManager[None]:
        if wanted and isinstance(self.module, DistributedDataParallel):
            return self.module.no_sync()
        return nullcontext()


def _over_ranks(method: nn.Module, ranks: Ranks) -> nn.Module:
    if ranks.count == 1:
        return method
    places = [ranks.device] if ranks.device.type == "cuda" else None
    # unused parameters are looked for since papers have some, and since it keeps the gradient buckets as they were
    # made: rebuilt ones would add up in another order after a resume
    return DistributedDataParallel(method, device_ids=places, find_unused_parameters=True)


def _match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Lay an optimizer's state out as its parameters are: fused steps on CUDA ask for it, a checkpoint loses it."""
    for parameter, entries in optimizer.state.items():
        for name, value in entries.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                entries[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
