"""AudioSet-instrument: DSOL's boxes of seconds, with the first picture of each."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from layouts import LAYOUTS
from soundspot.benchmarks import BENCHMARKS
from soundspot.data.check import check
from soundspot.data.sets.audioset_instrument import read_audioset_instrument
from soundspot.types import UserError


def test_a_second_is_a_clip_with_its_first_picture(tmp_path: Path) -> None:
    tree = LAYOUTS["audioset_instrument"](tmp_path)
    pairs = BENCHMARKS["audioset_instrument"].load(*tree)
    (first, cello_and_guitar), (last, trombone) = pairs
    assert (first.id, last.id) == ("8LYWfpPUokc/0", "8LYWfpPUokc/2")
    assert cello_and_guitar.boxes == ((0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0))
    assert (cello_and_guitar.box_labels, trombone.box_labels) == (("cello", "guitar"), ("trombone",))
    assert first.image == tree.root / "video_frames/8LYWfpPUokc/frame_000/00001.jpg"
    assert (first.time_seconds, last.time_seconds) == (0.5, 2.5)
    assert check(pairs).missing == []


def test_a_second_without_pictures_is_missing_by_name(tmp_path: Path) -> None:
    tree = LAYOUTS["audioset_instrument"](tmp_path)
    for path in (tree.root / "video_frames/8LYWfpPUokc/frame_002").iterdir():
        path.unlink()
    (lost,) = check(BENCHMARKS["audioset_instrument"].load(*tree)).missing
    assert lost.clip_id == "8LYWfpPUokc/2"
    assert "frame_002" in lost.reason


def test_wrong_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected audioset_box\.json"):
        read_audioset_instrument(tmp_path)
    for rows, problem in (([], "a JSON object"), ({"x": {"bbox": []}}, "<video>/<second>"), ({"x/1": {}}, "normbox")):
        (tmp_path / "audioset_box.json").write_text(json.dumps(rows))
        with pytest.raises(UserError, match=problem):
            read_audioset_instrument(tmp_path)


@pytest.mark.shared
def test_the_real_file_and_where_its_names_come_from(annotations: Path) -> None:
    folder = annotations / "DTaoo+Discriminative-Sounding-Objects-Localization/audioset-instrument"
    pairs = BENCHMARKS["audioset_instrument"].load(folder)
    assert len({clip.id for clip, _ in pairs}) == 4503
    assert len({target.video for _, target in pairs}) == 566
    assert sum(len(target.boxes) for _, target in pairs) == 7403
    assert check(pairs, read=False).defects == []
    other = json.loads(
        (annotations / "shvdiwnkozbw+Multi-Source-Sound-Localization/utils/normav.json").read_text(encoding="utf-8")
    )
    names = {each["id"]: each["name"].lower() for each in other["categories"]}
    theirs = {}
    for each in other["annotations"]:
        x, y, width, height = each["bbox"]
        theirs.setdefault((x, y, x + width, y + height), set()).add(names[each["category_id"]])
    said = Counter(
        (label, name)
        for _, target in pairs
        for label, box in zip(target.box_labels, target.boxes, strict=True)
        for name in theirs.get(box, ())
    )
    unequal = {pair: count for pair, count in said.items() if pair[0] != pair[1]}
    assert unequal == {("flute or trumpet", "flute"): 210, ("flute or trumpet", "trumpet"): 25}
    assert sum(said.values()) > 7000
