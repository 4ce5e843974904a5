"""All exports: the table, writing whole or not at all, names and endings, and the command."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import overload

import pytest
from made_timelines import EVERY, judged
from test_class_films import Colourful, film

from soundspot import weights
from soundspot.localize.exports import ENDINGS, EXPORTS, kind_of, wanted_exports
from soundspot.localize.run import Wanted, run
from soundspot.localize.timeline import Moment
from soundspot.methods import METHODS
from soundspot.types import UserError

__all__ = ["film"]


@pytest.mark.parametrize("kind", EXPORTS)
@pytest.mark.parametrize("of", EVERY)
def test_every_timeline_is_written_as_everything_and_nothing_else_is_left(of: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / EXPORTS[kind].file_name
    for _ in range(2):  # over an older one too
        EXPORTS[kind].write(EVERY[of](), path)
    assert [each.name for each in path.parent.iterdir()] == [EXPORTS[kind].file_name]
    assert path.is_dir() == (kind == "masks")
    inside = [path] if path.is_file() else list(path.iterdir())
    assert all(each.stat().st_size > 0 for each in inside)


class Broken(Sequence[Moment]):
    """The first can be had, the others no more."""

    def __init__(self, known: Sequence[Moment]) -> None:
        self.known = known

    def __len__(self) -> int:
        return len(self.known)

    @overload
    def __getitem__(self, index: int) -> Moment: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Moment]: ...
    def __getitem__(self, index: int | slice) -> Moment | Sequence[Moment]:
        if index == 0:
            return self.known[0]
        raise OSError("the disk is gone")

    def __iter__(self) -> Iterator[Moment]:
        return (self[number] for number in range(len(self)))


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "coco", "masks"])
def test_what_fails_on_the_way_leaves_the_older_one(kind: str, tmp_path: Path) -> None:
    path = tmp_path / EXPORTS[kind].file_name
    whole = judged()
    whole.save(path, kind)
    watched = path / "index.jsonl" if path.is_dir() else path
    before = watched.read_bytes()
    with pytest.raises(OSError, match="the disk is gone"):
        dataclasses.replace(whole, moments=Broken(whole.moments)).save(path, kind)
    assert watched.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_the_ending_says_which_and_a_kind_overrules_it(tmp_path: Path) -> None:
    expected = {
        ".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet", ".json": "coco", "": "masks", ".vtt": "vtt",
        ".edl": "edl", ".html": "html",
    }  # fmt: skip
    assert expected == ENDINGS
    assert kind_of(Path("A.CSV")) == "csv"
    judged().save(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().startswith("time_seconds,frame,")
    judged().save(str(tmp_path / "a.txt"), "vtt")
    assert (tmp_path / "a.txt").read_text().startswith("WEBVTT")
    with pytest.raises(UserError, match=r"unknown ending of a.cvs '.cvs': expected one of .*; did you mean '.csv'\?"):
        judged().save(tmp_path / "a.cvs")
    with pytest.raises(UserError, match=r"unknown export 'webvtt': expected one of .*; did you mean 'vtt'\?"):
        judged().save(tmp_path / "a.vtt", "webvtt")


def test_names_come_once_in_order_and_all_stands_for_each() -> None:
    assert wanted_exports(["vtt", "csv", "vtt"]) == ["csv", "vtt"]
    assert wanted_exports(["all", "csv"]) == list(EXPORTS)
    assert wanted_exports([]) == []


def test_without_pyarrow_it_is_said_before_anything_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        UserError, match=r"expected pyarrow for a Parquet file, got none; pip install 'soundspot\[tables\]'"
    ):
        Wanted(exports=("parquet",))
    assert Wanted(exports=("csv",)).exports == ("csv",)


def test_an_unknown_name_or_look_ends_before_the_film_is_looked_at(command: Callable[..., object]) -> None:
    done = command("localize", "nowhere.mp4", "--export", "csv", "--export", "cocoa")
    assert done.code == 2  # type: ignore[attr-defined]
    assert "unknown export 'cocoa'" in done.err  # type: ignore[attr-defined]
    assert "did you mean 'coco'?" in done.err  # type: ignore[attr-defined]
    done = command("localize", "nowhere.mp4", "--show", "outlines")
    assert "did you mean 'outline'?" in done.err  # type: ignore[attr-defined]
    done = command("localize", "nowhere.mp4", "--opacity", "60")
    assert "expected an opacity from 0 to 1, got 60" in done.err  # type: ignore[attr-defined]


def test_the_command_writes_all_and_names_them(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., object]
) -> None:
    monkeypatch.setitem(METHODS, "colourful", "test_class_films:Colourful")
    path = weights.save(Colourful(), tmp_path / "c.safetensors", {})
    words = ["--weights", str(path), "--out", tmp_path / "out", "--export", "all", "--show", "box", "--start", "2"]
    done = command("localize", film, *words, "--json")
    assert done.code == 0, done.err  # type: ignore[attr-defined]
    files = json.loads(done.out)["files"]  # type: ignore[attr-defined]
    assert set(files) == {"timeline", "picture", "film", *EXPORTS} - {"jsonl"}
    written = {each.name for each in (tmp_path / "out").iterdir()}
    assert written == {Path(name).name for name in files.values()} | {"timeline.jsonl"}
    assert 'src="overlay.mp4" data-offset="2.000"' in (tmp_path / "out/timeline.html").read_text()
    bare = run(film, None, tmp_path / "bare", Wanted(str(path), with_film=False, exports=("vtt", "jsonl")))
    assert set(bare.files) == {"timeline", "picture", "vtt"}
