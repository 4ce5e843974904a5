"""What no reader may wait for, fill memory with, or believe: pipes, devices, huge sizes, playlists, endless claims."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_media import make_film, tone
from soundspot.data.loader import shorter_side_to
from soundspot.localize import draw
from soundspot.localize.source import open_source
from soundspot.localize.timeline import Moment
from soundspot.media.errors import MediaError
from soundspot.media.facts import facts_of, told
from soundspot.media.files import MOST_PIXELS, require_file
from soundspot.media.image import read_image
from soundspot.media.sound import iter_waveform, read_waveform, write_wav
from soundspot.media.video import iter_frames, probe, read_frame, there_seconds

RATE = 16000


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "folder.mp4").mkdir()
    for name, got in (
        ("pipe.mp4", "a named pipe"),
        ("zero.mp4", "a device"),
        ("folder.mp4", "a folder"),
        ("loop.mp4", "'Too many levels of symbolic links'"),
        ("gone.mp4", "no such file"),
        ("folder.mp4/../pipe.mp4/x", "no such file"),
    ):
        for read in (probe, read_image, read_frame):
            with pytest.raises(MediaError, match=f"got {got}"):
                read(tmp_path / name)
    with pytest.raises(MediaError, match="null byte"):
        require_file(tmp_path / "a\0b", "a film")


def test_a_playlist_opens_nothing_that_it_names(tmp_path: Path) -> None:
    make_film(tmp_path / "film.mp4", num_frames=5)
    texts = {
        "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfilm.mp4\n#EXT-X-ENDLIST\n",
        "b.mp4": "ffconcat version 1.0\nfile film.mp4\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(MediaError, match="expected a film or a sound file, got 'Invalid"):
            probe(tmp_path / name)


def _png(width: int, height: int) -> bytes:
    """A PNG that claims this size and holds one row."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(width + 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(7169, 7168), (9500, 9500), (20000, 20000)])
def test_pictures_above_the_limit_are_refused_without_a_warning(size: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_png(*size))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(MediaError, match=f"expected a picture of at most {MOST_PIXELS} pixels"):
            read_image(tmp_path / "a.png")


def test_a_picture_of_8k_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (7680, 4320), (9, 8, 7)).save(tmp_path / "a.png", compress_level=1)
    assert read_image(tmp_path / "a.png").shape == (4320, 7680, 3)


def test_a_film_above_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from soundspot.media import container

    make_film(tmp_path / "a.mp4", num_frames=5, size=(96, 64))
    monkeypatch.setattr(container, "MOST_PIXELS", 96 * 64 - 1)
    for read in (probe, read_frame):
        with pytest.raises(MediaError, match=r"(at most 6143 pixels|got 'Invalid argument)"):
            read(tmp_path / "a.mp4")


def test_a_program_that_draws_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(MediaError, match="expected a picture, got a file of another kind"):
        read_image(tmp_path / "a.png")


def _claiming_ten_hours(path: Path) -> Path:
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88") + 3
    path.write_bytes(data[:at] + struct.pack(">d", 36_000_000.0) + data[at + 8 :])
    return path


def test_a_lone_frame_is_shown_for_as_long_as_there_is_sound(tmp_path: Path) -> None:
    film = _claiming_ten_hours(
        make_film(tmp_path / "a.mkv", num_frames=1, samples=tone(440, 2, RATE), sample_rate=RATE, audio_codec="flac",
                  sample_format="s16")
    )  # fmt: skip
    assert probe(film).duration_seconds == 36_000
    assert there_seconds(film) == pytest.approx(2, abs=0.1)
    assert len(list(iter_frames(film, frames_per_second=2))) == 4


def test_a_still_beside_a_sound_is_as_long_as_the_sound_that_is_there(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    sound = _claiming_ten_hours(
        make_film(tmp_path / "a.mka", video_codec=None, samples=tone(440, 2, RATE), sample_rate=RATE,
                  audio_codec="flac", sample_format="s16")
    )  # fmt: skip
    assert open_source(tmp_path / "a.png", sound).duration_seconds == pytest.approx(2, abs=0.1)


def test_a_film_whose_frames_lie_hours_apart_is_refused(tmp_path: Path) -> None:
    make_film(tmp_path / "a.mkv", times=[0, 36_000])
    frames = iter_frames(tmp_path / "a.mkv", frames_per_second=2)
    with pytest.raises(MediaError, match="expected a film without gaps, got a jump from 0 s to 36000 s"):
        list(frames)


def test_facts_of_each_kind_fit_one_line(tmp_path: Path) -> None:
    make_film(tmp_path / "a\nb.mp4", num_frames=25, samples=tone(440, 1, RATE, 2), sample_rate=RATE)
    make_film(tmp_path / "mute.mp4", num_frames=25)
    Image.fromarray(np.zeros((3, 5, 3), np.uint8)).save(tmp_path / "c.png")
    assert told(facts_of(tmp_path / "c.png")) == f"{tmp_path / 'c.png'}\tpicture\t5x3"
    line = told(facts_of(tmp_path / "a\nb.mp4"))
    assert line.startswith(f"{tmp_path}/a\\nb.mp4\tfilm\t1.")
    assert line.endswith("\t96x64\t25 frames/s h264\t16000 Hz x 2 aac")
    assert told(facts_of(tmp_path / "mute.mp4")).endswith("\tno sound")


def test_a_sound_under_a_pictures_name_is_told_as_what_it_is(tmp_path: Path) -> None:
    sound = make_film(tmp_path / "a.wav", video_codec=None, samples=tone(440, 1, RATE), sample_rate=RATE,
                      audio_codec="pcm_s16le", sample_format="s16")  # fmt: skip
    assert facts_of(sound.rename(tmp_path / "a.png"))["kind"] == "sound"
    (tmp_path / "b.png").write_bytes(b"\0" * 999)
    with pytest.raises(MediaError, match="expected a picture, got a file of another kind"):
        facts_of(tmp_path / "b.png")


def test_a_sound_of_one_sample_is_heard_at_any_rate(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.array([0.5]), 48000)
    assert [piece.samples.shape for piece in iter_waveform(tmp_path / "a.wav", sample_rate=16000, chunk_seconds=1)] == [
        (1, 1)
    ]
    assert read_waveform(tmp_path / "a.wav", sample_rate=8000).samples[0, 0] == pytest.approx(0.5, abs=1e-4)


def test_a_sound_without_a_piece_that_can_be_decoded_is_refused(tmp_path: Path) -> None:
    sound = make_film(tmp_path / "a.flac", video_codec=None, samples=tone(440, 1, RATE), sample_rate=RATE,
                      audio_codec="flac", sample_format="s16")  # fmt: skip
    sound.write_bytes(sound.read_bytes()[:100])
    with pytest.raises(MediaError, match="expected"):
        probe(sound)


def test_a_film_whose_clock_begins_late_is_as_long_as_what_is_there(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.mkv", times=[10 + number / 25 for number in range(50)])
    assert probe(film).duration_seconds == pytest.approx(2, abs=0.05)
    assert read_frame(film, 1.0).shape == read_frame(film).shape


def test_samples_that_no_sound_has_are_refused(tmp_path: Path) -> None:
    loud = tone(440, 1, RATE) * np.float32(1e30)
    make_film(tmp_path / "a.wav", video_codec=None, samples=loud, sample_rate=RATE, audio_codec="pcm_f32le",
              sample_format="flt")  # fmt: skip
    with pytest.raises(MediaError, match=r"expected samples about full scale \(1\), got one beyond 1e\+10"):
        read_waveform(tmp_path / "a.wav")


@pytest.mark.parametrize("size", [(4000, 1), (1, 4000)])
def test_a_picture_as_thin_as_a_line_is_shown_and_fitted_without_a_million_pixels(size: tuple[int, int]) -> None:
    height, width = shorter_side_to((size[1], size[0], 3), 246)
    assert max(height, width) == 64 * 246
    still = np.zeros((2, 2), np.float32)
    moment = Moment(0.0, still, still, 0.0, None, None, -20.0)
    sheet = draw.summary([(np.zeros((size[1], size[0], 3), np.uint8), moment)], None, "a.png")
    assert sheet.shape[0] < 5000
