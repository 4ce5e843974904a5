"""Opening a film or sound file with PyAV, and decoding its frames from a given moment on.

Time zero is the first moment that the picture or the sound is shown (MPEG-TS starts its clock anywhere), but never a
negative timestamp: those belong to encoder delay and to what an edit list cuts off.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import av
from av.stream import Disposition

from soundspot.media.errors import MediaError
from soundspot.media.files import MOST_PIXELS, require_file

StreamKind = Literal["picture", "sound"]

SEEK_BACK_SECONDS = (0.0, 2.0, 10.0, float("inf"))
"""How far before the wanted moment to land, tried in turn: some formats' indexes land too late. inf: no seek at all."""
FALLBACK_RATE = Fraction(25)
"""Frames per second where a file states none (raw streams), as FFmpeg assumes."""

POINTING = frozenset(
    {"concat", "concatf", "dash", "hls", "imf", "rtsp", "rtp", "sap", "sdp", "tty", "webm_dash_manifest"}
)
"""Formats whose files name others to be opened in their place (or, as tty does, take any text for a picture)."""
THREADED_PIXELS = 2**26
"""Of all frames that threads decode beside each other: each holds some."""
MOST_THREADS = 16


class Decoded(NamedTuple):
    """A decoded picture or piece of sound, and when it is shown."""

    time_seconds: float
    duration_seconds: float
    frame: Any
    """av.VideoFrame or av.AudioFrame."""


@contextmanager
def open_media(path: Path) -> Iterator[Any]:
    """An open PyAV container, closed whatever happens; FFmpeg's errors become MediaError."""
    require_file(path, "a film or a sound file")
    try:
        # "file:" keeps FFmpeg from reading a colon in a name as a protocol; the whitelists keep playlists from the net,
        # and from other files
        options = {"protocol_whitelist": "file,pipe", "format_whitelist": _formats(), "max_pixels": str(MOST_PIXELS)}
        with av.open(f"file:{path.absolute()}", metadata_errors="replace", options=options) as container:
            yield container
    except av.FFmpegError as error:
        raise MediaError(
            f"{path}: expected a film or a sound file, got '{error.strerror}'; is it complete and in a known format?"
        ) from error


@cache
def _formats() -> str:
    """All that FFmpeg can read, but what points elsewhere."""
    return ",".join(sorted(av.formats_available - POINTING))


def find_stream(container: Any, kind: StreamKind) -> Any | None:
    """The first stream of `kind` that can be decoded; a cover picture inside a music file is not a picture."""
    streams = container.streams.video if kind == "picture" else container.streams.audio
    for stream in streams:
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def require_stream(container: Any, kind: StreamKind, path: Path) -> Any:
    """The stream of `kind`, or MediaError."""
    stream = find_stream(container, kind)
    if stream is None:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no streams"
        raise MediaError(f"{path}: expected {kind} that can be decoded, got none ({kinds}); give a file with {kind}")
    if kind == "picture" and stream.codec_context.width * stream.codec_context.height > MOST_PIXELS:
        raise MediaError(
            f"{path}: expected frames of at most {MOST_PIXELS} pixels, got {stream.codec_context.width}x"
            f"{stream.codec_context.height}; make the film smaller"
        )
    return stream


def decode_with_threads(stream: Any) -> None:
    """As many threads as there are cores, but fewer for large frames, of which each thread holds some."""
    context = stream.codec_context
    stream.thread_type = "AUTO"
    if stream.type == "video":
        context.options = {"max_pixels": str(MOST_PIXELS)}
        at_once = THREADED_PIXELS // max(context.width * context.height, 1)
        context.thread_count = max(1, min(at_once, MOST_THREADS, os.cpu_count() or 1))


def time_origin(container: Any) -> Fraction:
    """The timestamp in seconds that counts as zero."""
    streams = [find_stream(container, "picture"), find_stream(container, "sound")]
    starts = [s.start_time * s.time_base for s in streams if s is not None and s.start_time is not None]
    return max(min(starts, default=Fraction(0)), Fraction(0))


def frame_rate(stream: Any) -> Fraction:
    """Average frames per second of a picture stream."""
    return stream.average_rate or stream.guessed_rate or FALLBACK_RATE


def decode(path: Path, kind: StreamKind, from_seconds: float = 0.0) -> Generator[Decoded]:
    """Frames in order of time, the first of them shown at or before `from_seconds` unless the stream starts later.

    Damaged packets are left out; a file that breaks off gives what comes before the cut. Whoever stops early closes the
    generator (contextlib.closing), and with it the file.
    """
    for margin in SEEK_BACK_SECONDS:
        with open_media(path) as container:
            stream = require_stream(container, kind, path)
            decode_with_threads(stream)
            origin = time_origin(container)
            sought = _seek(container, stream, origin, from_seconds - margin)
            frames = _timed_frames(container, stream, origin, sought)
            first = next(frames, None)
            if sought and (first is None or first.time_seconds > from_seconds):
                continue
            if first is not None:
                yield first
                yield from frames
            return


def _seek(container: Any, stream: Any, origin: Fraction, to_seconds: float) -> bool:
    """Whether the container was moved away from its beginning."""
    if to_seconds <= 0:
        return False
    target = int((Fraction(to_seconds) + origin) / stream.time_base)
    with suppress(av.FFmpegError):  # no index, or past the end: the next margin lands earlier, the last doesn't seek
        container.seek(target, stream=stream, backward=True)
    return True


def _timed_frames(container: Any, stream: Any, origin: Fraction, sought: bool) -> Iterator[Decoded]:
    # Frames without a timestamp follow their predecessor; right after a seek there is none to follow.
    expected = None if sought else 0.0
    for frame in _raw_frames(container, stream):
        if frame.time_base is None:  # drained from a decoder whose file broke off
            frame.time_base = stream.time_base
        time = float(frame.pts * frame.time_base - origin) if frame.pts is not None else expected
        if time is None:
            continue
        duration = duration_seconds(frame, stream)
        yield Decoded(time, duration, frame)
        expected = time + duration


def packets_of(container: Any, *streams: Any) -> Iterator[Any]:
    """The packets of `streams` (none: of all) until the file ends or breaks off."""
    packets = container.demux(*streams)
    # IndexError: PyAV's way to end where a stream appeared after the start, as in transport streams.
    with suppress(av.FFmpegError, IndexError):
        yield from packets


def _raw_frames(container: Any, stream: Any) -> Iterator[Any]:
    for packet in packets_of(container, stream):
        yield from _decode_packet(stream, packet)
    yield from _decode_packet(stream, None)  # what the decoder still holds; nothing after a clean end


def _decode_packet(stream: Any, packet: Any) -> list[Any]:
    try:
        return stream.decode(packet)
    except av.FFmpegError:  # damaged, or already flushed
        return []


def duration_seconds(frame: Any, stream: Any) -> float:
    """How long a decoded frame of `stream` lasts."""
    if isinstance(frame, av.AudioFrame):
        return frame.samples / max(frame.sample_rate, 1)
    ticks = getattr(frame, "duration", None)  # PyAV 14 has no such attribute
    return float(ticks * frame.time_base) if ticks else float(1 / frame_rate(stream))
