"""Picture and sound as they come: a pipe, a device, an address; or a file, at the pace at which it would be shown."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from soundspot.media.container import Decoded, duration_seconds, find_stream
from soundspot.media.errors import MediaError
from soundspot.media.files import absence
from soundspot.media.sound import MAX_SAMPLE_RATE, Layout, mixed, sound_frame, to_float
from soundspot.media.video import to_rgb

OPEN_SECONDS = 15.0
"""How long an address may take to answer, or a stream may say nothing."""
SOON = {"probesize": "500000", "analyzeduration": "1000000"}
"""Half a megabyte or a second is looked at before the first frame is given, not the five of files."""
TCP = {"rtsp_transport": "tcp"}
"""Packets that are lost on the way would be lost to the maps as well."""


class Piece(NamedTuple):
    """A frame or a piece of sound that has just come."""

    kind: Literal["picture", "sound"]
    time_seconds: float
    """Since the stream began."""
    arrived_seconds: float
    """By time.monotonic."""
    content: Any
    """A `Decoded` picture, for `pixels_of`; or float32 (C, N) samples at the wanted rate."""


def pixels_of(picture: Decoded) -> npt.NDArray[np.uint8]:
    """(H, W, 3) of what is on screen."""
    return to_rgb(picture, VideoReformatter())


@dataclass
class Stream:
    """An open stream; `pieces` may be gone through once."""

    name: str
    container: Any
    picture: Any | None
    sound: Any | None
    is_paced: bool
    """A file: it is given at its own pace."""

    def pieces(self, sample_rate: int, layout: Layout) -> Iterator[Piece]:
        """What comes, as it comes. MediaError where the stream breaks."""
        began = time.monotonic()
        origin: float | None = None
        ear = _Ear(sample_rate, layout)
        streams = [stream for stream in (self.picture, self.sound) if stream is not None]
        try:
            for packet in self.container.demux(*streams):
                for frame in _decoded(packet):
                    if frame.pts is None or frame.time_base is None:
                        continue
                    stamp = float(frame.pts * frame.time_base)
                    origin = stamp if origin is None else origin
                    at = stamp - origin
                    if self.is_paced:
                        time.sleep(max(0.0, at - (time.monotonic() - began)))
                    now = time.monotonic()
                    if packet.stream is self.picture:
                        yield Piece("picture", at, now, Decoded(at, duration_seconds(frame, self.picture), frame))
                    else:
                        yield from (Piece("sound", at, now, samples) for at, samples in ear.hear(frame, at, self.name))
        except (av.EOFError, IndexError):  # PyAV's other way to end, where a stream appeared after the start
            return
        except av.FFmpegError as error:
            raise MediaError(
                f"{self.name}: expected the stream to go on, got '{error.strerror}'; start again"
            ) from error

    def close(self) -> None:
        """Let go of it."""
        self.container.close()


def open_stream(name: str, format_name: str | None = None) -> Stream:
    """`-` for standard input, a named pipe, /dev/video0, an address, or a file. MediaError where nothing can be read.

    `format_name` is FFmpeg's name of a device's kind ("alsa", "v4l2"), known by itself for /dev/video*.
    """
    address, form, is_paced = _address(name, format_name)
    options = SOON | (TCP if name.startswith("rtsp") else {})
    try:
        container = av.open(address, format=form, options=options, timeout=OPEN_SECONDS if "://" in name else None)
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"{name}: expected a stream of picture and sound, got '{reason}'; is it running?") from error
    for each in container.streams:
        if each.codec_context is not None:
            each.thread_type = "SLICE"  # decoding several frames at once would hold them back
    return Stream(name, container, find_stream(container, "picture"), find_stream(container, "sound"), is_paced)


def _address(name: str, form: str | None) -> tuple[Any, str | None, bool]:
    """What FFmpeg opens, as what, and whether it is a file."""
    if name == "-":
        return "pipe:0", form, False  # not through Python, which waits until its buffer is full
    if "://" in name or form is not None:
        return name, form, False
    path = Path(name)
    if not path.exists():
        raise MediaError(f"{name}: expected a pipe, a device, an address or a file, got {absence(path)}")
    mode = path.stat().st_mode
    if stat.S_ISCHR(mode):
        return name, "v4l2", False
    return f"file:{path.absolute()}", form, stat.S_ISREG(mode)


def _decoded(packet: Any) -> list[Any]:
    try:
        return packet.decode()
    except av.EOFError:
        return []
    except av.FFmpegError:  # damaged on its way: the next may be whole
        return []


class _Ear:
    """Pieces of sound at one rate, channel layout folded; each carries its own time, so that gaps stay gaps."""

    def __init__(self, sample_rate: int, layout: Layout) -> None:
        self.sample_rate, self.layout = sample_rate, layout
        self._resampler: Any = None
        self._source_rate = 0
        self._given = 0

    def hear(self, frame: Any, at: float, name: str) -> Iterator[tuple[float, npt.NDArray[np.float32]]]:
        rate = frame.sample_rate
        if not 1 <= rate <= MAX_SAMPLE_RATE:
            raise MediaError(f"{name}: expected a sample rate up to {MAX_SAMPLE_RATE} Hz, got {rate}; check the source")
        samples = mixed(to_float(frame), [channel.name for channel in frame.layout.channels], self.layout)
        if rate != self._source_rate:
            self._resampler = av.AudioResampler(format="fltp", layout=self.layout, rate=self.sample_rate)
            self._source_rate, self._given = rate, 0
        for piece in self._resampler.resample(sound_frame(np.nan_to_num(samples), rate, self._given)):
            yield at, to_float(piece)
        self._given += samples.shape[1]
