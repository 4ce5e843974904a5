"""Training pictures and sounds: what is drawn, what is read, and in which batch it comes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from make_media import make_film, tone
from soundspot.augment import PHOTOS, PICTURE_DRAWS, distort, spec_augment, time_shift
from soundspot.data.decoding import Decoded, Draws, augment, decode, draw, true_area
from soundspot.data.loader import LoadedClip
from soundspot.data.training import Plan, TrainingSet, training_batches
from soundspot.media.audio import write_wav
from soundspot.media.errors import MediaError
from soundspot.media.image import write_image
from soundspot.media.video import FilmWriter
from soundspot.train.clips import find_clips
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.types import Clip, Inputs, Missing, Target, UserError

INPUTS = Inputs(image_size=32, seconds=0.5, sample_rate=8000)
MIDDLE = Draws(0.5, 0.5, 0.9, 0.5)


@pytest.fixture
def training(pairs_root: Path) -> TrainingSet:
    clips = find_clips(Recipe("r", "m:M", data=DataSpec("flickr")), pairs_root)
    return TrainingSet(clips.training, INPUTS, seed=1)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s that grow brighter, with sound in the last second only."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with FilmWriter(path, width=64, height=48, frames_per_second=10, sample_rate=16000) as writer:
        for number in range(40):
            writer.write_frame(np.full((48, 64, 3), 6 * number, np.uint8))
        sound = np.where(np.arange(64000) >= 48000, np.sin(np.arange(64000) * 0.2) * 0.5, 0)
        writer.write_sound(sound[None].astype(np.float32))
    return path


def test_draws_are_uniform_and_belong_to_seed_epoch_and_clip() -> None:
    numbers = np.array(
        [[d.top, d.left, d.flip, d.moment] for d in (draw(0, e, f"c{i}") for e in range(40) for i in range(50))]
    )
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert np.allclose(numbers.mean(axis=0), 0.5, atol=0.03)
    assert np.abs(np.corrcoef(numbers.T) - np.eye(4)).max() < 0.08
    assert len({draw(s, e, c) for s in (0, 1) for e in (0, 1) for c in "ab"}) == 8


def test_a_crop_and_flip_move_the_mask_with_the_picture() -> None:
    image = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)
    picture = np.stack([image % 251] * 3, axis=2).astype(np.uint8)
    decoded = Decoded(picture, np.array([32767, -32767], np.int16), 8000, areas={"mask": picture[:, :, 0].copy()})
    inputs = replace(INPUTS, image_size=32)
    for draws in (draw(0, epoch, "x") for epoch in range(20)):
        loaded = augment(decoded, inputs, draws)
        assert loaded.image.shape == (32, 32, 3)
        assert np.array_equal(loaded.image[:, :, 0], loaded.areas["mask"])
    assert loaded.samples.tolist() == [32767, -32767]
    corner = augment(decoded, inputs, Draws(0.0, 0.0, 0.9, 0.0)).image
    assert np.array_equal(corner, picture[:32, :32])
    far = augment(decoded, inputs, Draws(0.9999, 0.9999, 0.1, 0.0)).image
    assert np.array_equal(far, picture[8:, 18:][:, ::-1])


def test_training_pictures_have_their_shorter_side_scaled(training: TrainingSet) -> None:
    decoded = decode(training.pairs[0], INPUTS, MIDDLE)
    assert decoded.image.shape == (35, int(35 * 52 / 40), 3)
    assert decoded.samples.dtype == np.int16


def test_a_random_frame_takes_its_own_sound_along_or_the_whole_clips(film: Path) -> None:
    clip = Clip("f", video=film)
    late, early = Draws(0.5, 0.5, 0.9, 0.9), Draws(0.5, 0.5, 0.9, 0.1)
    moving = replace(INPUTS, train_frame="random")
    bright, dark = (decode((clip, None), moving, draws) for draws in (late, early))
    assert bright.image.mean() > dark.image.mean() + 100
    assert np.abs(bright.samples).mean() > 3000
    assert np.abs(dark.samples).max() < 400
    whole = replace(moving, train_sound="whole", window="first", seconds=4.0)
    first, second = (decode((clip, None), whole, draws) for draws in (late, early))
    assert np.array_equal(first.samples, second.samples)
    assert len(first.samples) == 32000
    still = (decode((clip, None), INPUTS, draws) for draws in (late, early))
    assert np.array_equal(*(decoded.image for decoded in still))


@pytest.mark.parametrize("frame", ["centre", "random"])
@pytest.mark.parametrize("sound", ["aligned", "whole"])
def test_each_sampling_of_films_with_a_sound_file_of_their_own(film: Path, tmp_path: Path, frame, sound) -> None:
    write_wav(tmp_path / "steps.wav", np.repeat(np.float32([0.1, 0.2, 0.3, 0.4]), 8000)[None], 8000)
    clip = Clip("f", video=film, audio=tmp_path / "steps.wav")
    inputs = replace(INPUTS, train_frame=frame, train_sound=sound, window="first", seconds=0.5)
    late = decode((clip, None), inputs, Draws(0.5, 0.5, 0.9, 0.9))
    moment = 3.6 if frame == "random" else 2.0
    shown = 6 * (moment * 10) * (255 / 240)
    assert abs(late.image.mean() - shown) < 20, "the frame of that moment"
    level = {"centre": 0.25, "random": 0.4}[frame] if sound == "aligned" else 0.1
    assert np.abs(late.samples / 32767).mean() == pytest.approx(level, abs=0.01)


def test_a_picture_of_known_moment_takes_that_sound_or_the_whole_clips(tmp_path: Path) -> None:
    write_image(tmp_path / "p.png", np.full((40, 40, 3), 90, np.uint8))
    write_wav(tmp_path / "steps.wav", np.repeat(np.float32([0.1, 0.2, 0.3, 0.4]), 8000)[None], 8000)
    clip = Clip("p", image=tmp_path / "p.png", audio=tmp_path / "steps.wav", time_seconds=2.5)
    for given, sound, level in (
        (clip, "aligned", 0.3),
        (clip, "whole", 0.1),
        (replace(clip, time_seconds=None), "aligned", 0.1),
    ):
        for frame in ("centre", "random"):
            inputs = replace(INPUTS, window="first", train_sound=sound, train_frame=frame)
            decoded = decode((given, None), inputs, MIDDLE)
            assert np.abs(decoded.samples / 32767).mean() == pytest.approx(level, abs=1e-3)


def test_random_frames_are_drawn_from_the_picture_though_the_sound_goes_on(tmp_path: Path) -> None:
    path = make_film(tmp_path / "long.mp4", num_frames=10, rate=5, samples=tone(300, 6.0, 8000), sample_rate=8000)
    clips = TrainingSet([(Clip("f", video=path), None)], replace(INPUTS, train_frame="random"), seed=0)
    drawn = [clips.decoded(0, Draws(0.5, 0.5, 0.9, moment)) for moment in (0.0, 0.5, 0.999)]
    assert all(isinstance(each, Decoded) for each in drawn)


def test_masks_come_from_the_target_its_boxes_or_not_at_all(tmp_path: Path) -> None:
    clip = Clip("a")
    boxes = true_area(clip, Target("a", boxes=((0.25, 0.5, 0.5, 1.0),)), (8, 8))
    assert np.array_equal(np.argwhere(boxes)[[0, -1]], [[4, 2], [7, 3]])
    drawn = np.zeros((16, 16), bool)
    drawn[:8] = True
    from_array = true_area(clip, Target("a", mask=drawn), (8, 8))
    write_image(tmp_path / "m.png", np.stack([drawn.astype(np.uint8)] * 3, axis=2))
    assert np.array_equal(from_array, true_area(clip, Target("a", mask=tmp_path / "m.png"), (8, 8)))
    assert from_array[:3].min() == 255
    assert true_area(clip, Target("a", kind="silent"), (8, 8)).max() == 0
    with pytest.raises(MediaError, match="expected a mask or boxes"):
        true_area(clip, Target("a"), (8, 8))


def test_ranks_share_every_batch_and_the_order_depends_on_seed_and_epoch() -> None:
    alone = Plan(26, 4, accumulate=2, seed=3)
    shares = [Plan(26, 4, accumulate=2, seed=3, rank=rank, num_ranks=2) for rank in (0, 1)]
    assert alone.steps_per_epoch == 3
    for step, (left, right) in zip(alone.steps(5), zip(*(plan.steps(5) for plan in shares), strict=True), strict=True):
        assert step == [[*mine, *yours] for mine, yours in zip(left, right, strict=True)]
    assert alone.steps(0) != alone.steps(1)
    assert alone.steps(0) != Plan(26, 4, accumulate=2, seed=4).steps(0)
    seen = [index for step in alone.steps(0) for batch in step for index in batch]
    assert len(seen) == len(set(seen)) == 24


def test_the_last_batch_may_be_short_where_it_is_kept() -> None:
    plan = Plan(26, 4, accumulate=2, drop_last=False)
    steps = plan.steps(0)
    assert [[len(batch) for batch in step] for step in steps] == [[4, 4], [4, 4], [4, 4], [2]]
    assert [plan.num_batches(number) for number in range(4)] == [2, 2, 2, 1]


def test_a_run_taken_up_later_sees_the_same_batches_and_decodes_none_before(training: TrainingSet) -> None:
    plan = Plan(26, 4, seed=2)
    whole = list(training_batches(training, plan, epochs=2))
    asked: list[tuple[int, int]] = []
    inner = TrainingSet.__getitem__

    class Watched(TrainingSet):
        def __getitem__(self, key: tuple[int, int]) -> tuple[Clip, LoadedClip] | Missing:
            asked.append(key)
            return inner(self, key)

    watched = Watched(training.pairs, INPUTS, seed=1)
    rest = list(training_batches(watched, plan, epochs=2, first_epoch=1, first_step=2))
    assert len(whole) == 12
    assert len(rest) == 4
    assert len(asked) == 16
    for (expected, _), (got, _) in zip(whole[8:], rest, strict=True):
        assert torch.equal(expected[0].images, got[0].images)
        assert torch.equal(expected[0].samples, got[0].samples)


def test_workers_change_no_bit(training: TrainingSet) -> None:
    plan = Plan(26, 4, seed=2)
    plain = list(training_batches(training, plan, epochs=1))
    for (one, _), (other, _) in zip(plain, training_batches(training, plan, epochs=1, num_workers=1), strict=True):
        assert torch.equal(one[0].images, other[0].images)
        assert torch.equal(one[0].samples, other[0].samples)
        assert [clip.id for clip in one[0].clips] == [clip.id for clip in other[0].clips]


AUGMENTED = {"batch_size": 8, "workers": 0, "ranks": 1}


def augmented(root: Path, *, batch_size: int, workers: int, ranks: int) -> dict[str, tuple[torch.Tensor, ...]]:
    """By clip, what a method sees of it in epoch 1: picture, augmented picture, shifted sound and masked sound."""
    clips = find_clips(Recipe("r", "m:M", data=DataSpec("flickr")), root)
    found: dict[str, tuple[torch.Tensor, ...]] = {}
    for rank in range(ranks):
        plan = Plan(8, batch_size, drop_last=False, seed=1, rank=rank, num_ranks=ranks)
        training = TrainingSet(clips.training, INPUTS, seed=1)
        for stacks, missing in training_batches(training, plan, epochs=2, first_epoch=1, num_workers=workers):
            assert not missing
            for stacked in stacks:
                batch = stacked.to_batch(INPUTS, "cpu")
                assert batch.draws is not None
                photo = distort(batch.image, batch.draws, INPUTS, PHOTOS["simclr"])
                sounds = batch.draws[:, PICTURE_DRAWS:]
                shifted = time_shift(batch.audio, sounds)
                masked = spec_augment(batch.audio, sounds, time=20, frequency=20, probability=1.0, fill=0.0)
                found |= {
                    name: (batch.image[i], photo[i], shifted[i], masked[i]) for i, name in enumerate(batch.clip_ids)
                }
    return found


@pytest.mark.parametrize(
    "other", [{"workers": 2}, {"ranks": 2}, {"batch_size": 4}, {"batch_size": 2, "workers": 2, "ranks": 2}]
)
def test_augmentation_is_a_clips_own_whatever_workers_ranks_and_batch_size(tmp_path: Path, other) -> None:
    """Eight clips of one and the same picture and sound: all that tells them apart is what was drawn for them."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 60, 3), np.uint8)
    for folder in ("frames", "audio"):
        (tmp_path / folder).mkdir()
    names = [f"c{number}" for number in range(8)]
    for name in names:
        write_image(tmp_path / f"frames/{name}.png", pixels)
        write_wav(tmp_path / f"audio/{name}.wav", np.sin(np.arange(4800) ** 2 / 9e3)[None].astype(np.float32), 8000)
    first, second = augmented(tmp_path, **AUGMENTED), augmented(tmp_path, **{**AUGMENTED, **other})
    assert sorted(first) == sorted(second) == names
    for name in names:
        for one, again in zip(first[name], second[name], strict=True):
            torch.testing.assert_close(one, again, rtol=0, atol=1e-6)
    for kind in range(4):
        different = {tuple(np.round(first[name][kind].flatten().numpy()[::7], 4).tolist()) for name in names}
        assert len(different) >= 7, "two clips may share a crop or shift by chance, no more"


def test_a_crop_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(UserError, match="train_scale >= 1"):
        TrainingSet([], replace(INPUTS, train_scale=0.9), seed=0)


def test_an_odd_rate_is_missing_with_advice_and_none_takes_its_place(pairs_root: Path, tmp_path: Path) -> None:
    clips = find_clips(Recipe("r", "m:M", data=DataSpec("flickr")), pairs_root)
    write_wav(tmp_path / "odd.wav", np.ones((1, 16000), np.float32) * 0.1, 16000)
    pairs = [clips.training[0], (replace(clips.training[1][0], audio=tmp_path / "odd.wav"), None)]
    training = TrainingSet(pairs, replace(INPUTS, sample_rate=None), seed=0)
    training.settle_sample_rate()
    ((stacks, missing),) = training_batches(training, Plan(2, 2), epochs=1)
    assert [clip.id for clip in stacks[0].clips] == ["clip000"]
    assert [(entry.clip_id, "set the sample_rate" in entry.reason) for entry in missing] == [("clip001", True)]
