"""Paste: splits that share nothing, scenes of every kind, and what the user is told."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from soundspot.data.folder import read_folder
from soundspot.samples import paste
from soundspot.samples.maker import Deck, Material
from soundspot.samples.paste_choice import DROPPED_BACKGROUNDS, FACE_BLOCKS
from soundspot.samples.paste_files import read_listed, used_files, write_listing
from soundspot.samples.paste_source import (
    SPLITS,
    find_backgrounds,
    find_cutouts,
    find_sounds,
    near_duplicate_blocks,
    read_material,
    split_backgrounds,
    split_blocks,
    split_sounds,
)
from soundspot.samples.scene import Cutout
from soundspot.samples.sound import Sound
from soundspot.types import UserError

COUNTS = {"single": 16, "pair": 8, "offscreen": 5, "silent": 3, "noise": 3}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def built(made_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "paste"
    return paste.build(out, made_source, scenes=dict.fromkeys(SPLITS, COUNTS), image_size=96)


@pytest.fixture(scope="module")
def rows(built: Path) -> list[Row]:
    return [json.loads(line) for line in (built / "scenes.jsonl").read_text().splitlines()]


def test_every_kind_in_every_split(built: Path) -> None:
    for split in SPLITS:
        kinds = Counter(target.kind for _, target in read_folder(built, split=split))
        assert kinds == {"visible": 32, "offscreen": 5, "silent": 3, "noise": 3}
    assert len(read_folder(built)) == 3 * 43


def test_no_split_shares_photo_sound_or_background(rows: list[Row]) -> None:
    seen: dict[str, set[str]] = {}
    for row in rows:
        for thing in (row.get("sound"), row["background"], *(source["photo"] for source in row["sources"])):
            if thing:
                seen.setdefault(thing, set()).add(row["split"])
    assert len(seen) > 40
    assert all(len(splits) == 1 for splits in seen.values())


def test_the_source_stands_among_silent_ones(rows: list[Row]) -> None:
    for row in rows:
        labels = [source["label"] for source in row["sources"]]
        assert len(labels) == len(set(labels)) >= 3
        sounding = [source for source in row["sources"] if source["sounding"]]
        if row["kind"] == "visible":
            assert [source["label"] for source in sounding] == row["labels"]
            assert sounding[0]["box"] == row["boxes"][0]
        else:
            assert not sounding
            assert not set(row.get("labels", ())) & set(labels)  # off screen: nothing of its class in view


def test_size_does_not_give_the_source_away(rows: list[Row]) -> None:
    visible = [row for row in rows if row["kind"] == "visible"]
    largest = [max(row["sources"], key=lambda source: source["side"])["sounding"] for row in visible]
    by_chance = np.mean([1 / len(row["sources"]) for row in visible])
    assert abs(np.mean(largest) - by_chance) < 0.15


def test_masks_agree_with_boxes_and_bins(built: Path, rows: list[Row]) -> None:
    bins = {"small": (0, 32), "medium": (32, 96), "large": (96, 144), "huge": (144, 225)}
    for row in rows:
        if row["kind"] != "visible":
            assert "mask" not in row
            continue
        with Image.open(built / row["mask"]) as picture:
            mask = np.asarray(picture) > 127
        ys, xs = np.nonzero(mask)
        box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / 96
        assert box == pytest.approx(row["boxes"][0], abs=1e-5)
        side = 224 * np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
        low, high = bins[row["size_bin"]]
        assert low - 1e-6 <= side < high + 1e-6


def test_pairs_are_one_picture_with_two_answers(built: Path) -> None:
    groups: dict[str, list[Any]] = {}
    for clip, target in read_folder(built, split="test"):
        if clip.group:
            groups.setdefault(clip.group, []).append((clip, target))
    assert len(groups) == COUNTS["pair"]
    for (one, first), (two, second) in groups.values():
        assert one.image == two.image
        assert one.audio != two.audio
        assert first.labels != second.labels
        with Image.open(first.mask) as a, Image.open(second.mask) as b:
            assert not (np.asarray(a) & np.asarray(b)).any()


def test_the_result_is_described_and_made_again_alike(built: Path, made_source: Path, tmp_path: Path) -> None:
    about = json.loads((built / "dataset.json").read_text())
    assert (about["name"], about["seed"], about["clips"]) == ("paste", 0, 129)
    assert about["sources"]["files"]["as_listed"] == 0  # made files are none of the listed ones
    again = paste.build(tmp_path / "again", made_source, scenes=dict.fromkeys(SPLITS, COUNTS), image_size=96)
    assert json.loads((again / "dataset.json").read_text())["sha256"] == about["sha256"]
    other = paste.build(tmp_path / "b", made_source, scenes=dict.fromkeys(SPLITS, COUNTS), image_size=96, seed=1)
    assert json.loads((other / "dataset.json").read_text())["sha256_scenes"] != about["sha256_scenes"]


def test_more_scenes_leave_the_first_as_they_were(rows: list[Row], made_source: Path, tmp_path: Path) -> None:
    few = paste.build(tmp_path / "few", made_source, scenes={"train": {"single": 2}}, image_size=96)
    made = [json.loads(line) for line in (few / "scenes.jsonl").read_text().splitlines()]
    assert made == rows[:2]


def test_a_used_folder_is_never_overwritten(made_source: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="expected a new or empty folder"):
        paste.build(tmp_path, made_source)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_failed_build_leaves_nothing(made_source: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(made_source, source)
    for path in (source / "sounds/bell").iterdir():
        path.write_bytes(b"no sound")
    with pytest.raises(UserError, match="bell"):
        paste.build(tmp_path / "out", source, scenes={"train": {"single": 8}}, image_size=64)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize(
    ("scenes", "message"),
    [
        ({"trian": {"single": 1}}, "unknown split 'trian'.*did you mean 'train'"),
        ({"train": {"pairs": 1}}, "unknown kind of scene 'pairs'.*did you mean 'pair'"),
        ({"train": {"pair": -1}}, "expected 0 or more, got -1"),
    ],
)
def test_wrong_scene_counts_are_errors(made_source: Path, tmp_path: Path, scenes: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        paste.build(tmp_path / "out", made_source, scenes=scenes)


def test_missing_material_is_named(made_source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a folder of source material, got none"):
        read_material(tmp_path / "nowhere")
    for part, named in (("cutouts", "cut-outs"), ("sounds", "sounds"), ("backgrounds", "backgrounds")):
        source = tmp_path / part
        shutil.copytree(made_source, source)
        shutil.rmtree(source / part)
        with pytest.raises(UserError, match=f"got no {named}"):
            read_material(source)


def test_too_few_of_a_class_is_an_error() -> None:
    with pytest.raises(UserError, match=r"cut-outs of bell: expected at least 3 unlike ones"):
        split_blocks(["a", "b"], [0, 1], "cut-outs of bell")


def test_classes_that_do_not_meet_are_an_error(made_source: Path) -> None:
    photo = Cutout("x", "bell", made_source / "cutouts/bell/bell_0.png")
    with pytest.raises(UserError, match="expected at least 2 classes with both cut-outs and sounds"):
        Deck(Material({"bell": [photo]}, {"drum": [Sound("y", "drum", photo.path)]}, []), {})


def test_blocks_are_never_cut() -> None:
    numbers = range(2, 151)
    faces = [Cutout(f"Faces_image_{n:04d}", "person", Path("x")) for n in numbers]
    blocks = near_duplicate_blocks(faces)
    assert len(set(blocks)) == len(FACE_BLOCKS) + 1
    parts = split_blocks(list(zip(numbers, blocks, strict=True)), blocks, "faces")
    people = [{block for _, block in part} for part in parts.values()]
    assert sum(map(len, people)) == len(set(blocks))
    assert all(people)


def test_esc_is_parted_by_its_folds() -> None:
    recordings = [Sound(f"{fold}-1000{take}-A", "rain", Path("x")) for fold in range(1, 6) for take in range(3)]
    parts = split_sounds(recordings, "rain")
    assert {s.name[0] for s in parts["train"]} == {"1", "2", "3"}
    assert {s.name[0] for s in parts["calibration"]} == {"4"}
    assert {s.name[0] for s in parts["test"]} == {"5"}


def test_an_esc50_tree_is_read(tmp_path: Path) -> None:
    (tmp_path / "ESC-50/meta").mkdir(parents=True)
    (tmp_path / "ESC-50/audio").mkdir()
    (tmp_path / "ESC-50/audio/1-7-A-0.wav").touch()
    (tmp_path / "ESC-50/audio/1-8-A-3.wav").touch()
    (tmp_path / "ESC-50/meta/esc50.csv").write_text(
        "filename,fold,target,category,esc10,src_file,take\n"
        "1-7-A-0.wav,1,0,dog,True,7,A\n1-8-A-3.wav,1,3,cow,False,8,A\n1-9-A-0.wav,1,0,dog,True,9,A\n"
    )
    found = find_sounds(tmp_path)
    assert [(s.name, s.label) for some in found.values() for s in some] == [("1-7-A", "dog")]


def test_an_esc10_tree_is_read(tmp_path: Path) -> None:
    for folder in ("001 - Dog bark", "004 - Baby cry", "099 - Other"):
        (tmp_path / "ESC-10" / folder).mkdir(parents=True)
        (tmp_path / "ESC-10" / folder / "1-1-A.ogg").touch()
    assert sorted(find_sounds(tmp_path)) == ["baby_cry", "dog"]


def listed_photos(label: str, count: int) -> Iterator[str]:
    keys = [key for key in sorted(read_listed()) if key.startswith(f"cutouts/{label}/")]
    yield from (key.split("/")[-1] for key in keys[:count])


def test_a_caltech_tree_is_cut_along_its_outlines(tmp_path: Path) -> None:
    photos, marks = tmp_path / "c/101_ObjectCategories", tmp_path / "c/Annotations"
    contour = np.array([[0, 20, 20, 0], [0, 0, 20, 20]], dtype=float)
    for folder, marked, label in (
        ("Faces", "Faces_2", "person"),
        ("electric_guitar", "electric_guitar", "electric_guitar"),
    ):
        (photos / folder).mkdir(parents=True)
        (marks / marked).mkdir(parents=True)
        for name in [*listed_photos(label, 2), "x_image_9999"]:
            stem = name[name.index("image_") :]
            Image.new("RGB", (60, 50), (200, 10, 10)).save(photos / folder / f"{stem}.jpg")
            mark = marks / marked / f"annotation_{stem.removeprefix('image_')}.mat"
            savemat(mark, {"box_coord": np.array([[5, 25, 5, 25]]), "obj_contour": contour})
    found = find_cutouts(tmp_path)
    assert {label: [c.name for c in some] for label, some in found.items()} == {
        "person": list(listed_photos("person", 2)),
        "electric_guitar": list(listed_photos("electric_guitar", 2)),
    }
    shutil.rmtree(marks)
    with pytest.raises(UserError, match="expected the folder Annotations beside 101_ObjectCategories"):
        find_cutouts(tmp_path)


def test_the_listing_is_always_the_same_bytes(made_source: Path, tmp_path: Path) -> None:
    material = read_material(made_source)
    for name in ("a", "b"):
        write_listing(material, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert len(used_files(material)) == 6 * 4 + 4 * 4 + 3 + 3


@pytest.mark.shared
def test_the_listed_files_are_the_real_ones(shared: Path) -> None:
    """Every cut-out, recording and background at hand is listed for the split in which it is used."""
    media, listed = shared / "data/media", read_listed()
    for label, photos in find_cutouts(media).items():
        for split, part in split_blocks(photos, near_duplicate_blocks(photos), label).items():
            assert all(listed[f"cutouts/{label}/{c.name}"][0] == split for c in part)
    sounds = find_sounds(media)
    assert sum(map(len, sounds.values())) == 400
    for label, recordings in sounds.items():
        for split, some in split_sounds(recordings, label).items():
            assert all(listed[f"sounds/{label}/{s.name}"][0] == split for s in some)
    backgrounds = find_backgrounds(media)
    assert not {path.stem for path in backgrounds} & set(DROPPED_BACKGROUNDS)
    for split, paths in split_backgrounds(backgrounds).items():
        assert all(listed[f"backgrounds/{path.stem}"][0] == split for path in paths)


@pytest.mark.shared
def test_real_scenes(shared: Path, made_source: Path, tmp_path: Path) -> None:
    """A few scenes of the real collections; made sounds stand for the melodies."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("cutouts_caltech101", "esc10_16k", "backgrounds_apt"):
        (source / name).symlink_to(shared / "data/media" / name)
    for label in ("accordion", "electric_guitar", "euphonium", "grand_piano", "mandolin", "saxophone"):
        shutil.copytree(made_source / "sounds/bell", source / "sounds" / label)
    out = paste.build(tmp_path / "out", source, scenes={"test": dict.fromkeys(paste.SCENE_KINDS, 3)})
    assert len(read_folder(out, split="test")) == 18
    files = json.loads((out / "dataset.json").read_text())["sources"]["files"]
    assert files == {"as_listed": len(read_listed()), "others": 24, "missing": 0}
