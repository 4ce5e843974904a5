"""Training on what frozen encoders say: every clip passes them once, and each epoch reads the kept features."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import Dataset

from soundspot.data.decoding import AREAS, UNMOVED
from soundspot.data.loader import LoadedClip, Stack, reading, split_missing
from soundspot.data.training import Plan, TrainingSet
from soundspot.device import on_device
from soundspot.types import Batch, Clip, Inputs, Missing, UserError

if TYPE_CHECKING:
    from soundspot.methods.base import Method

BATCH_SIZE = 16
"""Clips that pass the frozen parts together."""


@dataclass(frozen=True)
class KeptStack:
    """Clips as their frozen features, in the place of a Stack of pictures and sounds."""

    features: Mapping[str, Tensor]
    """By name, (B, ...)."""
    clips: tuple[Clip, ...]

    def first(self, count: int) -> KeptStack:
        """The first `count` clips."""
        return KeptStack({name: value[:count] for name, value in self.features.items()}, self.clips[:count])

    def to_batch(self, _: Inputs, device: torch.device | str) -> Batch:
        """The features as a batch's extra tensors; picture and sound are there in name only."""
        size = len(self.clips)
        moved = {name: _as_float(on_device(value, torch.device(device))) for name, value in self.features.items()}
        return Batch(
            image=torch.empty(size, 3, 0, 0, device=device),
            audio=torch.empty(size, 1, 0, 0, device=device),
            clip_ids=tuple(clip.id for clip in self.clips),
            labels=tuple(clip.labels for clip in self.clips),
            mask=moved.pop("mask", None),
            extra=moved,
        )


class KeptFeatures:
    """The frozen features of a training set, in memory: half precision, areas as bytes.

    They are of one view, UNMOVED; augmented views and neighbours are epoch 0's.
    """

    def __init__(self, training: TrainingSet, method: Method, device: torch.device | str, num_workers: int = 0) -> None:
        self.pairs = training.pairs
        self.seed = training.seed
        """What the augmented views and neighbours were drawn by; a further run with another seed has the same ones."""
        self.missing: dict[int, Missing] = {}
        self.place: dict[int, int] = {}
        """Where a clip's features stand, by the clip's index."""
        parts: dict[str, list[Tensor]] = {}
        was_training = method.training
        method.eval()
        for indices, (stacks, missing) in zip(chunks(len(self.pairs)), unmoved(training, num_workers), strict=True):
            numbers = {self.pairs[index][0].id: index for index in indices}
            self.missing.update({numbers[entry.clip_id]: entry for entry in missing})
            for stacked in stacks:
                batch = stacked.to_batch(method.inputs, device)
                features = method.frozen(batch)
                if not features:
                    raise UserError("expected cache=memory or off: this method has no frozen parts to keep features of")
                for name, value in features.items():
                    parts.setdefault(name, []).append(_as_half(name, value).cpu())
                for name, area in stacked.areas.items():
                    parts.setdefault(name, []).append(area[:, None])
                for clip in stacked.clips:
                    self.place[numbers[clip.id]] = len(self.place)
        method.train(was_training)
        self.features = {name: torch.cat(values) for name, values in parts.items()}

    def check(self, training: TrainingSet, method: Method, device: torch.device | str) -> None:
        """Raises UserError unless these are the features of this training set by the frozen parts of this method."""
        ours, theirs = ([clip.id for clip, _ in pairs] for pairs in (self.pairs, training.pairs))
        if ours != theirs:
            raise UserError(f"expected features kept of these {len(theirs)} clips, got others ({len(ours)}); keep anew")
        index = next(iter(self.place), None)
        if index is None:
            return
        as_kept = copy.copy(training)
        as_kept.seed = self.seed
        stacks, _ = split_missing([_Unmoved(as_kept)[index]])
        was_training = method.training
        now = method.eval().frozen(stacks[0].to_batch(method.inputs, device)) if stacks else {}
        method.train(was_training)
        names = self.features.keys() - AREAS.keys()
        if names != now.keys() or not all(_alike(now[name], self.features[name][:1]) for name in names):
            raise UserError("expected features kept by the same frozen parts, got others; keep them anew")

    def batches(
        self, plan: Plan, epochs: int, first_epoch: int, first_step: int
    ) -> Iterator[tuple[Sequence[KeptStack], list[Missing]]]:
        """All batches from a step of an epoch to the end of the run, in the plan's order."""
        for epoch in range(first_epoch, epochs):
            for step in plan.steps(epoch)[first_step if epoch == first_epoch else 0 :]:
                for indices in step:
                    yield self._stack(indices), [self.missing[index] for index in indices if index in self.missing]

    def in_order(self) -> Iterator[KeptStack]:
        """All that could be read, in the order of the set, BATCH_SIZE at a time."""
        for indices in chunks(len(self.pairs)):
            yield from self._stack(indices)

    def _stack(self, indices: Sequence[int]) -> list[KeptStack]:
        there = [index for index in indices if index in self.place]
        if not there:
            return []
        rows = torch.tensor([self.place[index] for index in there])
        clips = tuple(self.pairs[index][0] for index in there)
        return [KeptStack({name: value[rows] for name, value in self.features.items()}, clips)]


def _alike(now: Tensor, kept: Tensor) -> bool:
    """Whether two features agree as well as half precision lets them."""
    now, kept = now.float().cpu(), kept.float()
    return now.shape == kept.shape and torch.allclose(now, kept, rtol=0.01, atol=0.01 * float(kept.abs().max()))


def _as_half(name: str, value: Tensor) -> Tensor:
    half = value.half()
    if not half.isfinite().all():
        raise UserError(
            f"expected features that half precision holds, got {name!r} with values up to {float(value.abs().max()):g};"
            " train with cache=memory or off"
        )
    return half


def _as_float(value: Tensor) -> Tensor:
    """Half precision as it is; areas, kept as bytes, in 0..1."""
    return value.float() / 255 if value.dtype == torch.uint8 else value.float()


class _Unmoved(Dataset[tuple[Clip, LoadedClip] | Missing]):
    """The clips of a training set as they are, in order."""

    def __init__(self, training: TrainingSet) -> None:
        self.training = training

    def __len__(self) -> int:
        return len(self.training.pairs)

    def __getitem__(self, index: int) -> tuple[Clip, LoadedClip] | Missing:
        return self.training.item(0, index, UNMOVED)


def unmoved(training: TrainingSet, num_workers: int) -> Iterable[tuple[list[Stack], list[Missing]]]:
    """All clips of a training set as they are, in order, BATCH_SIZE at a time."""
    return reading(_Unmoved(training), num_workers, batch_size=BATCH_SIZE, collate_fn=split_missing)


def chunks(count: int) -> list[range]:
    """The indices of all clips, BATCH_SIZE at a time."""
    return [range(start, min(start + BATCH_SIZE, count)) for start in range(0, count, BATCH_SIZE)]
