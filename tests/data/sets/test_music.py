"""MUSIC solo and duet: DSOL's frames as they are, each at its second of the film's sound."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from layouts import LAYOUTS
from layouts.made import RATE
from layouts.music import HERTZ
from soundspot.benchmarks import BENCHMARKS, score
from soundspot.data.check import check
from soundspot.data.lists import read_ids
from soundspot.data.loader import load_clip
from soundspot.data.sets.music import CATEGORIES, missing_music, read_music
from soundspot.methods import build
from soundspot.predict import predict, replace_sounds
from soundspot.types import Inputs, UserError

ONE_SECOND = Inputs(image_size=16, seconds=1.0, window="frame")


def loudest_hertz(samples: np.ndarray, rate: int = RATE) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))


def test_frames_in_order_with_their_film_and_a_class_a_box(tmp_path: Path) -> None:
    tree = LAYOUTS["music_duet"](tmp_path)
    pairs = BENCHMARKS["music_duet"].load(tree.annotations)
    assert [clip.id for clip, _ in pairs][:2] == [
        "HnUOaSfTA6c_0_1000/frame_000/00000", "HnUOaSfTA6c_0_1000/frame_000/00007",
    ]  # fmt: skip
    clip, target = pairs[0]
    assert target.boxes == ((0.0, 0.25, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0))
    assert target.box_labels == target.labels == clip.labels == ("cello", "acoustic_guitar")
    assert {target.video for _, target in pairs} == {"HnUOaSfTA6c_0_1000"}
    assert (clip.image, clip.audio, clip.time_seconds) == (None, None, None)


def test_a_frame_without_boxes_stays_and_is_offscreen(tmp_path: Path) -> None:
    pairs = BENCHMARKS["music_solo"].load(LAYOUTS["music_solo"](tmp_path).annotations)
    kinds = Counter((target.kind, len(target.boxes)) for _, target in pairs)
    assert kinds == {("visible", 1): 4, ("offscreen", 0): 2}


def test_every_frame_hears_just_its_own_second(tmp_path: Path) -> None:
    tree = LAYOUTS["music_duet"](tmp_path)
    pairs = BENCHMARKS["music_duet"].load(*tree)
    assert check(pairs, train_ids=()).missing == []
    for clip, _ in pairs:
        heard = load_clip(clip, ONE_SECOND).samples
        assert clip.time_seconds is not None
        assert loudest_hertz(heard) == HERTZ[int(clip.time_seconds)]


def test_another_sound_comes_with_its_own_second(tmp_path: Path) -> None:
    pairs = BENCHMARKS["music_solo"].load(*LAYOUTS["music_solo"](tmp_path))
    clips = [clip for clip, target in pairs if target.kind == "visible"]
    changed = replace_sounds(clips)
    assert [clip.time_seconds for clip in clips] == [0.5, 0.5, 2.5, 2.5]
    assert [clip.time_seconds for clip in changed] == [2.5, 2.5, 0.5, 0.5]
    assert loudest_hertz(load_clip(changed[0], ONE_SECOND).samples) == HERTZ[2]


def test_a_flac_beside_is_found_as_well(tmp_path: Path) -> None:
    tree = LAYOUTS["music_duet"](tmp_path)
    sound = tree.root / "audio" / "HnUOaSfTA6c_0_1000.wav"
    sound.rename(sound.with_suffix(".flac"))
    assert BENCHMARKS["music_duet"].load(*tree)[0][0].audio == sound.with_suffix(".flac")


def test_lists_of_pairs_of_files_name_videos(tmp_path: Path) -> None:
    tree = LAYOUTS["music_solo"](tmp_path)
    listed = tree.annotations / "solo_testing.txt"
    listed.write_text(listed.read_text() + "lost________0_1000.flac lost________0_1000.mp4\n")
    assert read_ids(listed) == ["4Oy5VmaacaI_0_1000", "iB17xqmFw3A_0_1000", "lost________0_1000"]
    (lost,) = missing_music(tree.annotations, listed, part="solo")
    assert lost.clip_id == "lost________0_1000"


def test_predicted_with_the_benchmarks_sound_and_scored(tmp_path: Path) -> None:
    pairs = BENCHMARKS["music_duet"].load(*LAYOUTS["music_duet"](tmp_path))
    assert BENCHMARKS["music_duet"].settings == "--set seconds=1 --set window=frame"
    towers = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "init_image": "", "init_audio": ""}
    method = build("ez_vsl", **towers, image_size=64, seconds=1, window="frame")
    made = predict(method, [clip for clip, _ in pairs], progress=False)
    assert (len(made.maps), made.missing) == (4, {})
    assert 0 <= score(made, [target for _, target in pairs], intervals=False).summary["ciou@0.5"].value <= 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, "expected a JSON object of frames"),
        ({"film/00001.jpg": {"bbox": []}}, "expected <video>/frame_<second>"),
        ({"v/frame_000/00000.jpg": {"bbox": [{"normbox": [0, 0, 1, 1]}]}}, "with bbox of normbox and category_id"),
        ({"v/frame_000/00000.jpg": {"bbox": [{"normbox": [0, 0, 1], "category_id": 1}]}}, "a box of four numbers"),
        ({"v/frame_000/00000.jpg": {"bbox": [{"normbox": [0, 0, 1, 1], "category_id": "x"}]}}, "as a whole number"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    (tmp_path / "solotest.json").write_text(json.dumps(change))
    with pytest.raises(UserError, match=problem):
        read_music(tmp_path, part="solo")
    (tmp_path / "solotest.json").write_text("{")
    with pytest.raises(UserError, match="got no JSON"):
        read_music(tmp_path, part="solo")


@pytest.mark.shared
@pytest.mark.parametrize(("part", "frames", "empty", "films"), [("solo", 13472, 1116, 27), ("duet", 11512, 1228, 16)])
def test_the_real_files(annotations: Path, part: str, frames: int, empty: int, films: int) -> None:
    folder = annotations / "DTaoo+Discriminative-Sounding-Objects-Localization/music-exp"
    pairs = BENCHMARKS[f"music_{part}"].load(folder)
    assert len({clip.id for clip, _ in pairs}) == frames
    assert sum(target.kind != "visible" for _, target in pairs) == empty
    assert len({target.video for _, target in pairs}) == films
    seen = {label for _, target in pairs for label in target.labels}
    assert seen == set(CATEGORIES.values()) - ({"accordion"} if part == "duet" else set())
    listed = json.loads((folder / f"data/MUSIC_label/MUSIC_{part}_videos.json").read_text())["videos"]
    instruments = {video: group.split() for group, videos in listed.items() for video in videos}
    for _, target in pairs:
        assert target.video is not None
        assert set(target.labels) <= set(instruments[target.video[:11]]), "MUSIC's own list bears the names out"
    assert check(pairs, read=False).defects == []


@pytest.mark.shared
def test_the_real_lists_and_no_test_video_in_training(annotations: Path) -> None:
    folder = annotations / "DTaoo+Discriminative-Sounding-Objects-Localization"
    lists = folder / "music-exp/data/data_indicator/music"
    old = folder / "compared/Sound-of-Pixels/data"
    first, second = read_ids(old / "solo_training_1.txt"), read_ids(lists / "solo/solo_training_2.txt")
    held, tested = read_ids(old / "solo_validation.txt"), read_ids(lists / "solo/solo_testing.txt")
    assert [len(names) for names in (first, second, held, tested)] == [217, 223, 49, 27]
    assert set(tested) <= set(held)
    assert not set(tested) & {*first, *second}
    solo, duet = folder / "music-exp/solotest.json", folder / "music-exp/duettest.json"
    assert missing_music(solo, lists / "solo/solo_testing.txt", part="solo") == []
    (lost,) = missing_music(duet, lists / "duet/duet_pairs_val.txt", part="duet")
    assert lost.clip_id == "8DHG_hVSw1o_0_1000"


@pytest.mark.shared
def test_the_real_lists_of_vggsound(annotations: Path) -> None:
    lists = annotations / "GeWu-Lab+CSOL_TPAMI2021/code/CSOL/data/data_indicator/vggsound"
    names = {path.stem: read_ids(path) for path in lists.glob("*.txt")}
    counts = {name: len(ids) for name, ids in names.items()}
    assert counts == {"train": 29189, "trainsolo": 14349, "trainsyn": 14407, "eval": 2787}
    assert all(len(name) == 11 for ids in names.values() for name in ids)
