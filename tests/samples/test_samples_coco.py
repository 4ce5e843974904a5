"""COCO's outlines: polygons, run lengths packed and not, both layouts, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from make_coco import pack, write_coco
from soundspot.samples.coco import fill_polygon, fill_runs, read_photos, unpack_runs
from soundspot.types import UserError

OUTLINE = [[2.0, 3.0, 10.0, 3.0, 10.0, 9.0, 2.0, 9.0]]


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=12))
def test_packed_runs_are_what_was_packed(runs: list[int]) -> None:
    assert unpack_runs(pack(runs)) == runs


def test_packed_runs_of_cocos_own_form() -> None:
    # a rectangle of 10 x 20 in 60 x 90, as pycocotools 2.0.11 packs it
    mask = np.zeros((60, 90), dtype=bool)
    mask[5:15, 30:50] = True
    assert (fill_runs(unpack_runs("]h1:b10000000000000000000000000000000000000kZ2"), 60, 90) == mask).all()


def test_runs_go_down_the_columns() -> None:
    assert fill_runs([1, 2, 3], 3, 2).tolist() == [[False, False], [True, False], [True, False]]
    with pytest.raises(UserError, match="expected them to sum to 3 x 2, got 5"):
        fill_runs([1, 4], 3, 2)


def test_a_polygon_covers_the_pixels_whose_middles_lie_inside() -> None:
    mask = fill_polygon(np.array(OUTLINE[0]).reshape(-1, 2), 16, 24)
    expected = np.zeros((16, 24), dtype=bool)
    expected[3:9, 2:10] = True
    assert (mask == expected).all()
    beyond = fill_polygon(np.array([[-5.0, -5.0], [50, -5], [50, 50], [-5, 50]]), 16, 24)
    assert beyond.all()
    triangle = fill_polygon(np.array([[0.0, 0.0], [24, 0], [0, 16]]), 16, 24)
    assert triangle.mean() == pytest.approx(0.5, abs=0.03)


def test_every_form_of_outline(tmp_path: Path) -> None:
    runs = [3 * 16, 5, 11 + 20 * 16]
    things = [
        {"category": "dog", "segmentation": [*OUTLINE, [20.0, 0, 24, 0, 24, 2, 20, 2]]},
        {"category": "cat", "segmentation": {"size": [16, 24], "counts": runs}, "iscrowd": 1},
        {"category": "cat", "segmentation": {"size": [16, 24], "counts": pack(runs)}},
    ]
    root = write_coco(tmp_path / "coco", {"b": things, "a": []})
    (root / "val2017/a.jpg").rename(tmp_path / "gone.jpg")
    (photo,), missing = read_photos(root)
    assert missing == ["a"]
    assert (photo.id, photo.width, photo.height) == ("b", 24, 16)
    assert photo.categories == {"dog", "cat"}
    assert photo.licence == "Attribution License"
    dog, crowd, cat = (thing.mask(16, 24) for thing in photo.things)
    assert dog.sum() == 6 * 8 + 2 * 4
    assert [thing.crowd for thing in photo.things] == [False, True, False]
    assert (crowd == cat).all()
    assert crowd[:5, 3].all()
    assert crowd.sum() == 5


def test_label_files(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "images/val").mkdir(parents=True, exist_ok=True)
        if name != "c":
            Image.new("RGB", (20, 10)).save(tmp_path / f"images/val/{name}.jpg")
    for kind, names in (("instance_segmentation", "names:\n  18: dog\n"), ("object_detection", "names:\n  15: cat\n")):
        (tmp_path / kind / "labels/val").mkdir(parents=True)
        (tmp_path / kind / "config.yaml").write_text(f"path: .\n{names}")
    (tmp_path / "instance_segmentation/labels/val/a.txt").write_text("18 0 0 0.5 0 0.5 1 0 1\n")
    for name in ("b", "c"):
        (tmp_path / f"object_detection/labels/val/{name}.txt").write_text("15 0.5 0.5 0.2 0.2\n15 0.1 0.1 0.1 0.1\n")
    (first, second), missing = read_photos(tmp_path)
    assert missing == ["c"]
    assert first.things[0].mask(10, 20).sum() == 100
    assert (first.boxed, second.boxed, second.things) == ({}, {"cat": 2}, ())
    assert second.categories == {"cat"}
    (tmp_path / "instance_segmentation/labels/val/a.txt").write_text("7 0 0 0.5 0 0.5 1\n")
    with pytest.raises(UserError, match=r"expected classes that config\.yaml names, got 7"):
        read_photos(tmp_path)


def test_what_is_no_such_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a folder with COCO's pictures, got none"):
        read_photos(tmp_path / "gone")
    with pytest.raises(UserError, match=r"expected an instances_\*\.json or a folder instance_segmentation"):
        read_photos(tmp_path)
    root = write_coco(tmp_path / "coco", {"a": []})
    file = root / "annotations/instances_val2017.json"
    (root / "instances_other.json").write_text(file.read_text())
    with pytest.raises(UserError, match="expected one instances_"):
        read_photos(root)
    assert len(read_photos(root, file)[0]) == 1
    file.write_text('{"images": []}')
    with pytest.raises(
        UserError, match=r"expected COCO's instances \(images, annotations, .*\), got nothing called 'c"
    ):
        read_photos(root, file)
    file.write_text('["none"]')
    with pytest.raises(UserError, match=r"instances_val2017.json: expected COCO's .*, got something of another form;"):
        read_photos(root, file)
    file.write_text("{")
    with pytest.raises(UserError, match=r"instances_val2017.json: expected COCO's .*, got no JSON \(Expecting"):
        read_photos(root, file)
    (root / "val2017/a.jpg").unlink()
    with pytest.raises(UserError, match=r"expected the pictures that .* lists, got none of 1"):
        read_photos(root, root / "instances_other.json")


@pytest.mark.shared
def test_the_real_sample(shared: Path) -> None:
    photos, missing = read_photos(shared / "data/media/coco256")
    assert len(photos) == 256
    assert missing == ["000000000656", "000000000659"]
    outlined = [photo for photo in photos if photo.things]
    assert len(outlined) == 198
    dog = next(photo for photo in photos if photo.id == "000000000074")
    assert {"dog", "bicycle", "person"} <= dog.categories
    (mask,) = (thing.mask(dog.height, dog.width) for thing in dog.things if thing.category == "dog")
    assert mask.mean() == pytest.approx(0.0656, abs=1e-4)
