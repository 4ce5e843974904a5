"""The sounds of made scenes: read, cut to length, level, and write as 16 kHz mono; noise and near silence."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soundspot.types import UserError

SAMPLE_RATE = 16000
SECONDS = 3.0

Rng = np.random.Generator
Samples = npt.NDArray[np.float32]
"""(N,) mono in -1..1 at SAMPLE_RATE."""


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording by its file, or a rendered one by its samples."""

    name: str
    label: str
    path: Path | None = None
    samples: Samples | None = None

    def load(self) -> Samples:
        """(N,) at SAMPLE_RATE; UserError if it holds no sound at all."""
        if self.samples is not None:
            return self.samples
        assert self.path is not None
        return read_sound(self.path)


@lru_cache(maxsize=1024)
def read_sound(path: Path, rate: int = SAMPLE_RATE) -> Samples:
    """A sound file as (N,) mono at `rate`; UserError if it is digitally silent."""
    from soundspot.media.video import read_waveform

    samples = read_waveform(path, sample_rate=rate, layout="mono").samples[0]
    if not np.any(np.abs(samples) > 1e-4):
        raise UserError(f"{path}: expected a sound, got digital silence; leave it out")
    return samples


def loudness(samples: Samples, hop: int) -> Samples:
    """Root mean square of each `hop` samples, (ceil(N / hop),)."""
    padded = np.pad(samples, (0, -len(samples) % hop))
    return np.sqrt((padded.reshape(-1, hop) ** 2).mean(axis=1))


def trim(samples: Samples, rate: int = SAMPLE_RATE) -> Samples:
    """Without the silence before and after: what is 40 dB below the loudest 20 ms counts as silence."""
    hop = rate // 50
    level = loudness(samples, hop)
    loud = np.flatnonzero(level > level.max() / 100)
    return samples[loud[0] * hop : (loud[-1] + 1) * hop]


def fill(rng: Rng, samples: Samples, seconds: float = SECONDS, rate: int = SAMPLE_RATE) -> Samples:
    """Exactly `seconds`: a part of a long sound that holds its share of energy, a short one repeated with pauses."""
    samples = trim(samples, rate)
    wanted = round(seconds * rate)
    if len(samples) >= wanted:
        return samples[_loud_start(rng, samples, wanted) :][:wanted]
    pieces: list[Samples] = [np.zeros(int(rng.uniform(0, 0.15) * rate), dtype=np.float32)]
    while sum(map(len, pieces)) < wanted:
        pause = int(rng.uniform(0.1, 0.6) * rate)
        pieces += [samples, np.zeros(pause, dtype=np.float32)]
    return np.concatenate(pieces)[:wanted]


def _loud_start(rng: Rng, samples: Samples, wanted: int, tries: int = 6) -> int:
    """The first of some random starts with half the mean energy; else the loudest of them."""
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    starts = rng.integers(0, len(samples) - wanted + 1, size=tries)
    power = energy[starts + wanted] - energy[starts]
    enough = np.flatnonzero(power >= 0.5 * energy[-1] * wanted / len(samples))
    return int(starts[enough[0] if len(enough) else power.argmax()])


def set_level(rng: Rng, samples: Samples) -> Samples:
    """A random loudness (-28 to -14 dB of full scale) without clipping, over a faint floor of noise."""
    level = loudness(samples, SAMPLE_RATE // 50)
    rms = float(np.sqrt((level[level > level.max() / 10] ** 2).mean()))
    gain = min(10 ** (rng.uniform(-28, -14) / 20) / rms, 0.9 / float(np.abs(samples).max()))
    floor = rng.standard_normal(len(samples)).astype(np.float32) * 10 ** (rng.uniform(-80, -60) / 20)
    return (samples * gain + floor).astype(np.float32)


def make_sound(rng: Rng, sound: Sound) -> Samples:
    """`SECONDS` of the recording at a random loudness."""
    return set_level(rng, fill(rng, sound.load()))


def make_silence(rng: Rng, seconds: float = SECONDS) -> Samples:
    """Digital silence, or in every other case a room's faint noise (-80 to -66 dB)."""
    count = round(seconds * SAMPLE_RATE)
    if rng.random() < 0.5:
        return np.zeros(count, dtype=np.float32)
    return coloured_noise(rng, count, 1.0) * np.float32(10 ** (rng.uniform(-80, -66) / 20))


def make_noise(rng: Rng, seconds: float = SECONDS) -> Samples:
    """Stationary noise, white to brown, -34 to -14 dB."""
    count = round(seconds * SAMPLE_RATE)
    noise = coloured_noise(rng, count, float(rng.choice([0.0, 0.5, 1.0, 2.0])))
    noise *= 10 ** (rng.uniform(-34, -14) / 20)
    return np.clip(noise, -0.95, 0.95).astype(np.float32)


def coloured_noise(rng: Rng, count: int, slope: float) -> Samples:
    """(count,) Gaussian noise of unit power whose power falls as 1 / frequency ** slope."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE), 20)
    noise = np.fft.irfft(spectrum / frequency ** (slope / 2), count)
    return (noise / noise.std()).astype(np.float32)


def write_wav(path: Path, samples: Samples) -> None:
    """16-bit PCM at SAMPLE_RATE."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
