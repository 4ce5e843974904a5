"""What is being localized: a film with its sound, or a still picture beside a sound, seen as one stream of both."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soundspot.media.image import read_image
from soundspot.media.video import iter_frames, iter_waveform, probe
from soundspot.types import UserError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
STILL_FRAMES_PER_SECOND = 10.0
CHUNK_SECONDS = 1.0


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

    def frames(self, frames_per_second: float) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
        """(time_seconds, (H, W, 3)) at a steady rate from 0 to the end, streamed."""
        if self.still is None:
            for frame in iter_frames(self.path, frames_per_second=frames_per_second):
                yield frame.time_seconds, frame.image
            return
        for index in range(max(1, int(self.duration_seconds * frames_per_second))):
            yield index / frames_per_second, self.still


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
    return Source(path, sound_path or path, None, info.duration_seconds, shown_rate, rate, channels)


def _still(path: Path, sound_path: Path) -> Source:
    rate, channels, duration = _sound(sound_path)
    return Source(path, sound_path, read_image(path), duration, STILL_FRAMES_PER_SECOND, rate, channels)


def _sound(path: Path) -> tuple[int, int, float]:
    """Rate, channels and length in seconds."""
    info = probe(path)
    if info.sample_rate is None or info.channels is None:
        raise UserError(f"{path}: expected a sound track, got none; give a sound file as second argument")
    return info.sample_rate, info.channels, info.duration_seconds


class SoundWindows:
    """Windows of a sound around rising times, read once in chunks: memory does not grow with the sound's length."""

    def __init__(self, path: Path, sample_rate: int, seconds: float, stereo: bool = False) -> None:
        self.sample_rate = sample_rate
        self.length = round(seconds * sample_rate)
        self.num_channels = 2 if stereo else 1
        self._chunks = iter_waveform(
            path, sample_rate=sample_rate, chunk_seconds=CHUNK_SECONDS, layout="stereo" if stereo else "mono"
        )
        self._held: deque[npt.NDArray[np.float32]] = deque()
        self._start = 0
        """Place of the first held sample in the whole sound."""
        self._end = 0

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
