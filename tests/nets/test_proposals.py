"""Regions of an objectness map, and the crops around them."""

from __future__ import annotations

import pytest
import torch

from soundspot.nets.proposals import MARGIN, MAX_REGIONS, MIN_SHARE, crop_regions, find_regions


def objectness(*areas: tuple[int, slice, slice]) -> torch.Tensor:
    """(2, 16, 20): positive in the areas (picture, rows, columns)."""
    scores = torch.full((2, 16, 20), -1.0)
    for picture, rows, columns in areas:
        scores[picture, rows, columns] = 1.0
    return scores


def test_each_connected_area_is_a_region_of_its_picture_largest_first() -> None:
    small, large, other = (
        (0, slice(0, 3), slice(0, 2)),
        (0, slice(8, 14), slice(4, 12)),
        (1, slice(2, 6), slice(3, 9)),
    )
    found = find_regions(objectness(small, large, other))
    assert found.picture.tolist() == [0, 0, 1]
    assert found.mask.shape == (3, 16, 20)
    for mask, (picture, rows, columns) in zip(found.mask, (large, small, other), strict=True):
        assert torch.equal(mask, objectness((picture, rows, columns))[picture] > 0)


def test_specks_are_left_out_and_the_largest_kept() -> None:
    fine = torch.full((1, 40, 40), -1.0)
    least = round(MIN_SHARE * fine.numel())
    fine[0, 0, : least - 1] = 1.0
    assert find_regions(fine).mask.shape == (0, 40, 40)
    fine[0, 4, :least] = 1.0
    assert len(find_regions(fine).picture) == 1
    bars = [
        (0, slice(2 * (n % 8), 2 * (n % 8) + 1), slice(10 * (n // 8), 10 * (n // 8) + 4 + n // 8)) for n in range(9)
    ]
    found = find_regions(objectness(*bars))
    assert len(found.picture) == MAX_REGIONS
    assert found.mask[0].sum() == 5, "the ninth bar is the largest"


def test_the_threshold_is_the_callers() -> None:
    scores = objectness((0, slice(0, 4), slice(0, 4)))
    assert len(find_regions(scores, threshold=1.0).picture) == 0
    assert len(find_regions(scores, threshold=-2.0).picture) == 2, "both pictures whole"


def test_a_crop_is_a_square_around_its_region_and_shows_it_in_proportion() -> None:
    rows, columns = torch.meshgrid(torch.arange(160.0), torch.arange(160.0), indexing="ij")
    image = torch.stack([columns, rows, torch.zeros_like(rows)]).expand(2, 3, 160, 160)
    scores = torch.full((2, 16, 16), -1.0)
    scores[1, 6:8, 4:8] = 1.0  # rows 60..80, columns 40..80 of the picture
    crops = crop_regions(image, find_regions(scores), size=48)
    assert crops.shape == (1, 3, 48, 48)
    half = 40 * MARGIN / 2
    across, down = crops[0, 0].mean(0), crops[0, 1].mean(1)
    steps = (torch.arange(48) + 0.5) / 48 * 2 - 1
    # Sampled between pixel centres, which lie at half pixels: 0.5 less than the coordinate.
    assert torch.allclose(across, 60 + half * steps - 0.5, atol=1e-3)
    assert torch.allclose(down, 70 + half * steps - 0.5, atol=1e-3)


def test_beyond_the_picture_its_edge_goes_on() -> None:
    image = torch.full((1, 3, 40, 40), 0.25)
    scores = torch.full((1, 10, 10), 1.0)
    crop = crop_regions(image, find_regions(scores), size=16)
    assert torch.allclose(crop, torch.full_like(crop, 0.25))


@pytest.mark.parametrize("size", [16, 160])
def test_no_region_gives_no_crop(size: int) -> None:
    nothing = find_regions(torch.full((2, 8, 8), -1.0))
    assert nothing.picture.dtype == torch.long
    assert crop_regions(torch.zeros(2, 3, 32, 32), nothing, size=size).shape == (0, 3, size, size)
