"""`soundspot score`: what its columns are called, and where its results go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from make_scenes import make_scenes
from soundspot.cli.scene import labels_of
from soundspot.predictions import Predictions
from soundspot.types import UserError


def write_maps(path: Path, value: float = 0.5) -> Path:
    maps = {f"test{number:03d}": np.full((2, 2), value, np.float32) for number in range(2)}
    Predictions(maps, {}, {"method": "made"}).save(path)
    return path


def test_files_of_one_stem_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    names = [str(write_maps(tmp_path / name)) for name in ("a/x/maps.st", "b/x/maps.st", "c/y/maps.st", "c/y/other.st")]
    assert list(labels_of(names).values()) == ["a/x/maps", "b/x/maps", "y/maps", "other"]
    assert list(labels_of(names[:1]).values()) == ["maps"]
    named_as_a_prior = str(write_maps(tmp_path / "d/centre.st"))
    assert list(labels_of(["centre", named_as_a_prior]).values()) == ["centre", "d/centre"]
    endings = [str(write_maps(tmp_path / f"e/maps.{ending}")) for ending in ("st", "safetensors")]
    assert list(labels_of(endings).values()) == ["e/maps.st", "e/maps.safetensors"]


def test_a_file_or_a_prior_is_scored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable) -> None:
    maps = write_maps(tmp_path / "maps.safetensors")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="once, got centre again; leave it out"):
        labels_of(["centre", "oracle", "centre"])
    root = make_scenes(tmp_path / "scenes", ["visible", "visible"])
    done = command("score", maps, "maps.safetensors", "--root", root)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "soundspot: expected each predictions file or prior once, got maps.safetensors again; leave it out\n"
    )


def test_the_columns_and_the_folder_of_results(tmp_path: Path, command: Callable) -> None:
    root = make_scenes(tmp_path / "scenes", ["visible", "visible"])
    files = [write_maps(tmp_path / folder / "maps.st", value) for folder, value in (("one", 0.2), ("two", 0.7))]
    out = tmp_path / "new" / "deep" / "results.json"
    done = command("score", *files, "--root", root, "--out", out, "--json")
    assert done.code == 0, done.err
    assert [result["name"] for result in json.loads(done.out)] == ["one/maps", "two/maps"]
    assert [result["name"] for result in json.loads(out.read_text())] == ["one/maps", "two/maps"]
    assert command("check", "samples", root, "--clean", tmp_path / "other" / "clean.txt").code == 0
    assert (tmp_path / "other/clean.txt").read_text() == "test000\ntest001\n"
