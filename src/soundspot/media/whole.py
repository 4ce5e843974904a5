"""Is a film or a sound file whole: a header may promise more than follows, and readers give what comes before a cut."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import av

from soundspot.media.container import (
    StreamKind,
    decode_with_threads,
    duration_seconds,
    frame_rate,
    open_media,
    packets_of,
    require_stream,
)
from soundspot.media.errors import MediaError
from soundspot.media.sound import read_waveform
from soundspot.media.video import probe, read_frame
from soundspot.media.wav import riff_chunks

WINDOW_SECONDS = 3.0
"""About the middle: what most methods hear."""
SLACK_SECONDS = 0.25
"""Lengths in headers are rounded to packets, and codecs pad."""
GUESSED_LENGTHS = ("mp3", "aac", "mpegts", "ogg")
"""Containers whose length FFmpeg estimates, or finds at the end of what is there."""


def check_sound(path: Path, *, whole: bool = False) -> None:
    """MediaError unless the middle of the sound (`whole`: all of it) can be decoded and is as long as promised."""
    info = probe(path)
    if not info.has_sound:
        raise MediaError(f"{path}: no sound in it")
    _check_wav_length(path)
    if whole:
        _decode_all(path, "sound")
        return
    start = max((info.duration_seconds - WINDOW_SECONDS) / 2, 0.0)
    heard = read_waveform(path, start_seconds=start, duration_seconds=WINDOW_SECONDS).duration_seconds
    with open_media(path) as container:
        promised = _promised_seconds(container, require_stream(container, "sound", path))
    if promised is not None and heard < min(promised - start, WINDOW_SECONDS) - SLACK_SECONDS:
        raise _cut(path, "sound", promised, start + heard)


def check_film(path: Path, time_seconds: float | None, *, whole: bool = False) -> None:
    """MediaError unless the frame at `time_seconds` (None: the middle) can be decoded; `whole`: all frames."""
    read_frame(path, time_seconds)
    if whole:
        _decode_all(path, "picture")


def _decode_all(path: Path, kind: StreamKind) -> None:
    """MediaError where packets of a stream are damaged, or where it ends long before what the header says."""
    decoded = damaged = 0
    first, end = 0.0, 0.0
    with open_media(path) as container:
        stream = require_stream(container, kind, path)
        decode_with_threads(stream)
        promised = _promised_seconds(container, stream)
        slack = SLACK_SECONDS + (2 / float(frame_rate(stream)) if kind == "picture" else 0.0)
        for packet in packets_of(container, stream):
            try:
                frames = stream.decode(packet)
            except av.FFmpegError:
                # before the first frame, and at the flush, decoders complain of files that are whole
                damaged += bool(decoded and packet.size)
                continue
            for frame in frames:
                damaged += kind == "picture" and frame.is_corrupt
                if frame.pts is not None and frame.time_base is not None:
                    time = float(frame.pts * frame.time_base)
                    first = time if decoded == 0 else first
                    end = max(end, time + duration_seconds(frame, stream))
                decoded += 1
    if decoded == 0:
        raise MediaError(f"{path}: expected {kind}, got none that can be decoded; fetch or export it again")
    if promised is not None and end - first < promised - slack:
        raise _cut(path, kind, promised, end - first)
    if damaged:
        raise MediaError(f"{path}: expected whole {kind}, got {damaged} damaged pieces; fetch or export it again")


def _promised_seconds(container: Any, stream: Any) -> float | None:
    """How long the header says that a stream is; None where it does not, or only from what is there."""
    if container.format.name in GUESSED_LENGTHS:
        return None
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    told = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))  # Matroska's way
    return None if told is None else int(told[1]) * 3600 + int(told[2]) * 60 + float(told[3])


def _check_wav_length(path: Path) -> None:
    """FFmpeg takes a cut WAV file for a shorter one, so its own header is read here."""
    with path.open("rb") as file:
        for name, size in riff_chunks(file):
            if name == b"data":
                there = path.stat().st_size - file.tell()
                # a writer into a pipe leaves the length open
                if there < size < 0xFFFFFF00:
                    raise MediaError(
                        f"{path}: expected {size} bytes of sound as its header says, got {there}: it is cut off;"
                        " fetch or export it again"
                    )
                return


def _cut(path: Path, kind: StreamKind, promised: float, there: float) -> MediaError:
    return MediaError(
        f"{path}: expected {promised:.2f} s of {kind} as its header says, got {there:.2f} s: it is cut off; fetch or"
        " export it again"
    )
