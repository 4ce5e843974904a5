"""What breaks off or is damaged is found; what is whole is not complained of."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from make_media import cut_short, make_film, tone
from soundspot.media.audio import write_wav
from soundspot.media.errors import MediaError
from soundspot.media.film import FilmWriter
from soundspot.media.whole import check_film, check_sound

NOISE = np.random.default_rng(0).normal(0, 0.1, (1, 80_000)).astype(np.float32)
"""10 s at 8 kHz, which codecs cannot make small."""
SOUNDS = {
    "a.flac": {"audio_codec": "flac", "sample_format": "s16"},
    "a.mp3": {"audio_codec": "libmp3lame"},
    "a.m4a": {},
    "a.mka": {},
}


def sound_file(folder: Path, name: str) -> Path:
    return make_film(folder / name, video_codec=None, samples=NOISE, sample_rate=8000, **SOUNDS[name])


def film_file(path: Path) -> Path:
    """Its header stands first."""
    frames = np.random.default_rng(0).integers(0, 255, (50, 32, 48, 3), dtype=np.uint8)
    with FilmWriter(path, width=48, height=32, frames_per_second=10, sample_rate=8000) as film:
        for frame in frames:
            film.write_frame(frame)
        film.write_sound(NOISE[:, :40_000])
    return path


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("whole", [False, True])
def test_whole_sounds_pass(tmp_path: Path, name: str, whole: bool) -> None:
    check_sound(sound_file(tmp_path, name), whole=whole)


@pytest.mark.parametrize("name", ["a.flac", "a.mka"])
@pytest.mark.parametrize(("share", "found"), [(0.5, True), (0.9, False)])
def test_a_cut_sound_is_found_in_its_middle_or_when_all_is_decoded(
    tmp_path: Path, name: str, share: float, found: bool
) -> None:
    path = sound_file(tmp_path, name)
    cut_short(path, share)
    if found:
        with pytest.raises(MediaError, match=r"expected 10\.\d\d s of sound as its header says, got .* it is cut off"):
            check_sound(path)
    else:
        check_sound(path)
    with pytest.raises(MediaError, match=r"expected 10\.\d\d s of sound as its header says, got .* it is cut off"):
        check_sound(path, whole=True)


def test_films_pass_whole_and_not_cut(tmp_path: Path) -> None:
    path = film_file(tmp_path / "film.mp4")
    check_film(path, None, whole=True)
    check_sound(path, whole=True)
    cut_short(path, 0.9)
    check_film(path, 1.0)
    with pytest.raises(MediaError, match=r"expected 5\.00 s of picture as its header says"):
        check_film(path, 1.0, whole=True)


def test_a_damaged_film_is_found(tmp_path: Path) -> None:
    path = film_file(tmp_path / "film.mp4")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 20_000
    data[start : start + 3000] = bytes(3000)
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"expected whole picture, got \d+ damaged pieces"):
        check_film(path, 0.0, whole=True)


def test_a_cut_wav_is_found_though_it_still_plays(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, NOISE, 8000)
    check_sound(path, whole=True)
    cut_short(path, 0.99)
    with pytest.raises(MediaError, match="expected 160000 bytes of sound as its header says, got 158"):
        check_sound(path)


def test_a_wav_of_open_length_passes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, NOISE, 8000)
    data = bytearray(path.read_bytes())
    at = data.index(b"data")
    data[at + 4 : at + 8] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(data)
    check_sound(path)


def test_what_has_no_sound_is_named(tmp_path: Path) -> None:
    path = make_film(tmp_path / "mute.mp4", num_frames=5)
    with pytest.raises(MediaError, match=r"mute\.mp4: no sound in it"):
        check_sound(path)


def test_a_still_beside_a_sound_and_a_short_sound_pass(tmp_path: Path) -> None:
    still = make_film(tmp_path / "still.mp4", num_frames=1, rate=1, samples=tone(440, 2, 8000), sample_rate=8000)
    check_film(still, 0.0, whole=True)
    check_sound(still, whole=True)
    blip = tmp_path / "blip.wav"
    write_wav(blip, tone(440, 0.05, 8000), 8000)
    check_sound(blip)
    check_sound(blip, whole=True)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["-Qowmc0P9ic_34000_44000", "7tMPoaU2oL4_0_10000", "01_dog", "nasa_13013"])
def test_real_films_pass(shared: Path, name: str) -> None:
    path = shared / f"data/media/films/{name}.mp4"
    check_sound(path, whole=True)
    check_film(path, None)
