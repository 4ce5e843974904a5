"""Encoding the material into whole files, which the families then spoil; the same bytes every time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from torture.corpus.source import RATE, SAMPLE_RATE, Material, Pixels

TICKS = Fraction(1, 1000)
INTERLEAVE_SECONDS = 0.25


@dataclass(frozen=True)
class Coding:
    """How a container keeps picture and sound."""

    picture: str
    sound: str
    pix_fmt: str = "yuv420p"
    muxer: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    sound_format: str | None = None


LARGE = 10**7
"""Values a frame from which on the encoder hurries."""
X264 = (("preset", "veryfast"), ("crf", "26"), ("threads", "1"), ("x264-params", "bframes=0"))
FILMS: dict[str, Coding] = {
    "mp4": Coding("libx264", "aac"),
    "fast.mp4": Coding("libx264", "aac", options=(("movflags", "+faststart"),)),
    "mov": Coding("libx264", "aac"),
    "mkv": Coding("libx264", "flac", sound_format="s16"),
    "webm": Coding("libvpx", "libopus"),
    "avi": Coding("mpeg4", "mp2"),
    "ts": Coding("libx264", "aac", muxer="mpegts"),
}
"""By the file's ending; fast.mp4 has its index in front."""
SOUNDS: dict[str, Coding] = {
    "wav": Coding("", "pcm_s16le"),
    "flac": Coding("", "flac", sound_format="s16"),
    "ogg": Coding("", "libopus"),
    "mp3": Coding("", "libmp3lame"),
}


@dataclass(frozen=True)
class Track:
    """Pictures at times, or sound from a time on; one stream of a file."""

    frames: Pixels | None = None
    times: Sequence[float] | None = None
    """Of each frame; evenly at `rate`, if None."""
    rate: Fraction | int = RATE
    sound: npt.NDArray[np.float32] | None = None
    sample_rate: int = SAMPLE_RATE
    layout: str | None = None
    start_seconds: float = 0.0


def tracks_of(material: Material) -> list[Track]:
    """Its pictures and its sound."""
    return [Track(frames=material.frames), Track(sound=material.sound)]


def encoded(tracks: Sequence[Track], ending: str, coding: Coding | None = None) -> bytes:
    """A file of these streams."""
    coding = coding or FILMS.get(ending) or SOUNDS[ending]
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        path = Path(folder) / f"film.{ending}"
        options = {"fflags": "+bitexact", **dict(coding.options)}
        with av.open(str(path), "w", format=coding.muxer, options=options) as container:
            streams = [_stream(container, track, coding) for track in tracks]
            packets = [
                packet
                for stream, track in zip(streams, tracks, strict=True)
                for packet in (_pictures(stream, track) if track.frames is not None else _sound(stream, track))
            ]
            packets.sort(key=lambda p: float((p.dts if p.dts is not None else p.pts or 0) * p.time_base))
            for packet in packets:
                container.mux(packet)
            if not packets:
                container.start_encoding()
        return path.read_bytes()


def later(tracks: Sequence[Track], ending: str, coding: Coding | None = None) -> Callable[[], bytes]:
    """The same, once it is needed."""
    return partial(encoded, tracks, ending, coding)


def _stream(container: Any, track: Track, coding: Coding) -> Any:
    if track.frames is not None:
        options = dict(X264) if coding.picture == "libx264" else {"threads": "1"}
        if track.frames[0].size > LARGE and coding.picture == "libx264":
            options["preset"] = "ultrafast"
        if coding.picture in ("libvpx", "libvpx-vp9"):
            options |= {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "400k", "auto-alt-ref": "0"}
        stream = container.add_stream(coding.picture, rate=track.rate, options=options)
        stream.height, stream.width = track.frames.shape[1:3]
        stream.pix_fmt = coding.pix_fmt
        stream.codec_context.gop_size = 6
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.codec_context.time_base = TICKS if track.times is not None else 1 / Fraction(track.rate)
        return stream
    assert track.sound is not None
    layout = track.layout or {1: "mono", 2: "stereo"}[track.sound.shape[0]]
    stream = container.add_stream(coding.sound, rate=track.sample_rate, layout=layout)
    if coding.sound_format is not None:
        stream.codec_context.format = coding.sound_format
    stream.codec_context.flags |= av.codec.context.Flags.bitexact
    return stream


def _pictures(stream: Any, track: Track) -> list[Any]:
    assert track.frames is not None
    packets: list[Any] = []
    base = stream.codec_context.time_base
    for number, image in enumerate(track.frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(format=stream.pix_fmt)
        seconds = number / track.rate if track.times is None else Fraction(track.times[number])
        frame.pts, frame.time_base = round((seconds + Fraction(track.start_seconds)) / base), base
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _sound(stream: Any, track: Track) -> list[Any]:
    """In pieces, so that packets come in order."""
    assert track.sound is not None
    layout = track.layout or {1: "mono", 2: "stereo"}[track.sound.shape[0]]
    packets: list[Any] = []
    size, first = round(INTERLEAVE_SECONDS * track.sample_rate), round(track.start_seconds * track.sample_rate)
    for at in range(0, track.sound.shape[1], size):
        piece = track.sound[:, at : at + size]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece.T.reshape(1, -1)), format="flt", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = track.sample_rate, Fraction(1, track.sample_rate), first + at
        packets += stream.encode(frame)
    return packets + stream.encode(None)
