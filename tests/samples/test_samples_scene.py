"""Pasting: masks, boxes, sizes, overlaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from soundspot.samples.scene import (
    GRID,
    MAX_HIDDEN,
    Cutout,
    box_of,
    compose,
    draw_sides,
    find_places,
    load_cutout,
    place_of,
    size_bin,
)
from soundspot.types import UserError


def cutouts(source: Path, labels: tuple[str, ...]) -> list[Cutout]:
    return [Cutout(f"{label}_0", label, source / f"cutouts/{label}/{label}_0.png") for label in labels]


def test_objects_are_where_their_masks_say(made_source: Path) -> None:
    """The picture differs from a scene of the same seed without the object just where its mask is."""
    objects = cutouts(made_source, ("bell", "drum", "horn"))
    ground = made_source / "backgrounds/ground_0.jpg"
    scene = compose(np.random.default_rng(3), objects, [60, 50, 40], ground, 160)
    assert scene.image.shape == (160, 160, 3)
    assert scene.image.dtype == np.uint8
    masks = np.stack([placed.mask for placed in scene.objects])
    assert masks.sum(axis=0).max() == 1  # what is hidden belongs to the one in front
    inside = scene.image[masks[0]].astype(float)
    dark_bar = inside.max(axis=1) < 90  # every made object has a dark bar on a brighter ellipse
    assert 0.03 < dark_bar.mean() < 0.4
    around = scene.image[~masks.any(axis=0)].astype(float)
    assert np.abs(np.median(inside, axis=0) - np.median(around, axis=0)).max() > 10


def test_sides_are_met_on_the_224_grid(made_source: Path) -> None:
    objects = cutouts(made_source, ("bell", "drum", "horn"))
    scene = compose(np.random.default_rng(0), objects, [90, 30, 40], made_source / "backgrounds/ground_1.jpg", 320)
    for placed, wanted in zip(scene.objects, (90, 30, 40), strict=True):
        x0, y0, x1, y1 = placed.box
        assert placed.side == pytest.approx(GRID * np.sqrt((x1 - x0) * (y1 - y0)))
        assert placed.side == pytest.approx(wanted, rel=0.15)


def test_boxes_are_tight() -> None:
    mask = np.zeros((10, 20), dtype=bool)
    mask[2:5, 4:10] = True
    assert box_of(mask) == (0.2, 0.2, 0.5, 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_objects_stay_visible(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [np.ones((h, w), dtype=bool) for h, w in ((70, 60), (50, 40), (30, 40), (20, 20))]
    places = find_places(rng, shapes, 120, 120)
    assert places is not None
    owner = np.full((120, 120), -1)
    for i, ((x, y), shape) in enumerate(zip(places, shapes, strict=True)):
        owner[y : y + shape.shape[0], x : x + shape.shape[1]] = i
    for i, shape in enumerate(shapes):
        assert (owner == i).sum() >= (1 - MAX_HIDDEN) * shape.size


def test_no_place_is_told() -> None:
    rng = np.random.default_rng(0)
    assert find_places(rng, [np.ones((90, 90), dtype=bool)] * 2, 100, 100) is None


def test_crowded_objects_shrink_until_they_fit(made_source: Path) -> None:
    objects = cutouts(made_source, ("bell", "drum", "horn", "lamp"))
    scene = compose(np.random.default_rng(1), objects, [170] * 4, made_source / "backgrounds/ground_2.jpg", 64)
    assert all(placed.side < 150 for placed in scene.objects)
    assert all(placed.mask.any() for placed in scene.objects)


def test_one_seed_gives_one_picture(made_source: Path) -> None:
    objects = cutouts(made_source, ("bell", "drum", "horn"))
    ground = made_source / "backgrounds/ground_0.jpg"
    one, two, other = (compose(np.random.default_rng(s), objects, [50] * 3, ground, 96).image for s in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_sides_cover_all_bins_whatever_the_place() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([draw_sides(rng, 3) for _ in range(400)])
    for column in drawn.T:  # which object sounds is settled apart from the size
        assert {size_bin(side) for side in column} == {"small", "medium", "large", "huge"}
    assert np.ptp(drawn.mean(axis=0)) < 10


def test_an_empty_cutout_is_an_error(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8)).save(tmp_path / "empty.png")
    with pytest.raises(UserError, match="expected a picture with an opaque object, got an empty alpha channel"):
        load_cutout(tmp_path / "empty.png")


def test_place_of_a_covered_frame() -> None:
    placed = place_of(Cutout("x", "x", Path("x.png")), np.ones((7, 7), dtype=bool))
    assert placed.box == (0, 0, 1, 1)
    assert size_bin(placed.side) == "huge"
