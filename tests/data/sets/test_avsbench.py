"""AVSBench: five frames a film, masks from its own trees, boxes from SSLalign's lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from layouts.avsbench import FRAMES, MS3_FILM, S4_FILM, write_ms3, write_ms3_boxes, write_s4, write_s4_boxes
from layouts.made import make_sound
from soundspot.benchmarks import BENCHMARKS
from soundspot.data.check import check
from soundspot.data.loader import read_sound
from soundspot.data.sets.avsbench import read_avsbench
from soundspot.media.video import read_waveform
from soundspot.types import Inputs, UserError


def test_s4_from_its_own_tree(tmp_path: Path) -> None:
    tree = write_s4(tmp_path)
    pairs = BENCHMARKS["avsbench_s4"].load(*tree)
    assert [clip.id for clip, _ in pairs] == [f"{S4_FILM}_{number}" for number in range(1, 6)]
    assert {target.video for _, target in pairs} == {S4_FILM}
    assert {target.group for _, target in pairs} == {clip.group for clip, _ in pairs} == {None}
    clip, target = pairs[1]
    assert clip.labels == target.labels == ("helicopter",)
    assert clip.image == tree.root / f"visual_frames/test/helicopter/{S4_FILM}/{S4_FILM}_2.png"
    assert clip.audio == tree.root / f"audio_wav/test/helicopter/{S4_FILM}.wav"
    assert target.mask == tree.root / f"gt_masks/test/helicopter/{S4_FILM}/{S4_FILM}_2.png"
    assert [clip.time_seconds for clip, _ in pairs] == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert check(pairs).fine


def test_ms3_has_another_layout(tmp_path: Path) -> None:
    tree = write_ms3(tmp_path)
    pairs = BENCHMARKS["avsbench_ms3"].load(*tree)
    clip, target = pairs[4]
    assert (clip.id, target.video, clip.labels) == (f"{MS3_FILM}_5", MS3_FILM, ())
    assert clip.image == tree.root / f"visual_frames/{MS3_FILM}/{MS3_FILM}.mp4_5.png"
    assert clip.audio == tree.root / f"audio_wav/test/{MS3_FILM}.wav"
    assert target.mask == tree.root / f"gt_masks/test/{MS3_FILM}/{MS3_FILM}_5.png"
    assert check(pairs).fine


def test_each_frame_hears_its_own_second(tmp_path: Path) -> None:
    tree = write_s4(tmp_path)
    sounds = tree.root / "audio_wav/test/helicopter"
    make_sound(sounds / f"{S4_FILM}.wav", 500.0, seconds=5.0)
    whole = read_waveform(sounds / f"{S4_FILM}.wav").samples[0]
    own_second = Inputs(image_size=32, seconds=1.0, window="frame")
    for number, (clip, _) in enumerate(read_avsbench(*tree)):
        heard, rate = read_sound(clip, own_second, clip.time_seconds)
        assert np.allclose(heard, whole[number * rate : (number + 1) * rate], atol=1e-6)


def test_frames_without_a_sounding_object_keep_their_empty_mask(tmp_path: Path) -> None:
    targets = [target for _, target in BENCHMARKS["avsbench_s4"].load(*write_s4(tmp_path))]
    assert [target.kind for target in targets] == ["visible"] * 3 + ["offscreen", "visible"]
    assert isinstance(targets[3].mask, Path)
    assert targets[3].mask.is_file()


@pytest.mark.parametrize("subset", ["s4", "ms3"])
def test_list_of_masks_says_the_same_as_the_table(tmp_path: Path, subset: str) -> None:
    tree = (write_s4_boxes if subset == "s4" else write_ms3_boxes)(tmp_path)
    listed = read_avsbench(tmp_path / f"{subset}_seg.json", tree.root, subset=subset)
    assert listed == read_avsbench(*tree, subset=subset)


def test_masks_beside_the_table_serve_without_media(tmp_path: Path) -> None:
    tree = write_s4(tmp_path)
    alone, whole = read_avsbench(tree.annotations), read_avsbench(*tree)
    assert [target for _, target in alone] == [target for _, target in whole]
    assert all(clip.image is None and clip.audio is None for clip, _ in alone)


def test_training_films_of_s4_have_one_mask(tmp_path: Path) -> None:
    ((clip, target),) = read_avsbench(*write_s4(tmp_path), split="train")
    assert (clip.id, target.video) == ("trainfilm_x_1", "trainfilm_x")


def test_lost_masks_and_wrong_tables_are_named(tmp_path: Path) -> None:
    tree = write_s4(tmp_path)
    with pytest.raises(UserError, match="expected films of the split val, got none"):
        read_avsbench(*tree, split="val")
    (tree.root / f"gt_masks/test/helicopter/{S4_FILM}/{S4_FILM}_2.png").unlink()
    with pytest.raises(UserError, match=r"a mask for each of 5 frames, got none for 1 \(the first: .*_2\.png\)"):
        read_avsbench(*tree)
    (tmp_path / "s4_meta_data.csv").write_text("name,split\nfilm,test\n")
    with pytest.raises(UserError, match="expected a table with the columns category and split"):
        read_avsbench(*tree)
    (tree.root / "gt_masks").rename(tree.root / "elsewhere")
    (tmp_path / "ms3_meta_data.csv").write_text("name,split\nfilm,test\n")
    with pytest.raises(UserError, match="expected masks, got none; give the root that holds gt_masks"):
        read_avsbench(*tree, subset="ms3")


@pytest.mark.parametrize("subset", ["s4", "ms3"])
def test_boxes_of_frames_stay_as_published(tmp_path: Path, subset: str) -> None:
    tree = (write_s4_boxes if subset == "s4" else write_ms3_boxes)(tmp_path)
    pairs = BENCHMARKS[f"avsbench_{subset}_boxes"].load(*tree)
    masked = BENCHMARKS[f"avsbench_{subset}"].load(*tree)
    assert [clip for clip, _ in pairs] == [clip for clip, _ in masked]
    assert [target.video for _, target in pairs] == [target.video for _, target in masked]
    assert {target.kind for _, target in pairs} == {"visible"}
    assert pairs[3][1].boxes == ((0.0, 0.0, 0.0, 0.0),)
    assert pairs[4][1].boxes == ((0.5, 0.5, 223 / 224, 223 / 224),)
    assert FRAMES[3] is None
    with pytest.raises(UserError, match=f"expected boxes, got a list of masks; give {subset}_box.json"):
        BENCHMARKS[f"avsbench_{subset}_boxes"].load(tmp_path / f"{subset}_seg.json")


def test_frames_under_other_names_are_refused(tmp_path: Path) -> None:
    write_ms3_boxes(tmp_path)
    path = tmp_path / "ms3_box.json"
    path.write_text(path.read_text().replace(f"{MS3_FILM}.mp4_2.png", "other_2.png"))
    with pytest.raises(UserError, match=r"expected a frame as <film>/<film>_<n>\.png, got .*other_2\.png"):
        BENCHMARKS["avsbench_ms3_boxes"].load(tmp_path)


@pytest.mark.shared
@pytest.mark.parametrize(("subset", "frames", "films", "empty"), [("s4", 3700, 740, 6), ("ms3", 320, 64, 29)])
def test_the_real_boxes(annotations: Path, subset: str, frames: int, films: int, empty: int) -> None:
    pairs = BENCHMARKS[f"avsbench_{subset}_boxes"].load(annotations / "kaistmm+SSLalignment/metadata")
    assert len(pairs) == len({clip.id for clip, _ in pairs}) == frames
    assert len({target.video for _, target in pairs}) == films
    assert len({clip.labels for clip, _ in pairs}) == (23 if subset == "s4" else 1)
    assert sum(target.boxes == ((0.0, 0.0, 0.0, 0.0),) for _, target in pairs) == empty
    assert max(max(target.boxes[0]) for _, target in pairs) == 223 / 224


@pytest.mark.shared
@pytest.mark.parametrize("subset", ["s4", "ms3"])
def test_the_tables_layout_is_that_of_the_real_list(annotations: Path, tmp_path: Path, subset: str) -> None:
    """The list of masks names the real tree's files: a table of the same films must name the same ones."""
    from soundspot.data.sets.avsbench import _table_rows
    from soundspot.data.sets.box_json import read_rows

    listed = read_rows(annotations / f"kaistmm+SSLalignment/metadata/{subset}_seg.json")
    films = dict.fromkeys((row.image.parent.name, row.image.parent.parent.name) for row in listed)
    lines = ["name,category,split", *(f"{film},{label},test" for film, label in films)]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    rows = _table_rows(tmp_path / "table.csv", subset, "test")
    assert sorted(rows, key=lambda row: row.image) == sorted(listed, key=lambda row: row.image)
