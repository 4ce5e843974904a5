"""Clips to batches for predicting: exactly what the method's Inputs ask for; nothing stands in for a missing clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from soundspot.data import views as views_of_films
from soundspot.data.workers import begin_worker
from soundspot.device import on_device
from soundspot.lookup import find
from soundspot.media.audio import SPECTROGRAMS, fit_window
from soundspot.media.errors import MediaError
from soundspot.media.image import read_image, resize
from soundspot.media.video import probe, read_frame, read_waveform
from soundspot.types import Batch, Clip, Inputs, Missing

Pixels = npt.NDArray[np.uint8]
T = TypeVar("T")

LONGEST = 64
"""Times the shorter side: of 4000x1 pixels, 246 high, a million would be made, and JPEG holds 65,500."""
SLACK_SECONDS = 0.01
"""Read beyond a window and cut off again, so that rounding never leaves it a sample short."""


@dataclass
class LoadedClip:
    """One clip's picture and sound, ready to be stacked."""

    image: Pixels
    """(S, S, 3), S the method's image size."""
    samples: npt.NDArray[np.float32] | npt.NDArray[np.int16]
    """(N,) mono, as long as the method's window: full scale at 1, or at 32767 of whole numbers."""
    sample_rate: int
    """Hz."""
    areas: Mapping[str, Pixels] = field(default_factory=dict)
    """(S, S) each, 255 where it is true: "mask" where the sounding object is, "objects" where any object is."""
    views: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    """What else is seen or heard, see VIEWS."""
    draws: npt.NDArray[np.float32] | None = None
    """(NUM_DRAWS,) numbers for augmentation; None outside training."""


def load_clip(clip: Clip, inputs: Inputs) -> LoadedClip:
    """Picture and sound of one clip by the evaluation rule; raises MediaError where one cannot be read."""
    picture = read_picture(clip, clip.time_seconds)
    samples, sample_rate = read_sound(clip, inputs, clip.time_seconds)
    views: dict[str, npt.NDArray[Any]] = {}
    for name in inputs.views:
        frames = find(views_of_films.READ, name, "view")(clip, inputs, clip.time_seconds)
        views[name] = views_of_films.FINISH[name]([fit_picture(frame, inputs) for frame in frames])
    return LoadedClip(fit_picture(picture, inputs), samples, sample_rate, views=views)


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

    Only the window is decoded. `time_seconds` is the picture's moment, which the window `frame` is laid around: not
    over the sound's ends, and around its middle if no moment is known.
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
    """Height and width with the shorter one at `size` and the proportions kept (the longer one cut to whole pixels).

    Only those of a picture as thin as a line, of LONGEST to 1 and more, are not.
    """
    height, width = shape[0], shape[1]
    if height <= width:
        return size, min(max(size, int(size * width / height)), LONGEST * size)
    return min(max(size, int(size * height / width)), LONGEST * size), size


@dataclass
class Stack:
    """Clips of equally long sound, stacked: what crosses from a worker to the device."""

    images: torch.Tensor
    """uint8 (B, S, S, 3)."""
    samples: torch.Tensor
    """float32 or int16 (B, N)."""
    sample_rate: int
    clips: tuple[Clip, ...]
    areas: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """uint8 (B, S, S) each."""
    views: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """See VIEWS."""
    draws: torch.Tensor | None = None
    """float32 (B, NUM_DRAWS)."""

    def first(self, count: int) -> Stack:
        """The first `count` clips."""
        return self._changed(lambda tensor: tensor[:count], self.clips[:count])

    def to_batch(self, inputs: Inputs, device: torch.device | str) -> Batch:
        """The stack as the method eats it."""
        return to_batch(self, inputs, device)

    def pin_memory(self) -> Stack:
        """The same in page-locked memory, which copies to a GPU while it computes (the DataLoader calls this)."""
        return self._changed(torch.Tensor.pin_memory, self.clips)

    def _changed(self, change: Callable[[torch.Tensor], torch.Tensor], clips: tuple[Clip, ...]) -> Stack:
        return Stack(
            images=change(self.images),
            samples=change(self.samples),
            sample_rate=self.sample_rate,
            clips=clips,
            areas={name: change(area) for name, area in self.areas.items()},
            views={name: change(view) for name, view in self.views.items()},
            draws=None if self.draws is None else change(self.draws),
        )


def stack(items: Sequence[tuple[Clip, LoadedClip]]) -> list[Stack]:
    """The clips in stacks of one sound rate each, in the order of each rate's first clip."""
    rates: dict[tuple[int, int], list[tuple[Clip, LoadedClip]]] = {}
    for clip, loaded in items:
        rates.setdefault((loaded.sample_rate, len(loaded.samples)), []).append((clip, loaded))
    return [_stack_one(rate, members) for (rate, _), members in rates.items()]


def _stack_one(rate: int, members: list[tuple[Clip, LoadedClip]]) -> Stack:
    loaded = [each for _, each in members]
    first = loaded[0]
    assert all(each.areas.keys() == first.areas.keys() and each.views.keys() == first.views.keys() for each in loaded)
    return Stack(
        images=_joined([each.image for each in loaded]),
        samples=_joined([each.samples for each in loaded]),
        sample_rate=rate,
        clips=tuple(clip for clip, _ in members),
        areas={name: _joined([each.areas[name] for each in loaded]) for name in first.areas},
        views={name: _joined([each.views[name] for each in loaded]) for name in first.views},
        draws=None if first.draws is None else _joined([each.draws for each in loaded if each.draws is not None]),
    )


def _joined(arrays: Sequence[npt.NDArray[Any]]) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays))


def to_batch(stacked: Stack, inputs: Inputs, device: torch.device | str) -> Batch:
    """A stack as the method eats it: normalised pictures, and spectrograms made on the device."""
    areas = {name: area.to(device, non_blocking=True) for name, area in stacked.areas.items()}
    truths = {name: area.float().div(255)[:, None] for name, area in areas.items()}
    views = {name: view.to(device, non_blocking=True) for name, view in stacked.views.items()}
    samples = _sound(stacked.samples.to(device, non_blocking=True))
    heard = {"waveform": samples} if inputs.waveform else {}
    return Batch(
        image=_pictures(stacked.images.to(device, non_blocking=True), inputs, stacked.sample_rate),
        audio=_spectrograms(samples, inputs, stacked.sample_rate),
        clip_ids=tuple(clip.id for clip in stacked.clips),
        labels=tuple(clip.labels for clip in stacked.clips),
        mask=truths.pop("mask", None),
        extra={
            **truths,
            **heard,
            **{name: VIEWS[name](view, inputs, stacked.sample_rate) for name, view in views.items()},
        },
        draws=stacked.draws,
    )


def _pictures(images: torch.Tensor, inputs: Inputs, sample_rate: int) -> torch.Tensor:
    """uint8 (..., S, S, 3) -> normalised (..., 3, S, S), the channels of a place side by side as they were."""
    *further, height, width, channels = images.shape
    # whole rows at a time: a broadcast over three channels alone is not vectorised
    rows = images.reshape(*further, height, width * channels)
    scale = torch.tensor([1 / (255 * std) for std in inputs.image_std]).repeat(width)
    shift = -torch.tensor([mean / std for mean, std in zip(inputs.image_mean, inputs.image_std, strict=True)])
    scale, shift = on_device(scale, images.device), on_device(shift.repeat(width), images.device)
    made = torch.empty(rows.shape, device=images.device)
    # a CPU's cache holds one picture, and no batch
    parts = zip(rows, made, strict=True) if images.device.type == "cpu" else [(rows, made)]
    for part, out in parts:
        torch.addcmul(shift, part.float(), scale, out=out)
    return made.view(images.shape).movedim(-1, -3)


def _sound(samples: torch.Tensor) -> torch.Tensor:
    """(B, N) as it was read -> full scale at 1."""
    return samples if samples.is_floating_point() else samples.float().div_(32767)


def _spectrograms(samples: torch.Tensor, inputs: Inputs, sample_rate: int) -> torch.Tensor:
    """(B, N) -> (B, 1, F, T)."""
    return find(SPECTROGRAMS, inputs.spectrogram, "spectrogram")(_sound(samples), sample_rate)


def _as_is(view: torch.Tensor, inputs: Inputs, sample_rate: int) -> torch.Tensor:
    return view


VIEWS: dict[str, Callable[[torch.Tensor, Inputs, int], torch.Tensor]] = {
    "flow": _as_is,
    "frames": _pictures,
    "image_neighbour": _pictures,
    "audio_neighbour": _spectrograms,
}
"""How a view enters a batch: float32 (2, S, S) flow; uint8 frames (T, S, S, 3); a neighbour's picture and samples."""


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
    # workers start now, not with the first batch
    return _as_batches(iter(_loader(_Clips(clips, inputs), batch_size, device, num_workers)), inputs, device)


def _as_batches(
    read: Iterator[tuple[list[Stack], list[Missing]]], inputs: Inputs, device: torch.device | str
) -> Iterator[tuple[Batch | None, list[Missing]]]:
    for stacks, missing in read:
        if not stacks:
            yield None, missing
        for number, stacked in enumerate(stacks):
            yield to_batch(stacked, inputs, device), missing if number == 0 else []


def reading(dataset: Dataset[Any], num_workers: int, **how: Any) -> DataLoader[Any]:
    """A DataLoader whose processes begin as they must and whose start draws no number that a method would draw."""
    return DataLoader(dataset, num_workers=num_workers, worker_init_fn=begin_worker, generator=torch.Generator(), **how)


def _loader(
    dataset: Dataset[T], batch_size: int, device: torch.device | str, num_workers: int
) -> DataLoader[tuple[list[Stack], list[Missing]]]:
    pinned = torch.device(device).type == "cuda"
    return reading(dataset, num_workers, batch_size=batch_size, collate_fn=split_missing, pin_memory=pinned)
