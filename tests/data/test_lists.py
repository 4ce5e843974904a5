"""Lists of clip ids in the forms in which they are published."""

from __future__ import annotations

from pathlib import Path

import pytest

from soundspot.data.lists import read_clip_list, read_ids, read_list, write_ids
from soundspot.types import Clip, Missing, Target, UserError


def test_vggsounds_own_csv_gives_its_training_rows_with_labels(tmp_path: Path) -> None:
    (tmp_path / "vggsound.csv").write_text(
        '---g-f_I2yQ,1,"people, marching",test\n--0PQM4-hqg,30,waterfall burbling,train\n'
    )
    assert read_list(tmp_path / "vggsound.csv") == [("--0PQM4-hqg_000030", ("waterfall burbling",))]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ids.jsonl", '{"id": "a"}\n{"file": "b"}\n\n'),
        ("ids.json", '["a", {"file": "b", "class": "dog"}]'),
        ("ids.txt", "a.mp4\nb.jpg\n\n"),
        ("ids.csv", "a,dog\nb,cat\n"),
    ],
)
def test_every_form_gives_the_same_ids(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_ids(tmp_path / name) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("entry.json", b"[3]", "expected ids or entries with `file` or `id`, got 3; add one of them"),
        ("object.json", b"{}", "expected a list of entries, got dict; give one"),
        ("cut.json", b'["a"', "expected clip ids as text, got: Expecting"),
        ("picture.txt", b"\xff\xd8\xff", "expected clip ids as text, got: .* write or fetch it again"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}: {said}"):
        read_ids(tmp_path / name)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.txt: expected a list of clip ids, got no such file; check the path"):
        read_ids(tmp_path / "gone.txt")


def test_a_list_chooses_in_the_benchmarks_order_each_id_once(tmp_path: Path) -> None:
    names = ("abcdefghijk_000032", "b.wav", "c", "d", "c")
    pairs = [(Clip(name), Target(name, kind="silent")) for name in names]
    (tmp_path / "some.txt").write_text("lost\nc\nb.wav\nabcdefghijk_32000_42000\n")
    some = read_clip_list(tmp_path / "some.txt")
    chosen, without = some.choose(pairs, [Missing("lost", "no boxes"), Missing("other", "no boxes")])
    assert [clip.id for clip, _ in chosen] == ["abcdefghijk_000032", "b.wav", "c"]
    assert [clip.clip_id for clip in without] == ["lost"]
    assert some.provenance()["clip_list"] == "some.txt"
    with pytest.raises(UserError, match=r"some\.txt: expected ids of the benchmark, got 'lost'"):
        some.choose(pairs)


def chosen_of(path: Path, *listed: str) -> list[str]:
    """What such a list leaves of three clips and four negatives: one of a film of its own, one whose name holds a +."""
    names = ["a", "b", "c+d"]
    negatives = ["a+b", "b+c+d", "c+d+a", "real+real"]
    pairs = [(Clip(name), Target(name, kind="visible", boxes=((0, 0, 1, 1),))) for name in names]
    pairs += [(Clip(name), Target(name, kind="offscreen", labels=("real",))) for name in negatives]
    path.write_text("\n".join(listed))
    return [clip.id for clip, _ in read_clip_list(path).choose(pairs)[0]]


def test_a_negative_comes_with_the_clips_of_its_picture_and_its_sound(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    assert chosen_of(path, "a", "b") == ["a", "b", "a+b"]
    assert chosen_of(path, "a", "c+d") == ["a", "c+d", "c+d+a"]
    assert chosen_of(path, "b", "real") == ["b", "real+real"]
    assert chosen_of(path, "a") == ["a"]
    assert chosen_of(path, "a", "b", "c+d", "b+c+d") == ["a", "b", "c+d", "b+c+d"], "the list names negatives itself"


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("\n")
    with pytest.raises(UserError, match="expected clip ids, got an empty list"):
        read_clip_list(tmp_path / "none.txt")


def test_written_ids_are_read_again(tmp_path: Path) -> None:
    names = ["-Qowmc0P9ic_000034", "a, b", 'with "quotes"', "class/film_1"]
    write_ids(tmp_path / "ids.txt", names)
    assert read_ids(tmp_path / "ids.txt") == names
