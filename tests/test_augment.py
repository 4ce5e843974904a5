"""Augmentation: every clip its own, and the same whatever batch it comes in."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from soundspot import augment
from soundspot.augment import PHOTOS, PICTURE_DRAWS, SPEC_DRAWS, Photo
from soundspot.data.decoding import augmentation_numbers
from soundspot.types import NUM_DRAWS, Inputs, UserError

INPUTS = Inputs(image_mean=(0.5, 0.4, 0.3), image_std=(0.2, 0.25, 0.3))
PLAIN = Photo(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0, jitter=0.0, grey=0.0, blur=0.0)


def draws(count: int) -> Tensor:
    return torch.stack([torch.from_numpy(augmentation_numbers(0, 1, f"clip{n}")) for n in range(count)])


def pictures(count: int) -> Tensor:
    """The same picture `count` times: a ramp in each direction, one a channel, and a constant."""
    ramp = torch.linspace(0.1, 0.9, 32)
    one = torch.stack([ramp.expand(32, 32), ramp[:, None].expand(32, 32), torch.full((32, 32), 0.6)])
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (INPUTS.image_mean, INPUTS.image_std))
    return ((one - mean) / std).expand(count, 3, 32, 32)


def shown(image: Tensor) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (INPUTS.image_mean, INPUTS.image_std))
    return image * std + mean


def test_numbers_are_a_clips_own_and_lie_below_1() -> None:
    many = torch.stack([torch.from_numpy(augmentation_numbers(3, e, "a")) for e in range(400)])
    assert many.shape == (400, NUM_DRAWS)
    assert 0 <= many.min() < 0.001
    assert 0.999 < many.max() < 1
    assert abs(float(many.mean()) - 0.5) < 0.01
    assert len(many.unique()) > 0.99 * many.numel()


@pytest.mark.parametrize("name", sorted(PHOTOS))
def test_two_pictures_of_a_batch_differ_and_a_clip_does_not_depend_on_its_batch(name: str) -> None:
    given, numbers = pictures(6), draws(6)
    together = augment.distort(given, numbers, INPUTS, PHOTOS[name])
    assert together.shape == given.shape
    for first in range(6):
        for second in range(first):
            assert (together[first] - together[second]).abs().mean() > 0.01, (first, second)
    alone = torch.cat([augment.distort(given[n : n + 1], numbers[n : n + 1], INPUTS, PHOTOS[name]) for n in range(6)])
    assert torch.equal(together, alone)
    turned = augment.distort(given, numbers.flip(0), INPUTS, PHOTOS[name]).flip(0)
    assert torch.equal(together, turned)


def test_nothing_drawn_changes_nothing() -> None:
    given = pictures(2)
    torch.testing.assert_close(augment.distort(given, draws(2), INPUTS, PLAIN), given)


@pytest.mark.parametrize(
    ("photo", "low", "high"),
    [
        (replace(PLAIN, flip=0.5), 0.3, 0.7),
        (replace(PLAIN, grey=0.2), 0.1, 0.3),
        (replace(PLAIN, blur=0.5), 0.3, 0.7),
        (replace(PLAIN, jitter=0.8), 0.7, 0.9),
    ],
)
def test_each_change_comes_as_often_as_said(photo: Photo, low: float, high: float) -> None:
    given = pictures(200)
    made = augment.distort(given, draws(200), INPUTS, photo)
    changed = (made - given).abs().flatten(1).amax(dim=1) > 1e-4
    assert low < float(changed.float().mean()) < high


def test_a_flip_mirrors_a_crop_magnifies_and_grey_has_no_colour() -> None:
    given, numbers = pictures(1), torch.zeros(1, PICTURE_DRAWS)
    torch.testing.assert_close(augment.distort(given, numbers, INPUTS, replace(PLAIN, flip=1.0)), given.flip(-1))
    cut = shown(augment.distort(given, numbers, INPUTS, replace(PLAIN, scale=(0.25, 0.25))))[0]
    assert cut[0, 0, -1] - cut[0, 0, 0] == pytest.approx(0.4, abs=0.03), "half the ramp"
    assert cut[0, 0, 0] == pytest.approx(0.1, abs=0.02), "drawn 0: the left edge"
    grey = shown(augment.distort(given, numbers, INPUTS, replace(PLAIN, grey=1.0)))[0]
    torch.testing.assert_close(grey[0], grey[1])
    torch.testing.assert_close(grey[0], grey[2])


def test_colours_change_in_a_drawn_order_and_stay_in_range() -> None:
    strong = Photo(scale=(1, 1), ratio=(1, 1), flip=0, jitter=1, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.4)
    numbers = torch.full((2, PICTURE_DRAWS), 0.9)
    numbers[1, 10] = 0.1  # nothing but the order
    made = shown(augment.distort(pictures(2), numbers, INPUTS, replace(strong, grey=0, blur=0)))
    assert made.min() >= -1e-5
    assert made.max() <= 1 + 1e-5
    assert (made[0] - made[1]).abs().max() > 0.01


def test_a_time_shift_rolls_each_sound_by_its_own_amount() -> None:
    sound = torch.arange(10.0).expand(3, 1, 4, 10)
    made = augment.time_shift(sound, torch.tensor([[0.0], [0.3], [0.99]]))
    assert made[:, 0, 0, 0].tolist() == [0, 7, 1]
    assert torch.equal(made.sort(dim=-1).values, sound)


def test_spec_augment_fills_one_band_of_rows_and_one_of_columns() -> None:
    sound = torch.ones(200, 1, 20, 30)
    made = augment.spec_augment(sound, draws(200), time=9, frequency=5, probability=0.8, fill=-1.0)
    empty = made[:, 0] == -1
    rows, columns = empty.all(dim=2).sum(dim=1), empty.all(dim=1).sum(dim=1)
    assert int(rows.max()) == 5
    assert int(columns.max()) == 9
    assert 0.65 < float(empty.flatten(1).any(dim=1).float().mean()) < 0.9
    bands = empty.all(dim=2).int().diff(dim=1, prepend=torch.zeros(200, 1), append=torch.zeros(200, 1)).abs().sum(dim=1)
    assert set(bands.tolist()) <= {0, 2}, "one run of rows"
    assert SPEC_DRAWS == 5


def test_too_few_numbers_are_refused() -> None:
    with pytest.raises(UserError, match=r"expected draws \(2, 14 or more\), got \(2, 3\); give a row a clip"):
        augment.distort(pictures(2), torch.zeros(2, 3), INPUTS, PLAIN)
