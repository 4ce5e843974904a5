"""Looks on disk: what is written is read, a stopped run goes on, and nothing that is not whole is believed."""

from __future__ import annotations

import gc
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.localize.looks import Look, Looks

KEY = {"film": "a.mp4", "every_seconds": 0.5}


def look(number: int, classes: bool = False) -> Look:
    """One that can be told from others."""
    draw = np.random.default_rng(number)
    shape = (3, 4, 5) if classes else (4, 5)
    return Look(
        time_seconds=number * 0.1,
        maps=draw.normal(size=shape).astype(np.float32),
        level_dbfs=-math.inf if number % 4 == 3 else -20.0 - number / 3,
        change=float(draw.random()),
        peaks=tuple(draw.random(8).tolist()),
        tags=(("Dog", 1 / 3), ('Geräusch, "laut"\n', 0.25)),
        balance=None if number % 2 else -1 / 7,
        heard=tuple(draw.random(3).tolist()) if classes else (),
        seen=draw.random((3, 4, 5)).astype(np.float32) if classes else np.zeros((0, 0), np.float32),
    )


def same(one: Look, other: Look) -> bool:
    names = ("time_seconds", "level_dbfs", "change", "peaks", "tags", "balance", "heard")
    values = all(getattr(one, name) == getattr(other, name) for name in names)
    return values and np.array_equal(one.maps, other.maps) and np.array_equal(one.seen, other.seen)


def stored(folder: Path | None, numbers: range, classes: bool = False) -> Looks:
    looks = Looks(folder, KEY)
    for number in numbers:
        looks.add(look(number, classes))
    looks.flush()
    return looks


@pytest.mark.parametrize("classes", [False, True])
def test_what_was_added_is_read_again_by_this_run_and_by_the_next(tmp_path: Path, classes: bool) -> None:
    first = stored(tmp_path, range(6), classes)
    again = Looks(tmp_path, KEY)
    assert len(first) == len(again) == 6
    for number in range(6):
        given = look(number, classes)
        assert np.array_equal(first[number].maps, given.maps)
        assert np.array_equal(first[number].seen, given.seen)
        assert same(first[number], again[number]), "a look is the same before and after it was on disk"
        assert again[number].tags == given.tags
        assert again[number].level_dbfs == given.level_dbfs
    assert np.array_equal(again[-1].maps, look(5, classes).maps)
    assert [each.time_seconds for each in again[1:3]] == [look(1).time_seconds, look(2).time_seconds]
    assert again.rows[2].maps.size == 0, "maps are not in memory"


def test_a_look_can_be_read_before_anything_was_flushed(tmp_path: Path) -> None:
    looks = Looks(tmp_path, KEY)
    for number in range(3):
        looks.add(look(number))
        assert np.array_equal(looks[number].maps, look(number).maps)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_cut_off_anywhere_it_goes_on_after_the_last_whole_look(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = stored(folder, range(5))
    for name in ("looks.jsonl", "looks.f32"):
        path = folder / name
        size = path.stat().st_size
        with path.open("ab") as file:
            file.truncate(data.draw(st.integers(0, size), label=name))
    looks = Looks(folder, KEY)
    kept = len(looks)
    assert all(same(looks[number], whole_look(number)) for number in range(kept))
    for number in range(kept, 5):
        looks.add(look(number))
    looks.flush()
    again = Looks(folder, KEY)
    assert len(again) == 5
    assert all(same(again[number], whole_look(number)) for number in range(5))
    assert (folder / "looks.f32").stat().st_size == 5 * 4 * 5 * 4, "nothing of the cut look is left between"
    del whole


def whole_look(number: int) -> Look:
    """As it is kept: what is drawn is rounded."""
    from dataclasses import replace

    full = look(number)
    return replace(full, change=round(full.change, 4), peaks=tuple(round(peak, 4) for peak in full.peaks))


def test_a_line_without_its_newline_or_its_maps_is_not_believed(tmp_path: Path) -> None:
    stored(tmp_path, range(4))
    lines = tmp_path / "looks.jsonl"
    lines.write_bytes(lines.read_bytes()[:-1])
    assert len(Looks(tmp_path, KEY)) == 3
    maps = tmp_path / "looks.f32"
    with maps.open("ab") as file:
        file.truncate(maps.stat().st_size - 1)
    assert len(Looks(tmp_path, KEY)) == 2


@pytest.mark.parametrize(
    "line",
    [
        "nonsense", "[1, 2]", "7", "null", "{}", '{"shapes": [[4, 5], [0, 0]]}', '{"shapes": 3}',
        '{"time_seconds": 9, "shapes": [[-4, 5], [0, 0]], "level_dbfs": 0, "tags": [], "peaks": [], "heard": []}',
        '{"time_seconds": 9, "shapes": [[0, 0], [0, 0]], "level_dbfs": "x", "tags": [], "peaks": [], "heard": []}',
        '{"time_seconds": 9, "shapes": [[0, 0], [0, 0]], "level_dbfs": 0, "tags": [], "peaks": [], "heard": [],'
        ' "unknown": 1}',
    ],
)  # fmt: skip
def test_garbage_ends_what_is_believed(tmp_path: Path, line: str) -> None:
    stored(tmp_path, range(2))
    with (tmp_path / "looks.jsonl").open("a") as file:
        file.write(line + "\n")
    looks = Looks(tmp_path, KEY)
    assert len(looks) == 2
    looks.add(look(2))
    looks.flush()
    assert len(Looks(tmp_path, KEY)) == 3, "the garbage is gone"


@pytest.mark.parametrize("head", [b"", b"\xff\xfe\n", b"{}\n", b"no newline"])
def test_a_folder_of_something_else_is_begun_anew(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "looks.jsonl").write_bytes(head)
    (tmp_path / "looks.f32").write_bytes(b"x" * 80)
    looks = Looks(tmp_path, KEY)
    assert len(looks) == 0
    looks.add(look(0))
    looks.flush()
    assert np.array_equal(Looks(tmp_path, KEY)[0].maps, look(0).maps)


def test_another_key_begins_anew_whatever_the_order_of_its_words(tmp_path: Path) -> None:
    stored(tmp_path, range(3))
    assert len(Looks(tmp_path, dict(reversed(KEY.items())))) == 3
    assert len(Looks(tmp_path, {**KEY, "every_seconds": 0.25})) == 0
    assert len(Looks(tmp_path, KEY)) == 0, "and the old ones are gone"
    head = json.loads((tmp_path / "looks.jsonl").read_text().splitlines()[0])
    assert head == {"format": "soundspot looks 1", **KEY}


def test_the_temporary_folder_goes_with_the_looks() -> None:
    looks = stored(None, range(3))
    folder = looks.folder
    assert (folder / "looks.f32").stat().st_size == 3 * 20 * 4
    del looks
    gc.collect()
    assert not folder.exists()
