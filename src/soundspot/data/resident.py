"""A whole training set resident in memory, the device's if it fits: uint8 pixels and int16 sound in flat tensors.

A batch is cut out of them where they lie: every clip's crop and flip become one gathering of pixels, so that a run on a
device neither reads nor copies anything after its first epoch has begun. Batches are those of the loader, to the bit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from soundspot.ahead import ahead
from soundspot.data import views
from soundspot.data.decoding import UNMOVED, Cut, Decoded, Draws, augmentation_rows, cut_rows, draw, draw_rows
from soundspot.data.features import chunks
from soundspot.data.loader import Stack, reading
from soundspot.data.training import Key, Order, Plan, TrainingSet, lost_neighbour
from soundspot.device import on_device
from soundspot.types import Clip, Missing, UserError

PROBED = 32
"""Clips that are decoded to see how much memory all will take."""
SHARE = {"cuda": 0.6, "cpu": 0.7}
"""Of the free memory that a set may take: on a GPU a training step needs the rest."""
BATCHES_AHEAD = 2
SPARE = 1.05
"""Room that is made for more than the probed clips promise; where it does not do, there is made more."""


class Resident:
    """All clips of a training set, decoded once; `place` is where they lie."""

    def __init__(
        self,
        training: TrainingSet,
        place: torch.device,
        num_workers: int,
        num_bytes: float = 0.0,
        *,
        for_device: torch.device | None = None,
    ) -> None:
        """Reads every clip, in `num_workers` processes; `num_bytes` is how much that is expected to take.

        `for_device`: what computes, if not `place`; batches are cut ahead of it then, into page-locked memory for CUDA.
        Raises UserError for random frames of videos, which differ in every epoch.
        """
        _require_still(training)
        self.training, self.place, self.for_device = training, place, for_device or place
        self.missing: dict[int, Missing] = {}
        self.row: dict[int, int] = {}
        """Where a clip stands, by its index."""
        self.frames: list[Mapping[str, list[Any]]] = []
        """What views are made of, on the host: they are computed after the cut."""
        self._pixels = _Growing(place)
        self._areas = {name: _Growing(place) for name in training.areas}
        self._samples = _Growing(place)
        self.sizes, self.starts = self._read(num_workers, num_bytes / max(1, len(training.pairs)))

    def _read(self, num_workers: int, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Fill the tensors -> (N, 2) heights and widths, and (N,) the place of each picture's first pixel."""
        training = self.training
        sizes: list[tuple[int, int]] = []
        starts: list[int] = []
        for index, decoded in enumerate(reading(_Reader(training), num_workers, batch_size=None)):
            if isinstance(decoded, Missing):
                self.missing[index] = decoded
                continue
            if not self.row:
                self._make_room(decoded, share)
            self.row[index] = len(self.row)
            sizes.append((decoded.image.shape[0], decoded.image.shape[1]))
            starts.append(self._pixels.append(decoded.image.reshape(-1, 3)))
            self._samples.append(decoded.samples[None])
            for name, area in decoded.areas.items():
                self._areas[name].append(area.reshape(-1))
            if training.inputs.views:
                self.frames.append(decoded.frames)
            self.sample_rate = decoded.sample_rate
        return np.array(sizes, np.int64).reshape(-1, 2), np.array(starts, np.int64)

    def _make_room(self, first: Decoded, share: float) -> None:
        """For all clips, by what one takes on average."""
        count = len(self.training.pairs)
        each = max(first.image.size // 3, int((share - first.samples.nbytes) / (3 + len(self._areas))))
        self._pixels.room(int(count * each * SPARE), (3,), torch.uint8)
        self._samples.room(count, first.samples.shape, torch.int16)
        for growing in self._areas.values():
            growing.room(int(count * each * SPARE), (), torch.uint8)

    @property
    def num_bytes(self) -> int:
        """What it takes."""
        return sum(each.num_bytes for each in (self._pixels, self._samples, *self._areas.values()))

    def batches(
        self, plan: Plan, epochs: int, first_epoch: int, first_step: int
    ) -> Iterator[tuple[list[Stack], list[Missing]]]:
        """All batches from a step of an epoch to the end of the run, in the plan's order."""
        made = (self.fetch(keys) for keys in Order(plan, first_epoch, first_step, epochs))
        if self.for_device == self.place:
            return made
        return ahead(map(self._ready_to_go, made), BATCHES_AHEAD)

    def _ready_to_go(self, fetched: tuple[list[Stack], list[Missing]]) -> tuple[list[Stack], list[Missing]]:
        stacks, missing = fetched
        return [stacked.pin_memory() if self.for_device.type == "cuda" else stacked for stacked in stacks], missing

    def in_order(self) -> Iterator[Stack]:
        """All clips as they are, in the order of the set: the middle crop, not mirrored."""
        for indices in chunks(len(self.training.pairs)):
            stacks, _ = self.fetch([(0, index) for index in indices], UNMOVED)
            yield from stacks

    def fetch(self, keys: Sequence[Key], draws: Draws | None = None) -> tuple[list[Stack], list[Missing]]:
        """The clips of these (epoch, index), cut by their own numbers or all by `draws`, and those that are missing."""
        found: list[_Chosen] = []
        missing: list[Missing] = []
        for key in keys:
            chosen = self._chosen(*key)
            if isinstance(chosen, Missing):
                missing.append(chosen)
            else:
                found.append(chosen)
        return ([self._stack(found, draws)] if found else []), missing

    def _chosen(self, epoch: int, index: int) -> _Chosen | Missing:
        if index in self.missing:
            return self.missing[index]
        clip = self.training.pairs[index][0]
        near = self.training.near(clip, epoch)
        for other, _ in near.values():
            if other in self.missing:
                return lost_neighbour(clip, self.missing[other])
        return _Chosen(clip, epoch, self.row[index], {name: (self.row[at], how) for name, (at, how) in near.items()})

    def _stack(self, chosen: Sequence[_Chosen], draws: Draws | None) -> Stack:
        seed = self.training.seed
        named = [(each.epoch, each.clip.id) for each in chosen]
        numbers = draw_rows(seed, named) if draws is None else np.tile(draws.row(), (len(chosen), 1))
        rows = np.array([each.row for each in chosen])
        where = self._where(rows, numbers)
        further: dict[str, Tensor] = self._views(rows, numbers)
        for name in chosen[0].near:
            others = np.array([each.near[name][0] for each in chosen])
            cuts = np.stack([each.near[name][1].row() for each in chosen])
            here = self._pixels.at(self._where(others, cuts)) if name == "image" else self._heard(others)
            further[f"{name}_neighbour"] = here
        return Stack(
            images=self._pixels.at(where),
            samples=self._heard(rows),
            sample_rate=self.sample_rate,
            clips=tuple(each.clip for each in chosen),
            areas={name: area.at(where) for name, area in self._areas.items()},
            views=further,
            draws=torch.from_numpy(augmentation_rows(seed, named)),
        )

    def _heard(self, rows: np.ndarray) -> Tensor:
        return self._samples.at(on_device(torch.from_numpy(rows), self.place))

    def _where(self, rows: np.ndarray, numbers: np.ndarray) -> Tensor:
        """(B,) rows, (B, 4) draws -> (B, S, S), the places of the cut's pixels among all pixels."""
        size = self.training.inputs.image_size
        corners, flipped = cut_rows(self.sizes[rows], size, numbers)
        widths = self.sizes[rows, 1]
        begins = self.starts[rows] + corners[:, 0] * widths + corners[:, 1] + flipped * (size - 1)
        given = on_device(torch.from_numpy(np.stack([begins, widths, 1 - 2 * flipped])), self.place)
        begin, width, step = given[:, :, None, None]
        steps = torch.arange(size, device=self.place)
        return begin + width * steps[:, None] + step * steps

    def _views(self, rows: np.ndarray, numbers: np.ndarray) -> dict[str, Tensor]:
        if not self.frames:
            return {}
        size = self.training.inputs.image_size
        corners, flipped = cut_rows(self.sizes[rows], size, numbers)
        cuts = [Cut(top, left, bool(flip)) for (top, left), flip in zip(corners.tolist(), flipped, strict=True)]
        made: dict[str, Tensor] = {}
        for name in self.training.inputs.views:
            each = [
                views.FINISH[name]([cut.of(frame, size) for frame in self.frames[row][name]])
                for row, cut in zip(rows, cuts, strict=True)
            ]
            made[name] = torch.from_numpy(np.stack(each))
        return made


@dataclass(frozen=True)
class _Chosen:
    """A clip of a batch: where it stands, and where its neighbours stand and how they are cut."""

    clip: Clip
    epoch: int
    row: int
    near: Mapping[str, tuple[int, Draws]]


class _Growing:
    """Rows in one tensor, to which more are added."""

    def __init__(self, place: torch.device) -> None:
        self.place = place
        self.held: Tensor | None = None
        self.used = 0

    def room(self, rows: int, shape: Sequence[int], kind: torch.dtype) -> None:
        """Make the tensor (rows, *shape)."""
        self.held = torch.empty((rows, *shape), dtype=kind, device=self.place)

    def append(self, rows: np.ndarray) -> int:
        """Add (n, ...) rows; the place of the first."""
        assert self.held is not None
        start, self.used = self.used, self.used + len(rows)
        if self.used > len(self.held):
            larger = torch.empty(
                (int(self.used * 1.25), *self.held.shape[1:]), dtype=self.held.dtype, device=self.place
            )
            larger[:start] = self.held[:start]
            self.held = larger
        self.held[start : self.used] = torch.from_numpy(np.array(rows))  # a copy, since pictures may be read-only
        return start

    def at(self, index: Tensor) -> Tensor:
        """(...) places -> (..., *shape)."""
        assert self.held is not None
        return self.held[index]

    @property
    def num_bytes(self) -> int:
        """What the rows take that are in use."""
        return 0 if self.held is None else self.held[: self.used].nbytes


class _Reader(Dataset["Decoded | Missing"]):
    """The decoded clips of a training set by index."""

    def __init__(self, training: TrainingSet) -> None:
        self.training = training

    def __len__(self) -> int:
        return len(self.training.pairs)

    def __getitem__(self, index: int) -> Decoded | Missing:
        return self.training.decoded(index, draw(self.training.seed, 0, self.training.pairs[index][0].id))


@dataclass(frozen=True)
class Fit:
    """Whether a set fits into memory, and where."""

    place: torch.device | None
    """None: nowhere."""
    num_bytes: float
    note: str | None
    """What to tell the user where it is not the device."""


def fitting(training: TrainingSet, device: torch.device, processes: int = 1) -> Fit:
    """Where the set is to lie: on the device, else in this machine's memory, else nowhere; by some of its clips.

    `processes` of this machine hold it each.
    """
    _require_still(training)
    count = len(training.pairs)
    probed = [_Reader(training)[index * count // min(PROBED, count)] for index in range(min(PROBED, count))]
    read = [_size(decoded) for decoded in probed if isinstance(decoded, Decoded)]
    wanted = count * sum(read) / max(1, len(read))
    host = torch.device("cpu")
    reasons: list[str] = []
    for place in dict.fromkeys([device, host]):
        room = free_bytes(place) * SHARE.get(place.type, SHARE["cpu"])
        room = room / processes if place == host else room
        if wanted <= room:
            return Fit(place, wanted, "; ".join(reasons) or None)
        reasons.append(
            f"the training set takes about {wanted / 2**30:.1f} GiB, of which {room / 2**30:.1f} may lie on {place}"
        )
    return Fit(None, wanted, "; ".join(reasons) + ": it is read again in every epoch")


def free_bytes(place: torch.device) -> float:
    """Memory that can be had on a device, or on this machine (and in its control group)."""
    if place.type == "cuda":
        return float(torch.cuda.mem_get_info(place)[0])
    free = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            free = float(line.split()[1]) * 1024
    group = Path("/sys/fs/cgroup")
    for most, used in zip(_lines(group / "memory.max"), _lines(group / "memory.current"), strict=False):
        if most.strip().isdigit():
            free = min(free, float(most) - float(used))
    return free


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def _size(decoded: Decoded) -> int:
    pictures = chain([decoded.image], decoded.areas.values(), *decoded.frames.values())
    return decoded.samples.nbytes + sum(picture.nbytes for picture in pictures)


def _require_still(training: TrainingSet) -> None:
    moving = training.inputs.train_frame == "random" and (
        training.packed.moves
        if training.packed is not None
        else any(clip.video is not None for clip, _ in training.pairs)
    )
    if moving:
        raise UserError("expected cache=off with train_frame=random on videos, got cache=memory; set one of them")
