"""What media readers and writers do at their edges: the least allowed, exact scales, tags, and wrong requests."""

from __future__ import annotations

import wave
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from make_media import make_film, numbered, quarters, set_display_matrix, tone
from soundspot.media.audio import SPECTROGRAMS, fit_window
from soundspot.media.container import decode
from soundspot.media.errors import MediaError
from soundspot.media.files import folder_aside
from soundspot.media.film import FilmWriter
from soundspot.media.image import read_mask, write_image
from soundspot.media.planes import BT601, BT709, iter_planes, joined, parts_of, planes_of
from soundspot.media.sound import iter_waveform, mixed, read_waveform, resampled, to_float, write_wav
from soundspot.media.stream import Stream, open_stream
from soundspot.media.video import KNOWN_MATRICES, iter_frames, probe, read_frame
from soundspot.media.wav import plain_wav
from soundspot.types import UserError


@pytest.mark.parametrize("matrix", KNOWN_MATRICES)
def test_colours_come_back_by_every_known_matrix(tmp_path: Path, matrix: int) -> None:
    image = np.full((64, 96, 3), (200, 30, 60), np.uint8)
    with FilmWriter(tmp_path / "a.mp4", width=96, height=64, frames_per_second=5, matrix=matrix) as film:
        film.write_frame(image)
    assert np.abs(read_frame(tmp_path / "a.mp4", 0.0).astype(int) - image).max() <= 6
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
    assert int(frame.colorspace) == matrix
    assert (int(frame.color_primaries), int(frame.color_trc), int(frame.color_range)) == (1, 1, 1)


def test_every_known_matrix_is_one_of_those_that_the_page_names() -> None:
    assert KNOWN_MATRICES == (1, 4, 5, 7, 9)


def test_planes_of_a_film_are_upright_and_of_the_size_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with FilmWriter(path, width=96, height=64, frames_per_second=5) as film:
        for _ in range(3):
            film.write_frame(quarters())
    frames = list(iter_planes(path, size=(48, 32), frames_per_second=10))
    assert [frame.time_seconds for frame in frames] == pytest.approx([0.1 * number for number in range(6)])
    bright, blue, red = parts_of(frames[0].planes)
    assert (bright.shape, blue.shape, red.shape) == ((32, 48), (16, 24), (16, 24))
    expected = parts_of(planes_of(quarters(48, 32)))
    for part, right in zip((bright, blue, red), expected, strict=True):
        assert np.abs(part.astype(int) - right)[2:-2, 2:-2].mean() < 5
    assert frames[0].matrix == BT709
    assert np.array_equal(joined(bright, blue, red), frames[0].planes)
    assert frames[0].planes is frames[1].planes, "a frame that is shown twice is turned into planes once"


def test_planes_of_an_untagged_film_are_those_of_its_matrix(tmp_path: Path) -> None:
    with FilmWriter(tmp_path / "a.mp4", width=32, height=32, frames_per_second=5, matrix=BT601) as film:
        film.write_frame(np.full((32, 32, 3), (200, 30, 60), np.uint8))
    (frame,) = iter_planes(tmp_path / "a.mp4", size=(32, 32), frames_per_second=5)
    assert frame.matrix == BT601
    expected = planes_of(np.full((32, 32, 3), (200, 30, 60), np.uint8), BT601)
    assert np.abs(frame.planes.astype(int) - expected).max() <= 3


@pytest.mark.parametrize(("height", "width"), [(5, 7), (6, 8), (1, 1), (3, 4)])
def test_odd_sides_repeat_their_last_row_and_column_in_planes(height: int, width: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    bright = parts_of(planes_of(picture))[0]
    assert bright.shape == (height + height % 2, width + width % 2)
    if height % 2:
        assert np.array_equal(bright[-1], bright[-2])
    if width % 2:
        assert np.array_equal(bright[:, -1], bright[:, -2])


def test_frames_planes_and_sound_that_do_not_fit_the_film_are_refused(tmp_path: Path) -> None:
    with FilmWriter(tmp_path / "a.mp4", width=96, height=64, frames_per_second=5, sample_rate=8000) as film:
        for image in (np.zeros((64, 96, 4), np.uint8), np.zeros((64, 96, 3)), np.zeros((96, 64, 3), np.uint8)):
            with pytest.raises(UserError, match=r"expected a uint8 frame of \(64, 96, 3\)"):
                film.write_frame(image)
        for planes in (np.zeros((64, 96), np.uint8), np.zeros((96, 96))):
            with pytest.raises(UserError, match=r"expected uint8 planes of \(96, 96\)"):
                film.write_planes(planes)
        for samples in (np.zeros(100), np.zeros((2, 100)), np.full((1, 100), np.nan)):
            with pytest.raises(UserError, match=r"expected finite samples \(1, N\) for mono"):
                film.write_sound(samples.astype(np.float32))
        film.write_planes(planes_of(quarters()))
    assert np.abs(read_frame(tmp_path / "a.mp4", 0.0).astype(int) - quarters()).mean() < 8


def test_a_film_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"expected to write a film, got '.+'; check the disk and the path"):
        with FilmWriter(tmp_path / "a.mp4", width=20_000, height=2, frames_per_second=5) as film:
            film.write_frame(np.zeros((2, 20_000, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_one_sample_is_the_shortest_window() -> None:
    assert fit_window(np.arange(4.0), 10, 0.1, "first").tolist() == [0]
    with pytest.raises(UserError, match="at least one sample"):
        fit_window(np.arange(4.0), 10, 0.04)


def test_eight_bits_are_scaled_exactly() -> None:
    frame = av.AudioFrame.from_ndarray(np.array([[0, 64, 128, 192, 255]], np.uint8), format="u8", layout="mono")
    assert to_float(frame).tolist() == [[-1, -0.5, 0, 0.5, 127 / 128]]


@pytest.mark.parametrize("channel", ["LFE", "LFE2"])
def test_bass_channels_are_left_out(channel: str) -> None:
    samples = np.array([[0.0], [0.0], [1.0]], np.float32)
    for layout in ("mono", "stereo"):
        assert not mixed(samples, ["FL", "FR", channel], layout).any()  # type: ignore[arg-type]


def test_rates_reach_from_one_to_a_million(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(440, 1, 8000), 8000)
    for rate in (0, -1, 1_000_001):
        with pytest.raises(UserError, match="expected a sample rate in Hz"):
            iter_waveform(tmp_path / "a.wav", sample_rate=rate, chunk_seconds=1)
        with pytest.raises(UserError, match="expected a rate of 1 to 1000000 Hz"):
            resampled(np.zeros((1, 8), np.float32), 8000, rate)
        with pytest.raises(UserError, match="expected a source_rate of 1 to 1000000 Hz"):
            resampled(np.zeros((1, 8), np.float32), rate, 8000)
    for rate in (1, 1_000_000):
        iter_waveform(tmp_path / "a.wav", sample_rate=rate, chunk_seconds=1)


def test_a_plain_wav_of_half_a_sample_more_is_not_plain(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, np.zeros((2, 100), np.float32), 16000)
    data = path.read_bytes()
    path.write_bytes(data[:40] + (402).to_bytes(4, "little") + data[44:] + b"\0\0")
    assert plain_wav(path) is None
    path.write_bytes(data[:40] + (404).to_bytes(4, "little") + data[44:] + b"\0\0\0\0")
    assert plain_wav(path) is not None


def test_a_mark_of_packed_sound_is_looked_for_far_in(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, np.zeros((1, 30_000), np.float32), 16000)
    data = bytearray(path.read_bytes())
    data[44 + 2**15 - 4 : 44 + 2**15] = b"\xfe\x7f\x01\x80"
    path.write_bytes(data)
    assert plain_wav(path) is None
    data[44 + 2**15 - 4 : 44 + 2**15 + 4] = b"\0\0\0\0\xfe\x7f\x01\x80"
    path.write_bytes(data)
    assert plain_wav(path) is not None


def test_streams_that_cannot_be_opened_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.ts").write_text("no stream\n" * 50)
    with pytest.raises(MediaError, match=r"got 'Invalid data found when processing input'; is it running\?"):
        open_stream(str(tmp_path / "text.ts"))
    with pytest.raises(MediaError, match=r"expected a stream of picture and sound, got '.*refused'"):
        open_stream("tcp://127.0.0.1:9")
    with pytest.raises(MediaError, match="expected a pipe, a device, an address or a file, got no such file"):
        open_stream(str(tmp_path / "gone.ts"))


def test_a_stream_gives_picture_and_sound_with_their_times(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", num_frames=5, samples=tone(440, 0.2, 16000), sample_rate=16000)
    stream = open_stream(str(path))
    pieces = list(stream.pieces(8000, "mono"))
    stream.close()
    pictures = [piece for piece in pieces if piece.kind == "picture"]
    sounds = [piece for piece in pieces if piece.kind == "sound"]
    assert len(pictures) == 5
    assert [piece.time_seconds for piece in pictures] == pytest.approx([0.04 * number for number in range(5)], abs=0.07)
    assert np.diff([piece.time_seconds for piece in pictures]) == pytest.approx([0.04] * 4, abs=1e-3)
    assert sum(piece.content.shape[1] for piece in sounds) == pytest.approx(1600, abs=600)


def test_a_frame_is_shown_until_the_next_and_a_rate_of_nought_is_refused(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mkv", num_frames=3, rate=10, picture=lambda number: numbered(number))
    with pytest.raises(UserError, match=r"expected frames_per_second above 0, got -0\.5"):
        iter_frames(path, frames_per_second=-0.5)
    frames = list(iter_frames(path, frames_per_second=20))
    assert [round(frame.time_seconds, 3) for frame in frames] == [0, 0.05, 0.1, 0.15, 0.2, 0.25]


def test_eight_channels_are_read_without_planes(tmp_path: Path) -> None:
    samples = tone(300, 0.5, 48000, channels=8)
    path = make_film(tmp_path / "a.mka", video_codec=None, samples=samples, layout="7.1", audio_codec="aac")
    assert np.isfinite(read_waveform(path).samples).all()


@pytest.mark.parametrize("num_samples", range(16_000, 16_239, 34))
def test_frames_of_decibels_are_as_many_as_hops_fit(num_samples: int) -> None:
    found = SPECTROGRAMS["mel257_db"](torch.zeros(1, num_samples), 16_000)
    assert found.shape == (1, 1, 257, 1 + num_samples // 239)


def test_a_late_moment_is_not_read_from_the_start(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", num_frames=200, gop=10)
    with closing(decode(path, "picture", 6.0)) as frames:
        assert 5.0 < next(frames).time_seconds <= 6.0


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
def test_planes_of_a_turned_film_are_those_of_its_upright_picture(
    tmp_path: Path, matrix: tuple[int, int, int, int]
) -> None:
    path = make_film(tmp_path / "phone.mp4", num_frames=2, picture=lambda _: quarters())
    set_display_matrix(path, matrix)
    upright = read_frame(path, 0.0)
    height, width = upright.shape[:2]
    frame = next(iter_planes(path, size=(width, height), frames_per_second=5))
    assert np.abs(frame.planes.astype(int) - planes_of(upright, frame.matrix)).mean() < 4


@pytest.mark.parametrize(("width", "height"), [(97, 63), (95, 65), (33, 34), (34, 33)])
def test_films_of_odd_sides_repeat_their_edge(tmp_path: Path, width: int, height: int) -> None:
    with FilmWriter(tmp_path / "a.mp4", width=width, height=height, frames_per_second=5) as film:
        picture = np.zeros((height, width, 3), np.uint8)
        picture[-9:], picture[:, -9:] = 255, 255
        film.write_frame(picture)
    image = read_frame(tmp_path / "a.mp4", 0.0)
    assert image.shape == (height + height % 2, width + width % 2, 3)
    assert image[-4:].min() > 230
    assert image[:, -4:].min() > 230


def test_masks_are_what_is_not_black_or_after_lossy_compression_what_is_bright(tmp_path: Path) -> None:
    for grey, png, jpeg in ((0, False, False), (1, True, False), (100, True, False), (200, True, True)):
        for name, expected in {"a.png": png, "a.jpg": jpeg}.items():
            write_image(tmp_path / name, np.full((16, 16), grey, np.uint8))
            assert (read_mask(tmp_path / name) == expected).all(), (grey, name)
    assert read_mask(tmp_path / "a.png").shape == (16, 16)


def test_a_folder_takes_the_place_of_an_empty_or_a_marked_one_alone(tmp_path: Path) -> None:
    def fill(path: Path) -> None:
        with folder_aside(path, "mark.json") as aside:
            (aside / "mark.json").touch()

    (tmp_path / "empty").mkdir()
    for name in ("new", "empty", "new"):
        fill(tmp_path / name)
        assert [path.name for path in (tmp_path / name).iterdir()] == ["mark.json"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "photo.jpg").touch()
    (tmp_path / "file").touch()
    for name in ("other", "file"):
        with pytest.raises(MediaError, match="expected a new folder, got one with something else in it"):
            fill(tmp_path / name)
    assert (tmp_path / "other" / "photo.jpg").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "new", "other"]


def test_a_sound_of_one_sample_a_second_is_read(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(1)
        file.writeframes(bytes([0, 64, 128, 192]))
    assert plain_wav(tmp_path / "a.wav") is None
    sound = read_waveform(tmp_path / "a.wav")
    assert (sound.sample_rate, sound.samples.tolist()) == (1, [[-1, -0.5, 0, 0.5]])


class Breaking:
    """A container that breaks off at once."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def demux(self, *streams: object) -> list:
        raise self.error


def test_a_stream_ends_or_breaks_off_in_one_line() -> None:
    for error in (IndexError("list index out of range"), av.EOFError(1, "end of file")):
        assert list(Stream("camera", Breaking(error), None, None, False).pieces(8000, "mono")) == []
    broken = Stream("camera", Breaking(av.InvalidDataError(1, "no such thing")), None, None, False)
    with pytest.raises(MediaError, match="camera: expected the stream to go on, got 'no such thing'; start again"):
        list(broken.pieces(8000, "mono"))


def test_a_stream_is_decoded_frame_by_frame(tmp_path: Path) -> None:
    stream = open_stream(str(make_film(tmp_path / "a.mp4", num_frames=2)))
    assert stream.picture.codec_context.thread_type.name == "SLICE"
    stream.close()


def test_a_file_of_neither_picture_nor_sound_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nA dog barks.\n")
    with pytest.raises(MediaError, match=r"expected picture that can be decoded, got none \(subtitle\)"):
        probe(tmp_path / "a.srt")


def test_sound_whose_time_stamps_are_rounded_has_no_seams(tmp_path: Path) -> None:
    samples = tone(440, 2, 44100)
    options = {"audio_codec": "flac", "sample_format": "s16"}
    path = make_film(tmp_path / "a.mka", video_codec=None, samples=samples, sample_rate=44100, **options)
    found = read_waveform(path).samples
    assert found.shape == samples.shape
    assert np.abs(found - samples).max() < 1e-3
