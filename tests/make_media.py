"""Real media for tests, written with PyAV: films of frames that can be told apart, clicks at known times."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

NUM_BITS = 12


def numbered(number: int, width: int = 96, height: int = 64) -> np.ndarray:
    """A picture that says its number in black and white bars, lowest bit left; wide enough to survive codecs."""
    bits = (number >> np.arange(NUM_BITS)) & 1
    bars = bits[np.minimum(np.arange(width) * NUM_BITS // width, NUM_BITS - 1)] * 255
    return np.broadcast_to(bars[None, :, None], (height, width, 3)).astype(np.uint8)


def number_of(image: np.ndarray) -> int:
    """The number of a `numbered` picture."""
    row = image.mean(axis=(0, 2))
    centres = ((np.arange(NUM_BITS) + 0.5) * len(row) / NUM_BITS).astype(int)
    return int(((row[centres] > 127) << np.arange(NUM_BITS)).sum())


def quarters(width: int = 96, height: int = 64) -> np.ndarray:
    """Red, green over blue, white: every turn and mirroring of it looks different."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = 255, 0, 0
    image[: height // 2, width // 2 :] = 0, 255, 0
    image[height // 2 :, : width // 2] = 0, 0, 255
    image[height // 2 :, width // 2 :] = 255, 255, 255
    return image


def click(at_seconds: float, seconds: float, sample_rate: int, channels: int = 1) -> np.ndarray:
    """(C, N): silence but for a millisecond of 1 kHz from `at_seconds` on."""
    samples = np.zeros((channels, round(seconds * sample_rate)), np.float32)
    start, size = round(at_seconds * sample_rate), max(round(sample_rate / 1000), 2)
    samples[:, start : start + size] = 0.9 * np.cos(2 * np.pi * 1000 * np.arange(size) / sample_rate)
    return samples


def click_time(samples: np.ndarray, sample_rate: int) -> float:
    """When the click of the first channel is half as loud as it gets."""
    level = np.abs(samples[0])
    return int(np.argmax(level > level.max() / 2)) / sample_rate


def tone(hertz: float, seconds: float, sample_rate: int, channels: int = 1) -> np.ndarray:
    """(C, N) of a sine at half scale."""
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * sample_rate)) / sample_rate)
    return np.repeat(wave[None].astype(np.float32), channels, axis=0)


def make_film(
    path: Path,
    *,
    times: Sequence[float] | None = None,
    num_frames: int = 50,
    rate: Fraction | int = 25,
    size: tuple[int, int] = (96, 64),
    picture: Callable[[int], np.ndarray] | None = None,
    video_codec: str | None = "libx264",
    pix_fmt: str = "yuv420p",
    gop: int = 12,
    samples: np.ndarray | None = None,
    sample_rate: int = 48000,
    layout: str | None = None,
    audio_codec: str = "aac",
    sample_format: str = "fltp",
    sound_start_seconds: float = 0.0,
    lose_packets: range = range(0),
) -> Path:
    """A film of numbered frames (at `times`, or evenly at `rate`) and/or of `samples` (C, N).

    `video_codec` None: sound only. `lose_packets`: numbers of the sound packets that are left out of the file.
    """
    width, height = size
    with av.open(str(path), "w") as container:
        film = sound = None
        if video_codec is not None:
            film = container.add_stream(video_codec, rate=rate)
            film.width, film.height, film.pix_fmt = width, height, pix_fmt
            film.codec_context.gop_size = gop
            film.codec_context.time_base = Fraction(1, 1000) if times is not None else 1 / Fraction(rate)
        if samples is not None:
            layout = layout or {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[0]]
            sound = container.add_stream(audio_codec, rate=sample_rate, layout=layout, format=sample_format)
        if film is not None:
            draw = picture or (lambda number: numbered(number, width, height))
            ticks = range(num_frames) if times is None else [round(time * 1000) for time in times]
            for number, tick in enumerate(ticks):
                frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24").reformat(format=pix_fmt)
                frame.pts, frame.time_base = tick, film.codec_context.time_base
                container.mux(film.encode(frame))
            container.mux(film.encode(None))
        if sound is not None:
            interleaved = np.ascontiguousarray(samples.T.reshape(1, -1))  # PyAV cannot hold eight planes
            frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=layout)
            frame.sample_rate, frame.time_base = sample_rate, Fraction(1, sample_rate)
            frame.pts = round(sound_start_seconds * sample_rate)
            packets = [*sound.encode(frame), *sound.encode(None)]
            container.mux([packet for number, packet in enumerate(packets) if number not in lose_packets])
    return path


def set_display_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a, b, c, d into the picture track's header of an MP4: x' = a x + c y, y' = b x + d y, y down.

    Phones store a turned picture this way; (0, 1, -1, 0) is a quarter turn clockwise.
    """
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd")
    a, b, c, d = (value << 16 for value in matrix)
    # After the box's name: version and flags, two times, id, reserved, duration, reserved, layer .. volume, reserved.
    data[at + 4 + 40 : at + 4 + 76] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def cut_short(path: Path, share: float) -> None:
    """Keep only the first `share` of the file's bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
