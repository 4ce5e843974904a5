"""COCO JSON and masks, read by pycocotools and Pillow."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from made_timelines import (
    COLUMNS,
    EVERY,
    HEIGHT,
    LEFT,
    NASTY,
    RIGHT,
    ROWS,
    WIDTH,
    heat_of,
    judged,
    of_classes,
    silence,
    unjudged,
)  # fmt: skip
from PIL import Image

from soundspot.localize.exports.coco import encoded
from soundspot.localize.regions import boxes_of, mask_of
from soundspot.localize.timeline import Timeline
from soundspot.types import UserError

coco = pytest.importorskip("pycocotools.coco")
coco_mask = pytest.importorskip("pycocotools.mask")


def loaded(timeline: Timeline, folder: Path) -> Any:
    timeline.save(folder / "coco.json")
    return coco.COCO(str(folder / "coco.json"))


@settings(deadline=None)
@given(arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_run_lengths_are_what_pycocotools_packs(mask: np.ndarray) -> None:
    theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    ours = encoded(mask)
    assert ours["counts"].encode() == theirs["counts"]
    assert np.array_equal(coco_mask.decode(ours), mask)


def test_long_runs_take_more_digits() -> None:
    mask = np.zeros((700, 900), bool)
    mask[3:690, 5:880:7] = True
    mask[:, 300:500] = True
    assert encoded(mask)["counts"].encode() == coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]


def test_pycocotools_finds_regions_with_masks_scores_and_tracks(tmp_path: Path) -> None:
    read = loaded(judged(), tmp_path)
    assert len(read.imgs) == 5
    images = [read.imgs[number] for number in sorted(read.imgs)]
    assert [image["frame"] for image in images] == [250, 262, 275, 287, 300]
    assert {(image["width"], image["height"]) for image in images} == {(WIDTH, HEIGHT)}
    assert images[2]["verdict"] == "unsure"
    assert len({image["file_name"] for image in images}) == 5
    names = {each["id"]: each["name"] for each in read.loadCats(read.getCatIds())}
    assert names == {1: NASTY, 2: "Cat"}
    found = [(each["image_id"], names[each["category_id"]], each["track_id"]) for each in read.anns.values()]
    assert found == [(1, NASTY, 1), (1, NASTY, 2), (2, NASTY, 1), (2, NASTY, 2), (3, "Cat", 300)]
    for annotation, (top, bottom, left, right) in zip(list(read.anns.values())[:2], (LEFT, RIGHT), strict=True):
        mask = read.annToMask(annotation)
        assert mask.shape == (HEIGHT, WIDTH)
        assert annotation["area"] == mask.sum() == coco_mask.area(annotation["segmentation"])
        x, y, wide, high = annotation["bbox"]
        assert (x, y, wide, high) == pytest.approx(
            (left * 8, top * 8, (right - left) * 8, (bottom - top) * 8), abs=0.01
        )
        inside = np.zeros_like(mask)
        inside[top * 8 : bottom * 8, left * 8 : right * 8] = 1
        overlap = (mask & inside).sum() / (mask | inside).sum()
        assert overlap > 0.8, "the mask lies in its own box and fills it"
    assert read.anns[1]["score"] == pytest.approx(0.9)


def test_the_annotations_are_results_too(tmp_path: Path) -> None:
    read = loaded(of_classes(), tmp_path)
    again = read.loadRes(list(read.anns.values()))
    assert len(again.anns) == len(read.anns) > 10
    names = {each["name"] for each in read.loadCats(read.getCatIds())}
    assert names == {"cello", "piano"}, "what is off screen has no place"
    assert len({each["track_id"] for each in again.anns.values()}) == 2


def test_where_nothing_is_claimed_there_are_images_alone(tmp_path: Path) -> None:
    for timeline in (unjudged(), silence()):
        read = loaded(timeline, tmp_path)
        assert (len(read.imgs), len(read.anns), len(read.cats)) == (3, 0, 0)


def test_a_region_without_a_name_is_a_sound(tmp_path: Path) -> None:
    first = dataclasses.replace(judged().moments[0], tags=())
    read = loaded(dataclasses.replace(judged(), moments=(first,)), tmp_path)
    assert [each["name"] for each in read.cats.values()] == ["sound"]


@pytest.mark.parametrize("kind", ["coco", "masks", "edl"])
def test_what_needs_the_pictures_size_or_rate_says_so(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a timeline that knows its"):
        dataclasses.replace(judged(), shown=None).save(tmp_path / "x", kind)
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None)
@given(arrays.arrays(np.float32, (5, 7), elements=st.floats(0, 1, width=16)))
def test_masks_lie_about_their_boxes_and_never_are_empty(heat: np.ndarray) -> None:
    if heat.max() == 0:
        return
    boxes = boxes_of(heat)
    masks = [mask_of(heat, number, 50, 70) for number in range(len(boxes))]
    for (left, top, right, bottom), mask in zip(boxes, masks, strict=True):
        assert mask.any()
        ys, xs = np.nonzero(mask)
        slack = 10  # a cell: the smooth rim may run a little into its neighbours
        assert left * 70 - slack <= xs.min()
        assert xs.max() <= right * 70 + slack
        assert top * 50 - slack <= ys.min()
        assert ys.max() <= bottom * 50 + slack


def test_masks_are_track_numbers_a_pixel(tmp_path: Path) -> None:
    judged().save(tmp_path / "masks")
    head, *rows = map(json.loads, (tmp_path / "masks/index.jsonl").read_text("utf-8").splitlines())
    assert (head["width"], head["height"]) == (WIDTH, HEIGHT)
    assert [row["file"] for row in rows] == [f"{number:06d}.png" for number in range(5)]
    values = []
    for row in rows:
        with Image.open(tmp_path / "masks" / row["file"]) as picture:
            assert (picture.mode, picture.size) == ("P", (WIDTH, HEIGHT))
            pixels = np.asarray(picture)
            values.append(np.unique(pixels).tolist())
            colours = np.asarray(picture.convert("RGB"))
            assert (colours[pixels == 0] == 0).all()
            assert not (colours[pixels > 0] == 0).all(axis=1).any()
        assert {each["value"] for each in row["regions"]} == set(values[-1]) - {0}
    assert values == [[0, 1, 2], [0, 1, 2], [0, 45], [0], [0]], "track 300 is 300 - 255"
    assert rows[2]["regions"] == [{"value": 45, "track": 300, "label": "Cat", "score": 0.9}]
    with Image.open(tmp_path / "masks/000000.png") as picture:
        pixels = np.asarray(picture)
    assert pixels[20, 10] == 1
    assert pixels[28, 46] == 2


def test_two_tracks_of_one_value_stay_apart(tmp_path: Path) -> None:
    first = dataclasses.replace(judged().moments[0], tracks=(1, 256))
    dataclasses.replace(judged(), moments=(first,)).save(tmp_path / "masks")
    row = json.loads((tmp_path / "masks/index.jsonl").read_text("utf-8").splitlines()[1])
    assert [(each["value"], each["track"]) for each in row["regions"]] == [(1, 1), (2, 256)]


def test_a_folder_with_something_else_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(UserError, match="expected a new folder, got one with something else in it"):
        judged().save(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    (tmp_path / "empty").mkdir()
    judged().save(tmp_path / "empty")
    assert len(list((tmp_path / "empty").iterdir())) == 6


def test_the_made_heat_has_its_regions() -> None:
    assert len(boxes_of(heat_of(LEFT, RIGHT))) == 2
    assert heat_of(LEFT).shape == (ROWS, COLUMNS)
    assert set(EVERY) == {"judged", "unjudged", "silence", "classes"}
