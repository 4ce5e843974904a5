"""The checker finds what is missing, broken, doubled, badly boxed or leaked, and names it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from make_media import cut_short, make_film, tone
from make_scenes import make_scenes
from soundspot import weights
from soundspot.benchmarks import BENCHMARKS
from soundspot.data.check import NO_MASK, check, defects, leaks
from soundspot.data.lists import read_ids, same_id, write_ids
from soundspot.media.audio import write_wav
from soundspot.media.film import FilmWriter
from soundspot.media.image import write_image
from soundspot.methods import build
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
    assert report.clean == []
    assert not report.fine
    text = "\n".join(report.lines(show=1))
    assert "found 3 of 8" in text
    assert "missing: 2: absent (no file" in text
    assert "and 1 more" in text
    assert "test clips in the training list: 1: fine" in text
    assert report.lines()[-1] == "clean: 0 of 8"


def test_a_sound_data_set_is_fine(tmp_path: Path) -> None:
    report = check([make_clip(tmp_path, "one", 0), make_clip(tmp_path, "two", 1)])
    assert report.fine
    assert report.lines()[0] == "found 2 of 2"


def test_a_shared_picture_is_no_duplicate(tmp_path: Path) -> None:
    first, target = make_clip(tmp_path, "one", 0)
    again = Clip("one+other", image=first.image, audio=first.audio)
    assert check([(first, target), (again, Target("one+other", kind="offscreen"))]).fine


def test_the_clean_list_leaves_out_whatever_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"torn")
    nothing = make_clip(tmp_path, "nothing", 4)[0]
    silent = make_clip(tmp_path, "silent", 5)[0]
    half = make_clip(tmp_path, "half", 6)[0]
    pairs = [
        make_clip(tmp_path, "z first", 0),
        make_clip(tmp_path, "a copy of it", 0),
        make_clip(tmp_path, "leaked, and with a comma", 1),
        make_clip(tmp_path, "torn", 2, image=tmp_path / "torn.png"),
        make_clip(tmp_path, "absent", 3, audio=tmp_path / "nowhere.wav"),
        (nothing, Target("nothing", boxes=((0.5, 0.5, 0.5, 0.5),))),
        (silent, Target("silent", kind="silent")),
        (half, Target("half", boxes=((0.5, 0.5, 0.5, 0.5), *GOOD))),
        make_clip(tmp_path, "comma, too", 7),
    ]
    report = check([*pairs, pairs[0]], train_ids=["leaked, and with a comma"], without_truth=[Missing("lost", "no")])
    assert report.clean == ["z first", "silent", "half", "comma, too"]
    write_ids(tmp_path / "clean.txt", report.clean)
    assert read_ids(tmp_path / "clean.txt") == report.clean
    assert check([*pairs, pairs[0]], jobs=3).clean == check([*pairs, pairs[0]], jobs=1).clean


def test_a_sound_that_breaks_off_is_unreadable(tmp_path: Path) -> None:
    fine, late = make_clip(tmp_path, "fine", 0), make_clip(tmp_path, "cut", 1)
    cut_short(tmp_path / "cut.wav", 0.9)
    report = check([fine, late])
    assert [clip.clip_id for clip in report.unreadable] == ["cut"]
    assert "expected 3200 bytes of sound as its header says, got" in report.unreadable[0].reason
    assert report.clean == ["fine"]


def test_a_film_is_looked_at_in_its_middle_or_decoded_whole(tmp_path: Path) -> None:
    pairs = []
    for name, share in (("whole", 1.0), ("late", 0.9), ("early", 0.5)):
        noise = np.random.default_rng(0).integers(0, 255, (100, 64, 96, 3), dtype=np.uint8)
        with FilmWriter(tmp_path / f"{name}.mp4", width=96, height=64, frames_per_second=10, sample_rate=8000) as film:
            for frame in noise:
                film.write_frame(frame)
            film.write_sound(tone(440, 10, 8000))
        cut_short(tmp_path / f"{name}.mp4", share)
        pairs.append((Clip(name, video=tmp_path / f"{name}.mp4", time_seconds=1.0), Target(name, boxes=GOOD)))
    assert [clip.clip_id for clip in check(pairs).unreadable] == ["early"]
    report = check(pairs, decode=True)
    assert [clip.clip_id for clip in report.unreadable] == ["late", "early"]
    assert all("it is cut off" in clip.reason for clip in report.unreadable)


def test_masks_must_be_there_readable_and_mark_something(tmp_path: Path) -> None:
    write_image(tmp_path / "some.png", np.eye(8, dtype=np.uint8) * 255)
    write_image(tmp_path / "empty.png", np.zeros((8, 8), dtype=np.uint8))
    (tmp_path / "torn.png.png").write_bytes(b"torn")
    masks = {"some": "some.png", "empty": "empty.png", "gone": "gone.png", "torn": "torn.png.png"}
    pairs = [
        (make_clip(tmp_path, f"{name}_clip", seed)[0], Target(f"{name}_clip", mask=tmp_path / file))
        for seed, (name, file) in enumerate(masks.items())
    ]
    boxed = make_clip(tmp_path, "boxed", 8)[0], Target("boxed", boxes=GOOD, mask=tmp_path / "empty.png")
    report = check([*pairs, boxed])
    assert [clip.clip_id for clip in report.missing] == ["gone_clip"]
    assert [clip.clip_id for clip in report.unreadable] == ["torn_clip"]
    assert [(defect.clip_id, defect.what) for defect in report.defects] == [("empty_clip", NO_MASK)]
    assert report.clean == ["some_clip", "boxed"]
    assert [defect.clip_id for defect in defects([Target("drawn", mask=np.zeros((4, 4), dtype=bool))])] == ["drawn"]


def test_frames_of_one_film_may_look_alike_and_films_are_compared(tmp_path: Path) -> None:
    first, second = make_clip(tmp_path, "one", 0), make_clip(tmp_path, "two", 0)
    assert check([(first[0], replace(first[1], video="x")), (second[0], replace(second[1], video="x"))]).fine
    assert not check([(first[0], replace(first[1], video="x")), (second[0], replace(second[1], video="y"))]).fine
    for name in ("a", "b"):
        make_film(tmp_path / f"{name}.mp4", num_frames=5, samples=tone(440, 1, 8000), sample_rate=8000)
    films = [(Clip(name, video=tmp_path / f"{name}.mp4"), Target(name, boxes=GOOD)) for name in ("a", "b")]
    again = Clip("a later", video=tmp_path / "a.mp4", time_seconds=0.1)
    report = check([*films, (again, Target("a later", boxes=GOOD))])
    assert [(clip.clip_id, clip.reason) for clip in report.duplicates] == [("b", "the same picture as a")]
    assert report.clean == ["a", "a later"]


def test_the_verb_writes_the_clean_list_and_all_names(tmp_path: Path, command: Callable) -> None:
    scenes = make_scenes(tmp_path / "scenes", ["visible", "visible", "silent"])
    (scenes / "audio/test001.wav").write_bytes(b"not a sound")
    (tmp_path / "train.txt").write_text("test002\n")
    clean = tmp_path / "clean.txt"
    done = command("check", "samples", scenes, "--clean", clean, "--train-ids", tmp_path / "train.txt", "--json")
    assert (done.code, done.err) == (1, "")
    told = json.loads(done.out)
    assert (told["listed"], told["found"], told["leaks"], told["clean"]) == (3, 2, ["test002"], ["test000"])
    assert told["unreadable"][0]["clip_id"] == "test001"
    assert clean.read_text() == "test000\n"
    again = command("check", "samples", scenes, "--ids", clean, "--decode", "--jobs", "2")
    assert (again.code, again.out.splitlines()[0]) == (0, "found 1 of 1")


def test_predict_and_score_use_a_list(tmp_path: Path, command: Callable) -> None:
    scenes = make_scenes(tmp_path / "scenes", ["visible", "visible", "silent"])
    prior = weights.save(build("ogl", image_backbone="resnet10t", image_size=64), tmp_path / "prior.safetensors")
    ids, maps = tmp_path / "some.txt", tmp_path / "maps.safetensors"
    ids.write_text("test002\ntest000\n")
    done = command("predict", prior, "samples", "--root", scenes, "--ids", ids, "--out", maps)
    assert (done.code, done.out) == (0, f"{maps}\t2 of 2 clips, 0 missing\n")
    told = json.loads(command("score", maps, "--root", scenes, "--ids", ids, "--json").out)
    assert (told["provenance"]["clips_listed"], told["provenance"]["clips_used"]) == (2, 2)
    assert told["provenance"]["clip_list"] == "some.txt"
    assert told["provenance"]["clip_list_sha256"] == hashlib.sha256(ids.read_bytes()).hexdigest()
    assert told["benchmark"] == "samples, clips of some.txt"
    ids.write_text("test000\nelsewhere\n")
    for words in (("score", maps, "--root", scenes), ("check", "samples", scenes)):
        refused = command(*words, "--ids", ids)
        assert refused.code == 2
        assert "some.txt: expected ids of the benchmark, got 'elsewhere', which it does not have" in refused.err


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
