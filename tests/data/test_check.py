"""The checker finds what is missing, broken, doubled, badly boxed or leaked, and names it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from soundspot.benchmarks import BENCHMARKS
from soundspot.data.check import check, defects, leaks, same_id
from soundspot.data.lists import read_ids
from soundspot.media.audio import write_wav
from soundspot.media.image import write_image
from soundspot.types import Clip, Missing, Target, UserError

GOOD = ((0.1, 0.1, 0.5, 0.5),)


def make_clip(root: Path, name: str, seed: int, **changes: Path) -> tuple[Clip, Target]:
    paths = {"image": root / f"{name}.png", "audio": root / f"{name}.wav", **changes}
    picture = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    if "image" not in changes:
        write_image(paths["image"], picture)
    if "audio" not in changes:
        write_wav(paths["audio"], np.zeros((1, 1600), dtype=np.float32), 16000)
    return Clip(name, **paths), Target(name, boxes=GOOD)


def test_everything_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nnot much")
    pairs = [
        make_clip(tmp_path, "fine", 0),
        make_clip(tmp_path, "twin", 0),
        make_clip(tmp_path, "absent", 1, audio=tmp_path / "nowhere.wav"),
        make_clip(tmp_path, "torn", 2, image=tmp_path / "torn.png"),
        make_clip(tmp_path, "mute", 3, audio=tmp_path / "fine.png"),
        (Clip("pointless"), Target("pointless", boxes=((0.5, 0.5, 0.2, 0.9),))),
    ]
    report = check([*pairs, pairs[0]], train_ids=["fine", "other"], without_truth=[Missing("lost", "no boxes")])
    assert (report.listed, report.found) == (8, 3)
    assert [clip.clip_id for clip in report.missing] == ["absent", "pointless"]
    assert [clip.clip_id for clip in report.unreadable] == ["torn", "mute"]
    assert [(clip.clip_id, clip.reason) for clip in report.duplicates] == [
        ("fine", "listed 2 times"),
        ("twin", "the same picture as fine"),
    ]
    assert {defect.clip_id for defect in report.defects} == {"pointless"}
    assert report.leaks == ["fine"]
    assert not report.fine
    text = "\n".join(report.lines(show=1))
    assert "found 3 of 8" in text
    assert "missing: 2: absent (no file" in text
    assert "and 1 more" in text
    assert "test clips in the training list: 1: fine" in text


def test_a_sound_data_set_is_fine(tmp_path: Path) -> None:
    report = check([make_clip(tmp_path, "one", 0), make_clip(tmp_path, "two", 1)])
    assert report.fine
    assert report.lines()[0] == "found 2 of 2"


def test_a_shared_picture_is_no_duplicate(tmp_path: Path) -> None:
    first, target = make_clip(tmp_path, "one", 0)
    again = Clip("one+other", image=first.image, audio=first.audio)
    assert check([(first, target), (again, Target("one+other", kind="offscreen"))]).fine


def test_presence_alone_is_quick(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"torn")
    pair = make_clip(tmp_path, "torn", 0, image=tmp_path / "torn.png")
    assert check([pair], read=False).fine


def test_defects_by_kind() -> None:
    targets = [
        Target("fine", boxes=GOOD),
        Target("outside", boxes=((-0.2, 0.1, 0.5, 1.4),)),
        Target("flat", boxes=(*GOOD, (0.3, 0.2, 0.3, 0.9))),
        Target("beyond", boxes=((1.2, 0.2, 1.5, 0.9),)),
        Target("overflowed", boxes=((0.3, 0.2, -2.9e16, 0.9),)),
        Target("not a number", boxes=(*GOOD, (0.3, float("nan"), 0.4, 0.9))),
        Target("boxless"),
        Target("silent", kind="silent"),
        Target("masked", mask=np.ones((4, 4), dtype=bool)),
    ]
    found = [(defect.clip_id, defect.what.split(":")[0]) for defect in defects(targets)]
    assert found == [
        ("outside", "box reaches outside the frame"),
        ("flat", "box covers nothing"),
        ("beyond", "box covers nothing"),
        ("beyond", "no usable box"),
        ("overflowed", "box with an overflowed coordinate"),
        ("overflowed", "no usable box"),
        ("not a number", "box with an overflowed coordinate"),
        ("boxless", "no usable box"),
    ]


def test_ids_are_read_and_spelled_alike(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("one.jpg,3\n\ntwo.mp4\n a.b_000001 \n")
    assert read_ids(tmp_path / "list.csv") == ["one", "two", "a.b_000001"]
    assert same_id("-abc_defghi_0_1") == "-abc_defghi_0_1"
    assert leaks(["abcdefghijk_32000_42000"], ["x", "abcdefghijk_000032"]) == ["abcdefghijk_000032"]
    with pytest.raises(UserError, match="expected a list of clip ids"):
        read_ids(tmp_path / "none.csv")


@pytest.mark.shared
def test_known_leaks(annotations: Path) -> None:
    metadata = annotations / "stoneMo+EZ-VSL/metadata"
    vggss = [clip.id for clip, _ in BENCHMARKS["vggss"].load(metadata)]
    flickr = read_ids(annotations / "stoneMo+SLAVC/metadata/flickr_test.csv")
    expected = {"vggss_144k.txt": 3709, "vggss_10k.txt": 238, "vggss_heard.txt": 0}
    assert {name: len(leaks(read_ids(metadata / name), vggss)) for name in expected} == expected
    assert len(leaks(read_ids(annotations / "OpenNLPLab+FNAC_AVL/metadata/vggss_144k.txt"), vggss)) == 3715
    assert len(leaks(read_ids(annotations / "kaistmm+SSLalignment/metadata/ours_vggss.txt"), vggss)) == 4655
    assert [len(leaks(read_ids(metadata / name), flickr)) for name in ("flickr_144k.txt", "flickr_10k.txt")] == [20, 1]


@pytest.mark.shared
def test_known_defects(annotations: Path) -> None:
    targets = [target for _, target in BENCHMARKS["vggss"].load(annotations / "stoneMo+EZ-VSL/metadata")]
    found = [defect.what.split(":")[0] for defect in defects(targets)]
    assert found.count("box with an overflowed coordinate") == 12
    assert found.count("box covers nothing") == 6
    assert found.count("no usable box") == 2
    assert found.count("box reaches outside the frame") == 0
