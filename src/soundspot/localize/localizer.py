"""Localize the sound of a picture or a film with any method's weights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from soundspot.data.loader import Stack, fit_picture
from soundspot.localize.regions import boxes_of
from soundspot.localize.source import SoundWindows, Source, open_source
from soundspot.localize.timeline import SILENCE_DBFS, Calibration, Moment, Timeline, Verdict
from soundspot.methods.base import Method
from soundspot.predict import provenance
from soundspot.types import Clip
from soundspot.weights import find_weights, load

LEVEL_SECONDS = 1.0
"""Silence is judged on the middle second of the window, so that the verdict follows quickly when a sound stops."""
NUM_TAGS = 5
VAGUE_SHARE = 0.5
Progress = Callable[[int, int], None]


class Localizer:
    """A method with its weights, ready for pictures, sounds and films."""

    def __init__(self, method: Method, calibration: Calibration | None = None, device: str = "cpu") -> None:
        self.method = method.to(device).eval()
        self.calibration = calibration
        self.device = device
        self.sample_rate = method.inputs.sample_rate or 16000

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path = "default", device: str = "cpu") -> Localizer:
        """The built-in weights ("default") or those of a safetensors file. Raises UserError when there are none."""
        method = load(find_weights(name_or_path), device=device)
        return cls(method, Calibration.of(method.provenance), device)

    def __call__(self, image: npt.NDArray[np.uint8], sound: npt.NDArray[np.float32]) -> Moment:
        """Where in `image` (H, W, 3) the mono `sound` (N,) at `self.sample_rate` comes from."""
        return next(iter(self._moments([(0.0, image)], [sound])))

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
        return Timeline(str(source.path), moments, every_seconds, provenance(self.method))

    def _stream(
        self, source: Source, every_seconds: float, batch_size: int, progress: Progress | None
    ) -> Iterator[Moment]:
        windows = SoundWindows(source.sound_path, self.sample_rate, self.method.inputs.seconds)
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
            samples=torch.from_numpy(np.stack(sounds)),
            sample_rate=self.sample_rate,
            clips=tuple(Clip(f"{time:.3f}") for time, _ in frames),
        ).to_batch(inputs, self.device)
        maps = self.method.localize(batch).float().cpu().numpy()
        tags = self.method.hear(batch).float().cpu().numpy()
        for index, (time, _) in enumerate(frames):
            yield self._moment(time, maps[index], tags[index], _level_dbfs(sounds[index], self.sample_rate))

    def _moment(self, time: float, scores: npt.NDArray, tags: npt.NDArray, level_dbfs: float) -> Moment:
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
            tags=() if verdict == "silent" else self._told(tags),
            boxes=boxes_of(heat) if verdict == "on-screen" else (),
        )

    def _told(self, tags: npt.NDArray) -> tuple[tuple[str, float], ...]:
        """What was heard, most likely first; the name of a family must be twice as likely to come first."""
        names = self.method.tag_names
        rank = {i: tags[i] * (VAGUE_SHARE if names[i] in self.method.vague_tags else 1) for i in range(len(names))}
        return tuple((names[i], float(tags[i])) for i in sorted(rank, key=lambda i: -rank[i])[:NUM_TAGS])


def _verdict(probability: float, level_dbfs: float) -> Verdict:
    if level_dbfs < SILENCE_DBFS:
        return "silent"
    return "on-screen" if probability >= 0.5 else "off-screen"


def _relative(scores: npt.NDArray) -> npt.NDArray[np.float32]:
    """Scores stretched to 0..1: all that can be shown of a method without calibration."""
    low, high = float(scores.min()), float(scores.max())
    return ((scores - low) / max(high - low, 1e-12)).astype(np.float32)


def _level_dbfs(sound: npt.NDArray[np.float32], sample_rate: int) -> float:
    """Loudness (root mean square) of the window's middle, in decibels below full scale; -inf for digital silence."""
    half = min(len(sound), round(LEVEL_SECONDS * sample_rate)) // 2
    middle = sound[len(sound) // 2 - half : len(sound) // 2 + half].astype(np.float64)
    power = float(np.mean(middle**2)) if len(middle) else 0.0
    return 10 * math.log10(power) if power > 0 else -math.inf


def _chunks(items: Iterable, size: int) -> Iterator[list]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
