"""Instruments: parts that share nothing they should not, truth that agrees with files, and scores of true maps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from make_instruments import make_source
from soundspot.data.folder import read_folder
from soundspot.media.image import read_mask
from soundspot.predictions import Predictions
from soundspot.samples import instruments
from soundspot.samples.instruments_source import (
    ALIKE,
    CLASSES,
    DROPPED,
    OPEN_CLASSES,
    OPEN_FAMILIES,
    PROGRAMS,
    find_photos,
    likeness,
    read_sources,
    thumbnail,
    two_parts,
    unlike,
)
from soundspot.samples.melodies import STYLES
from soundspot.samples.packages import Packages, found_in
from soundspot.samples.paste_files import read_listed
from soundspot.samples.paste_source import near_duplicate_blocks
from soundspot.samples.sound import SAMPLE_RATE, read_sound
from soundspot.types import UserError

SIZE = 64
COUNTS = {
    "train": 14, "train-synthetic": 6, "train-wild": 16, "calibration": 16, "test-solo": 8, "test-duet": 8,
    "test-synthetic": 8, "test-wild": 16, "test-open": 12,
}  # fmt: skip
Row = dict[str, Any]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(tmp_path_factory.mktemp("instruments") / "source")


@pytest.fixture(scope="module")
def stamps(made_packages: Path) -> Packages:
    return found_in(made_packages, ["tuxpaint-stamps-default"])


@pytest.fixture(scope="module")
def built(source: Path, stamps: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "instruments"
    return instruments.build(out, source, counts=COUNTS, image_size=SIZE, stamps=stamps)


@pytest.fixture(scope="module")
def rows(built: Path) -> list[Row]:
    return [json.loads(line) for line in (built / "scenes.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def made_of(built: Path) -> dict[str, list[Row]]:
    lines = [json.loads(line) for line in (built / "mixtures.jsonl").read_text().splitlines()]
    return {line["id"]: line["components"] for line in lines}


def of(rows: list[Row], *parts: str) -> list[Row]:
    return [row for row in rows if row["split"] in parts]


def test_every_part_is_read_by_its_name(built: Path) -> None:
    assert {part: len(read_folder(built, split=part)) for part in instruments.PARTS} == COUNTS
    assert len(read_folder(built)) == sum(COUNTS.values())
    about = json.loads((built / "dataset.json").read_text())
    assert about["sources"]["classes"] == list(CLASSES)
    assert about["sources"]["open_classes"] == list(OPEN_CLASSES)


def test_what_sounds_is_boxed_and_everything_in_view_is_listed(rows: list[Row]) -> None:
    for row in rows:
        sounding = [source for source in row["sources"] if source["sounding"]]
        assert [source["label"] for source in sounding] == row.get("box_labels", [])
        assert [source["box"] for source in sounding] == row.get("boxes", [])
        assert set(row.get("box_labels", ())) <= set(row.get("labels", ()))
        assert row["kind"] == ("visible" if sounding else "offscreen" if row.get("labels") else "noise")
        silent = {source["label"] for source in row["sources"] if not source["sounding"]}
        assert not silent & set(row.get("labels", ()))
        names = CLASSES if row["split"] != "test-open" else OPEN_CLASSES
        assert set(row.get("labels", ())) <= set(names)


def test_masks_and_objects_agree_with_the_boxes(built: Path, rows: list[Row]) -> None:
    for row in rows:
        objects = np.asarray(Image.open(built / row["objects"]))
        union = np.zeros(objects.shape, bool)
        for number, source in enumerate(row["sources"], start=1):
            ys, xs = np.nonzero(objects == number)
            box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / SIZE
            assert box == pytest.approx(source["box"], abs=1e-5)
            union |= (objects == number) & source["sounding"]
        assert ("mask" in row) == union.any()
        if "mask" in row:
            assert np.array_equal(read_mask(built / row["mask"]), union)


def test_solos_have_one_instrument(rows: list[Row]) -> None:
    for row in of(rows, "train", "test-solo"):
        known = [source["label"] for source in row["sources"] if source["label"] in CLASSES]
        assert known == row["labels"]
        assert len(row["sources"]) <= 2
    assert Counter(row["labels"][0] for row in of(rows, "train"))["accordion"] == 3
    assert any(len(row["sources"]) == 2 for row in of(rows, "train"))


def test_duets_sound_twice_and_some_stand_beside_a_silent_one(rows: list[Row]) -> None:
    silent = []
    for row in of(rows, "test-duet"):
        assert len(row["boxes"]) == len(row["labels"]) == 2
        silent.append(sum(source["label"] in CLASSES and not source["sounding"] for source in row["sources"]))
    assert set(silent) == {0, 1}


def test_mosaics_are_four_frames_of_which_two_sound(rows: list[Row]) -> None:
    for row in of(rows, "train-synthetic", "test-synthetic"):
        known = [source for source in row["sources"] if source["label"] in CLASSES]
        assert len({source["label"] for source in known}) == 4
        assert len(row["boxes"]) == 2
        quarters = {(box[0] >= 0.5, box[1] >= 0.5) for box in (source["box"] for source in known)}
        assert len(quarters) == 4
        for x0, y0, x1, y1 in (source["box"] for source in row["sources"]):
            assert (x0 >= 0.5) == (x1 > 0.5)
            assert (y0 >= 0.5) == (y1 > 0.5)


def test_the_wild_has_silent_instruments_and_sound_from_elsewhere(rows: list[Row]) -> None:
    wild = of(rows, "train-wild", "test-wild")
    elsewhere = [len(set(row["labels"]) - set(row.get("box_labels", ()))) for row in wild]
    assert set(elsewhere) == {0, 1}
    assert {len(row.get("boxes", ())) for row in wild} >= {0, 1, 2}
    for row in wild:
        assert any(source["label"] in CLASSES and not source["sounding"] for source in row["sources"])


def test_calibration_has_both_answers(rows: list[Row]) -> None:
    kinds = Counter(row["kind"] for row in of(rows, "calibration"))
    assert kinds == {"visible": 12, "offscreen": 3, "noise": 1}


def test_the_open_set_is_nowhere_else_and_its_families_do_not_meet(rows: list[Row]) -> None:
    family = {label: name for name, some in OPEN_FAMILIES.items() for label in some}
    for row in rows:
        strange = [source["label"] for source in row["sources"] if source["label"] in OPEN_CLASSES]
        assert not strange or row["split"] == "test-open"
        assert len({family[label] for label in strange}) == len(strange)
    assert {row["labels"][0] for row in of(rows, "test-open")} == set(OPEN_CLASSES)


def test_training_and_test_share_no_photo_recording_or_background(rows: list[Row]) -> None:
    seen: dict[str, set[str]] = {}
    for row in rows:
        pool = row["split"].split("-")[0]
        things = [*row.get("sound", "").split(" + "), *row["background"].split(" + ")]
        things += [source["photo"] for source in row["sources"]]
        for thing in filter(None, things):
            seen.setdefault(thing, set()).add(pool)
    assert len(seen) > 40
    assert not [thing for thing, pools in seen.items() if {"train", "test"} <= pools]
    heard = [thing for thing, pools in seen.items() if "tone" in thing and len(pools) > 1]
    assert not heard  # calibration's photos are of training, its sounds are its own


def level(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2)))


def test_sounds_are_loud_enough_do_not_clip_and_have_their_pitch(built: Path, rows: list[Row]) -> None:
    for row in rows[::3]:
        samples = read_sound(built / row["audio"])
        assert samples.shape == (3 * SAMPLE_RATE,)
        assert np.abs(samples).max() <= 0.901
        assert -35 < level(samples) < -13
    for row in of(rows, "train"):
        spectrum = np.abs(np.fft.rfft(read_sound(built / row["audio"])))
        hertz = spectrum.argmax() / 3
        lowest = 150 * 1.7 ** CLASSES.index(row["labels"][0])
        assert lowest * 0.99 < hertz < lowest * 1.08


def test_written_components_stand_at_the_stated_ratio(built: Path, rows: list[Row], made_of: dict) -> None:
    several = 0
    for row in of(rows, "test-duet", "test-synthetic", "test-wild"):
        parts = [part for part in made_of[row["id"]] if part["label"]]
        assert [part["label"] for part in parts] == row["labels"]
        waves = [read_sound(built / part["audio"]) for part in parts]
        whole = read_sound(built / row["audio"])
        noise = next(part for part in made_of[row["id"]] if not part["label"])
        assert level(whole - np.sum(waves, axis=0)) == pytest.approx(noise["rms_db"], abs=2)
        for part, wave in zip(parts, waves, strict=True):
            assert level(wave) - level(waves[0]) == pytest.approx(part["ratio_db"], abs=0.05)
            assert part["in_view"] == (part["label"] in row.get("box_labels", ()))
        several += len(parts) > 1
    assert several > 20


@pytest.mark.parametrize(("part", "protocol"), [("solo", "solo"), ("duet", "duet"), ("synthetic", "synthetic")])
def test_true_class_maps_score_near_one(
    built: Path, tmp_path: Path, command: Callable, part: str, protocol: str
) -> None:
    maps = {}
    for clip, target in read_folder(built, split=f"test-{part}"):
        planes = np.zeros((len(CLASSES), SIZE, SIZE), np.float32)
        for label, (x0, y0, x1, y1) in zip(target.box_labels, target.boxes, strict=True):
            cells = np.s_[round(y0 * SIZE) : round(y1 * SIZE), round(x0 * SIZE) : round(x1 * SIZE)]
            planes[CLASSES.index(label)][cells] = 1
        maps[clip.id] = planes
    path = tmp_path / "true.safetensors"
    Predictions(maps, provenance={"method": "truth", "classes": json.dumps(CLASSES)}).save(path)
    words = ("--root", built, "--split", f"test-{part}", "--protocol", f"dsol_{protocol}", "--json")
    done = command("score", path, *words)
    assert done.code == 0, done.err
    summary = json.loads(done.out)["summary"]
    assert summary["class_ciou@0.3"]["value"] == 1
    assert summary["class_ciou@0.5"]["value"] == 1
    assert summary["class_auc"]["value"] > 0.9
    assert summary["nsa"]["value"] == 1


def test_scenes_follow_from_seed_part_and_number(rows: list[Row], source: Path, tmp_path: Path) -> None:
    fewer = dict.fromkeys(instruments.PARTS, 0) | {"train-wild": 2, "test-duet": 1}
    few = instruments.build(tmp_path / "few", source, counts=fewer, image_size=SIZE)
    made = [json.loads(line) for line in (few / "scenes.jsonl").read_text().splitlines()]
    assert made == of(rows, "train-wild")[:2] + of(rows, "test-duet")[:1]
    other = instruments.build(tmp_path / "other", source, counts=fewer, image_size=SIZE, seed=1)
    assert (other / "scenes.jsonl").read_text() != (few / "scenes.jsonl").read_text()


def test_a_copied_photo_is_not_tested_on(tmp_path: Path) -> None:
    root = make_source(tmp_path / "source")
    first, last = (root / f"cutouts/saxophone/saxophone_{n}.png" for n in (0, 5))
    with Image.open(first) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(last)
    sources = read_sources(root)
    assert sources.left_out == ("saxophone_5",)
    assert [photo.name for photo in sources.pools["test"].cutouts["saxophone"]] == ["saxophone_4"]


def test_what_is_missing_is_told(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a folder of cut-outs and backgrounds, got none"):
        read_sources(tmp_path / "none")
    root = make_source(tmp_path / "source")
    for path in sorted((root / "cutouts/mandolin").iterdir())[2:]:
        path.unlink()
    with pytest.raises(UserError, match="got too few of mandolin"):
        read_sources(root)
    with pytest.raises(UserError, match="expected tuxpaint-stamps-default for test-open"):
        instruments.build(tmp_path / "out", source)
    with pytest.raises(UserError, match=r"unknown part 'test-duo'.*did you mean 'test-duet'"):
        instruments.check_counts({"test-duo": 3})
    with pytest.raises(UserError, match="train: expected 0 or more clips, got -1"):
        instruments.check_counts({"train": -1})
    with pytest.raises(UserError, match="expected PART=CLIPS, got 'train' with ''"):
        instruments.read_counts(["train"])


def test_the_command_takes_counts(source: Path, made_packages: Path, tmp_path: Path, command: Callable) -> None:
    counts = [word for part in instruments.PARTS for word in ("--count", f"{part}={int(part == 'test-open')}")]
    words = ("--root", tmp_path / "out", "--from", source, "--stamps", made_packages, "--cache", tmp_path / "cache")
    done = command("samples", "instruments", *words, *counts)
    assert (done.code, done.out) == (0, f"{tmp_path / 'out'}\n"), done.err
    assert [clip.labels for clip, _ in read_folder(tmp_path / "out")] == [("bassoon",)]
    wrong = command("samples", "instruments", "--root", tmp_path / "x")
    assert wrong.code == 2
    assert "instruments: expected its material, got none; give --from FOLDER" in wrong.err


def test_the_programs_are_those_that_play() -> None:
    assert set(PROGRAMS) == set(STYLES) == set(CLASSES)
    for label, style in STYLES.items():
        assert int(PROGRAMS[label].split()[0]) == style.program + 1


@pytest.mark.shared
def test_real_photos_for_test_look_like_none_for_training(shared: Path) -> None:
    found, _ = find_photos(shared / "data" / "media")
    listed = read_listed()
    for label in CLASSES:
        photos = found[label]
        assert not DROPPED.keys() & {photo.name for photo in photos}
        train, test = two_parts(photos, near_duplicate_blocks(photos))
        kept = unlike(test, train)
        values = likeness([thumbnail(photo) for photo in kept], [thumbnail(photo) for photo in train])
        assert values.max() < ALIKE
        assert len(train) >= 12
        assert len(kept) >= 5
        splits = {listed[f"cutouts/{label}/{photo.name}"][0] for photo in kept}
        assert "train" not in splits  # nor has what learned on paste seen them
        if label == "grand_piano":
            assert "grand_piano_image_0072" in {photo.name for photo in test} - {photo.name for photo in kept}
