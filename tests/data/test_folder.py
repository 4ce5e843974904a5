"""soundspot's own layout: what is read, and what a user's wrong listing is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from soundspot.data.folder import read_folder, read_rows
from soundspot.types import UserError

ROW: dict[str, Any] = {
    "id": "one",
    "image": "images/one.png",
    "audio": "audio/one.wav",
    "mask": "masks/one.png",
    "boxes": [[0.1, 0.2, 0.5, 0.6]],
    "box_labels": ["dog"],
    "labels": ["dog"],
    "kind": "visible",
    "group": "g",
    "split": "test",
}


def write(root: Path, *rows: dict[str, Any], mask_size: tuple[int, int] = (20, 10)) -> Path:
    for folder in ("images", "audio", "masks"):
        (root / folder).mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(root / "images/one.png")
    Image.new("L", mask_size).save(root / "masks/one.png")
    (root / "audio/one.wav").write_bytes(b"RIFF")
    (root / "scenes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def changed(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**ROW, **changes}.items() if value is not None}


def test_a_row_becomes_a_clip_and_its_target(tmp_path: Path) -> None:
    ((clip, target),) = read_folder(write(tmp_path, ROW))
    assert (clip.id, clip.labels, clip.group) == ("one", ("dog",), "g")
    assert (clip.image, clip.audio) == (tmp_path / "images/one.png", tmp_path / "audio/one.wav")
    assert target.boxes == ((0.1, 0.2, 0.5, 0.6),)
    assert (target.clip_id, target.kind, target.box_labels, target.mask) == (
        "one", "visible", ("dog",), tmp_path / "masks/one.png",
    )  # fmt: skip
    assert target.group == "g"


def test_a_moment_of_a_film_with_its_own_sound(tmp_path: Path) -> None:
    row = {"id": "f", "video": "f.mp4", "time_seconds": 1.5, "kind": "silent"}
    (tmp_path / "f.mp4").touch()
    ((clip, target),) = read_folder(write(tmp_path, row))
    assert (clip.video, clip.time_seconds, clip.audio) == (tmp_path / "f.mp4", 1.5, None)
    assert (target.kind, target.boxes, target.mask) == ("silent", (), None)


def test_a_picture_may_say_where_in_its_sound_it_stands(tmp_path: Path) -> None:
    ((clip, _),) = read_folder(write(tmp_path, changed(time_seconds=1.5)))
    assert (clip.image, clip.time_seconds) == (tmp_path / "images/one.png", 1.5)


def test_only_the_split_asked_for(tmp_path: Path) -> None:
    write(tmp_path, ROW, changed(id="two", split="train"), changed(id="three", split=None))
    assert [clip.id for clip, _ in read_folder(tmp_path, split="train")] == ["two"]
    assert len(read_folder(tmp_path)) == 3
    with pytest.raises(UserError, match="unknown split 'tset': expected one of test, train; did you mean 'test'"):
        read_folder(tmp_path, split="tset")
    write(tmp_path, changed(split=None))
    with pytest.raises(UserError, match="expected scenes of the split test, got scenes without any; name one in"):
        read_folder(tmp_path, split="test")


def test_empty_lines_are_passed_over_and_lines_are_counted(tmp_path: Path) -> None:
    write(tmp_path, ROW)
    listing = tmp_path / "scenes.jsonl"
    listing.write_text("\n" + listing.read_text())
    ((where, row),) = read_rows(tmp_path)
    assert where == f"{listing}:2"
    assert row == ROW


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": ""}, "expected an id, got ''"),
        ({"imagee": "x"}, "unknown field.*'imagee'.*did you mean 'image'"),
        ({"image": None}, r"expected either image or video, got \[\]"),
        ({"video": "x.mp4"}, r"expected either image or video, got \['image', 'video'\]"),
        ({"audio": None}, "expected audio beside image, got none"),
        ({"kind": "loud"}, "expected kind in .*, got 'loud'"),
        ({"boxes": None, "box_labels": None, "mask": None}, "expected boxes or a mask for a visible source"),
        ({"boxes": [[10, 20, 50, 60]]}, r"expected a box .* in 0..1 .*, got \[10, 20, 50, 60\].* divide pixels"),
        ({"boxes": [[0.5, 0.2, 0.1, 0.6]]}, "with x0 < x1"),
        ({"boxes": [[0.5, 0.2, 0.1]]}, r"expected a box as \[x0, y0, x1, y1\]"),
        ({"boxes": [["a", 0, 1, 1]]}, r"expected a box as \[x0, y0, x1, y1\]"),
        ({"boxes": "all"}, "expected boxes as a list"),
        ({"labels": "dog"}, "expected labels as a list of names, got 'dog'"),
        ({"box_labels": ["dog", "cat"]}, "expected a label a box"),
        ({"time_seconds": "1"}, "expected time_seconds as a number, got '1'"),
        ({"image": 3}, "expected image as a file's name, got 3"),
        ({"audio": "audio/lost.wav"}, "expected all files that scenes.jsonl names, got none for audio/lost.wav; add"),
    ],
)
def test_a_wrong_row_is_told_with_its_place(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_folder(write(tmp_path, changed(**changes)))


def test_many_missing_files_are_counted(tmp_path: Path) -> None:
    rows = [changed(id=str(i), audio=f"audio/{i}.wav") for i in range(5)]
    with pytest.raises(UserError, match=r"audio/0.wav, audio/1.wav, audio/2.wav and 2 more"):
        read_folder(write(tmp_path, *rows))


def test_a_mask_of_another_size_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a mask of its picture's size 20x10, got 10x20"):
        read_folder(write(tmp_path, ROW, mask_size=(10, 20)))


def test_a_mask_that_is_no_picture_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, ROW)
    (tmp_path / "masks/one.png").write_bytes(np.zeros(8).tobytes())
    with pytest.raises(UserError, match="expected a picture, got another kind of file"):
        read_folder(tmp_path)


def test_an_id_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected every id once, got 'one' twice"):
        read_folder(write(tmp_path, ROW, ROW))


def test_no_listing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a folder with scenes\.jsonl, got none"):
        read_folder(tmp_path)


@pytest.mark.parametrize(("line", "message"), [("{", "expected a JSON object"), ("[1]", "object a line, got list")])
def test_a_line_that_is_no_object_is_told(tmp_path: Path, line: str, message: str) -> None:
    write(tmp_path, ROW)
    (tmp_path / "scenes.jsonl").write_text(json.dumps(ROW) + "\n" + line + "\n")
    with pytest.raises(UserError, match=rf"scenes\.jsonl:2: .*{message}"):
        read_folder(tmp_path)
