"""Probing films and reading their frames."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from make_media import click, cut_short, make_film, number_of, numbered, quarters, set_display_matrix, tone
from soundspot.media.errors import MediaError
from soundspot.media.video import FilmWriter, iter_frames, probe, read_frame, read_waveform
from soundspot.types import UserError

TURNS = {
    "upright": ((1, 0, 0, 1), lambda image: image),
    "clockwise": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "half": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "anticlockwise": ((0, -1, 1, 0), lambda image: np.rot90(image)),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "transposed": ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
}


def numbers(path: Path, **options: float) -> list[int]:
    return [number_of(frame.image) for frame in iter_frames(path, **options)]


def test_probe_says_what_a_film_holds(tmp_path: Path) -> None:
    samples = tone(440, 2, 44100, channels=2)
    info = probe(make_film(tmp_path / "film.mp4", num_frames=50, samples=samples, sample_rate=44100))
    assert info.duration_seconds == pytest.approx(2, abs=0.05)
    assert (info.width, info.height, info.frames_per_second, info.video_codec) == (96, 64, 25, "h264")
    assert (info.sample_rate, info.channels, info.audio_codec) == (44100, 2, "aac")
    assert info.has_picture
    assert info.has_sound


def test_probe_of_a_film_without_sound_and_of_sound_without_a_film(tmp_path: Path) -> None:
    silent = probe(make_film(tmp_path / "silent.mp4"))
    assert (silent.has_picture, silent.has_sound, silent.sample_rate, silent.channels) == (True, False, None, None)
    only = make_film(
        tmp_path / "only.wav",
        video_codec=None,
        samples=tone(440, 1.5, 8000),
        sample_rate=8000,
        audio_codec="pcm_s16le",
        sample_format="s16",
    )
    sound = probe(only)
    assert (sound.has_picture, sound.has_sound, sound.width, sound.frames_per_second) == (False, True, None, None)
    assert (sound.sample_rate, sound.channels) == (8000, 1)
    assert sound.duration_seconds == pytest.approx(1.5)
    with pytest.raises(MediaError, match=r"expected picture .* got none \(audio\)"):
        read_frame(only, 0.0)
    with pytest.raises(MediaError, match="expected picture"):
        next(iter_frames(only, frames_per_second=5))


def test_a_file_that_does_not_state_its_length_is_measured(tmp_path: Path) -> None:
    raw = make_film(tmp_path / "raw.h264", num_frames=50)
    assert probe(raw).duration_seconds == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("turn", TURNS)
def test_rotation_and_mirroring_are_applied(tmp_path: Path, turn: str) -> None:
    matrix, apply = TURNS[turn]
    path = make_film(tmp_path / "phone.mp4", num_frames=3, picture=lambda _: quarters(), pix_fmt="yuv444p")
    set_display_matrix(path, matrix)
    expected = apply(quarters())
    image = read_frame(path, 0.0)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 6
    info = probe(path)
    assert (info.height, info.width) == expected.shape[:2]


def test_odd_sizes_keep_every_pixel(tmp_path: Path) -> None:
    path = make_film(tmp_path / "odd.mkv", num_frames=5, size=(97, 63), video_codec="ffv1", pix_fmt="yuv444p")
    info = probe(path)
    assert (info.width, info.height) == (97, 63)
    assert np.abs(read_frame(path, 0.1).astype(int) - numbered(2, 97, 63)).max() < 8


def test_colours_follow_the_films_own_matrix(tmp_path: Path) -> None:
    image = np.full((64, 96, 3), (200, 30, 60), np.uint8)
    with FilmWriter(tmp_path / "hd.mp4", width=96, height=64, frames_per_second=5) as film:
        film.write_frame(image)
    assert np.abs(read_frame(tmp_path / "hd.mp4", 0.0).astype(int) - image).max() <= 6


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.avi", "mpeg4")]
)
def test_the_frame_on_screen_is_read_wherever_it_is(tmp_path: Path, name: str, codec: str) -> None:
    # MPEG-TS and AVI can't say that AAC's first 21 ms are encoder delay: with sound the picture itself is moved.
    samples = click(1, 8, 48000) if name in ("a.mp4", "a.mkv") else None
    path = make_film(tmp_path / name, num_frames=200, video_codec=codec, samples=samples)
    for number in (0, 1, 11, 12, 13, 77, 150, 198, 199):
        assert number_of(read_frame(path, number / 25 + 0.02)) == number, number
        assert number_of(read_frame(path, number / 25)) == number, number


def test_the_middle_is_the_default(tmp_path: Path) -> None:
    assert number_of(read_frame(make_film(tmp_path / "a.mp4", num_frames=50))) == 25


def test_variable_frame_rate_gives_the_last_frame_shown(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.15, 1.0, 1.02, 3.0]
    path = make_film(tmp_path / "screen.mp4", times=times)
    assert [number_of(read_frame(path, at)) for at in (0.05, 0.12, 0.5, 0.99, 1.01, 2.9, 3.0)] == [0, 1, 2, 2, 3, 4, 5]
    frames = list(iter_frames(path, frames_per_second=4, end_seconds=3.01))
    assert [frame.time_seconds for frame in frames] == [index / 4 for index in range(13)]
    assert [number_of(frame.image) for frame in frames] == [0, 2, 2, 2, 3, 4, 4, 4, 4, 4, 4, 4, 5]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
def test_at_its_own_rate_every_frame_comes_once(tmp_path: Path, name: str, rate: Fraction) -> None:
    path = make_film(tmp_path / name, num_frames=90, rate=rate)
    assert numbers(path, frames_per_second=float(rate)) == list(range(90))


def test_frames_of_a_range_at_a_chosen_rate(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", num_frames=100)
    assert numbers(path, frames_per_second=5, start_seconds=1, end_seconds=2) == [25, 30, 35, 40, 45]
    assert numbers(path, frames_per_second=50, start_seconds=3.9) == [97, 98, 98, 99, 99]
    assert numbers(path, frames_per_second=1, end_seconds=1000) == [0, 25, 50, 75]


def test_the_last_frame_stands_for_one_frame_more_and_no_longer(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", num_frames=50)
    assert number_of(read_frame(path, 2.0)) == 49
    assert number_of(read_frame(path, 2.039)) == 49
    with pytest.raises(MediaError, match=r"got 2\.100 s where it ends at 2\.000 s"):
        read_frame(path, 2.1)
    with pytest.raises(MediaError, match=r"expected a picture from 60\.000 s on"):
        next(iter_frames(path, frames_per_second=5, start_seconds=60))


def test_a_still_with_sound_shows_for_the_whole_sound(tmp_path: Path) -> None:
    path = make_film(tmp_path / "still.mp4", num_frames=1, picture=lambda _: numbered(7), samples=tone(440, 4, 48000))
    assert number_of(read_frame(path, 3.5)) == 7
    assert numbers(path, frames_per_second=2) == [7] * 8
    with pytest.raises(MediaError, match="expected a moment"):
        read_frame(path, 4.5)


def test_music_with_a_cover_has_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=44100, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic.value
        container.mux(cover.encode(av.VideoFrame.from_ndarray(quarters(64, 64)).reformat(format="yuvj420p")))
        container.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(tone(440, 1, 44100), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux([*sound.encode(frame), *sound.encode(None)])
    assert not probe(path).has_picture
    with pytest.raises(MediaError, match="expected picture"):
        read_frame(path, 0.0)


@pytest.mark.parametrize("name", ["a.mkv", "a.ts"])
def test_a_film_that_breaks_off_gives_what_comes_before(tmp_path: Path, name: str) -> None:
    path = make_film(tmp_path / name, num_frames=200, gop=10)
    cut_short(path, 0.5)
    found = numbers(path, frames_per_second=25)
    assert 50 < len(found) < 150
    assert found[:-4] == list(range(len(found) - 4))  # near the cut a reordered frame may be missing
    assert number_of(read_frame(path, 1.0)) == 25
    with pytest.raises(MediaError, match="expected a moment"):
        read_frame(path, 7.9)


def test_an_mp4_that_breaks_off_gives_what_comes_before_or_an_error(tmp_path: Path) -> None:
    path = tmp_path / "front.mp4"  # its index comes first, so the start can still be read
    with FilmWriter(path, width=96, height=64, frames_per_second=25) as film:
        for number in range(200):
            film.write_frame(numbered(number))
    cut_short(path, 0.7)
    found = numbers(path, frames_per_second=25)
    assert 20 < len(found) < 190
    assert found[: len(found) - 4] == list(range(len(found) - 4))
    end = make_film(tmp_path / "end.mp4", num_frames=200)
    cut_short(end, 0.3)
    with pytest.raises(MediaError, match="expected a film or a sound file, got"):
        read_frame(end, 0.0)


def test_unusable_files_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("This is no film.\n" * 20)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    for name, match in {
        "missing.mp4": "got no such file",
        "text.mp4": "expected a film or a sound file, got",
        "empty.mp4": "got an empty file",
        "noise.mp4": "expected a film or a sound file, got",
        ".": "got a folder",
    }.items():
        for act in (probe, read_frame, lambda path: next(iter_frames(path, frames_per_second=1))):
            with pytest.raises(MediaError, match=match) as caught:
                act(tmp_path / name)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_damage_is_survived_or_named(tmp_path: Path, name: str) -> None:
    whole = make_film(tmp_path / name, num_frames=30, samples=tone(300, 1.2, 16000), sample_rate=16000)
    data = np.frombuffer(whole.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    outcomes = {"read": 0, "named": 0}
    for round_number in range(20):
        damaged = data.copy()
        reach = len(data) if round_number % 2 else 600  # the header matters most
        damaged[rng.integers(0, reach, 8)] = rng.integers(0, 256, 8)
        whole.write_bytes(damaged.tobytes())
        for act in (probe, read_frame, read_waveform):
            try:
                act(whole)
                outcomes["read"] += 1
            except MediaError:
                outcomes["named"] += 1
    assert outcomes["read"] >= 20
    assert sum(outcomes.values()) == 60


def test_wrong_requests_are_the_users_error(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", num_frames=5)
    with pytest.raises(UserError, match="expected time_seconds of 0 or more, got -1"):
        read_frame(path, -1)
    with pytest.raises(UserError, match="expected time_seconds of 0 or more, got nan"):
        read_frame(path, float("nan"))
    with pytest.raises(UserError, match="expected frames_per_second above 0, got 0"):
        iter_frames(path, frames_per_second=0)
    with pytest.raises(UserError, match="expected end_seconds after start_seconds"):
        iter_frames(path, frames_per_second=5, start_seconds=2, end_seconds=2)


def test_a_strange_name_is_just_a_name(tmp_path: Path) -> None:
    path = make_film(tmp_path / "-plain.mp4", num_frames=5)
    for name in ("http:x?%03d.mp4", "concat:a|b.mp4", "-Ünïcode film.mp4"):
        path = path.rename(tmp_path / name)
        assert number_of(read_frame(path, 0.0)) == 0


PEAK_MEMORY = """
import resource, sys
from itertools import islice
from soundspot.media.video import iter_frames
count = sum(1 for _ in islice(iter_frames(sys.argv[1], frames_per_second=25), int(sys.argv[2])))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    path = make_film(tmp_path / "long.mp4", num_frames=3000, size=(192, 128), video_codec="mpeg4")

    def peak(num_frames: int) -> int:
        command = [sys.executable, "-c", PEAK_MEMORY, str(path), str(num_frames)]
        count, memory = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        assert int(count) == num_frames
        return int(memory)

    # Held frames would be 2,800 x 37 kB as decoded or 2,800 x 74 kB as RGB: more than all else.
    assert peak(3000) < 1.2 * peak(200)


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="not run: counts open files by /dev/fd, which is not here")
def test_files_are_closed_after_use_and_after_stopping_early(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", num_frames=100, samples=tone(440, 4, 48000))
    gc.collect()
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    for _ in range(5):
        probe(path)
        read_frame(path, 1.0)
        frames = iter_frames(path, frames_per_second=5)
        next(frames)
        frames.close()
        with pytest.raises(MediaError):
            read_frame(path, 99)
    gc.collect()
    assert len(os.listdir("/dev/fd")) <= before  # noqa: PTH208


@pytest.mark.shared
def test_every_real_film_is_read(shared: Path) -> None:
    films = sorted((shared / "data" / "media" / "films").glob("*.mp4"))
    assert len(films) == 18
    for path in films:
        info = probe(path)
        assert info.has_picture, path
        assert info.has_sound, path
        assert read_frame(path).shape == (info.height, info.width, 3), path
        frames = list(iter_frames(path, frames_per_second=1))
        assert abs(len(frames) - info.duration_seconds) < 1.5, path
        assert frames[0].image.std() + frames[-1].image.std() > 5, path
