"""What is being localized: a film with its sound, or a still picture beside a sound, seen as one stream of both."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from soundspot.localize.timeline import Shown
from soundspot.media.files import PICTURE_ENDINGS
from soundspot.media.image import read_image
from soundspot.media.planes import BT709, PlanarFrame, iter_planes, planes_of
from soundspot.media.video import iter_frames, iter_waveform, probe, read_frame, there_seconds
from soundspot.media.wav import plain_wav
from soundspot.types import UserError

EVERY_SECONDS = 0.5
"""How far apart its moments are looked at, where nobody says."""
BATCH_SIZE = 8
"""How many of them at once."""
PICTURE_SUFFIXES = PICTURE_ENDINGS
STILL_FRAMES_PER_SECOND = 10.0
CHUNK_SECONDS = 1.0


def file_facts(path: Path) -> list[str | int]:
    """What tells a file from others and from an earlier state of it, without reading it.

    The time of its last change alone would not: it can be set, as copying does, and clocks are set back. What the
    system notes of the file itself cannot.
    """
    facts = path.stat()
    return [str(path.resolve()), facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]


@dataclass(frozen=True)
class Source:
    """A film (`still` is None) or a still picture, and where its sound comes from."""

    path: Path
    sound_path: Path
    still: npt.NDArray[np.uint8] | None
    duration_seconds: float
    frames_per_second: float
    """Of the picture, for showing it again."""
    sound_rate: int
    """Hz, of the sound as it lies in the file."""
    sound_channels: int
    """Of the sound as it lies in the file."""
    width: int
    """Pixels of the picture, as it is shown."""
    height: int
    start_seconds: float = 0.0
    """From when on it is looked at."""
    end_seconds: float = math.inf
    """Until when; infinity for the end of the pictures, wherever the file claims it to be."""

    def between(self, start_seconds: float, end_seconds: float | None) -> Source:
        """The same from one time on until another (None: its end). UserError where nothing lies between."""
        end = math.inf if end_seconds is None else end_seconds
        if not 0 <= start_seconds < min(end, self.duration_seconds):
            raise UserError(
                f"{self.path}: expected a start from 0 on and before the end, got {start_seconds:g} to"
                f" {min(end, self.duration_seconds):g} s of {self.duration_seconds:g} s; choose other times"
            )
        return replace(self, start_seconds=start_seconds, end_seconds=end)

    def shown(self) -> Shown:
        """What of it is looked at."""
        return Shown(
            self.width,
            self.height,
            self.frames_per_second,
            self.start_seconds,
            min(self.end_seconds, self.duration_seconds),
        )

    @property
    def seconds(self) -> float:
        """How much of it is looked at, as far as the file says."""
        return min(self.end_seconds, self.duration_seconds) - self.start_seconds

    def identity(self) -> dict[str, Any]:
        """What tells this source from others and from an earlier state of its files."""
        return {
            "files": sorted(file_facts(path) for path in {self.path, self.sound_path}),
            "start_seconds": self.start_seconds,
            "end_seconds": None if math.isinf(self.end_seconds) else self.end_seconds,
        }

    def picture_at(self, time_seconds: float) -> npt.NDArray[np.uint8]:
        """(H, W, 3) what is shown at a time."""
        return read_frame(self.path, time_seconds) if self.still is None else self.still

    def frames(
        self, frames_per_second: float, start_seconds: float | None = None
    ) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
        """(time_seconds, (H, W, 3)) at a steady rate from its start (or a later time) to its end, streamed."""
        start = self.start_seconds if start_seconds is None else start_seconds
        if self.still is None:
            end = None if math.isinf(self.end_seconds) else self.end_seconds
            for frame in iter_frames(
                self.path, frames_per_second=frames_per_second, start_seconds=start, end_seconds=end
            ):
                yield frame.time_seconds, frame.image
            return
        end = min(self.end_seconds, self.duration_seconds)
        for index in range(max(1, int((end - start) * frames_per_second))):
            yield start + index / frames_per_second, self.still

    def planes(self, frames_per_second: float, size: tuple[int, int]) -> Iterator[PlanarFrame]:
        """The same from its start to its end in planes of (width, height), for films that are written of it."""
        end = min(self.end_seconds, self.duration_seconds)
        if self.still is None:
            until = None if math.isinf(self.end_seconds) else self.end_seconds
            yield from iter_planes(
                self.path,
                size=size,
                frames_per_second=frames_per_second,
                start_seconds=self.start_seconds,
                end_seconds=until,
            )
            return
        planes = planes_of(np.asarray(Image.fromarray(self.still).resize(size, Image.Resampling.LANCZOS)))
        for index in range(max(1, int((end - self.start_seconds) * frames_per_second))):
            yield PlanarFrame(self.start_seconds + index / frames_per_second, planes, BT709)


def open_source(path: Path, sound_path: Path | None = None) -> Source:
    """Look at the files once. Raises UserError when there is no picture or no sound to work with."""
    if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
        if sound_path is None:
            raise UserError(
                f"{path} is a picture: expected a sound beside it; give one: soundspot localize PICTURE SOUND"
            )
        return _still(path, sound_path)
    info = probe(path)
    if not info.has_picture:
        raise UserError(f"{path}: expected a film or a picture, got sound alone; give a picture first, then the sound")
    rate, channels, _ = _sound(sound_path or path)
    shown_rate = info.frames_per_second or 25.0
    assert info.width is not None and info.height is not None  # it has a picture  # noqa: PT018
    return Source(
        path, sound_path or path, None, info.duration_seconds, shown_rate, rate, channels, info.width, info.height
    )


def _still(path: Path, sound_path: Path) -> Source:
    rate, channels, duration = _sound(sound_path)
    if plain_wav(sound_path) is None:  # whose length is that of what is there
        duration = min(duration, there_seconds(sound_path))
    picture = read_image(path)
    height, width = picture.shape[:2]
    return Source(path, sound_path, picture, duration, STILL_FRAMES_PER_SECOND, rate, channels, width, height)


def _sound(path: Path) -> tuple[int, int, float]:
    """Rate, channels and length in seconds."""
    info = probe(path)
    if info.sample_rate is None or info.channels is None:
        raise UserError(f"{path}: expected a sound track, got none; give a sound file as second argument")
    return info.sample_rate, info.channels, info.duration_seconds


class SoundWindows:
    """Windows of a sound around rising times, read once in chunks: memory does not grow with the sound's length.

    No time may lie before `start_seconds`.
    """

    def __init__(
        self, path: Path, sample_rate: int, seconds: float, stereo: bool = False, start_seconds: float = 0.0
    ) -> None:
        self.sample_rate = sample_rate
        self.length = round(seconds * sample_rate)
        self.num_channels = 2 if stereo else 1
        begin = max(0, round((start_seconds - seconds) * sample_rate))
        self._chunks = iter_waveform(
            path,
            sample_rate=sample_rate,
            chunk_seconds=CHUNK_SECONDS,
            layout="stereo" if stereo else "mono",
            start_seconds=begin / sample_rate,
        )
        self._held: deque[npt.NDArray[np.float32]] = deque()
        self._start = begin
        """Place of the first held sample in the whole sound."""
        self._end = begin

    def around(self, time_seconds: float) -> npt.NDArray[np.float32]:
        """(C, N) samples centred on a time; silence stands in before the beginning and after the end."""
        first = round(time_seconds * self.sample_rate) - self.length // 2
        last = first + self.length
        while self._end < last and (chunk := next(self._chunks, None)) is not None:
            self._held.append(chunk.samples)
            self._end += chunk.samples.shape[1]
        while self._held and self._start + self._held[0].shape[1] <= first:
            self._start += self._held.popleft().shape[1]
        window = np.zeros((self.num_channels, self.length), dtype=np.float32)
        if self._held:
            held = np.concatenate(list(self._held), axis=1)
            begin, stop = max(first, self._start), min(last, self._start + held.shape[1])
            if stop > begin:
                window[:, begin - first : stop - first] = held[:, begin - self._start : stop - self._start]
        return window
