"""Localize the sound of a picture or a film with any method's weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from soundspot.ahead import ahead
from soundspot.data.loader import Stack, fit_picture
from soundspot.localize.beside import side_by_side
from soundspot.localize.classes import ClassThresholds
from soundspot.localize.given import Picture, Sound, picture_of, sound_of
from soundspot.localize.judging import Judge, Moments
from soundspot.localize.looks import Look, Looks
from soundspot.localize.shots import change, glance_of
from soundspot.localize.source import BATCH_SIZE, EVERY_SECONDS, SoundWindows, Source, open_source
from soundspot.localize.timeline import Calibration, Moment, Timeline
from soundspot.media.audio import stereo_balance
from soundspot.media.sound import rms_db
from soundspot.methods.base import Method
from soundspot.predict import provenance
from soundspot.types import Batch, Clip, UserError
from soundspot.weights import find_weights, load

LEVEL_SECONDS = 1.0
"""Silence is judged on the middle second of the window, so that the verdict follows quickly when a sound stops."""
NUM_TAGS = 5
AHEAD = 2
"""Batches that are decoded while the method works on another."""
Progress = Callable[[int, int], None]
Heard = npt.NDArray[np.float32]
Peaks = tuple[float, ...]
WAVE_PARTS = 8
"""Of a step, for drawing a wave."""


class Localizer:
    """A method with its weights, ready for pictures, sounds and films.

    A method that tells classes apart is judged class by class: `thresholds` say from when on one is heard or in view,
    and a `calibration` is not asked.
    """

    def __init__(
        self,
        method: Method,
        calibration: Calibration | None = None,
        device: str = "cpu",
        thresholds: ClassThresholds | None = None,
    ) -> None:
        self.method = method.to(device).eval()
        self.judge = Judge(calibration, thresholds or ClassThresholds(), tuple(method.class_names))
        self.device = device
        self.sample_rate = method.inputs.sample_rate or 16000

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path = "default", device: str = "cpu") -> Localizer:
        """The built-in weights ("default") or those of a safetensors file. Raises UserError when there are none."""
        method = load(find_weights(name_or_path), device=device)
        header = method.provenance
        return cls(method, Calibration.of(header), device, ClassThresholds.of(header))

    @property
    def calibration(self) -> Calibration | None:
        """What turns scores into probabilities."""
        return self.judge.calibration

    @property
    def thresholds(self) -> ClassThresholds:
        """From when on a class is heard, or in view."""
        return self.judge.thresholds

    def __call__(self, image: Picture, sound: Sound, sample_rate: int | None = None) -> Moment:
        """Where in `image` the `sound` comes from.

        image: (H, W, 3) uint8 array or tensor, a PIL picture, or a path. sound: mono (N,) or stereo (2, N) samples in
        -1..1 at `sample_rate` (None: `self.sample_rate`), or a path, of which the middle is heard. UserError for what
        is neither.
        """
        picture, samples = picture_of(image), sound_of(sound, sample_rate, self.sample_rate)
        window = _middle(samples, round(self.method.inputs.seconds * self.sample_rate))
        return self.judge.moment(next(self.looks([(0.0, fit_picture(picture, self.method.inputs))], [window])))

    def video(
        self,
        path: Path | str,
        sound_path: Path | str | None = None,
        *,
        every_seconds: float = EVERY_SECONDS,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
        batch_size: int = BATCH_SIZE,
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> Timeline:
        """The timeline of a film, or of a still picture beside a sound: a moment every `every_seconds`.

        `folder` keeps what is found as it comes: called again with the same film, weights and times it goes on there.
        """
        source = open_source(Path(path), None if sound_path is None else Path(sound_path))
        return self.source(
            source.between(start_seconds, end_seconds),
            every_seconds=every_seconds,
            batch_size=batch_size,
            folder=folder,
            progress=progress,
        )

    def source(
        self,
        source: Source,
        *,
        every_seconds: float = EVERY_SECONDS,
        batch_size: int = BATCH_SIZE,
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> Timeline:
        """The timeline of what `open_source` gave."""
        if not 0 < every_seconds < math.inf:
            raise UserError(f"expected a step above 0 seconds, got {every_seconds}; try 0.5")
        origin = self.provenance
        looks = Looks(folder, {"source": source.identity(), "every_seconds": every_seconds, "made_with": origin})
        total = max(1, math.ceil(source.seconds / every_seconds - 1e-9))
        for look in self.watch(source, every_seconds, batch_size, looks):
            looks.add(look)
            if len(looks) % batch_size == 0:
                looks.flush()
            if progress is not None:
                progress(min(len(looks), total), total)
        looks.flush()
        wave = tuple(peak for row in looks.rows for peak in row.peaks)
        return Timeline(
            str(source.path), Moments(looks, looks.rows, self.judge), every_seconds, origin, wave, source.shown()
        )

    @cached_property
    def provenance(self) -> dict[str, str]:
        """What makes maps and verdicts, as text."""
        return {**provenance(self.method), **self.judge.as_text()}

    def watch(self, source: Source, every_seconds: float, batch_size: int, done: Looks) -> Iterator[Look]:
        """The looks that come after those that are `done`: decoding runs ahead of the method by a few batches."""
        start = source.start_seconds + max(0, len(done) - 1) * every_seconds  # the last one again, for what changed
        windows = SoundWindows(
            source.sound_path,
            self.sample_rate,
            self.method.inputs.seconds,
            stereo=source.sound_channels > 1,
            start_seconds=start,
        )
        frames = source.frames(1 / every_seconds, start)
        batches = ahead(self._batches(frames, windows, batch_size, every_seconds, skip=min(1, len(done))), AHEAD)
        at_once = torch.get_num_threads() if self.device == "cpu" and self.method.side_by_side else 1
        for looks in side_by_side(lambda batch: list(self.looks(*batch)), batches, at_once):
            yield from looks

    def _batches(
        self,
        frames: Iterable[tuple[float, npt.NDArray[np.uint8]]],
        windows: SoundWindows,
        size: int,
        every_seconds: float,
        skip: int,
    ) -> Iterator[tuple[list[tuple[float, npt.NDArray[np.uint8]]], list[Heard], list[float], list[Peaks]]]:
        """Batches of fitted pictures with their times, windows of sound, what changed, and the loudest samples."""
        before, held = None, ([], [], [], [])  # type: ignore[var-annotated]
        for number, (time, frame) in enumerate(frames):
            glance = glance_of(frame)
            if number >= skip:
                window = windows.around(time)
                values = (
                    (time, fit_picture(frame, self.method.inputs)),
                    window,
                    0.0 if before is None else change(before, glance),
                    _peaks(_middle(window, round(every_seconds * self.sample_rate))),
                )
                for column, value in zip(held, values, strict=True):
                    column.append(value)
            before = glance
            if len(held[0]) == size:
                yield held
                held = ([], [], [], [])
        if held[0]:
            yield held

    @torch.no_grad()
    def looks(
        self,
        frames: list[tuple[float, npt.NDArray[np.uint8]]],
        sounds: list[Heard],
        changes: list[float] | None = None,
        peaks: list[Peaks] | None = None,
    ) -> Iterator[Look]:
        """What the method says of pictures, as it wants them, with their times, and of the windows of sound beside."""
        inputs = self.method.inputs
        batch = Stack(
            images=torch.from_numpy(np.stack([image for _, image in frames])),
            samples=torch.from_numpy(np.stack([sound.mean(axis=0) for sound in sounds])),
            sample_rate=self.sample_rate,
            clips=tuple(Clip(f"{time:.3f}") for time, _ in frames),
        ).to_batch(inputs, self.device)
        localized, heard_now = self.method.localize_and_hear(batch)
        maps, heard = localized.float(), heard_now.float().cpu().numpy()
        seen = self._seen(batch, maps, heard.shape[1]) if maps.ndim == 4 else None
        scores = maps.cpu().numpy()
        for index, (time, _) in enumerate(frames):
            middle = _middle(sounds[index], round(LEVEL_SECONDS * self.sample_rate))
            yield Look(
                time_seconds=time,
                maps=scores[index],
                level_dbfs=rms_db(middle.mean(axis=0, dtype=np.float64)),
                peaks=peaks[index] if peaks else (),
                change=changes[index] if changes else 0.0,
                tags=self.method.told(heard[index].tolist(), NUM_TAGS),
                balance=stereo_balance(middle) if len(middle) == 2 else None,
                **_of_classes(heard[index], seen[index]) if seen is not None else {},
            )

    def _seen(self, batch: Batch, maps: Tensor, num_heard: int) -> npt.NDArray[np.float32]:
        """(B, K, h, w) where each class is in view, on the grid of the maps; UserError unless all are of K classes."""
        method = self.method
        if not len(method.class_names) == maps.shape[1] == num_heard or method.tag_names != method.class_names:
            raise UserError(
                f"{type(method).__name__}: expected class_names, the same tag_names, and a map and a probability for"
                f" each, got {len(method.class_names)} and {len(method.tag_names)} names, {maps.shape[1]} maps and"
                f" {num_heard} probabilities; mend the method"
            )
        seen = method.see(batch).float()
        return F.interpolate(seen, maps.shape[2:], mode="bilinear").clamp(0, 1).cpu().numpy()


def _peaks(sound: Heard) -> Peaks:
    """(C, N) -> WAVE_PARTS of them."""
    return tuple(float(np.abs(part).max(initial=0.0)) for part in np.array_split(sound, WAVE_PARTS, axis=1))


def _of_classes(heard: Heard, seen: npt.NDArray[np.float32]) -> Mapping[str, Any]:
    return {"heard": tuple(heard.tolist()), "seen": seen}


def _middle(sound: Heard, num_samples: int) -> Heard:
    """(C, N) -> its middle so many samples, or all of it."""
    half = min(sound.shape[1], num_samples) // 2
    return sound[:, sound.shape[1] // 2 - half : sound.shape[1] // 2 + half]
