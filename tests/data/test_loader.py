"""From clips to batches for predicting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from soundspot.data.loader import batches, fit_picture, load_clip, shorter_side_to
from soundspot.media.audio import SPECTROGRAMS, fit_window, write_wav
from soundspot.media.errors import MediaError
from soundspot.media.image import read_image, resize, write_image
from soundspot.media.video import FilmWriter
from soundspot.types import Clip, Inputs, UserError

INPUTS = Inputs(image_size=32, seconds=1.0)


def make_clip(root: Path, name: str, *, rate: int = 8000, seconds: float = 2.0, seed: int = 0) -> Clip:
    generator = np.random.default_rng(seed)
    write_image(root / f"{name}.png", generator.integers(0, 255, (24, 48, 3), dtype=np.uint8))
    noise = generator.uniform(-0.5, 0.5, (1, int(seconds * rate))).astype(np.float32)
    write_wav(root / f"{name}.wav", noise, rate)
    return Clip(name, image=root / f"{name}.png", audio=root / f"{name}.wav", labels=("noise",))


def whole_sound(clip: Clip) -> np.ndarray:
    from soundspot.media.video import read_waveform

    assert clip.audio is not None
    return read_waveform(clip.audio).samples[0]


@pytest.mark.parametrize("window", ["centre", "first"])
@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.0, 2.71])
def test_reading_only_the_window_equals_cutting_it_from_the_whole(tmp_path: Path, window: str, seconds: float) -> None:
    clip = make_clip(tmp_path, "a", seconds=seconds)
    loaded = load_clip(clip, replace(INPUTS, window=window))  # type: ignore[arg-type]
    assert np.array_equal(loaded.samples, fit_window(whole_sound(clip), 8000, 1.0, window))  # type: ignore[arg-type]


def test_a_frame_window_lies_around_the_pictures_moment(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with FilmWriter(film, width=64, height=48, frames_per_second=10, sample_rate=16000) as writer:
        for number in range(40):
            writer.write_frame(np.full((48, 64, 3), 5 * number, np.uint8))
        loud = np.where(np.arange(64000) >= 48000, np.sin(np.arange(64000) * 0.2) * 0.5, 0)
        writer.write_sound(loud[None].astype(np.float32))
    inputs = replace(INPUTS, window="frame", seconds=0.8)
    late = load_clip(Clip("l", video=film, time_seconds=3.5), inputs)
    early = load_clip(Clip("e", video=film, time_seconds=0.0), inputs)
    assert np.abs(late.samples).mean() > 0.2
    assert np.abs(early.samples).max() < 0.01
    assert late.image.mean() > early.image.mean() + 100


def test_a_picture_stands_at_its_moment_of_a_sound_of_its_own(tmp_path: Path) -> None:
    make_clip(tmp_path, "a")
    steps = np.repeat(np.float32([0.1, 0.2, 0.3, 0.4]), 8000)
    write_wav(tmp_path / "steps.wav", steps[None], 8000)
    clip = Clip("a", image=tmp_path / "a.png", audio=tmp_path / "steps.wav", time_seconds=2.5)
    around = replace(INPUTS, window="frame")
    levels = {
        moment: load_clip(replace(clip, time_seconds=moment), around).samples for moment in (0.0, 2.5, 3.0, 9.0, None)
    }
    for moment, level in ((0.0, 0.1), (2.5, 0.3), (9.0, 0.4)):
        assert np.allclose(levels[moment], level, atol=1e-3), "a whole second, never over the sound's ends"
    for moment, low, high in ((3.0, 0.3, 0.4), (None, 0.2, 0.3)):
        assert np.allclose(levels[moment][[0, -1]], [low, high], atol=1e-3), "no moment: the sound's middle"
    for window in ("centre", "first"):
        plain, placed = (
            load_clip(one, replace(INPUTS, window=window)) for one in (replace(clip, time_seconds=None), clip)
        )
        assert np.array_equal(plain.samples, placed.samples)


def test_a_moment_needs_a_film_or_a_picture_with_a_sound(tmp_path: Path) -> None:
    for media in ({}, {"image": tmp_path / "a.png"}, {"audio": tmp_path / "a.wav"}):
        with pytest.raises(UserError, match=r"clip a: time_seconds=1\.0 without a video, or a picture and its sound"):
            Clip("a", time_seconds=1.0, **media)
    assert Clip("a", time_seconds=1.0, video=tmp_path / "a.mp4").time_seconds == 1.0


def test_squash_and_crop_are_the_two_resize_rules(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (30, 60, 3), dtype=np.uint8)
    assert np.array_equal(fit_picture(picture, INPUTS), resize(picture, (32, 32)))
    cropped = fit_picture(picture, replace(INPUTS, resize="crop"))
    assert np.array_equal(cropped, resize(picture, (32, 64))[:, 16:48])
    assert shorter_side_to((480, 361), 246) == (327, 246)


def test_batches_come_in_order_normalised_and_with_the_named_spectrogram(tmp_path: Path) -> None:
    clips = [make_clip(tmp_path, name, seed=number) for number, name in enumerate("abc")]
    inputs = replace(INPUTS, image_mean=(0.5, 0.25, 0.1), image_std=(0.2, 0.3, 0.4))
    made = list(batches(clips, inputs, batch_size=2))
    assert [batch.clip_ids for batch, _ in made if batch] == [("a", "b"), ("c",)]
    batch = made[0][0]
    assert batch is not None
    assert batch.labels == (("noise",), ("noise",))
    assert clips[1].image is not None
    plain = resize(read_image(clips[1].image), (32, 32)).transpose(2, 0, 1) / 255
    expected = (plain - np.array([0.5, 0.25, 0.1])[:, None, None]) / np.array([0.2, 0.3, 0.4])[:, None, None]
    assert np.allclose(batch.image[1], expected, atol=1e-5)
    window = torch.from_numpy(fit_window(whole_sound(clips[1]), 8000, 1.0, "centre"))[None]
    assert torch.equal(batch.audio[1:2], SPECTROGRAMS["psd_hop238"](window, 8000))


def test_what_cannot_be_read_is_named_and_nothing_takes_its_place(tmp_path: Path) -> None:
    clips = [make_clip(tmp_path, name) for name in "abcd"]
    assert clips[1].image is not None
    clips[1].image.write_bytes(b"no picture")
    clips[2] = Clip("c", image=clips[2].image)
    clips[3] = replace(clips[3], audio=tmp_path / "gone.wav")
    made = list(batches(clips, INPUTS, batch_size=2))
    assert [None if batch is None else batch.clip_ids for batch, _ in made] == [("a",), None]
    reasons = {entry.clip_id: entry.reason for _, missing in made for entry in missing}
    assert reasons.keys() == {"b", "c", "d"}
    assert "b.png" in reasons["b"]
    assert "got neither" in reasons["c"]
    assert "no such file" in reasons["d"]
    with pytest.raises(MediaError, match=r"gone\.wav"):
        load_clip(clips[3], INPUTS)


def test_files_that_keep_their_own_rates_are_not_mixed_and_none_is_lost(tmp_path: Path) -> None:
    clips = [
        make_clip(tmp_path, name, rate=rate) for name, rate in zip("abcd", (8000, 16000, 8000, 16000), strict=True)
    ]
    made = [batch for batch, _ in batches(clips, INPUTS, batch_size=4) if batch]
    assert [batch.clip_ids for batch in made] == [("a", "c"), ("b", "d")]
    assert made[0].audio.shape[-1] != made[1].audio.shape[-1]
    resampled = list(batches(clips, replace(INPUTS, sample_rate=8000), batch_size=4))
    assert [batch.clip_ids for batch, _ in resampled if batch] == [("a", "b", "c", "d")]


def test_workers_change_nothing_and_leave_the_random_generator_alone(tmp_path: Path) -> None:
    clips = [make_clip(tmp_path, name, seed=number) for number, name in enumerate("abc")]
    before = torch.get_rng_state()
    alone = list(batches(clips, INPUTS, batch_size=2))
    helped = list(batches(clips, INPUTS, batch_size=2, num_workers=1))
    assert torch.equal(torch.get_rng_state(), before)
    for (one, _), (other, _) in zip(alone, helped, strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.audio, other.audio)
