"""Clips to batches for predicting: exactly what the method's Inputs ask for; nothing stands in for a missing clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from soundspot.lookup import find
from soundspot.media.audio import SPECTROGRAMS, fit_window
from soundspot.media.errors import MediaError
from soundspot.media.image import read_image, resize
from soundspot.media.video import probe, read_frame, read_waveform
from soundspot.types import Batch, Clip, Inputs, Missing

Pixels = npt.NDArray[np.uint8]
T = TypeVar("T")

SLACK_SECONDS = 0.01
"""Read beyond a window and cut off again, so that rounding never leaves it a sample short."""


@dataclass
class LoadedClip:
    """One clip's picture and sound, ready to be stacked."""

    image: Pixels
    """(S, S, 3), S the method's image size."""
    samples: npt.NDArray[np.float32]
    """(N,) mono, as long as the method's window."""
    sample_rate: int
    """Hz."""
    areas: Mapping[str, Pixels] = field(default_factory=dict)
    """(S, S) each, 255 where it is true: "mask" where the sounding object is, "objects" where any object is."""


def load_clip(clip: Clip, inputs: Inputs) -> LoadedClip:
    """Picture and sound of one clip by the evaluation rule; raises MediaError where one cannot be read."""
    picture = read_picture(clip, clip.time_seconds)
    samples, sample_rate = read_sound(clip, inputs, clip.time_seconds)
    return LoadedClip(fit_picture(picture, inputs), samples, sample_rate)


def read_picture(clip: Clip, time_seconds: float | None) -> Pixels:
    """The clip's picture, or the frame of its video at a time (None: the middle): uint8 (H, W, 3)."""
    if clip.image is not None:
        return read_image(clip.image)
    if clip.video is None:
        raise MediaError(f"clip {clip.id}: expected a picture or a video, got neither; give one")
    return read_frame(clip.video, time_seconds)


def sound_path(clip: Clip) -> Path:
    """The file that holds the clip's sound."""
    path = clip.audio or clip.video
    if path is None:
        raise MediaError(f"clip {clip.id}: expected a sound file or a video, got neither; give one")
    return path


def read_sound(clip: Clip, inputs: Inputs, time_seconds: float | None) -> tuple[npt.NDArray[np.float32], int]:
    """The window of the clip's sound that the Inputs ask for: float32 (N,) mono and its rate.

    Only the window is decoded. `time_seconds` is the picture's moment, which the window `frame` is laid around.
    """
    path = sound_path(clip)
    start = 0.0
    if inputs.window != "first":
        length = probe(path).duration_seconds or 0.0
        middle = length / 2 if inputs.window == "centre" or time_seconds is None else time_seconds
        start = min(max(middle - inputs.seconds / 2, 0.0), max(length - inputs.seconds, 0.0))
    sound = read_waveform(
        path,
        start_seconds=start,
        duration_seconds=inputs.seconds + SLACK_SECONDS,
        sample_rate=inputs.sample_rate,
    )
    return fit_window(sound.samples[0], sound.sample_rate, inputs.seconds, "first"), sound.sample_rate


def fit_picture(picture: Pixels, inputs: Inputs) -> Pixels:
    """(H, W, 3) -> (S, S, 3) by the Inputs' resize rule."""
    size = inputs.image_size
    if inputs.resize == "squash":
        return resize(picture, (size, size))
    picture = resize(picture, shorter_side_to(picture.shape, size))
    top, left = (picture.shape[0] - size) // 2, (picture.shape[1] - size) // 2
    return np.ascontiguousarray(picture[top : top + size, left : left + size])


def shorter_side_to(shape: Sequence[int], size: int) -> tuple[int, int]:
    """Height and width with the shorter one at `size` and the proportions kept (the longer one cut to whole pixels)."""
    height, width = shape[0], shape[1]
    if height <= width:
        return size, max(size, int(size * width / height))
    return max(size, int(size * height / width)), size


@dataclass
class Stack:
    """Clips of equally long sound, stacked: what crosses from a worker to the device."""

    images: torch.Tensor
    """uint8 (B, S, S, 3)."""
    samples: torch.Tensor
    """float32 (B, N)."""
    sample_rate: int
    clips: tuple[Clip, ...]
    areas: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """uint8 (B, S, S) each."""

    def first(self, count: int) -> Stack:
        """The first `count` clips."""
        areas = {name: area[:count] for name, area in self.areas.items()}
        return Stack(self.images[:count], self.samples[:count], self.sample_rate, self.clips[:count], areas)

    def to_batch(self, inputs: Inputs, device: torch.device | str) -> Batch:
        """The stack as the method eats it."""
        return to_batch(self, inputs, device)

    def pin_memory(self) -> Stack:
        """The same in page-locked memory, which copies to a GPU while it computes (the DataLoader calls this)."""
        areas = {name: area.pin_memory() for name, area in self.areas.items()}
        return Stack(self.images.pin_memory(), self.samples.pin_memory(), self.sample_rate, self.clips, areas)


def stack(items: Sequence[tuple[Clip, LoadedClip]]) -> list[Stack]:
    """The clips in stacks of one sound rate each, in the order of each rate's first clip."""
    rates: dict[tuple[int, int], list[tuple[Clip, LoadedClip]]] = {}
    for clip, loaded in items:
        rates.setdefault((loaded.sample_rate, len(loaded.samples)), []).append((clip, loaded))
    return [_stack_one(rate, members) for (rate, _), members in rates.items()]


def _stack_one(rate: int, members: list[tuple[Clip, LoadedClip]]) -> Stack:
    names = members[0][1].areas
    assert all(loaded.areas.keys() == names.keys() for _, loaded in members)
    return Stack(
        images=torch.from_numpy(np.stack([loaded.image for _, loaded in members])),
        samples=torch.from_numpy(np.stack([loaded.samples for _, loaded in members])),
        sample_rate=rate,
        clips=tuple(clip for clip, _ in members),
        areas={name: torch.from_numpy(np.stack([loaded.areas[name] for _, loaded in members])) for name in names},
    )


def to_batch(stacked: Stack, inputs: Inputs, device: torch.device | str) -> Batch:
    """A stack as the method eats it: normalised pictures, and spectrograms made on the device."""
    images = stacked.images.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div(255)
    mean = torch.tensor(inputs.image_mean, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(inputs.image_std, device=images.device).view(1, 3, 1, 1)
    samples = stacked.samples.to(device, non_blocking=True)
    areas = {name: area.to(device, non_blocking=True) for name, area in stacked.areas.items()}
    truths = {name: area.float().div(255)[:, None] for name, area in areas.items()}
    return Batch(
        image=(images - mean) / std,
        audio=find(SPECTROGRAMS, inputs.spectrogram, "spectrogram")(samples, stacked.sample_rate),
        clip_ids=tuple(clip.id for clip in stacked.clips),
        labels=tuple(clip.labels for clip in stacked.clips),
        mask=truths.pop("mask", None),
        extra=truths,
    )


class _Clips(Dataset[tuple[Clip, LoadedClip] | Missing]):
    def __init__(self, clips: Sequence[Clip], inputs: Inputs) -> None:
        self.clips, self.inputs = clips, inputs

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Clip, LoadedClip] | Missing:
        clip = self.clips[index]
        try:
            return clip, load_clip(clip, self.inputs)
        except MediaError as error:
            return Missing(clip.id, str(error))


def split_missing(items: Sequence[tuple[Clip, LoadedClip] | Missing]) -> tuple[list[Stack], list[Missing]]:
    """What could be read, stacked, and what could not."""
    read = [item for item in items if not isinstance(item, Missing)]
    return stack(read), [item for item in items if isinstance(item, Missing)]


def batches(
    clips: Sequence[Clip],
    inputs: Inputs,
    *,
    batch_size: int,
    device: torch.device | str = "cpu",
    num_workers: int = 0,
) -> Iterator[tuple[Batch | None, list[Missing]]]:
    """The clips in the given order, `batch_size` at a time, each with those of its clips that could not be read.

    Where the Inputs keep each file's own rate, clips of different rates come as separate, smaller batches.
    """
    for stacks, missing in _loader(_Clips(clips, inputs), batch_size, device, num_workers):
        if not stacks:
            yield None, missing
        for number, stacked in enumerate(stacks):
            yield to_batch(stacked, inputs, device), missing if number == 0 else []


def _loader(
    dataset: Dataset[T], batch_size: int, device: torch.device | str, num_workers: int
) -> DataLoader[tuple[list[Stack], list[Missing]]]:
    return DataLoader(
        dataset,  # type: ignore[arg-type]
        batch_size=batch_size,
        num_workers=num_workers,
        collate_fn=split_missing,
        pin_memory=torch.device(device).type == "cuda",
        # its own generator: the loader draws a number when it starts, which must not move the methods' generator
        generator=torch.Generator(),
    )
