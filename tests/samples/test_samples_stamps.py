"""Stamps from a made tree of the packages: every kind, families, the farm, and what the user is told."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from soundspot.data.folder import read_folder
from soundspot.samples import stamps, stamps_choice
from soundspot.types import UserError

COUNT = 4


@pytest.fixture(scope="module")
def built(made_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stamps")
    return stamps.build(root / "out", source=made_packages, cache=root / "cache", scenes_per_kind=COUNT, image_size=112)


def test_every_kind_and_the_farm(built: Path) -> None:
    kinds = Counter(target.kind for _, target in read_folder(built, split="test"))
    assert kinds == {"visible": 3 * COUNT, "offscreen": COUNT, "silent": COUNT, "noise": COUNT}
    farm = read_folder(built, split="farm")
    assert len(farm) == 9
    assert {len(target.boxes) for _, target in farm} == {1, 3, 4, 5}
    clip, target = next((c, t) for c, t in farm if c.id == "farm-dog")
    with Image.open(clip.image) as picture:
        assert picture.size == (1024, 768)
    assert target.boxes[0] == pytest.approx((38 / 1024, 26 / 768, 909 / 1024, 729 / 768), abs=1e-6)


def test_no_scene_holds_two_of_a_family(built: Path) -> None:
    family = stamps.families()
    for line in (built / "scenes.jsonl").read_text().splitlines():
        row = json.loads(line)
        kin = [family[source["label"]] for source in row.get("sources", ())]
        assert len(kin) == len(set(kin))
        if row["kind"] == "offscreen":
            assert family[row["labels"][0]] not in kin


def test_the_description_names_the_packages(built: Path, made_packages: Path, tmp_path: Path) -> None:
    about = json.loads((built / "dataset.json").read_text())
    assert about["sources"] == stamps_choice.VERSIONS
    again = stamps.build(
        tmp_path / "out", source=made_packages, cache=tmp_path / "c", scenes_per_kind=COUNT, image_size=112
    )
    assert json.loads((again / "dataset.json").read_text())["sha256"] == about["sha256"]


def test_the_choice_is_consistent() -> None:
    used = [stamp for some in stamps_choice.FAMILIES.values() for stamp in some]
    assert len(used) == len(set(used)) == 75
    assert not set(used) & set(stamps_choice.DROPPED)
    assert set(stamps_choice.LABELS) <= {stamp.rsplit("/", 1)[-1] for stamp in used}
    for _, _, (width, height), boxes in stamps_choice.FARM.values():
        for x0, y0, x1, y1 in boxes:
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("tuxpaint/stamps/animals/birds/owl.ogg", r"owl\.ogg: expected this file of a Debian 12 package"),
        ("gcompris-qt/rcc/details.rcc", r"details\.rcc: expected this file"),
        ("doc/mate-backgrounds", "got none for mate-backgrounds"),
    ],
)
def test_what_the_packages_lack_is_named(made_packages: Path, tmp_path: Path, lost: str, message: str) -> None:
    shutil.copytree(made_packages, tmp_path / "p")
    path = tmp_path / "p/usr/share" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UserError, match=message):
        stamps.build(tmp_path / "out", source=tmp_path / "p", cache=tmp_path / "c", scenes_per_kind=1)
    assert not (tmp_path / "out").exists()


def test_a_bundle_without_the_photo_is_named(made_packages: Path, tmp_path: Path) -> None:
    bundle = made_packages / "usr/share/gcompris-qt/rcc/details.rcc"
    with pytest.raises(UserError, match=r"expected the file image/other\.webp in it"):
        stamps.unpack_rcc(bundle, ["image/other.webp"], tmp_path)


@pytest.mark.shared
def test_the_choice_is_that_of_the_real_list(shared: Path) -> None:
    """All stamps with photo and sound are either used or dropped for a reason."""
    lines = (shared / "data/media/tuxpaint_pairs.csv").read_text().splitlines()[1:]
    real = {line.split(",")[0] for line in lines}
    used = {stamp for some in stamps_choice.FAMILIES.values() for stamp in some}
    assert real == used | set(stamps_choice.DROPPED)
    silent = {line.split(",")[0] for line in lines if line.endswith("True")}
    assert silent <= set(stamps_choice.DROPPED)


def test_pictures_are_of_the_size_asked_for(built: Path) -> None:
    for clip, target in read_folder(built, split="test"):
        with Image.open(clip.image) as picture:
            assert picture.size == (112, 112)
        if target.mask is not None:
            with Image.open(target.mask) as mask:
                assert set(np.unique(np.asarray(mask))) == {0, 255}
