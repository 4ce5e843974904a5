"""Reading waveforms: where samples lie in time, rates, channels, ranges and chunks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from make_media import click, click_time, cut_short, make_film, tone
from soundspot.media.audio import write_wav
from soundspot.media.errors import MediaError
from soundspot.media.sound import mixed
from soundspot.media.video import iter_waveform, read_waveform
from soundspot.types import UserError

PCM = {"audio_codec": "pcm_s16le", "sample_format": "s16"}
FLAC = {"audio_codec": "flac", "sample_format": "s16"}
MP3 = {"audio_codec": "libmp3lame", "sample_format": "fltp"}
OPUS = {"audio_codec": "libopus", "sample_format": "s16"}

# name -> how it is written, and how far off the click may be; Matroska rounds timestamps to a millisecond
SOUNDS = {
    "a.wav": (PCM | {"video_codec": None}, 0.0002),
    "a.flac": (FLAC | {"video_codec": None}, 0.0002),
    "a.mkv": (PCM, 0.001),
    "flac.mkv": (FLAC, 0.001),
    "a.mp4": ({}, 0.003),
    "a.m4a": ({"video_codec": None}, 0.003),
    "a.mp3": (MP3 | {"video_codec": None}, 0.003),
    "opus.mkv": (OPUS, 0.003),
}


def sine(hertz: float, rate: int, start: int, size: int) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * (start + np.arange(size)) / rate)


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("sample_rate", [None, 16000])
def test_a_range_is_where_it_says(tmp_path: Path, name: str, sample_rate: int | None) -> None:
    options, tolerance = SOUNDS[name]
    at = 12.3456
    path = make_film(tmp_path / name, num_frames=500, samples=click(at, 20, 48000), **options)
    for start in (0.0, 0.3, 5.0, 11.99, 12.345):
        sound = read_waveform(path, start_seconds=start, duration_seconds=13 - start, sample_rate=sample_rate)
        assert sound.sample_rate == (sample_rate or 48000)
        assert sound.samples.shape == (1, round((13 - start) * sound.sample_rate))
        assert start + click_time(sound.samples, sound.sample_rate) == pytest.approx(at, abs=tolerance), start


@pytest.mark.parametrize(("source", "wanted"), [(48000, 16000), (44100, 16000), (8000, 16000), (22050, 44100)])
def test_resampling_keeps_phase_and_level(tmp_path: Path, source: int, wanted: int) -> None:
    write_wav(tmp_path / "a.wav", tone(440, 6, source), source)
    for start in (0.0, 1.0, 2.71828):
        sound = read_waveform(tmp_path / "a.wav", start_seconds=start, duration_seconds=2, sample_rate=wanted)
        first = round(start * wanted)
        inner = slice(200, -200)  # the file's own start has an edge
        expected = sine(440, wanted, first, 2 * wanted)
        assert np.abs(sound.samples[0] - expected)[inner].max() < 2e-3


@pytest.mark.parametrize("name", ["a.wav", "a.mp4", "flac.mkv"])
@pytest.mark.parametrize("sample_rate", [None, 16000, 22050])
def test_a_range_equals_that_part_of_the_whole(tmp_path: Path, name: str, sample_rate: int | None) -> None:
    time = np.arange(8 * 48000) / 48000
    sweep = 0.5 * np.sin(2 * np.pi * (200 + 200 * time) * time)  # not noise: AAC's decoder draws that at random
    path = make_film(tmp_path / name, num_frames=200, samples=sweep[None].astype(np.float32), **SOUNDS[name][0])
    whole = read_waveform(path, sample_rate=sample_rate)
    part = read_waveform(path, start_seconds=4.2, duration_seconds=1.5, sample_rate=sample_rate)
    first = round(4.2 * whole.sample_rate)
    expected = whole.samples[:, first : first + part.samples.shape[1]]
    shift = 48 if name.endswith("mkv") else 0  # a millisecond's rounding
    errors = [
        np.abs(np.roll(expected, by, axis=1) - part.samples)[:, 100:-100].max() for by in range(-shift, shift + 1)
    ]
    assert min(errors) < 1e-4


def test_pcm_is_read_exactly(tmp_path: Path) -> None:
    samples = np.arange(-32768, 32768, 7, dtype=np.int32)[None] / 32768
    write_wav(tmp_path / "a.wav", samples, 8000)
    sound = read_waveform(tmp_path / "a.wav")
    assert sound.samples.dtype == np.float32
    np.testing.assert_array_equal(sound.samples, samples.astype(np.float32))


def test_eight_bit_sound_is_centred(tmp_path: Path) -> None:
    options = {"video_codec": None, "audio_codec": "pcm_u8", "sample_format": "u8"}
    path = make_film(tmp_path / "a.wav", samples=tone(100, 2, 8000), sample_rate=8000, **options)
    sound = read_waveform(path)
    assert np.abs(sound.samples[0] - sine(100, 8000, 0, 16000)).max() < 0.01
    assert sound.samples.mean() == pytest.approx(0, abs=0.004)


def test_stereo_is_read_as_such_and_its_mean_is_mono(tmp_path: Path) -> None:
    pair = np.stack([sine(440, 16000, 0, 32000), np.zeros(32000)])
    write_wav(tmp_path / "a.wav", pair, 16000)
    stereo = read_waveform(tmp_path / "a.wav", layout="stereo").samples
    assert np.abs(stereo - pair).max() < 1e-4
    mono = read_waveform(tmp_path / "a.wav").samples
    np.testing.assert_allclose(mono[0], stereo.mean(axis=0), atol=1e-7)
    write_wav(tmp_path / "mono.wav", pair[0], 16000)
    both = read_waveform(tmp_path / "mono.wav", layout="stereo", sample_rate=8000).samples
    np.testing.assert_array_equal(both[0], both[1])
    assert both.shape == (2, 16000)


def test_surround_becomes_mono_and_stereo(tmp_path: Path) -> None:
    order = ["FL", "FR", "FC", "LFE", "BL", "BR"]
    for index, name in enumerate(order):
        samples = np.zeros((6, 24000), np.float32)
        samples[index] = sine(300, 48000, 0, 24000)
        path = make_film(tmp_path / f"{name}.mkv", num_frames=12, samples=samples, **FLAC)
        mono = np.abs(read_waveform(path).samples).max()
        left, right = np.abs(read_waveform(path, layout="stereo").samples).max(axis=1)
        share = {"FL": 0.207, "FR": 0.207, "FC": 0.293, "LFE": 0.0, "BL": 0.146, "BR": 0.146}[name]
        assert mono == pytest.approx(0.5 * share, abs=1e-3)
        assert (left + right) / 2 == pytest.approx(mono, abs=1e-3)
        assert (left > right, right > left) == (name in ("FL", "BL"), name in ("FR", "BR"))


def test_surround_aac_in_a_film(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", num_frames=50, samples=tone(300, 2, 48000, channels=6))
    sound = read_waveform(path, sample_rate=16000)
    assert 0.3 < np.abs(sound.samples[:, 4000:-4000]).max() < 0.8


@pytest.mark.parametrize(("codec", "layout"), [("aac", "7.1"), ("flac", "7.1"), ("pcm_s16le", "hexadecagonal")])
def test_eight_channels_and_more(tmp_path: Path, codec: str, layout: str) -> None:
    samples = tone(300, 2, 48000, channels=8 if layout == "7.1" else 16)
    options = {"audio_codec": codec, "sample_format": "fltp" if codec == "aac" else "s16"}
    path = make_film(tmp_path / "a.mkv", num_frames=50, samples=samples, layout=layout, **options)
    heard = read_waveform(path).samples[0, 4000:-8000]
    assert 0.3 < np.abs(heard).max() < 0.8


def test_every_channel_at_full_scale_stays_at_full_scale() -> None:
    for names in (["FC"], ["FL", "FR"], ["FL", "FR", "FC", "LFE", "SL", "SR"], ["W", "X", "Y", "Z"]):
        for layout in ("mono", "stereo"):
            assert mixed(np.ones((len(names), 3), np.float32), names, layout).max() == pytest.approx(1.0)


def test_eight_kilohertz_film(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", num_frames=50, samples=click(1.5, 2, 8000), sample_rate=8000)
    sound = read_waveform(path, sample_rate=16000)
    assert click_time(sound.samples, 16000) == pytest.approx(1.5, abs=0.003)
    assert read_waveform(path).sample_rate == 8000


def test_sound_that_starts_late_is_silent_until_then(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mkv", num_frames=100, samples=click(0.5, 2, 48000), sound_start_seconds=1.0, **PCM)
    whole = read_waveform(path)
    assert click_time(whole.samples, 48000) == pytest.approx(1.5, abs=0.001)
    assert whole.duration_seconds == pytest.approx(3.0, abs=0.002)
    before = read_waveform(path, start_seconds=0.2, duration_seconds=0.5, sample_rate=16000)
    assert before.samples.shape == (1, 8000)
    assert not before.samples.any()


def test_lost_packets_leave_silence_and_the_rest_in_its_place(tmp_path: Path) -> None:
    samples = tone(440, 4, 48000)
    samples += click(3.0, 4, 48000)
    path = make_film(tmp_path / "a.mkv", num_frames=100, samples=samples, lose_packets=range(20, 25), **FLAC)
    sound = read_waveform(path).samples[0]
    assert len(sound) == pytest.approx(4 * 48000, abs=100)
    quiet = np.flatnonzero(np.abs(sound) < 1e-6)
    assert 4 * 4608 < (quiet > 48000).sum() < 5 * 4608 + 1000  # FLAC packets hold 4608 samples
    loud = np.flatnonzero(np.abs(sound) > 0.6)[0] / 48000
    assert loud == pytest.approx(3.0, abs=0.002)


@pytest.mark.parametrize("sample_rate", [None, 16000])
@pytest.mark.parametrize("chunk_seconds", [0.5, 0.7, 1 / 3, 60])
def test_chunks_are_the_whole_in_order(tmp_path: Path, sample_rate: int | None, chunk_seconds: float) -> None:
    write_wav(tmp_path / "a.wav", tone(440, 3.21, 44100, channels=2), 44100)
    whole = read_waveform(tmp_path / "a.wav", sample_rate=sample_rate)
    chunks = list(iter_waveform(tmp_path / "a.wav", sample_rate=sample_rate, chunk_seconds=chunk_seconds))
    assert {chunk.sample_rate for chunk in chunks} == {whole.sample_rate}
    for chunk in chunks[:-1]:
        assert chunk.samples.shape[1] == pytest.approx(chunk_seconds * whole.sample_rate, abs=1)
    np.testing.assert_array_equal(np.concatenate([chunk.samples for chunk in chunks], axis=1), whole.samples)


@pytest.mark.parametrize(("source", "wanted"), [(44100, 16000), (48000, 16000), (16000, 48000), (11025, 16000)])
def test_resampled_length_is_the_sounds_length(tmp_path: Path, source: int, wanted: int) -> None:
    write_wav(tmp_path / "a.wav", tone(440, 2.5, source), source)
    assert read_waveform(tmp_path / "a.wav", sample_rate=wanted).samples.shape[1] == pytest.approx(2.5 * wanted, abs=1)


def test_a_range_past_the_end_is_shorter_or_an_error(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(440, 2, 16000), 16000)
    tail = read_waveform(tmp_path / "a.wav", start_seconds=1.5, duration_seconds=3)
    assert tail.samples.shape == (1, 8000)
    with pytest.raises(MediaError, match=r"expected sound from 2\.500 s on, got none"):
        read_waveform(tmp_path / "a.wav", start_seconds=2.5, duration_seconds=1)


def test_a_cut_sound_gives_what_is_there(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.flac", video_codec=None, samples=tone(440, 10, 16000), sample_rate=16000, **FLAC)
    cut_short(path, 0.5)
    sound = read_waveform(path)
    assert 3 < sound.duration_seconds < 7
    assert np.abs(sound.samples[0, :30000] - sine(440, 16000, 0, 30000)).max() < 1e-3


def test_files_without_sound_are_one_clear_line(tmp_path: Path) -> None:
    silent = make_film(tmp_path / "silent.mp4")
    with pytest.raises(MediaError, match=r"expected sound that can be decoded, got none \(video\)"):
        read_waveform(silent)
    with pytest.raises(MediaError, match="expected sound that can be decoded"):
        next(iter_waveform(silent, sample_rate=16000, chunk_seconds=1))
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(MediaError, match="expected a film or a sound file"):
        read_waveform(tmp_path / "text.wav")
    write_wav(tmp_path / "none.wav", np.zeros((1, 0), np.float32), 16000)
    with pytest.raises(MediaError, match="expected"):
        read_waveform(tmp_path / "none.wav")


def test_samples_that_are_no_numbers_are_an_error(tmp_path: Path) -> None:
    samples = tone(440, 1, 16000)
    samples[0, 5000] = np.nan
    options = {"video_codec": None, "audio_codec": "pcm_f32le", "sample_format": "flt"}
    path = make_film(tmp_path / "nan.wav", samples=samples, sample_rate=16000, **options)
    with pytest.raises(MediaError, match="expected finite samples"):
        read_waveform(path)


def test_wrong_requests_are_the_users_error(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(440, 1, 16000), 16000)
    with pytest.raises(UserError, match="expected start_seconds of 0 or more, got -1"):
        read_waveform(tmp_path / "a.wav", start_seconds=-1)
    with pytest.raises(UserError, match="expected a length above 0 seconds, got 0"):
        read_waveform(tmp_path / "a.wav", duration_seconds=0)
    with pytest.raises(UserError, match="expected a sample rate in Hz, got 0"):
        read_waveform(tmp_path / "a.wav", sample_rate=0)
    with pytest.raises(UserError, match="did you mean 'stereo'"):
        read_waveform(tmp_path / "a.wav", layout="stero")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="expected a length above 0"):
        iter_waveform(tmp_path / "a.wav", sample_rate=16000, chunk_seconds=-1)


@pytest.mark.shared
def test_every_real_sound_is_read(shared: Path) -> None:
    media = shared / "data" / "media"
    paths = [*media.glob("films/*.mp4"), *media.glob("pairs/**/*.wav")]
    assert len(paths) == 29
    for path in paths:
        own, sound = read_waveform(path), read_waveform(path, sample_rate=16000)
        assert own.duration_seconds > 0.5, path
        assert sound.duration_seconds == pytest.approx(own.duration_seconds, abs=0.001), path
        assert np.abs(own.samples).max() < 2, path
        if path.name != "01_dog.mp4":  # a mute track
            assert np.abs(own.samples).max() > 0.01, path
