"""SSLalign's lists: their own folders count, the authors' paths do not."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from soundspot.data.sets.box_json import find_masks, media_below, read_rows
from soundspot.data.sets.reading import list_file
from soundspot.types import UserError

ROW = {"image": "/some/disk/set/visual_frames/a_b_1_a.jpg", "audio": "/other/audio_wav/a_b_1_a.wav"}


def written(path: Path, *rows: Any) -> Path:
    path.write_text(json.dumps(rows))
    return path


def test_boxes_become_fractions_of_the_224_frame(tmp_path: Path) -> None:
    (row,) = read_rows(written(tmp_path / "list.json", {**ROW, "gt_box": [0.0, 56.0, 112.0, 224.0]}))
    assert row.box == (0.0, 0.25, 0.5, 1.0)
    assert row.mask is None
    assert (row.image, row.audio) == (PurePosixPath("a_b_1_a.jpg"), PurePosixPath("a_b_1_a.wav"))


def test_zero_boxes_and_reversed_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    first, second = read_rows(written(path, *({**ROW, "gt_box": box} for box in ([0, 0, 0, 0], [112, 0, 56, 224]))))
    assert first.box == (0.0, 0.0, 0.0, 0.0)
    assert second.box == (0.5, 0.0, 0.25, 1.0)


def test_folders_below_the_sets_own_are_kept(tmp_path: Path) -> None:
    row = {
        "image": "/x/visual_frames/y/visual_frames/test/car/film/film_1.png",
        "audio": "elsewhere/film.wav",
        "gt_box": "/x/gt_masks/test/car/film/film_1.png",
        "offset": 1,
    }
    (read,) = read_rows(written(tmp_path / "list.json", row))
    assert read.image == PurePosixPath("test/car/film/film_1.png")
    assert read.audio == PurePosixPath("film.wav")
    assert read.mask == PurePosixPath("test/car/film/film_1.png")
    assert read.box is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "got no JSON"),
        ("[]", "got something else"),
        ('[{"image": "a"}]', "got something else"),
        (json.dumps([{**ROW, "gt_box": [1, 2, 3]}]), r"expected gt_box as four numbers .* got \[1, 2, 3\]"),
        (json.dumps([{**ROW, "gt_box": [1, 2, 3, "4"]}]), "expected gt_box"),
        (json.dumps([{**ROW, "image": "/a/visual_frames/../../etc/x.jpg", "gt_box": [0, 0, 1, 1]}]), r"without '\.\.'"),
    ],
)
def test_other_content_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(UserError, match=problem):
        read_rows(tmp_path / "list.json")


def test_both_spellings_of_the_folders_are_found(tmp_path: Path) -> None:
    media = media_below(tmp_path)
    assert (media.pictures, media.sounds, media.masks) == (tmp_path / "visual_frames", tmp_path / "audio_wav", None)
    for name in ("images", "audio_waw", "gt_segmentation"):
        (tmp_path / name).mkdir()
    media = media_below(tmp_path)
    assert (media.pictures, media.sounds) == (tmp_path / "images", tmp_path / "audio_waw")
    assert media.masks == tmp_path / "gt_segmentation"
    assert media_below(None).pictures is None
    with pytest.raises(UserError, match="expected the folder that holds visual_frames and audio_wav"):
        media_below(tmp_path / "nowhere")


def test_masks_are_all_there_or_none(tmp_path: Path) -> None:
    (tmp_path / "one.png").touch()
    assert find_masks(tmp_path, ["one"]) == {"one": tmp_path / "one.png"}
    assert find_masks(None, ["one"]) == {}
    with pytest.raises(UserError, match=r"a mask for each of 2 rows, got none for 1 \(the first: two\)"):
        find_masks(tmp_path, ["one", "two"])


def test_lists_are_found_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "second.json").touch()
    assert list_file(tmp_path, ("first.json", "second.json")) == tmp_path / "second.json"
    assert list_file(tmp_path / "second.json", ("first.json",)) == tmp_path / "second.json"
    with pytest.raises(UserError, match=r"expected first\.json or a folder that holds it"):
        list_file(tmp_path, ("first.json",))
