"""Writing films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from make_media import click, click_time, number_of, numbered, tone
from soundspot.media.errors import MediaError
from soundspot.media.video import FilmWriter, iter_frames, probe, read_frame, read_waveform
from soundspot.types import UserError


def write(path: Path, *, num_frames: int = 50, size: tuple[int, int] = (96, 64), rate: float = 25) -> Path:
    with FilmWriter(path, width=size[0], height=size[1], frames_per_second=rate) as film:
        for number in range(num_frames):
            film.write_frame(numbered(number, *size))
    return path


@pytest.mark.parametrize("rate", [25, 10, 29.97, 12.5])
def test_frames_come_back_in_order_at_their_rate(tmp_path: Path, rate: float) -> None:
    path = write(tmp_path / "film.mp4", rate=rate)
    info = probe(path)
    assert (info.video_codec, info.audio_codec) == ("h264", None)
    assert info.frames_per_second == pytest.approx(rate, abs=1e-3)
    assert info.duration_seconds == pytest.approx(50 / rate, abs=0.01)
    found = [number_of(frame.image) for frame in iter_frames(path, frames_per_second=info.frames_per_second)]
    assert found == list(range(50))


@pytest.mark.parametrize(("size", "padded"), [((97, 63), (98, 64)), ((96, 63), (96, 64)), ((1, 1), (2, 2))])
def test_odd_sizes_are_padded_to_even(tmp_path: Path, size: tuple[int, int], padded: tuple[int, int]) -> None:
    path = tmp_path / "odd.mp4"
    image = np.full((size[1], size[0], 3), (200, 30, 60), np.uint8)
    with FilmWriter(path, width=size[0], height=size[1], frames_per_second=5) as film:
        film.write_frame(image)
    info = probe(path)
    assert (info.width, info.height) == padded
    # The added row and column repeat the edge: no black line.
    assert np.abs(read_frame(path, 0.0).astype(int) - (200, 30, 60)).max() <= 8


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100, 48000])
def test_sound_is_in_step_with_the_picture(tmp_path: Path, sample_rate: int) -> None:
    path = tmp_path / "film.mp4"
    sound = click(2.5, 4, sample_rate)
    with FilmWriter(path, width=96, height=64, frames_per_second=25, sample_rate=sample_rate) as film:
        for number in range(100):
            film.write_frame(numbered(number))
            piece = slice(number * sample_rate // 25, (number + 1) * sample_rate // 25)
            film.write_sound(sound[:, piece])
    info = probe(path)
    assert (info.audio_codec, info.sample_rate, info.channels) == ("aac", sample_rate, 1)
    heard = read_waveform(path)
    assert click_time(heard.samples, sample_rate) == pytest.approx(2.5, abs=0.003)
    assert number_of(read_frame(path, 2.5)) == 62


def test_stereo_keeps_its_sides(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    samples = np.concatenate([tone(440, 2, 48000), np.zeros((1, 96000), np.float32)])
    with FilmWriter(path, width=64, height=64, frames_per_second=5, sample_rate=48000, layout="stereo") as film:
        film.write_sound(samples)  # all sound before all pictures must do too
        for _ in range(10):
            film.write_frame(np.zeros((64, 64, 3), np.uint8))
    heard = read_waveform(path, layout="stereo").samples[:, 4000:90000]
    assert np.abs(heard[0]).max() == pytest.approx(0.5, abs=0.05)
    assert np.abs(heard[1]).max() < 0.02


def test_a_film_with_a_sound_rate_but_no_sound_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with FilmWriter(path, width=96, height=64, frames_per_second=5, sample_rate=16000) as film:
        film.write_frame(numbered(3))
        film.write_sound(np.zeros((1, 0), np.float32))
    assert number_of(read_frame(path, 0.0)) == 3


def test_the_index_comes_first_so_that_browsers_can_start(tmp_path: Path) -> None:
    data = write(tmp_path / "film.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_a_failed_run_leaves_nothing_and_keeps_the_old_film(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", num_frames=7)
    before = path.read_bytes()

    def fail() -> None:
        with FilmWriter(path, width=96, height=64, frames_per_second=25) as film:
            film.write_frame(numbered(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["film.mp4"]


def test_a_film_without_frames_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="expected at least one frame, got none"):
        with FilmWriter(tmp_path / "film.mp4", width=96, height=64, frames_per_second=25, sample_rate=48000) as film:
            film.write_sound(tone(440, 1, 48000))
    assert list(tmp_path.iterdir()) == []


def test_wrong_frames_and_sounds_are_the_users_error(tmp_path: Path) -> None:
    size = {"width": 96, "height": 64, "frames_per_second": 25}
    with FilmWriter(tmp_path / "film.mp4", sample_rate=48000, **size) as film:
        with pytest.raises(UserError, match=r"expected a uint8 frame of \(64, 96, 3\), got uint8 \(96, 64, 3\)"):
            film.write_frame(numbered(0, 64, 96))
        with pytest.raises(UserError, match="got float64"):
            film.write_frame(numbered(0) / 255.0)
        with pytest.raises(UserError, match=r"expected finite samples \(1, N\) for mono, got \(2, 10\)"):
            film.write_sound(np.zeros((2, 10), np.float32))
        with pytest.raises(UserError, match="expected finite samples"):
            film.write_sound(np.full((1, 10), np.nan, np.float32))
        film.write_frame(numbered(0))
    with FilmWriter(tmp_path / "silent.mp4", **size) as film:
        with pytest.raises(UserError, match="open the film with sample_rate="):
            film.write_sound(np.zeros((1, 10), np.float32))
        film.write_frame(numbered(0))


def test_films_that_cannot_be_are_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ending in one of \.mp4"):
        FilmWriter(tmp_path / "film.gif", width=96, height=64, frames_per_second=25)
    with pytest.raises(UserError, match="at least 1x1, got 0x64"):
        FilmWriter(tmp_path / "film.mp4", width=0, height=64, frames_per_second=25)
    with pytest.raises(UserError, match="above 0, got 0"):
        FilmWriter(tmp_path / "film.mp4", width=96, height=64, frames_per_second=0)
    with pytest.raises(UserError, match=r"expected a sample rate AAC has .* got 16001"):
        FilmWriter(tmp_path / "film.mp4", width=96, height=64, frames_per_second=25, sample_rate=16001)


def test_the_folder_is_made(tmp_path: Path) -> None:
    with FilmWriter(tmp_path / "new" / "deep" / "film.mp4", width=96, height=64, frames_per_second=25) as film:
        film.write_frame(numbered(0))
    assert [path.name for path in (tmp_path / "new/deep").iterdir()] == ["film.mp4"]
