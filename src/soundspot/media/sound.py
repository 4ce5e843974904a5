"""The waveform of a film or sound file: a time range or streamed, at the file's own or a stated rate, mono or stereo.

Sample 0 is the film's time zero, wherever the sound track starts: a later start and gaps are filled with zeros.
"""

from __future__ import annotations

import math
import wave
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

import av
import numpy as np
import numpy.typing as npt

from soundspot.lookup import unknown
from soundspot.media.container import Decoded, decode
from soundspot.media.errors import MediaError
from soundspot.media.files import written_aside
from soundspot.media.wav import plain_wav
from soundspot.types import UserError

Layout = Literal["mono", "stereo"]
Samples = npt.NDArray[np.float32]

PREROLL_SECONDS = 1.5
"""Decoded before the wanted start: codecs need the packets before (AAC one, Opus 80 ms, MP3 its reservoir), the
resampler needs its filter's length, and its grid below up to a second."""
FILTER_SECONDS = 0.1
"""Given to the resampler before and after the range, so that its filter never sees an edge that is not there."""
GAP_SECONDS = 0.02
"""A frame further than this from where the one before it ended is moved to its timestamp: less than a lost packet of
AAC at 48 kHz, more than what rounded timestamps jitter."""
MAX_GAP_SECONDS = 3600.0
MAX_SAMPLE_RATE = 1_000_000
"""Hz; damaged headers claim more."""

MAX_PEAK = 1e10
"""Beyond the largest whole numbers (2^31) that are kept as floats; powers of more leave float32."""
MAX_PLANES = 8
"""From this many on PyAV (18.1 too) reads beyond a frame's table of planes and may crash; interleaved ones are safe."""

FOLD_DOWN = (
    dict.fromkeys(("FL", "FLC"), (1.0, 0.0))
    | dict.fromkeys(("FR", "FRC"), (0.0, 1.0))
    | {name: (math.sqrt(0.5), 0.0) for name in ("SL", "BL")}
    | {name: (0.0, math.sqrt(0.5)) for name in ("SR", "BR")}
    | {"BC": (0.5, 0.5), "LFE": (0.0, 0.0), "LFE2": (0.0, 0.0)}
)
"""A channel's share of left and right, as in ITU-R BS.775: surround 3 dB down, the bass channel left out."""
CENTRE = (math.sqrt(0.5), math.sqrt(0.5))
"""The centre's share, and that of any channel not named above."""


@dataclass(frozen=True)
class Waveform:
    """Sound as numbers, full scale at 1 (lossy codecs may overshoot it)."""

    samples: Samples
    """(C, N): one row for mono; left, right for stereo."""
    sample_rate: int

    @property
    def duration_seconds(self) -> float:
        """How long it lasts."""
        return self.samples.shape[1] / self.sample_rate


def read_waveform(
    path: Path | str,
    *,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
    sample_rate: int | None = None,
    layout: Layout = "mono",
) -> Waveform:
    """The sound from `start_seconds` for `duration_seconds` (None: to the end), at `sample_rate` (None: the file's).

    It is shorter where the sound ends before the range does; MediaError if none of the range has sound.
    """
    path = Path(path)
    _check_request(start_seconds, duration_seconds, sample_rate, layout)
    end = math.inf if duration_seconds is None else start_seconds + duration_seconds
    stream = _Stream(path, sample_rate, layout)
    pieces = list(stream.pieces(start_seconds, end))
    if not pieces:
        raise MediaError(
            f"{path}: expected sound from {start_seconds:.3f} s on, got none; give a file whose sound is that long"
        )
    return Waveform(np.concatenate(pieces, axis=1), stream.sample_rate)


def iter_waveform(
    path: Path | str,
    *,
    sample_rate: int | None,
    chunk_seconds: float,
    layout: Layout = "mono",
    start_seconds: float = 0.0,
) -> Iterator[Waveform]:
    """The sound from a start on in consecutive pieces of `chunk_seconds` (the last may be shorter), one at a time.

    Nothing where it ends before a start above 0.
    """
    path = Path(path)
    _check_request(start_seconds, chunk_seconds, sample_rate, layout)
    return _chunks(path, sample_rate, chunk_seconds, layout, start_seconds)


def rms_db(samples: Samples) -> float:
    """Root mean square of (..., N) samples in dB of full scale; minus infinity for silence, and for none."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
    return 10 * math.log10(power) if power > 0 else -math.inf


def write_wav(path: Path | str, samples: npt.NDArray[Any], sample_rate: int) -> None:
    """Write (C, N) or (N,) float samples as 16-bit PCM, aside and then moved; beyond full scale they are clipped."""
    path = Path(path)
    rows = np.atleast_2d(samples)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise UserError(f"{path}: expected finite samples (C, N) or (N,), got shape {samples.shape}; check the sound")
    pcm = np.clip(np.round(rows.T * 32768.0), -32768, 32767).astype("<i2")
    with written_aside(path) as aside, wave.open(str(aside), "wb") as file:
        file.setnchannels(rows.shape[0])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm.tobytes())


def _chunks(
    path: Path, sample_rate: int | None, chunk_seconds: float, layout: Layout, start: float
) -> Iterator[Waveform]:
    stream = _Stream(path, sample_rate, layout)
    held: list[Samples] = []
    num_held = num_given = index = 0
    for piece in stream.pieces(start, math.inf):
        held.append(piece)
        num_held += piece.shape[1]
        # From the chunk's number, so that chunks of a fractional number of samples don't drift.
        while num_held >= (size := max(round((index + 1) * chunk_seconds * stream.sample_rate) - num_given, 1)):
            joined = np.concatenate(held, axis=1)
            yield Waveform(joined[:, :size], stream.sample_rate)
            held, num_held = [joined[:, size:]], num_held - size
            num_given, index = num_given + size, index + 1
    if num_held:
        yield Waveform(np.concatenate(held, axis=1), stream.sample_rate)
    elif index == 0 and start == 0:
        raise MediaError(f"{path}: expected sound, got a track that holds none; fetch or export it again")


class _Stream:
    """One pass over a file's sound. `sample_rate` is known once the first piece has come."""

    def __init__(self, path: Path, sample_rate: int | None, layout: Layout) -> None:
        self.path = path
        self.layout = layout
        self.wanted_rate = sample_rate
        self.sample_rate = sample_rate or 0

    def pieces(self, start: float, end: float) -> Iterator[Samples]:
        """Consecutive (C, n) arrays that together are [start, end), cut at the sound's end."""
        plain = plain_wav(self.path)
        if plain is not None:
            names = ["FC"] if plain.channels == 1 else ["FL", "FR"]
            yield from self._cut(
                plain.sample_rate,
                lambda begin, stop: (mixed(block, names, self.layout) for block in plain.blocks(begin, stop)),
                start,
                end,
            )
            return
        with closing(decode(self.path, "sound", max(start - PREROLL_SECONDS, 0.0))) as frames:
            yield from self._decoded(frames, start, end)

    def _decoded(self, frames: Iterator[Decoded], start: float, end: float) -> Iterator[Samples]:
        first = next(frames, None)
        if first is None:
            raise MediaError(
                f"{self.path}: expected sound, got none that can be decoded; fetch the file or export it again"
            )
        source_rate = first.frame.sample_rate
        if not 1 <= source_rate <= MAX_SAMPLE_RATE:
            raise MediaError(
                f"{self.path}: expected a sample rate up to {MAX_SAMPLE_RATE} Hz, got {source_rate}; export it again"
            )

        def placed(begin: int, stop: float) -> Iterator[Samples]:
            return self._placed(chain([first], frames), source_rate, begin, stop)

        yield from self._cut(source_rate, placed, start, end)

    def _cut(
        self, source_rate: int, placed: Callable[[int, float], Iterator[Samples]], start: float, end: float
    ) -> Iterator[Samples]:
        """[start, end) at the wanted rate, of what `placed` gives from one sample of the source to another."""
        self.sample_rate = self.wanted_rate or source_rate
        # The resampler starts where a sample of either rate falls on the same instant: no fraction of a sample is lost.
        grid = source_rate // math.gcd(source_rate, self.sample_rate)
        begin = math.floor(max(start - FILTER_SECONDS, 0.0) * source_rate / grid) * grid
        stop = math.inf if end == math.inf else math.ceil((end + FILTER_SECONDS) * source_rate)
        position = begin // grid * (self.sample_rate // math.gcd(source_rate, self.sample_rate))
        low = round(start * self.sample_rate)
        high = math.inf if end == math.inf else round(end * self.sample_rate)
        for piece in _resampled(placed(begin, stop), source_rate, self.sample_rate):
            wanted = piece[:, max(low - position, 0) : max(min(high - position, piece.shape[1]), 0)]
            position += piece.shape[1]
            if wanted.shape[1]:
                yield wanted
            if position >= high:
                return

    def _placed(self, frames: Iterator[Decoded], rate: int, begin: int, stop: float) -> Iterator[Samples]:
        """Contiguous pieces from sample `begin` to `stop`: each frame where its timestamp says, zeros in the gaps."""
        position, slack = begin, 0
        for item in frames:
            samples = self._checked(item, rate)
            index = round(item.time_seconds * rate)
            if abs(index - position) > slack:
                if index + samples.shape[1] <= position:
                    continue
                yield from self._silence(index - position, rate, item.time_seconds)
                samples = samples[:, max(position - index, 0) :]
                position = max(index, position)
            yield samples
            position += samples.shape[1]
            slack = round(GAP_SECONDS * rate)  # the first frame is placed exactly, later ones follow it
            if position >= stop:
                return

    def _silence(self, num_samples: int, rate: int, at_seconds: float) -> Iterator[Samples]:
        if num_samples > MAX_GAP_SECONDS * rate:
            raise MediaError(
                f"{self.path}: expected continuous sound, got a jump to {at_seconds:.0f} s; write the file anew"
            )
        channels = 1 if self.layout == "mono" else 2
        while num_samples > 0:
            size = min(num_samples, rate)
            yield np.zeros((channels, size), np.float32)
            num_samples -= size

    def _checked(self, item: Decoded, rate: int) -> Samples:
        if item.frame.sample_rate != rate:
            raise MediaError(
                f"{self.path}: expected one sample rate, got {item.frame.sample_rate} Hz after {rate} Hz at"
                f" {item.time_seconds:.3f} s; write the file anew at one rate"
            )
        try:
            samples = to_float(item.frame)
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(
                f"{self.path}: expected sound in a known sample format, got '{error}'; export it again, e.g. as FLAC"
            ) from error
        if not np.isfinite(samples).all():
            raise MediaError(
                f"{self.path}: expected finite samples, got NaN or infinity at {item.time_seconds:.3f} s;"
                " export it again"
            )
        if samples.size and np.abs(samples).max() > MAX_PEAK:
            raise MediaError(
                f"{self.path}: expected samples about full scale (1), got one beyond {MAX_PEAK:g} at"
                f" {item.time_seconds:.3f} s; export it again"
            )
        return mixed(samples, [channel.name for channel in item.frame.layout.channels], self.layout)


def to_float(frame: av.AudioFrame) -> Samples:
    """(C, N) samples of a decoded frame, integers scaled by their format's full scale (int16 by 1/32768)."""
    if frame.format.is_planar and frame.layout.nb_channels >= MAX_PLANES:
        (frame,) = av.AudioResampler(format="flt").resample(frame)
    array: npt.NDArray[Any] = frame.to_ndarray()
    if frame.format.is_packed:
        array = array.reshape(-1, frame.layout.nb_channels).T
    if array.dtype == np.uint8:
        return ((array - 128.0) / 128).astype(np.float32)
    if np.issubdtype(array.dtype, np.integer):
        return (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)
    return array.astype(np.float32)


def mixed(samples: Samples, channels: list[str], layout: Layout) -> Samples:
    """(C, N) samples of the named channels as mono (1, N) or stereo (2, N), never louder than full scale.

    Mono is the mean of the stereo fold-down: of stereo the plain mean, of 5.1 mostly the centre. Mono to stereo is the
    same on both sides.
    """
    # Files may leave one or two channels unnamed.
    names = {1: ["FC"], 2: ["FL", "FR"]}.get(len(channels), channels)
    shares = np.array([FOLD_DOWN.get(name, CENTRE) for name in names]).T
    shares /= shares.sum(axis=1).max()
    if layout == "mono":
        shares = shares.mean(axis=0, keepdims=True)
    return (shares @ samples).astype(np.float32)


def resampled(samples: Samples, source_rate: int, rate: int) -> Samples:
    """(C, N) samples at one rate -> the same at another, C 1 or 2."""
    for name, value in (("source_rate", source_rate), ("rate", rate)):
        if not 1 <= value <= MAX_SAMPLE_RATE:
            raise UserError(f"expected a {name} of 1 to {MAX_SAMPLE_RATE} Hz, got {value}; give the sound's own")
    return np.concatenate(list(_resampled(iter([samples]), source_rate, rate)), axis=1)


def _resampled(pieces: Iterator[Samples], source_rate: int, rate: int) -> Iterator[Samples]:
    if source_rate == rate:
        yield from pieces
        return
    resampler = None
    num_given = num_made = 0
    for piece in pieces:
        layout = "mono" if piece.shape[0] == 1 else "stereo"
        resampler = resampler or av.AudioResampler(format="fltp", layout=layout, rate=rate)
        frame = sound_frame(piece, source_rate, num_given)
        num_given += piece.shape[1]
        for made in map(to_float, resampler.resample(frame)):
            num_made += made.shape[1]
            yield made
    if resampler is not None:
        for made in map(to_float, resampler.resample(None)):
            num_made += made.shape[1]
            yield made
        if num_given and not num_made:  # shorter than one sample of the new rate
            yield piece.mean(axis=1, keepdims=True)


def sound_frame(samples: Samples, sample_rate: int, position: int) -> av.AudioFrame:
    """PyAV's frame of (1 or 2, N) float32 samples that start at sample number `position`."""
    layout = "mono" if samples.shape[0] == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32), format="fltp", layout=layout)
    frame.sample_rate = sample_rate
    frame.time_base = Fraction(1, sample_rate)
    frame.pts = position
    return frame


def _check_request(start: float, duration: float | None, sample_rate: int | None, layout: str) -> None:
    if not (math.isfinite(start) and start >= 0):
        raise UserError(f"expected start_seconds of 0 or more, got {start}; count seconds from the film's start")
    if duration is not None and not (math.isfinite(duration) and duration > 0):
        raise UserError(f"expected a length above 0 seconds, got {duration}; give e.g. 3")
    if sample_rate is not None and not 1 <= sample_rate <= MAX_SAMPLE_RATE:
        raise UserError(f"expected a sample rate in Hz, got {sample_rate}; give e.g. 16000, or None for the file's own")
    if layout not in get_args(Layout):
        raise unknown(get_args(Layout), layout, "layout")
