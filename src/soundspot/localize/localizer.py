"""Localize the sound of a picture or a film with any method's weights."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from soundspot.data.loader import Stack, fit_picture
from soundspot.localize.classes import ClassThresholds, in_view, judge
from soundspot.localize.regions import boxes_of
from soundspot.localize.source import SoundWindows, Source, open_source
from soundspot.localize.timeline import SILENCE_DBFS, Calibration, Moment, Timeline, Verdict
from soundspot.media.audio import stereo_balance
from soundspot.media.sound import rms_db
from soundspot.methods.base import Method
from soundspot.predict import provenance
from soundspot.types import Batch, Clip, UserError
from soundspot.weights import find_weights, load

LEVEL_SECONDS = 1.0
"""Silence is judged on the middle second of the window, so that the verdict follows quickly when a sound stops."""
NUM_TAGS = 5
Progress = Callable[[int, int], None]


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
        self.calibration = calibration
        self.thresholds = thresholds or ClassThresholds()
        self.device = device
        self.sample_rate = method.inputs.sample_rate or 16000

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path = "default", device: str = "cpu") -> Localizer:
        """The built-in weights ("default") or those of a safetensors file. Raises UserError when there are none."""
        method = load(find_weights(name_or_path), device=device)
        header = method.provenance
        return cls(method, Calibration.of(header), device, ClassThresholds.of(header))

    def __call__(self, image: npt.NDArray[np.uint8], sound: npt.NDArray[np.float32]) -> Moment:
        """Where in `image` (H, W, 3) the `sound` at `self.sample_rate` comes from: mono (N,) or stereo (2, N)."""
        return next(iter(self._moments([(0.0, image)], [np.atleast_2d(sound)])))

    def video(
        self,
        path: Path,
        sound_path: Path | None = None,
        *,
        every_seconds: float = 0.5,
        batch_size: int = 8,
        progress: Progress | None = None,
    ) -> Timeline:
        """The timeline of a film, or of a still picture beside a sound: a moment every `every_seconds`."""
        return self.source(
            open_source(path, sound_path), every_seconds=every_seconds, batch_size=batch_size, progress=progress
        )

    def source(
        self, source: Source, *, every_seconds: float = 0.5, batch_size: int = 8, progress: Progress | None = None
    ) -> Timeline:
        """The timeline of what `open_source` gave."""
        moments = tuple(self._stream(source, every_seconds, batch_size, progress))
        origin = provenance(self.method)
        if moments and moments[0].classes:
            origin["class_thresholds"] = json.dumps(vars(self.thresholds))
        return Timeline(str(source.path), moments, every_seconds, origin)

    def _stream(
        self, source: Source, every_seconds: float, batch_size: int, progress: Progress | None
    ) -> Iterator[Moment]:
        windows = SoundWindows(
            source.sound_path, self.sample_rate, self.method.inputs.seconds, stereo=source.sound_channels > 1
        )
        total = max(1, math.ceil(source.duration_seconds / every_seconds))
        done = 0
        for frames in _chunks(source.frames(1 / every_seconds), batch_size):
            for moment in self._moments(frames, [windows.around(time) for time, _ in frames]):
                yield moment
                done += 1
                if progress is not None:
                    progress(min(done, total), total)

    @torch.no_grad()
    def _moments(
        self, frames: list[tuple[float, npt.NDArray[np.uint8]]], sounds: list[npt.NDArray[np.float32]]
    ) -> Iterator[Moment]:
        inputs = self.method.inputs
        batch = Stack(
            images=torch.from_numpy(np.stack([fit_picture(image, inputs) for _, image in frames])),
            samples=torch.from_numpy(np.stack([sound.mean(axis=0) for sound in sounds])),
            sample_rate=self.sample_rate,
            clips=tuple(Clip(f"{time:.3f}") for time, _ in frames),
        ).to_batch(inputs, self.device)
        maps = self.method.localize(batch).float()
        tags = self.method.hear(batch).float().cpu().numpy()
        seen = self._seen(batch, maps, tags.shape[1]) if maps.ndim == 4 else None
        scores = maps.cpu().numpy()
        for index, (time, _) in enumerate(frames):
            middle = self._middle(sounds[index])
            if seen is None:
                yield self._moment(time, scores[index], tags[index], middle)
            else:
                yield self._moment_of_classes(time, scores[index], tags[index], seen[index], middle)

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

    def _middle(self, sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(C, N) -> its middle LEVEL_SECONDS."""
        num_samples = sound.shape[1]
        half = min(num_samples, round(LEVEL_SECONDS * self.sample_rate)) // 2
        return sound[:, num_samples // 2 - half : num_samples // 2 + half]

    def _moment(self, time: float, scores: npt.NDArray, tags: npt.NDArray, middle: npt.NDArray[np.float32]) -> Moment:
        level_dbfs = rms_db(middle.mean(axis=0, dtype=np.float64))
        confidence = float(scores.max())
        heat, probability, verdict = _relative(scores), None, None
        if self.calibration is not None:
            heat = self.calibration.probability(scores).astype(np.float32)
            probability = float(heat.max())
            verdict = _verdict(probability, level_dbfs)
        if verdict == "silent":
            heat, probability = np.zeros_like(heat), 0.0
        return Moment(
            time_seconds=time,
            map=scores,
            heat=heat,
            confidence=confidence,
            probability=probability,
            verdict=verdict,
            level_dbfs=level_dbfs,
            balance=stereo_balance(middle) if len(middle) == 2 and verdict != "silent" else None,
            tags=() if verdict == "silent" else self.method.told(tags.tolist(), NUM_TAGS),
            boxes=boxes_of(heat) if verdict == "on-screen" else (),
        )

    def _moment_of_classes(
        self,
        time: float,
        maps: npt.NDArray[np.float32],
        heard: npt.NDArray[np.float32],
        seen: npt.NDArray[np.float32],
        middle: npt.NDArray[np.float32],
    ) -> Moment:
        level_dbfs = rms_db(middle.mean(axis=0, dtype=np.float64))
        is_silent = level_dbfs < SILENCE_DBFS
        heard = np.zeros_like(heard) if is_silent else heard  # nothing sounds, whatever the method made of it
        classes = judge(self.method.class_names, maps, heard, seen, self.thresholds)
        sounding = [number for number, each in enumerate(classes) if each.verdict == "sounding"]
        scores = maps[sounding or slice(None)].max(axis=0)
        verdict: Verdict = "silent" if is_silent else "on-screen" if sounding else "off-screen"
        return Moment(
            time_seconds=time,
            map=scores,
            heat=np.max([np.zeros_like(scores), *(classes[number].heat for number in sounding)], axis=0),
            confidence=float(scores.max()),
            probability=in_view(classes, self.thresholds),
            verdict=verdict,
            level_dbfs=level_dbfs,
            balance=stereo_balance(middle) if len(middle) == 2 and not is_silent else None,
            tags=() if is_silent else self.method.told(heard.tolist(), NUM_TAGS),
            boxes=tuple(box for number in sounding for box in classes[number].boxes),
            classes=classes,
        )


def _verdict(probability: float, level_dbfs: float) -> Verdict:
    if level_dbfs < SILENCE_DBFS:
        return "silent"
    return "on-screen" if probability >= 0.5 else "off-screen"


def _relative(scores: npt.NDArray) -> npt.NDArray[np.float32]:
    """Scores stretched to 0..1: all that can be shown of a method without calibration."""
    low, high = float(scores.min()), float(scores.max())
    return ((scores - low) / max(high - low, 1e-12)).astype(np.float32)


def _chunks(items: Iterable, size: int) -> Iterator[list]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
