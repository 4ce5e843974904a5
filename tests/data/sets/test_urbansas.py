"""Urbansas: annotated frames whose vehicles are heard, a second of sound around each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from layouts import LAYOUTS
from layouts.made import RATE
from layouts.urbansas import SIZE
from soundspot import weights
from soundspot.benchmarks import BENCHMARKS
from soundspot.data.check import check
from soundspot.data.loader import load_clip
from soundspot.data.sets.urbansas import FRAME_SIZE, LEFT_OUT, Event, missing_urbansas, read_urbansas
from soundspot.methods import build
from soundspot.predictions import Predictions
from soundspot.types import Inputs, UserError

BUS, LATER_BUS, TRUCK = "acevedo0103_00_0@0.5", "acevedo0103_00_0@1", "milan1097_40165@1.5"


def test_only_frames_with_a_sounding_vehicle_and_only_its_boxes(tmp_path: Path) -> None:
    tree = LAYOUTS["urbansas"](tmp_path)
    pairs = BENCHMARKS["urbansas"].load(*tree)
    assert [clip.id for clip, _ in pairs] == [BUS, LATER_BUS, TRUCK]
    targets = {target.clip_id: target for _, target in pairs}
    assert targets[BUS].boxes == ((0.5, 0.5, 72 / 64, 1.0),), "the car is not heard, one bus is hidden"
    assert targets[BUS].box_labels == ("bus",)
    assert targets[TRUCK].labels == ("truck",), "a vehicle that nobody could identify is heard then"
    assert {target.video for target in targets.values()} == {"acevedo0103_00_0", "milan1097_40165"}
    assert [defect.clip_id for defect in check(pairs).defects] == [BUS], "a box over the edge stays as it is"
    assert check(pairs).missing == []


def test_frames_left_out_are_named_and_can_be_had(tmp_path: Path) -> None:
    tree = LAYOUTS["urbansas"](tmp_path)
    left = missing_urbansas(tree.annotations)
    assert [entry.clip_id for entry in left] == ["acevedo0103_00_0@0", "acevedo0103_00_0@1.5"]
    assert {entry.reason for entry in left} == {LEFT_OUT}
    assert BENCHMARKS["urbansas"].missing(tree.annotations) == left
    kinds = {target.clip_id: target.kind for _, target in read_urbansas(*tree, only_sounding=False)}
    assert kinds == {
        "acevedo0103_00_0@0": "silent", BUS: "visible", LATER_BUS: "visible", "acevedo0103_00_0@1.5": "offscreen",
        TRUCK: "visible",
    }  # fmt: skip


def test_pixels_are_divided_by_the_films_own_size_or_the_given_one(tmp_path: Path) -> None:
    tree = LAYOUTS["urbansas"](tmp_path)
    bare = read_urbansas(tree.annotations)
    assert bare[1][1].boxes == ((32 / FRAME_SIZE[0], 24 / FRAME_SIZE[1], 64 / FRAME_SIZE[0], 48 / FRAME_SIZE[1]),)
    assert bare[1][0].video is None
    given = read_urbansas(tree.annotations, frame_size=SIZE)
    assert given[1][1].boxes == read_urbansas(*tree)[1][1].boxes == ((0.5, 0.5, 1.0, 1.0),)
    assert read_urbansas(tmp_path, tmp_path) == read_urbansas(*tree), "the folder above annotations/ does too"


def test_a_film_that_is_gone_is_missing_by_name_and_keeps_its_truth(tmp_path: Path) -> None:
    tree = LAYOUTS["urbansas"](tmp_path)
    (tree.root / "video_2fps").rename(tree.root / "video")
    (tree.root / "video").rename(tree.root / "elsewhere")
    pairs = read_urbansas(*tree)
    assert len(check(pairs).missing) == 3
    assert pairs[1][1].boxes == read_urbansas(tree.annotations)[1][1].boxes
    (tree.root / "video").mkdir()
    (tree.root / "elsewhere").rename(tree.root / "video" / "video_2fps")
    assert check(read_urbansas(*tree)).missing == [], "soundata's layout"


def test_the_sound_is_the_second_around_the_frame(tmp_path: Path) -> None:
    pairs = read_urbansas(*LAYOUTS["urbansas"](tmp_path))
    inputs = Inputs(image_size=16, seconds=1.0, window="frame")
    loaded = {clip.id: load_clip(clip, inputs) for clip, _ in pairs}
    tones = {name: np.abs(np.fft.rfft(each.samples)).argsort()[-2:] for name, each in loaded.items()}
    assert tones[BUS][-1] == 300, "0.5 s: the whole first second"
    assert tones[TRUCK][-1] == 1200
    assert sorted(tones[LATER_BUS]) == [300, 1200], "1 s: half of each"
    assert all(len(each.samples) == RATE for each in loaded.values())
    assert loaded[TRUCK].image.mean() > loaded[BUS].image.mean() + 40, "the frame of that moment"


def test_predicted_by_the_command_with_the_settings_of_the_benchmark(tmp_path: Path, command) -> None:
    tree = LAYOUTS["urbansas"](tmp_path)
    towers = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "init_image": "", "init_audio": ""}
    saved = weights.save(build("ez_vsl", **towers, image_size=64), tmp_path / "tiny.safetensors")
    out = tmp_path / "maps.safetensors"
    settings = BENCHMARKS["urbansas"].settings.split()
    place = ("--annotations", tree.annotations, "--root", tree.root)
    done = command("predict", saved, "urbansas", *place, "--out", out, *settings)
    assert (done.code, done.out) == (0, f"{out}\t3 of 3 clips, 0 missing\n")
    assert '"seconds": 1' in Predictions.load(out).provenance["options"]
    assert '"window": "frame"' in Predictions.load(out).provenance["options"]
    assert command("score", out, "square", "--benchmark", "urbansas", *place, "--json").code == 0


def test_events_confirm_their_class_both_ends_included() -> None:
    event = Event("bus", 1.0, 2.0)
    assert [event.confirms("bus", moment) for moment in (0.99, 1.0, 2.0, 2.01)] == [False, True, True, False]
    assert not event.confirms("car", 1.5)
    assert not Event("offscreen", 0.0, 9.0).confirms("car", 1.5)
    assert Event("", 1.0, 2.0).confirms("car", 1.5)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("audio_annotations.csv", "filename,label\nx,car\n", "got no end, non_identifiable_vehicle_sound, start"),
        ("video_annotations.csv", "", "expected a table with"),
        ("video_annotations.csv", "filename,label,time,x,y,w,h\nf,car,soon,0,0,1,1\n", "expected time as a number"),
        ("video_annotations.csv", "filename,label,time,x,y,w,h\nf,car,1,0,0,nan,1\n", "expected w as a number"),
        ("video_annotations.csv", "filename,label,time,x,y,w,h\nf,car,1,0,0,1,1\n", "expected boxes of sounding"),
    ],
)
def test_wrong_tables_are_named(tmp_path: Path, name: str, text: str, problem: str) -> None:
    tree = LAYOUTS["urbansas"](tmp_path)
    (tree.annotations / name).write_text(text)
    with pytest.raises(UserError, match=problem):
        read_urbansas(tree.annotations)
    (tree.annotations / name).unlink()
    with pytest.raises(UserError, match=f"got no {name}"):
        read_urbansas(tree.annotations)
