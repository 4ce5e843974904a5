"""Clips to batches for training: a clip's crop, flip and moment follow from (seed, epoch, clip id) alone."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from soundspot.data import views
from soundspot.data.loader import LoadedClip, Stack, load_clip, read_picture, read_sound, shorter_side_to, split_missing
from soundspot.data.mining import MODALITIES, Neighbours
from soundspot.lookup import find
from soundspot.media.errors import MediaError
from soundspot.media.image import read_mask, resize
from soundspot.media.video import picture_seconds
from soundspot.types import NUM_DRAWS, Clip, Inputs, Missing, Target, UserError

Pixels = npt.NDArray[np.uint8]
Pair = tuple[Clip, Target | None]


@dataclass(frozen=True)
class Draws:
    """The random numbers of one clip in one epoch, each in [0, 1)."""

    top: float
    left: float
    flip: float
    moment: float


def draw(seed: int, epoch: int, clip_id: str) -> Draws:
    """The clip's numbers: a hash, so that workers, ranks and order cannot change them.

    >>> draw(0, 3, "a") == draw(0, 3, "a"), draw(0, 3, "a") == draw(0, 4, "a")
    (True, False)
    """
    digest = hashlib.blake2b(f"{seed}/{epoch}/{clip_id}".encode(), digest_size=32).digest()
    return Draws(*((word >> 11) / 2**53 for word in struct.unpack("<4Q", digest)))


def augmentation_numbers(seed: int, epoch: int, clip_id: str) -> npt.NDArray[np.float32]:
    """(NUM_DRAWS,) in [0, 1) for what happens to a clip on the device; a hash as `draw` is."""
    digest = hashlib.shake_256(f"{seed}/{epoch}/{clip_id}/augment".encode()).digest(3 * NUM_DRAWS)
    words = np.frombuffer(digest, np.uint8).reshape(NUM_DRAWS, 3) @ np.array([1, 2**8, 2**16])
    return (words / 2**24).astype(np.float32)  # 24 bits: float32 holds them and never rounds up to 1


@dataclass
class Decoded:
    """What has to be decoded of a clip, small enough to stay in memory."""

    image: Pixels
    """(H, W, 3), the shorter side int(image_size * train_scale)."""
    samples: npt.NDArray[np.int16]
    """(N,), the window."""
    sample_rate: int
    areas: Mapping[str, Pixels] = field(default_factory=dict)
    """(H, W) each, 255 where it is true; see LoadedClip."""
    frames: Mapping[str, list[Pixels]] = field(default_factory=dict)
    """By view, the frames it is made of, of the picture's size."""


def decode(pair: Pair, inputs: Inputs, draws: Draws, areas: Collection[str] = ()) -> Decoded:
    """Read a training clip: its frame by `train_frame`, its sound by `train_sound`; raises MediaError.

    aligned: the window around the frame that was drawn, or around the picture's own moment; whole, or a picture of
    unknown moment: the window of the evaluation rule, whichever frame was drawn.
    """
    clip, target = pair
    time = clip.time_seconds
    if clip.video is not None and inputs.train_frame == "random":
        time = draws.moment * picture_seconds(clip.video)  # the sound may go on after the last frame
    sound_inputs = inputs
    if (clip.video is not None or time is not None) and inputs.train_sound == "aligned":
        sound_inputs = replace(inputs, window="frame")
    samples, sample_rate = read_sound(clip, sound_inputs, time)
    picture = read_picture(clip, time)
    size = shorter_side_to(picture.shape, int(inputs.image_size * inputs.train_scale))
    return Decoded(
        image=resize(picture, size),
        samples=np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16),
        sample_rate=sample_rate,
        areas={name: AREAS[name](clip, target, size) for name in areas},
        frames={
            name: [resize(frame, size) for frame in find(views.READ, name, "view")(clip, inputs, time)]
            for name in inputs.views
        },
    )


def true_area(clip: Clip, target: Target | None, size: tuple[int, int]) -> Pixels:
    """(H, W) of `size`, 255 where the sounding object is: the target's mask, or else its boxes, filled.

    Raises MediaError for a visible source of which neither is known.
    """
    if target is not None and target.mask is not None:
        mask = read_mask(target.mask) if isinstance(target.mask, Path) else target.mask
        picture = Image.fromarray(mask.astype(np.uint8) * 255)
        return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    if target is None or (target.kind == "visible" and not target.boxes):
        raise MediaError(
            f"clip {clip.id}: expected a mask or boxes for a method that needs masks, got neither; add one"
        )
    filled = np.zeros(size, np.uint8)
    for x0, y0, x1, y1 in target.boxes:
        rows = slice(max(0, round(y0 * size[0])), max(0, round(y1 * size[0])))
        filled[rows, max(0, round(x0 * size[1])) : max(0, round(x1 * size[1]))] = 255
    return filled


def object_area(clip: Clip, target: Target | None, size: tuple[int, int]) -> Pixels:
    """(H, W) of `size`, 255 where any object of the scene is, sounding or not. MediaError where that is not known."""
    if target is None or target.objects is None:
        raise MediaError(f"clip {clip.id}: expected a picture of all objects (field objects), got none; add it")
    with Image.open(target.objects) as numbers:
        picture = numbers.convert("L").point(lambda number: 255 if number else 0)
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))


AREAS: dict[str, Callable[[Clip, Target | None, tuple[int, int]], Pixels]] = {"mask": true_area, "objects": object_area}
"""What of a scene's truth a method may need for its loss, by the name it has in `Method.needs`."""


def load_labelled(pair: Pair, inputs: Inputs, areas: Collection[str]) -> LoadedClip:
    """A clip by the evaluation rule, with the `areas` of its truth at the method's size; raises MediaError."""
    clip, target = pair
    loaded = load_clip(clip, inputs)
    size = (inputs.image_size, inputs.image_size)
    loaded.areas = {name: AREAS[name](clip, target, size) for name in areas}
    loaded.draws = augmentation_numbers(0, 0, clip.id)
    return loaded


def augment(decoded: Decoded, inputs: Inputs, draws: Draws) -> LoadedClip:
    """The crop and flip that the clip's numbers say; areas go along with their picture."""
    size = inputs.image_size
    height, width = decoded.image.shape[:2]
    top, left = int(draws.top * (height - size + 1)), int(draws.left * (width - size + 1))

    def cut(array: Pixels) -> Pixels:
        piece = array[top : top + size, left : left + size]
        return np.ascontiguousarray(piece[:, ::-1] if draws.flip < 0.5 else piece)

    return LoadedClip(
        image=cut(decoded.image),
        samples=decoded.samples.astype(np.float32) / np.float32(32767),
        sample_rate=decoded.sample_rate,
        areas={name: cut(area) for name, area in decoded.areas.items()},
        views={name: views.FINISH[name]([cut(frame) for frame in frames]) for name, frames in decoded.frames.items()},
    )


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
    ) -> None:
        if int(inputs.image_size * inputs.train_scale) < inputs.image_size:
            raise UserError(f"expected train_scale >= 1, got {inputs.train_scale}; a crop cannot exceed its picture")
        self.pairs, self.inputs, self.seed, self.areas, self.neighbours = pairs, inputs, seed, areas, neighbours
        self.index = {clip.id: index for index, (clip, _) in enumerate(pairs)} if neighbours is not None else {}
        self.sample_rate: int | None = None
        """Where set, clips whose sound has another rate are missing: a batch has one length of sound."""
        self.resident: list[Decoded | Missing] | None = None

    def __getitem__(self, key: tuple[int, int]) -> tuple[Clip, LoadedClip] | Missing:
        epoch, index = key
        return self.item(epoch, index, draw(self.seed, epoch, self.pairs[index][0].id))

    def item(self, epoch: int, index: int, draws: Draws) -> tuple[Clip, LoadedClip] | Missing:
        """One clip with all that the method needs of it, cut as `draws` say."""
        clip = self.pairs[index][0]
        loaded = self.loaded(index, draws)
        if isinstance(loaded, Missing):
            return loaded
        loaded.draws = augmentation_numbers(self.seed, epoch, clip.id)
        if self.neighbours is None:
            return clip, loaded
        near = self._neighbours_of(clip, epoch)
        if isinstance(near, Missing):
            return near
        loaded.views = {**loaded.views, **near}
        return clip, loaded

    def loaded(self, index: int, draws: Draws) -> LoadedClip | Missing:
        """One clip, cut as the numbers say."""
        decoded = self.decoded(index, draws) if self.resident is None else self.resident[index]
        if isinstance(decoded, Missing):
            return decoded
        if self.sample_rate not in (None, decoded.sample_rate):
            reason = f"sound at {decoded.sample_rate} Hz among sounds at {self.sample_rate} Hz; set the sample_rate"
            return Missing(self.pairs[index][0].id, f"{reason} of the method's inputs, so that all are resampled")
        return augment(decoded, self.inputs, draws)

    def _neighbours_of(self, clip: Clip, epoch: int) -> dict[str, npt.NDArray[Any]] | Missing:
        """The picture of a clip that looks alike and the sound of one that sounds alike, drawn anew every epoch."""
        assert self.neighbours is not None
        numbers = draw(self.seed, epoch, f"{clip.id}/neighbour")
        found: dict[str, npt.NDArray[Any]] = {}
        for modality, number in zip(MODALITIES, (numbers.top, numbers.left), strict=True):
            name = self.neighbours.drawn(modality, clip.id, number)
            near = self.loaded(self.index[name], draw(self.seed, epoch, f"{clip.id}/{modality}/{name}"))
            if isinstance(near, Missing):
                return Missing(clip.id, f"its neighbour {name}: {near.reason}")
            found[f"{modality}_neighbour"] = near.image if modality == "image" else near.samples
        return found

    def decoded(self, index: int, draws: Draws) -> Decoded | Missing:
        """Read one clip now."""
        try:
            return decode(self.pairs[index], self.inputs, draws, self.areas)
        except MediaError as error:
            return Missing(self.pairs[index][0].id, str(error))

    def settle_sample_rate(self) -> None:
        """Where the Inputs keep each file's rate, take the first readable clip's (in list order) for all."""
        if self.inputs.sample_rate is not None:
            return
        for index, (clip, _) in enumerate(self.pairs):
            decoded = self.decoded(index, draw(self.seed, 0, clip.id))
            if isinstance(decoded, Decoded):
                self.sample_rate = decoded.sample_rate
                return

    def keep_in_memory(self, num_workers: int) -> None:
        """Read every clip once and keep it decoded; workers started later share the memory.

        Raises UserError for random frames of videos, which differ in every epoch.
        """
        if self.inputs.train_frame == "random" and any(clip.video is not None for clip, _ in self.pairs):
            raise UserError("expected cache=off with train_frame=random on videos, got cache=memory; set one of them")
        reader = DataLoader(
            _Reader(self), batch_size=None, num_workers=num_workers, generator=torch.Generator(), shuffle=False
        )
        self.resident = list(reader)


class _Reader(Dataset["Decoded | Missing"]):
    """The decoded clips of a training set by index."""

    def __init__(self, training: TrainingSet) -> None:
        self.training = training

    def __len__(self) -> int:
        return len(self.training.pairs)

    def __getitem__(self, index: int) -> Decoded | Missing:
        return self.training.decoded(index, draw(self.training.seed, 0, self.training.pairs[index][0].id))


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
class _Order:
    """The keys of all batches from one step of one epoch to the end of the run, for the DataLoader to fetch."""

    plan: Plan
    first_epoch: int
    first_step: int
    epochs: int

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
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
    return DataLoader(
        training,
        batch_sampler=_Order(plan, first_epoch, first_step, epochs),
        num_workers=num_workers,
        collate_fn=split_missing,
        pin_memory=pin_memory,
        generator=torch.Generator(),  # starting the loader must not move the generator that dropout draws from
    )
