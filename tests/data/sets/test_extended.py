"""SLAVC's extended sets: positives as they were, negatives of known sorts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from soundspot.benchmarks import BENCHMARKS
from soundspot.data.sets.extended import count_negatives
from soundspot.types import UserError

EXTENDED = BENCHMARKS["vggss_extended"]


def made(folder: Path) -> Path:
    rows = [
        {"file": name, "class": label, "bbox": [[0, 0, 1, 1]]}
        for name, label in (("a", "dog"), ("b", "dog"), ("c", "cat"))
    ]
    (folder / "vggss.json").write_text(json.dumps(rows))
    (folder / "vggss_test_plus_silent.csv").write_text(
        "video,audio,label\nn,n,non-sounding\na,b,non-sounding\na,c,non-sounding\n"
    )
    return folder


def test_negatives_say_their_sort_and_share_pictures(tmp_path: Path) -> None:
    pairs = EXTENDED.load(made(tmp_path), tmp_path)
    assert [target.kind for _, target in pairs] == ["visible"] * 3 + ["offscreen"] * 3
    assert [target.labels for _, target in pairs[3:]] == [("real",), ("same_class",), ("other_class",)]
    assert count_negatives(pairs) == {"real": 1, "same_class": 1, "other_class": 1}
    clip, target = pairs[5]
    assert clip.id == target.clip_id == "a+c"
    assert clip.image == pairs[0][0].image
    assert clip.audio == tmp_path / "audio/c.wav"
    assert clip.labels == ("cat",)
    assert not target.boxes


def test_file_in_the_folder_serves_too_and_missing_tables_are_named(tmp_path: Path) -> None:
    folder = made(tmp_path)
    assert EXTENDED.load(folder / "vggss.json") == EXTENDED.load(folder)
    (folder / "vggss_test_plus_silent.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="columns video and audio"):
        EXTENDED.load(folder)
    (folder / "vggss_test_plus_silent.csv").unlink()
    with pytest.raises(UserError, match=r"expected vggss_test_plus_silent\.csv or a folder"):
        EXTENDED.load(folder)


@pytest.mark.shared
def test_negatives_of_slavc_table_1(annotations: Path, tmp_path: Path) -> None:
    for source in ("stoneMo+EZ-VSL/metadata/vggss.json", "stoneMo+SLAVC/metadata/vggss_test_plus_silent.csv"):
        (tmp_path / Path(source).name).write_bytes((annotations / source).read_bytes())
    pairs = EXTENDED.load(tmp_path)
    assert len({clip.id for clip, _ in pairs}) == len(pairs) == 2 * 5158
    assert count_negatives(pairs) == {"real": 379, "other_class": 3594, "same_class": 1185}


@pytest.mark.shared
def test_flickr_negatives(annotations: Path, tmp_path: Path) -> None:
    boxes = next((annotations / "shvdiwnkozbw+Multi-Source-Sound-Localization/utils").glob("flickr_soundnet*.json"))
    (tmp_path / "boxes.json").write_bytes(boxes.read_bytes())
    for name in ("flickr_test.csv", "flickr_test_plus_silent.csv"):
        (tmp_path / name).write_bytes((annotations / "stoneMo+SLAVC/metadata" / name).read_bytes())
    pairs = BENCHMARKS["flickr_extended"].load(tmp_path)
    assert len(pairs) == 500
    assert count_negatives(pairs) == {"other_clip": 250}
