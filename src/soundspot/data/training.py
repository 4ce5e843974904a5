"""Clips to batches for training: a clip's crop, flip and moment follow from (seed, epoch, clip id) alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from soundspot.data.decoding import (
    UNMOVED,
    Decoded,
    Draws,
    Pair,
    augment,
    augmentation_numbers,
    decode,
    draw,
    evaluated,
    load_labelled,
    training_side,
)
from soundspot.data.loader import LoadedClip, Stack, reading, split_missing
from soundspot.data.mining import MODALITIES, Neighbours
from soundspot.data.shards import Packed
from soundspot.media.errors import MediaError
from soundspot.types import Clip, Inputs, Missing, UserError

Key = tuple[int, int]
"""Epoch, and the clip's index."""


class TrainingSet(Dataset[tuple[Clip, LoadedClip] | Missing]):
    """The training clips by (epoch, index); one that cannot be read comes as Missing, never as another clip."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        inputs: Inputs,
        *,
        seed: int,
        areas: Collection[str] = (),
        neighbours: Neighbours | None = None,
        packed: Packed | None = None,
    ) -> None:
        """Clips are read from their files, or where they were `packed`, from there."""
        if training_side(inputs) < inputs.image_size:
            raise UserError(f"expected train_scale >= 1, got {inputs.train_scale}; a crop cannot exceed its picture")
        if packed is not None:
            packed.require(inputs, areas)
        self.pairs, self.inputs, self.seed, self.areas, self.neighbours = pairs, inputs, seed, areas, neighbours
        self.packed = packed
        self.index = {clip.id: index for index, (clip, _) in enumerate(pairs)} if neighbours is not None else {}
        self.sample_rate: int | None = None
        """Where set, clips whose sound has another rate are missing: a batch has one length of sound."""

    def __getitem__(self, key: Key) -> tuple[Clip, LoadedClip] | Missing:
        epoch, index = key
        return self.item(epoch, index, draw(self.seed, epoch, self.pairs[index][0].id))

    def item(self, epoch: int, index: int, draws: Draws) -> tuple[Clip, LoadedClip] | Missing:
        """One clip with all that the method needs of it, cut as `draws` say."""
        clip = self.pairs[index][0]
        loaded = self.loaded(index, draws)
        if isinstance(loaded, Missing):
            return loaded
        loaded.draws = augmentation_numbers(self.seed, epoch, clip.id)
        near: dict[str, npt.NDArray[Any]] = {}
        for modality, found in self.near(clip, epoch).items():
            other = self.loaded(*found)
            if isinstance(other, Missing):
                return lost_neighbour(clip, other)
            near[f"{modality}_neighbour"] = other.image if modality == "image" else other.samples
        loaded.views = {**loaded.views, **near}
        return clip, loaded

    def loaded(self, index: int, draws: Draws) -> LoadedClip | Missing:
        """One clip, cut as the numbers say."""
        decoded = self.decoded(index, draws)
        return decoded if isinstance(decoded, Missing) else augment(decoded, self.inputs, draws)

    def near(self, clip: Clip, epoch: int) -> dict[str, tuple[int, Draws]]:
        """By modality, of a clip that looks alike and of one that sounds alike: index and draws, anew each epoch."""
        if self.neighbours is None:
            return {}
        numbers = draw(self.seed, epoch, f"{clip.id}/neighbour")
        found: dict[str, tuple[int, Draws]] = {}
        for modality, number in zip(MODALITIES, (numbers.top, numbers.left), strict=True):
            name = self.neighbours.drawn(modality, clip.id, number)
            found[modality] = (self.index[name], draw(self.seed, epoch, f"{clip.id}/{modality}/{name}"))
        return found

    def decoded(self, index: int, draws: Draws) -> Decoded | Missing:
        """Read one clip now."""
        pair = self.pairs[index]
        try:
            found = self._read(pair, draws)
        except MediaError as error:
            return Missing(pair[0].id, str(error))
        if self.sample_rate not in (None, found.sample_rate):
            reason = f"sound at {found.sample_rate} Hz among sounds at {self.sample_rate} Hz; set the sample_rate"
            return Missing(pair[0].id, f"{reason} of the method's inputs, so that all are resampled")
        return found

    def _read(self, pair: Pair, draws: Draws) -> Decoded:
        if self.packed is not None:
            return self.packed.decode(pair[0].id, draws)
        return decode(pair, self.inputs, draws, self.areas)

    def settle_sample_rate(self) -> None:
        """Where the Inputs keep each file's rate, take the first readable clip's (in list order) for all."""
        if self.inputs.sample_rate is not None:
            return
        for index, (clip, _) in enumerate(self.pairs):
            decoded = self.decoded(index, draw(self.seed, 0, clip.id))
            if isinstance(decoded, Decoded):
                self.sample_rate = decoded.sample_rate
                return


def lost_neighbour(clip: Clip, other: Missing) -> Missing:
    """A clip whose neighbour cannot be read."""
    return Missing(clip.id, f"its neighbour {other.clip_id}: {other.reason}")


def load_held_out(pair: Pair, inputs: Inputs, areas: Collection[str], packed: Packed | None) -> LoadedClip:
    """A clip by the evaluation rule, from its files or from where it was `packed`; raises MediaError."""
    if packed is None:
        return load_labelled(pair, inputs, areas)
    loaded = evaluated(packed.decode(pair[0].id, UNMOVED), inputs)
    loaded.draws = augmentation_numbers(0, 0, pair[0].id)
    return loaded


@dataclass(frozen=True)
class Plan:
    """Which clips go into which batch of which step, on this rank."""

    num_clips: int
    batch_size: int
    """Over all ranks."""
    accumulate: int = 1
    drop_last: bool = True
    seed: int = 0
    rank: int = 0
    num_ranks: int = 1

    @property
    def steps_per_epoch(self) -> int:
        clips = self.batch_size * self.accumulate
        return self.num_clips // clips if self.drop_last else -(-self.num_clips // clips)

    def num_batches(self, step: int) -> int:
        """Batches of the epoch's step number `step`: `accumulate`, but fewer in a short last one."""
        return min(self.accumulate, -(-self.num_clips // self.batch_size) - step * self.accumulate)

    def steps(self, epoch: int) -> list[list[list[int]]]:
        """An epoch's steps, each a list of batches, each this rank's share of the clips' indices."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.num_clips).tolist()
        whole = [order[start : start + self.batch_size] for start in range(0, self.num_clips, self.batch_size)]
        shares = [self._share(batch) for batch in whole]
        groups = [shares[start : start + self.accumulate] for start in range(0, len(shares), self.accumulate)]
        return groups[: self.steps_per_epoch]

    def _share(self, batch: list[int]) -> list[int]:
        each = len(batch) // self.num_ranks  # ranks stay equal; a short last batch may leave a few clips over
        return batch[self.rank * each : (self.rank + 1) * each]


@dataclass(frozen=True)
class Order:
    """The keys of all batches from one step of one epoch to the end of the run."""

    plan: Plan
    first_epoch: int
    first_step: int
    epochs: int

    def __iter__(self) -> Iterator[list[Key]]:
        for epoch in range(self.first_epoch, self.epochs):
            skip = self.first_step if epoch == self.first_epoch else 0
            for step in self.plan.steps(epoch)[skip:]:
                for batch in step:
                    yield [(epoch, index) for index in batch]


def training_batches(
    training: TrainingSet,
    plan: Plan,
    *,
    epochs: int,
    first_epoch: int = 0,
    first_step: int = 0,
    num_workers: int = 0,
    pin_memory: bool = False,
) -> Iterable[tuple[list[Stack], list[Missing]]]:
    """All batches from a step of an epoch to the end of the run; what comes before is skipped without decoding."""
    order = Order(plan, first_epoch, first_step, epochs)
    return reading(training, num_workers, batch_sampler=order, collate_fn=split_missing, pin_memory=pin_memory)
