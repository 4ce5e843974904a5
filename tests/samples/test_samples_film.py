"""The sample film: its timeline, and boxes that move with the view."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from soundspot.data.folder import read_folder
from soundspot.media.video import probe, read_frame, read_waveform
from soundspot.samples import film


@pytest.fixture(scope="module")
def built(made_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("film")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(film, "FRAMES_PER_SECOND", 5)  # a fifth of the work
        return film.build(root / "out", source=made_packages, cache=root / "cache")


@pytest.fixture(scope="module")
def truth(built: Path) -> dict:
    return json.loads((built / "film.json").read_text())


def test_the_film_is_as_told(built: Path, truth: dict) -> None:
    info = probe(built / truth["film"])
    assert (info.width, info.height) == (640, 360)
    assert info.frames_per_second == pytest.approx(truth["frames_per_second"])
    assert info.duration_seconds == pytest.approx(truth["duration_seconds"], abs=0.05)
    assert (info.video_codec, info.audio_codec) == ("h264", "aac")


def test_intervals_follow_each_other_and_all_kinds_come(truth: dict) -> None:
    intervals = truth["intervals"]
    assert intervals[0]["start_seconds"] == 0
    assert intervals[-1]["end_seconds"] == truth["duration_seconds"]
    for before, after in pairwise(intervals):
        assert before["end_seconds"] == after["start_seconds"]
    heard = [(i["kind"], i["label"]) for i in intervals if i["kind"] != "silent"]
    assert [kind for kind, _ in heard] == ["visible"] * 3 + ["offscreen"]
    in_view = {thing["label"] for thing in truth["in_view"]}
    assert {label for kind, label in heard if kind == "visible"} == in_view
    assert heard[-1][1] not in in_view


def test_sound_is_where_the_timeline_says(built: Path, truth: dict) -> None:
    waveform = read_waveform(built / "film.mp4", sample_rate=16000)
    for interval in truth["intervals"]:
        begin, end = (round(interval[k] * 16000) for k in ("start_seconds", "end_seconds"))
        part = waveform.samples[0, begin + 1600 : end - 1600]
        loud = np.sqrt((part**2).mean())
        assert (loud > 0.02) == (interval["kind"] != "silent")


def test_boxes_move_with_the_view_and_hold_the_object(built: Path, truth: dict) -> None:
    for thing in truth["in_view"]:
        corners = np.array([moment["box"] for moment in thing["boxes"]])
        assert corners.min() >= 0
        assert corners.max() <= 1
        assert np.ptp(corners[:, 0]) > 0.08  # the pan
    first, last = truth["intervals"][1]["boxes"][0], truth["intervals"][1]["boxes"][-1]
    looks = []
    for moment in (first, last):
        image = read_frame(built / "film.mp4", moment["time_seconds"] + 0.001)
        x0, y0, x1, y1 = moment["box"]
        looks.append(image[round(y0 * 360) : round(y1 * 360), round(x0 * 640) : round(x1 * 640)].mean(axis=(0, 1)))
    assert np.abs(looks[0] - looks[1]).max() < 8  # the same object is in the box at both times


def test_the_film_is_a_set_of_clips(built: Path) -> None:
    clips = read_folder(built, split="film")
    assert {target.kind for _, target in clips} == {"visible", "offscreen", "silent"}
    assert all(clip.video == built / "film.mp4" and clip.time_seconds is not None for clip, _ in clips)
    assert len(clips) == 26
