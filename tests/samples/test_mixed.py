"""Mixtures written from a folder of single clips: rows, ratios, sweeps, and what the user is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from make_instruments import make_source
from make_scenes import make_scenes
from soundspot.data.folder import read_folder
from soundspot.data.mixtures import Wanted
from soundspot.media.image import read_mask
from soundspot.samples import instruments, mixed
from soundspot.samples.instruments_source import CLASSES
from soundspot.samples.sound import read_sound
from soundspot.types import UserError

Row = dict[str, Any]


@pytest.fixture(scope="module")
def singles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighteen solos of six instruments, some beside a thing that is none, and duets, which are not singles."""
    root = tmp_path_factory.mktemp("singles")
    counts = dict.fromkeys(instruments.PARTS, 0) | {"train": 18, "test-duet": 3}
    return instruments.build(root / "solo", make_source(root / "source"), counts=counts, image_size=64)


def read(folder: Path) -> tuple[list[Row], dict[str, list[Row]]]:
    rows = [json.loads(line) for line in (folder / "scenes.jsonl").read_text().splitlines()]
    lines = [json.loads(line) for line in (folder / "mixtures.jsonl").read_text().splitlines()]
    return rows, {line["id"]: line["components"] for line in lines}


def level(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2)))


def test_mosaics_of_a_folder(singles: Path, tmp_path: Path) -> None:
    wanted = Wanted(4, 2, 1, ratio_db=(-10, 10))
    out = mixed.build(tmp_path / "out", singles, split="train", wanted=wanted, count=6, seed=3, image_size=64)
    rows, parts = read(out)
    assert [clip.id for clip, _ in read_folder(out, split="train")] == [row["id"] for row in rows]
    for row in rows:
        assert len(row["boxes"]) == 2
        assert len(row["labels"]) == 3
        assert row["kind"] == "visible"
        known = [source for source in row["sources"] if source["label"] in CLASSES]
        assert len(known) == 4
        assert sum(source["sounding"] for source in known) == 2
        absent = set(row["labels"]) - set(row["box_labels"])
        assert not absent & {source["label"] for source in row["sources"]}
        mask, objects = read_mask(out / row["mask"]), np.asarray(Image.open(out / row["objects"]))
        numbers = [i for i, source in enumerate(row["sources"], start=1) if source["sounding"]]
        assert np.array_equal(mask, np.isin(objects, numbers))
        waves = [read_sound(out / part["audio"]) for part in parts[row["id"]]]
        ratios = [part["ratio_db"] for part in parts[row["id"]]]
        assert np.array([level(wave) - level(waves[0]) for wave in waves]) == pytest.approx(ratios, abs=0.05)
        assert np.abs(np.sum(waves, axis=0) - read_sound(out / row["audio"])).max() < 2e-4
        assert [part["in_view"] for part in parts[row["id"]]] == [True, True, False]


def test_the_first_mixtures_stay_when_more_are_made(singles: Path, tmp_path: Path) -> None:
    few = mixed.build(tmp_path / "few", singles, split="train", count=2, image_size=32)
    more = mixed.build(tmp_path / "more", singles, split="train", count=3, image_size=32)
    assert read(more)[0][:2] == read(few)[0]
    other = mixed.build(tmp_path / "other", singles, split="train", count=2, seed=1, image_size=32)
    assert read(other)[0] != read(few)[0]


def test_a_sweep_is_one_picture_at_many_ratios(singles: Path, tmp_path: Path, command: Callable) -> None:
    out = tmp_path / "out"
    words = ("--of", singles, "--split", "train", "--kind", "side_by_side", "--frames", 2, "--count", 2)
    done = command("samples", "mixtures", "--root", out, *words, "--sweep=-20:20:20", "--image-size", 32)
    assert (done.code, done.out) == (0, f"{out}\n"), done.err
    rows, parts = read(out)
    assert [row["id"] for row in rows[:3]] == [f"side_by_side-00000_{ratio}dB" for ratio in ("-20", "+0", "+20")]
    for group in ("side_by_side-00000", "side_by_side-00001"):
        some = [row for row in rows if row["group"] == group]
        assert len(some) == 3
        assert len({row["image"] for row in some}) == len({json.dumps(row["boxes"]) for row in some}) == 1
        for row, ratio in zip(some, (-20, 0, 20), strict=True):
            first, second = (read_sound(out / part["audio"]) for part in parts[row["id"]])
            assert level(second) - level(first) == pytest.approx(ratio, abs=0.1)
            assert [s["ratio_db"] for s in row["sources"] if s["sounding"]] == [0, ratio]
    with Image.open(out / rows[0]["image"]) as picture:
        assert picture.size == (64, 32)
    assert {target.group for _, target in read_folder(out)} == {"side_by_side-00000", "side_by_side-00001"}


def test_a_composite_stands_on_the_first_picture(singles: Path, tmp_path: Path) -> None:
    wanted = Wanted(3, 1, 0)
    out = mixed.build(tmp_path / "out", singles, split="train", kind="composite", wanted=wanted, count=4, image_size=64)
    for row in read(out)[0]:
        known = [source for source in row["sources"] if source["label"] in CLASSES]
        assert len(known) == 3
        assert len(row["boxes"]) == 1


def test_scenes_without_listed_sources_will_do(tmp_path: Path) -> None:
    folder = make_scenes(tmp_path / "scenes", ["visible"] * 6 + ["silent", "offscreen"])
    out = mixed.build(tmp_path / "out", folder, kind="side_by_side", wanted=Wanted(3, 1), count=3, image_size=32)
    for row in read(out)[0]:
        assert {source["label"] for source in row["sources"]} == {"red", "green", "blue"}
        assert row["split"] == "mixtures"
        assert len(row["labels"]) == 1


def test_only_off_screen_sound(singles: Path, tmp_path: Path) -> None:
    out = mixed.build(tmp_path / "out", singles, split="train", wanted=Wanted(4, 0, 2), count=2, image_size=32)
    for row in read(out)[0]:
        assert row["kind"] == "offscreen"
        assert "boxes" not in row
        assert "mask" not in row
        assert len(row["labels"]) == 2


def test_what_cannot_be_mixed(singles: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected clips of one visible source with its class, got none of 3"):
        mixed.build(tmp_path / "a", singles, split="test-duet")
    with pytest.raises(UserError, match="expected clips of 7 classes"):
        mixed.build(tmp_path / "a", singles, split="train", wanted=Wanted(4, 2, 3))
    with pytest.raises(UserError, match="mosaic: expected 4 or 9 frames, got 3"):
        mixed.build(tmp_path / "a", singles, split="train", wanted=Wanted(3, 2))
    with pytest.raises(UserError, match="expected two sounds to vary"):
        mixed.build(tmp_path / "a", singles, split="train", wanted=Wanted(4, 1), ratios_db=(0, 1))
    with pytest.raises(UserError, match="mixtures: expected 1 or more, got 0"):
        mixed.build(tmp_path / "a", singles, count=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--ratio-db", "loud"), "expected a ratio in dB as NUMBER or LOW:HIGH, got 'loud'; for example -10:10"),
        (("--sweep", "-20:20"), "expected a sweep in dB as LOW:HIGH:STEP, got '-20:20'; for example -20:20:10"),
        (("--sweep", "20:-20:5"), "expected a sweep from low to high by a step above 0, got '20:-20:5'"),
        (("--ratio-db", "-6", "--sounding", "5"), "got 5 sounding of 4 frames"),
        (("--split", "trian"), "unknown split 'trian'"),
        (("--kind", "mosaik"), "Invalid value for '--kind'"),
    ],
)
def test_wrong_words(singles: Path, tmp_path: Path, words: tuple[str, ...], message: str, command: Callable) -> None:
    done = command("samples", "mixtures", "--root", tmp_path / "out", "--of", singles, *words)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
