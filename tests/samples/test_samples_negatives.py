"""Negatives for any labelled benchmark: the quarter, the partners that are allowed, and the table read back."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from soundspot.data.sets.extended import count_negatives, read_extended
from soundspot.data.sets.vggss import read_vggss
from soundspot.samples.negatives import build, extend, lines, read_manual
from soundspot.types import Clip, Target, UserError

Pair = tuple[Clip, Target]


def pair(name: str, *labels: str, group: str | None = None, video: str | None = None, **media: Path) -> Pair:
    clip = Clip(name, labels=labels, group=group, **media)
    return clip, Target(name, boxes=((0, 0, 1, 1),), labels=labels, group=group, video=video)


PAIRS = [pair(f"{label}{i}", label) for label in ("cat", "cow", "dog", "owl") for i in range(10)]


def test_a_quarter_is_of_the_same_class_and_all_is_as_many_as_the_positives() -> None:
    made = extend(PAIRS, manual=[f"new{i}" for i in range(8)])
    assert made.counts() == {"real": 8, "same_class": 8, "other_class": 24}
    automatic = made.negatives[8:]
    assert len({negative.video for negative in automatic}) == len(automatic)
    for negative in automatic:
        assert negative.video != negative.audio
        assert (negative.video[:3] == negative.audio[:3]) == (negative.sort == "same_class")
    assert (made.without_same_class, made.same_class_short) == (0, 0)
    assert extend(PAIRS) == extend(PAIRS) != extend(PAIRS, seed=1)


def test_a_lone_clip_of_its_class_gets_other_sounds_and_is_counted() -> None:
    pairs = [pair("a", "cat"), pair("b", "dog"), pair("c", "owl"), pair("d", "cow")]
    made = extend(pairs)
    assert made.counts() == {"other_class": 4}
    assert (made.without_same_class, made.same_class_short) == (4, 1)
    assert list(lines(made))[1].startswith("4 clips are the only one of their class")


def test_no_sound_of_the_same_picture_or_film() -> None:
    pairs = [
        pair("a1", "cat", group="a"), pair("a2", "dog", group="a"), pair("b1", "cat", video="f"),
        pair("b2", "cat", video="f"), pair("c", "dog"), pair("d", "cow"),
    ]  # fmt: skip
    place = {"a1": "a", "a2": "a", "b1": "f", "b2": "f", "c": "c", "d": "d"}
    for seed in range(20):
        for negative in extend(pairs, seed=seed).negatives:
            assert place[negative.video] != place[negative.audio]
            # a picture of a cat and a dog is a negative of neither's sound
            if negative.video in ("a1", "a2") and negative.sort == "other_class":
                assert negative.audio == "d"


def test_without_labels_any_other_clip_serves() -> None:
    made = extend([pair("a"), pair("b"), pair("c")])
    assert made.counts() == {"other_clip": 3}


@pytest.mark.parametrize(
    ("pairs", "manual", "message"),
    [
        (PAIRS[:1], [], "expected a benchmark of at least 2 visible clips, got 1"),
        ([pair("a", "cat"), pair("b")], [], "expected labels of every clip or of none, got none of b"),
        (PAIRS[:2], ["x", "y", "z"], "expected at most 2, one a positive, got 3"),
        (PAIRS[:2], ["x", "x"], "expected every clip once, got some twice"),
        (PAIRS[:2], ["cat1"], "expected clips without a source in view, got cat1, which the benchmark boxes"),
        (PAIRS[:2], [], "clip cat.: expected a sound of another class from another picture, got none"),
    ],
)
def test_what_does_not_go_is_told(pairs: list[Pair], manual: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        extend(pairs, manual=manual)


def test_the_table_is_slavcs_and_can_be_read_back(tmp_path: Path) -> None:
    manual = tmp_path / "manual.txt"
    manual.write_text("new\n")
    made = build(tmp_path / "n.csv", PAIRS, manual=manual)
    with (tmp_path / "n.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["video", "audio", "label", "sort"]
    assert rows[0] == {"video": "new", "audio": "new", "label": "non-sounding", "sort": "real"}
    pairs = read_extended(PAIRS, tmp_path / "n.csv")
    assert pairs[: len(PAIRS)] == PAIRS
    assert count_negatives(pairs) == made.counts()
    with pytest.raises(UserError, match="expected a new file for the table"):
        build(tmp_path / "n.csv", PAIRS)


def test_a_benchmark_with_negatives_is_refused(tmp_path: Path) -> None:
    extended = [*PAIRS, (Clip("a+b"), Target("a+b", kind="offscreen", labels=("other_class",)))]
    with pytest.raises(UserError, match="expected a benchmark without negatives, got one with 1; score it as it is"):
        build(tmp_path / "n.csv", extended)
    assert not (tmp_path / "n.csv").exists()
    silent = [*PAIRS, (Clip("quiet"), Target("quiet", kind="silent"))]
    assert build(tmp_path / "n.csv", silent).counts() == {"same_class": 10, "other_class": 30}


def test_a_pair_that_is_there_already_is_told_with_its_place(tmp_path: Path) -> None:
    table = tmp_path / "n.csv"
    table.write_text("video,audio\ncat1,dog1\ncat1,cow1\ncat1,dog1\n")
    with pytest.raises(UserError, match=r"n.csv:4: expected every pair once, .* got cat1\+dog1 again; remove the row"):
        read_extended(PAIRS, table)
    table.write_text("video,audio\ncat1,dog1\n")
    with pytest.raises(UserError, match=r"n.csv:2: expected every pair once, .* got cat1\+dog1 again"):
        read_extended(read_extended(PAIRS, table), table)


def test_media_of_negatives_are_the_clips_own(tmp_path: Path) -> None:
    table = tmp_path / "n.csv"
    table.write_text("video,audio\na,b\nb,a\nz,z\n")
    root = Path("root")
    pairs = [
        pair("a", "cat", image=root / "frames/a.jpg", audio=root / "audio/a.wav"),
        pair("b", "dog", image=root / "frames/b.jpg", audio=root / "audio/b.wav"),
    ]
    ab, ba, new = (clip for clip, _ in read_extended(pairs, table)[2:])
    assert (ab.id, ab.image, ab.audio, ab.labels) == ("a+b", root / "frames/a.jpg", root / "audio/b.wav", ("dog",))
    assert ba.labels == ("cat",)
    assert (new.image, new.audio) == (root / "frames/z.jpg", root / "audio/z.wav")
    films = [
        (Clip("a", video=Path("a.mp4"), time_seconds=3), pairs[0][1]),
        (Clip("b", video=Path("b.mp4")), pairs[1][1]),
    ]
    film = read_extended(films, table)[2][0]
    assert (film.video, film.time_seconds, film.audio) == (Path("a.mp4"), 3, Path("b.mp4"))
    unnamed = [(Clip("a", image=Path("x.jpg"), audio=Path("y.wav")), pairs[0][1])]
    with pytest.raises(UserError, match="expected ids of the benchmark's clips, got 'b'"):
        read_extended(unnamed, table)


def test_a_damaged_table_is_told(tmp_path: Path) -> None:
    table = tmp_path / "n.csv"
    for text, message in (
        ("video,audio,sort\na,b,odd\n", "unknown sort in .*n.csv:2: 'odd'"),
        ("video,audio\na,\n", "n.csv:2: expected a clip's id under video and audio, got none"),
        ("video,sound\na,b\n", "expected a table with the columns video and audio"),
    ):
        table.write_text(text)
        with pytest.raises(UserError, match=message):
            read_extended(PAIRS, table)
    with pytest.raises(UserError, match=r"expected a table of negatives .* got no such file"):
        read_extended(PAIRS, tmp_path / "gone.csv")


@pytest.mark.shared
def test_vggss_extended_again(annotations: Path, tmp_path: Path) -> None:
    """SLAVC's counts: 379 by hand, a quarter of the other 4,779 of the same class, 5,158 in all."""
    pairs = read_vggss(annotations / "stoneMo+EZ-VSL/metadata/vggss.json")
    manual = annotations / "stoneMo+SLAVC/metadata/vggss_test_plus_silent.csv"
    assert len(read_manual(manual)) == 379
    made = build(tmp_path / "n.csv", pairs, manual=manual)
    assert made.counts() == {"real": 379, "same_class": 1195, "other_class": 3584}
    assert len(made.negatives) == len(pairs) == 5158
    again = read_extended(pairs, tmp_path / "n.csv")
    assert count_negatives(again) == made.counts()
    derived = Counter(
        "same_class" if clip.labels == next_labels else "other_class"
        for (clip, target), next_labels in (
            (entry, classes[entry[0].id.split("+")[0]]) for classes in [{c.id: c.labels for c, _ in pairs}]
            for entry in again[len(pairs) + 379 :]
        )
    )  # fmt: skip
    assert derived == {"same_class": 1195, "other_class": 3584}
