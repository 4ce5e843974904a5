"""Sounds of made scenes."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from soundspot.samples.sound import (
    SAMPLE_RATE,
    coloured_noise,
    fill,
    make_noise,
    make_silence,
    read_sound,
    set_level,
    trim,
    write_wav,
)
from soundspot.types import UserError

RATE = SAMPLE_RATE


def tone(seconds: float, loud: float = 0.5) -> np.ndarray:
    return (loud * np.sin(np.arange(int(seconds * RATE)) * 0.2)).astype(np.float32)


def test_a_short_sound_is_repeated_with_pauses() -> None:
    filled = fill(np.random.default_rng(0), tone(0.5))
    assert filled.shape == (3 * RATE,)
    level = np.sqrt((filled.reshape(-1, RATE // 50) ** 2).mean(axis=1))
    assert 0.3 < (level > 0.1).mean() < 0.95  # sound and pauses
    assert (level[-75:] > 0.1).any()  # to the end


@pytest.mark.parametrize("seed", range(8))
def test_a_part_of_a_long_sound_has_its_share_of_energy(seed: int) -> None:
    sound = np.concatenate([tone(1), np.zeros(6 * RATE, dtype=np.float32), tone(1)])
    part = fill(np.random.default_rng(seed), sound)
    assert part.shape == (3 * RATE,)
    assert (part**2).sum() > 0.05 * (sound**2).sum()


def test_silence_around_is_trimmed() -> None:
    quiet = np.zeros(RATE, dtype=np.float32)
    assert len(trim(np.concatenate([quiet, tone(1), quiet]))) == pytest.approx(RATE, abs=RATE // 25)


@pytest.mark.parametrize("seed", range(5))
def test_levels_never_clip(seed: int) -> None:
    rng = np.random.default_rng(seed)
    click = np.zeros(3 * RATE, dtype=np.float32)
    click[100:110] = 1.0
    for sound in (click, tone(3, 0.001)):
        levelled = set_level(rng, sound)
        assert np.abs(levelled).max() < 0.96
        assert np.abs(levelled).max() > 0.03


def test_silence_is_silent_and_noise_is_not() -> None:
    silent = [make_silence(np.random.default_rng(i)) for i in range(8)]
    noisy = [make_noise(np.random.default_rng(i)) for i in range(8)]
    assert max(np.sqrt((s**2).mean()) for s in silent) < 10 ** (-65 / 20)
    assert min(np.sqrt((s**2).mean()) for s in noisy) > 10 ** (-35 / 20)
    assert any(not s.any() for s in silent)


@pytest.mark.parametrize(("slope", "ratio"), [(0.0, 1.0), (1.0, 0.1), (2.0, 0.01)])
def test_noise_has_its_colour(slope: float, ratio: float) -> None:
    """Power a hertz at 1000 Hz against 100 Hz is 10 ** -slope."""
    noise = coloured_noise(np.random.default_rng(0), 30 * RATE, slope)
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequency = np.fft.rfftfreq(len(noise), 1 / RATE)
    high, low = (power[(frequency > f * 0.9) & (frequency < f * 1.1)].mean() for f in (1000, 100))
    assert high / low == pytest.approx(ratio, rel=0.15)


def test_wav_files_are_read_back(tmp_path: Path) -> None:
    write_wav(tmp_path / "x.wav", tone(0.5))
    assert np.abs(read_sound(tmp_path / "x.wav") - tone(0.5)).max() < 1e-4
    with wave.open(str(tmp_path / "x.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)


def test_a_silent_recording_is_an_error(tmp_path: Path) -> None:
    write_wav(tmp_path / "x.wav", np.zeros(RATE, dtype=np.float32))
    with pytest.raises(UserError, match="expected a sound, got digital silence"):
        read_sound(tmp_path / "x.wav")
