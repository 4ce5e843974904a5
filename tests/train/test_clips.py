"""Which clips a run trains on: leaks, missing media, and the held-out share."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from soundspot.data.lists import read_ids
from soundspot.train.clips import drop_leaks, find_clips
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.types import Clip, Missing, UserError

RECIPE = Recipe("r", "tiny_methods:Tiny", data=DataSpec("flickr", ids="train.txt", test_ids=("test.json",)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder, ending in (("frames", "jpg"), ("audio", "wav")):
        (tmp_path / folder).mkdir()
        for name in ("a", "b", "c", "d"):
            (tmp_path / folder / f"{name}.{ending}").touch()
    (tmp_path / "train.txt").write_text("d\nb\na\ngone\n")
    (tmp_path / "test.json").write_text(json.dumps([{"file": "b"}, {"file": "z"}]))
    return tmp_path


def test_a_leak_stops_the_run_and_says_how_to_go_on(root: Path) -> None:
    with pytest.raises(
        UserError, match=r"1 of the 2 test ids of test are among the 4 training ids .*on_leak=drop.*allow_leak=test"
    ):
        find_clips(RECIPE, root)


def test_a_leak_can_be_dropped_or_allowed_by_name(root: Path) -> None:
    dropped = find_clips(replace(RECIPE, on_leak="drop"), root)
    assert [clip.id for clip, _ in dropped.training] == ["a", "d"]
    assert dropped.leaks == {"test": {"ids": 1, "many": 2, "same_video": 0, "done": "dropped"}}
    kept = find_clips(replace(RECIPE, allow_leak=("test",)), root)
    assert [clip.id for clip, _ in kept.training] == ["a", "b", "d"]
    assert kept.leaks["test"]["done"] == "allowed"
    with pytest.raises(UserError, match="did you mean 'test'"):
        find_clips(replace(RECIPE, allow_leak=("tets",)), root)


def test_lists_given_by_the_caller_are_checked_too(root: Path) -> None:
    with pytest.raises(UserError, match="2 of the 2 test ids of mine"):
        find_clips(replace(RECIPE, data=replace(RECIPE.data, test_ids=())), root, {"mine": ["a", "d"]})


def test_listed_clips_without_media_are_recorded(root: Path) -> None:
    clips = find_clips(replace(RECIPE, on_leak="drop"), root)
    assert [entry.clip_id for entry in clips.missing] == ["gone"]
    assert clips.listed == 4


def test_no_list_means_all_that_is_there(root: Path) -> None:
    clips = find_clips(replace(RECIPE, data=DataSpec("flickr")), root)
    assert [clip.id for clip, _ in clips.training] == ["a", "b", "c", "d"]


def test_videos_serve_where_there_are_no_frames(tmp_path: Path) -> None:
    (tmp_path / "video").mkdir()
    (tmp_path / "video" / "x_000001.mp4").touch()
    clips = find_clips(replace(RECIPE, data=DataSpec("vggsound")), tmp_path)
    assert clips.training[0][0].video == tmp_path / "video" / "x_000001.mp4"


def test_missing_folders_and_lists_are_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find_clips(RECIPE, tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"other.txt: expected a list of clip ids, got no such file"):
        find_clips(replace(RECIPE, data=DataSpec("flickr", ids="other.txt")), root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="expected frames/ and audio/, or video/"):
        find_clips(replace(RECIPE, data=DataSpec("flickr")), tmp_path / "empty")


def test_the_held_out_share_keeps_the_clips_of_a_video_together() -> None:
    recipe = replace(RECIPE, validation_fraction=0.25, data=DataSpec("vggsound"))
    from soundspot.train.clips import is_validation

    clips = [Clip(f"{video:011d}_{second:06d}") for video in range(2000) for second in (0, 30)]
    held_out = [clip.id for clip in clips if is_validation(clip, recipe)]
    videos = {name[:11] for name in held_out}
    assert len(held_out) == 2 * len(videos), "both clips of a video are on the same side"
    assert 0.22 < len(videos) / 2000 < 0.28
    assert held_out == [clip.id for clip in clips if is_validation(clip, replace(recipe, seed=9))]


def test_clips_of_a_tested_video_from_another_second_are_counted() -> None:
    recipe = replace(RECIPE, data=DataSpec("vggsound"))
    _, account = drop_leaks(recipe, [(Clip("abcdefghijk_000010"), None)], [], {"t": ["abcdefghijk_000050"]})
    assert account["t"] == {"ids": 0, "many": 1, "same_video": 1, "done": "dropped"}


@pytest.mark.shared
def test_the_published_training_list_leaks_3709_test_clips(annotations: Path) -> None:
    lists = annotations / "stoneMo+EZ-VSL" / "metadata"
    missing = [Missing(name, "not here") for name in read_ids(lists / "vggss_144k.txt")]
    with pytest.raises(UserError, match="3709 of the 5158 test ids of vggss are among the 144000 training ids"):
        drop_leaks(RECIPE, [], missing, {"vggss": read_ids(lists / "vggss.json")})
