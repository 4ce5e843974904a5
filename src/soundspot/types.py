"""The nouns that every part of soundspot shares: clips, targets, what a method eats, and batches of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from soundspot.misread import one_line

if TYPE_CHECKING:  # `import soundspot` must not import torch
    import torch

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 as fractions of the frame's width and height; x0 < x1, y0 < y1."""

NUM_DRAWS = 64
"""Random numbers a clip has for the augmentations of one epoch."""

Kind = Literal["visible", "silent", "noise", "offscreen"]
"""What is true of a clip's sound: its source is in view, there is none, it is noise, or it comes from elsewhere."""

KINDS: tuple[Kind, ...] = ("visible", "silent", "noise", "offscreen")


class UserError(ValueError):
    """A mistake in what the user gave; its one-line message says what was expected, what came, and what to do."""

    def __str__(self) -> str:
        return one_line(super().__str__())


@dataclass(frozen=True)
class Clip:
    """Where the media of one question is: a picture (or a moment of a video) and a sound."""

    id: str
    image: Path | None = None
    video: Path | None = None
    time_seconds: float | None = None
    """The moment of `video` to look at; None means its middle. Of an `image`: where in `audio` it stands, if known."""
    audio: Path | None = None
    """The sound's file; None means the sound track of `video`."""
    labels: tuple[str, ...] = ()
    """Classes of the sound, where the data set gives them."""
    group: str | None = None
    """Clips that share a frame (interactive pairs) share a group."""

    def __post_init__(self) -> None:
        if self.image is not None and self.video is not None:
            raise UserError(
                f"clip {self.id}: expected one picture, got image={self.image} and video={self.video}; give one"
            )
        if self.time_seconds is not None and not math.isfinite(self.time_seconds):
            raise UserError(f"clip {self.id}: expected a moment in seconds, got {self.time_seconds}; mend it")
        if self.time_seconds is not None and self.video is None and (self.image is None or self.audio is None):
            raise UserError(
                f"clip {self.id}: time_seconds={self.time_seconds} without a video, or a picture and its sound;"
                " give them"
            )


@dataclass(frozen=True)
class Target:
    """The truth for one clip. `boxes` are kept as the data set gives them: defects are a protocol's business."""

    clip_id: str
    kind: Kind = "visible"
    boxes: tuple[Box, ...] = ()
    box_labels: tuple[str, ...] = ()
    """A class a box, where the data set gives one; else empty."""
    mask: Path | npt.NDArray[np.bool_] | None = None
    """(H, W) of the whole frame, true where the sounding object is; or a picture file of it."""
    objects: Path | None = None
    """(H, W) picture of numbers: which object of the scene, sounding or not, is seen at each pixel; 0 is none."""
    consensus: int = 1
    """How many boxes must agree for full weight: a cell's weight is min(1, boxes there / consensus)."""
    labels: tuple[str, ...] = ()
    group: str | None = None
    video: str | None = None
    """The film of which this is one frame: such targets are averaged by film first, where a metric says so."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"target {self.clip_id}: expected kind in {KINDS}, got {self.kind!r}")
        wrong = next((box for box in self.boxes if len(box) != 4 or not all(map(math.isfinite, box))), None)
        if wrong is not None:
            raise UserError(f"target {self.clip_id}: expected boxes of four finite numbers, got {wrong}; mend it")
        if self.box_labels and len(self.box_labels) != len(self.boxes):
            raise UserError(
                f"target {self.clip_id}: expected a label a box, got {len(self.box_labels)} labels"
                f" for {len(self.boxes)} boxes"
            )


@dataclass(frozen=True)
class Inputs:
    """What a method eats. The loader reads exactly this and nothing else."""

    image_size: int = 224
    """Side of the square picture."""
    image_mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    image_std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    resize: Literal["squash", "crop"] = "squash"
    """squash: both sides to image_size, so that normalised boxes stay aligned; crop: shorter side, then the centre."""
    sample_rate: int | None = None
    """Hz; None keeps each file's own rate."""
    seconds: float = 3.0
    window: Literal["centre", "first", "frame"] = "centre"
    """Which `seconds` of the sound: the middle, the first, or those around the picture's time. Short sound is tiled."""
    spectrogram: str = "psd_hop238"
    """A key of soundspot.media.audio.SPECTROGRAMS."""
    views: tuple[Literal["flow", "frames"], ...] = ()
    """What of the film localization needs beside the picture; see soundspot.data.views."""
    num_frames: int = 1
    """Of the view "frames", evenly spaced over `seconds`."""
    waveform: bool = False
    """Whether the sound itself goes along as well, for who mixes or separates it; needs a stated `sample_rate`."""
    train_frame: Literal["centre", "random"] = "centre"
    train_sound: Literal["aligned", "whole"] = "aligned"
    train_scale: float = 1.1
    """Training pictures: shorter side to int(image_size * train_scale), random crop of image_size, random flip."""


@dataclass
class Batch:
    """Tensors of a batch, checked once where it is made."""

    image: torch.Tensor
    """(B, 3, H, W), normalised."""
    audio: torch.Tensor
    """(B, 1, F, T), the method's spectrogram."""
    clip_ids: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...] = ()
    mask: torch.Tensor | None = None
    """(B, 1, H, W) in 0..1, true area of the sounding object; only for methods that declare `needs = {"mask"}`."""
    extra: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """Further views by name, for methods that declare them in `needs`: "flow" (B, 2, H, W) in pixels to the next
    frame; "frames" (B, T, 3, H, W); "image_neighbour" and "audio_neighbour", shaped like `image` and `audio`; and
    where the Inputs say so "waveform" (B, N) in -1..1, at their sample_rate."""
    draws: torch.Tensor | None = None
    """(B, NUM_DRAWS) numbers in [0, 1) for augmentation: a clip's follow from (seed, epoch, clip id) alone.

    On the host, wherever the rest is: what they decide is worked out there, so that the host never waits for a GPU.
    """

    def __post_init__(self) -> None:
        size = len(self.clip_ids)
        if self.image.ndim != 4 or self.image.shape[0] != size or self.image.shape[1] != 3:
            raise ValueError(f"expected image ({size}, 3, H, W), got {tuple(self.image.shape)}")
        if self.audio.ndim != 4 or self.audio.shape[0] != size or self.audio.shape[1] != 1:
            raise ValueError(f"expected audio ({size}, 1, F, T), got {tuple(self.audio.shape)}")
        if self.draws is not None and self.draws.shape != (size, NUM_DRAWS):
            raise ValueError(f"expected draws ({size}, {NUM_DRAWS}), got {tuple(self.draws.shape)}")
        if self.draws is not None and self.draws.device.type != "cpu":
            raise ValueError(f"expected draws on the CPU, got them on {self.draws.device}; leave them there")

    def __len__(self) -> int:
        return len(self.clip_ids)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on `device`; draws stay on the host."""
        return Batch(
            image=self.image.to(device, non_blocking=True),
            audio=self.audio.to(device, non_blocking=True),
            clip_ids=self.clip_ids,
            labels=self.labels,
            mask=None if self.mask is None else self.mask.to(device, non_blocking=True),
            extra={name: value.to(device, non_blocking=True) for name, value in self.extra.items()},
            draws=self.draws,
        )


@dataclass(frozen=True)
class Missing:
    """A listed clip that could not be read: counted and named in every result, never replaced."""

    clip_id: str
    reason: str
