"""What is localized: films, stills beside sounds, and the windows of sound around their moments."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from make_media import make_film, number_of, tone
from soundspot.localize.source import CHUNK_SECONDS, SoundWindows, file_facts, open_source
from soundspot.media.audio import write_wav
from soundspot.media.image import write_image
from soundspot.media.video import read_waveform
from soundspot.types import UserError


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "film.mp4"
    return make_film(path, num_frames=50, samples=tone(440, 2, 44100, channels=2), sample_rate=44100)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("noise") / "noise.wav"
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, (1, 10 * 8000 + 123)).astype(np.float32)
    write_wav(path, samples, 8000)
    return path


def test_a_film_is_a_stream_of_its_frames_at_the_wanted_rate(film: Path) -> None:
    source = open_source(film)
    assert (source.still, source.sound_path, source.sound_rate) == (None, film, 44100)
    assert source.duration_seconds == pytest.approx(2, abs=0.05)
    assert source.frames_per_second == 25
    seen = [(time, number_of(image)) for time, image in source.frames(5)]
    assert [time for time, _ in seen] == pytest.approx(np.arange(10) / 5)
    assert [number for _, number in seen] == list(range(0, 50, 5))


def test_a_film_may_take_another_sound(film: Path, noise: Path) -> None:
    source = open_source(film, noise)
    assert (source.path, source.sound_path, source.sound_rate) == (film, noise, 8000)
    assert source.duration_seconds == pytest.approx(2, abs=0.05)


def test_a_still_lasts_as_long_as_its_sound(tmp_path: Path, noise: Path) -> None:
    write_image(tmp_path / "P.PNG", np.full((4, 6, 3), 9, np.uint8))
    source = open_source(tmp_path / "P.PNG", noise)
    assert source.duration_seconds == pytest.approx(10, abs=0.05)
    times = [time for time, image in source.frames(2) if image.shape == (4, 6, 3)]
    assert times == [n / 2 for n in range(20)]


def test_a_very_short_sound_still_gives_one_look(tmp_path: Path) -> None:
    write_image(tmp_path / "p.png", np.zeros((4, 6, 3), np.uint8))
    write_wav(tmp_path / "blip.wav", np.full((1, 80), 0.1, np.float32), 8000)
    assert [time for time, _ in open_source(tmp_path / "p.png", tmp_path / "blip.wav").frames(2)] == [0.0]


@pytest.mark.parametrize(("rate", "seconds"), [(8000, 3.0), (8000, 0.25), (16000, 1.0)])
def test_windows_equal_cuts_of_the_whole_waveform(noise: Path, rate: int, seconds: float) -> None:
    whole = read_waveform(noise, sample_rate=rate).samples[0]
    length = round(seconds * rate)
    padded = np.pad(whole, (length, 3 * length + 2 * rate))
    windows = SoundWindows(noise, rate, seconds)
    for time in (0.0, 0.0, 0.1, 0.37, 2.0, 2.013, 7.5, 9.9, 10.4, 11.9):
        first = round(time * rate) - length // 2 + length
        assert np.array_equal(windows.around(time), padded[None, first : first + length]), time


def test_windows_of_stereo_keep_left_and_right_apart(tmp_path: Path) -> None:
    left = tone(440, 2, 8000)[0]
    write_wav(tmp_path / "left.wav", np.stack([left, 0 * left]), 8000)
    both = SoundWindows(tmp_path / "left.wav", 8000, 1.0, stereo=True).around(1.0)
    mixed = SoundWindows(tmp_path / "left.wav", 8000, 1.0).around(1.0)
    assert both.shape == (2, 8000)
    assert mixed.shape == (1, 8000)
    assert np.abs(both[0]).max() > 0.1
    assert not both[1].any()
    assert np.array_equal(both.mean(axis=0), mixed[0])


def test_windows_hold_no_more_than_a_window_and_two_chunks(noise: Path) -> None:
    windows = SoundWindows(noise, 8000, 1.0)
    held = []
    for time in np.arange(0, 10, 0.25):
        windows.around(float(time))
        held.append(sum(chunk.shape[1] for chunk in windows._held))
    assert max(held) <= 8000 * (1.0 + 2 * CHUNK_SECONDS)


def test_what_cannot_be_localized_is_refused(tmp_path: Path, noise: Path) -> None:
    write_image(tmp_path / "p.png", np.zeros((4, 6, 3), np.uint8))
    silent = make_film(tmp_path / "silent.mp4", num_frames=5)
    with pytest.raises(UserError, match="is a picture: expected a sound beside it; give one"):
        open_source(tmp_path / "p.png")
    with pytest.raises(UserError, match="expected a sound track, got none; give a sound file as second argument"):
        open_source(silent)
    with pytest.raises(UserError, match="expected a film or a picture, got sound alone"):
        open_source(noise)
    with pytest.raises(UserError, match=r"gone\.wav: expected .* got no such file"):
        open_source(tmp_path / "p.png", tmp_path / "gone.wav")
    with pytest.raises(UserError, match=r"gone\.png: expected .* got no such file"):
        open_source(tmp_path / "gone.png", noise)


@pytest.mark.parametrize("how", ["in place", "moved there"])
def test_another_film_of_the_same_length_and_time_is_another(how: str, tmp_path: Path) -> None:
    """As a copy that keeps times leaves it, or a clock that was set back."""
    path, other = tmp_path / "film.mp4", tmp_path / "other.mp4"
    path.write_bytes(b"one")
    times, known = path.stat(), file_facts(path)
    assert file_facts(path) == known
    changed = path if how == "in place" else other
    changed.write_bytes(b"two")
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed.replace(path)
    assert path.stat().st_mtime_ns == times.st_mtime_ns
    assert file_facts(path) != known
