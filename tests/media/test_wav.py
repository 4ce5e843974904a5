"""Plain WAV files read without a decoder give what FFmpeg gives of them, and what is not plain is left to it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.media.errors import MediaError
from soundspot.media.sound import iter_waveform, read_waveform, write_wav
from soundspot.media.video import probe
from soundspot.media.wav import plain_wav

RATES = (8000, 11025, 16000, 22050, 44100, 48000)


def _noise(channels: int, num_samples: int) -> np.ndarray:
    return np.random.default_rng(num_samples).uniform(-1, 1, (channels, num_samples)).astype(np.float32)


@pytest.fixture
def by_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Do something as if no file were plain."""

    def done(work: Callable) -> object:
        with monkeypatch.context() as patch:
            patch.setattr("soundspot.media.sound.plain_wav", lambda path: None)
            patch.setattr("soundspot.media.video.plain_wav", lambda path: None)
            return work()

    return done


@given(
    num_samples=st.integers(1, 90_000),
    channels=st.integers(1, 2),
    rate=st.sampled_from(RATES),
    wanted=st.sampled_from((None, *RATES)),
    layout=st.sampled_from(("mono", "stereo")),
    start=st.floats(0, 1.2),
    length=st.one_of(st.none(), st.floats(0.05, 1.0)),
)
@settings(deadline=None, max_examples=60)
def test_a_window_is_the_one_that_ffmpeg_decodes(
    num_samples: int,
    channels: int,
    rate: int,
    wanted: int | None,
    layout: str,
    start: float,
    length: float | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    write_wav(path, _noise(channels, num_samples), rate)
    assert plain_wav(path) is not None

    def read() -> tuple[np.ndarray, int] | None:
        try:
            sound = read_waveform(path, start_seconds=start, duration_seconds=length, sample_rate=wanted, layout=layout)
        except MediaError:
            return None
        return sound.samples, sound.sample_rate

    mine, info = read(), probe(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("soundspot.media.sound.plain_wav", lambda path: None)
        patch.setattr("soundspot.media.video.plain_wav", lambda path: None)
        theirs, expected = read(), probe(path)
    assert info == expected
    assert (mine is None) == (theirs is None)
    if mine is not None and theirs is not None:
        assert mine[1] == theirs[1]
        np.testing.assert_allclose(mine[0], theirs[0], rtol=0, atol=1e-6)


def test_a_long_file_comes_in_pieces(tmp_path: Path, by_ffmpeg: Callable) -> None:
    path = tmp_path / "long.wav"
    write_wav(path, _noise(1, 200_000), 16000)

    def pieces() -> list[np.ndarray]:
        return [piece.samples for piece in iter_waveform(path, sample_rate=8000, chunk_seconds=3.0)]

    mine, theirs = pieces(), by_ffmpeg(pieces)
    assert [piece.shape for piece in mine] == [piece.shape for piece in theirs]
    np.testing.assert_allclose(np.hstack(mine), np.hstack(theirs), rtol=0, atol=1e-6)


def test_chunks_before_the_samples_are_passed_over(tmp_path: Path, by_ffmpeg: Callable) -> None:
    path, told = tmp_path / "a.wav", tmp_path / "told.wav"
    write_wav(path, _noise(2, 1000), 16000)
    data = path.read_bytes()
    odd = b"JUNK" + struct.pack("<I", 3) + b"abc\0"
    comment = b"LIST" + struct.pack("<I", 16) + b"INFOICMT" + struct.pack("<I", 4) + b"rain"
    told.write_bytes(data[:36] + odd + comment + data[36:])
    assert plain_wav(told) is not None
    assert np.array_equal(read_waveform(told).samples, read_waveform(path).samples)
    assert np.array_equal(by_ffmpeg(lambda: read_waveform(told)).samples, read_waveform(path).samples)


def _cut(data: bytes) -> bytes:
    return data[:-100]


def _eight_bits(data: bytes) -> bytes:
    return data[:32] + struct.pack("<HH", 1, 8) + data[36:]


def _floats(data: bytes) -> bytes:
    return data[:20] + struct.pack("<H", 3) + data[22:]


def _streamed(data: bytes) -> bytes:
    return data[:40] + b"\xff\xff\xff\xff" + data[44:]


def _dts(data: bytes) -> bytes:
    return data[:60] + b"\xfe\x7f\x01\x80" + data[64:]


def _unknown_chunk(data: bytes) -> bytes:
    return data[:36] + b"smv \2\0\0\0ab" + data[36:]


def _no_format(data: bytes) -> bytes:
    return data[:12] + data[36:]


@pytest.mark.parametrize("change", [_cut, _eight_bits, _floats, _streamed, _dts, _unknown_chunk, _no_format])
def test_what_is_not_plain_is_left_to_ffmpeg(change: Callable, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, _noise(1, 1000), 16000)
    assert plain_wav(path) is not None
    path.write_bytes(change(path.read_bytes()))
    assert plain_wav(path) is None


def test_what_is_no_wav_is_none(tmp_path: Path) -> None:
    (tmp_path / "short.wav").write_bytes(b"RIFF")
    (tmp_path / "text.wav").write_text("not a sound, but long enough to look like one")
    assert [plain_wav(tmp_path / name) for name in ("short.wav", "text.wav", "gone.wav", ".")] == [None] * 4
