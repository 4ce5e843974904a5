"""VPO: rows of COCO annotations with sounds, from SSLalign's lists and from CAVP's tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from layouts.made import filled
from layouts.vpo import LEFT, RIGHT, write_ms, write_ss, write_table
from soundspot.benchmarks import BENCHMARKS
from soundspot.data.check import check
from soundspot.data.sets.vpo import read_vpo, read_vpo_table
from soundspot.types import UserError


def test_rows_group_by_picture(tmp_path: Path) -> None:
    tree = write_ms(tmp_path)
    pairs = BENCHMARKS["vpo_ms"].load(*tree)
    assert [clip.id for clip, _ in pairs] == ["000000489267_157452", "000000489267_159191", "000000581233_62482"]
    assert [target.group for _, target in pairs] == ["000000489267", "000000489267", "000000581233"]
    assert pairs[0][1].boxes == (LEFT,)
    assert pairs[0][1].labels == pairs[0][1].box_labels == ()
    assert pairs[0][1].mask == tree.root / "gray_masks/000000489267_157452.jpg"
    assert check(pairs).fine


def test_parts_are_lists_of_their_own(tmp_path: Path) -> None:
    pairs = BENCHMARKS["vpo_ss"].load(*write_ss(tmp_path))
    assert len({target.group for _, target in pairs}) == len(pairs) == 2
    with pytest.raises(UserError, match=r"expected vpo_ms_bbox\.json or vpo_ms_seg\.json"):
        BENCHMARKS["vpo_ms"].load(tmp_path)


@pytest.mark.parametrize("part", ["ss", "ms"])
def test_cavps_table_with_masks_by_class(tmp_path: Path, part: str) -> None:
    tree = write_table(tmp_path, part)
    pairs = read_vpo(tree.annotations, tree.root, part=part)
    assert [clip.id for clip, _ in pairs] == ["000000489267_157452", "000000489267_159191"]
    assert [clip.labels for clip, _ in pairs] == [("dog",), ("cat",)]
    assert {target.group for _, target in pairs} == {"000000489267"}
    for (_, target), corners in zip(pairs, (LEFT, RIGHT), strict=True):
        assert np.array_equal(target.mask, filled(corners))
    assert check(pairs, read=False).missing == []
    assert [clip.id for clip, _ in read_vpo_table(*tree, part=part, split="train")] == ["000000581233_62482"]


def test_cavps_own_place_of_sounds(tmp_path: Path) -> None:
    tree = write_table(tmp_path / "VPO", "ms")
    sounds = tmp_path / "vggsound_bench/VGGSound/audios"
    sounds.parent.mkdir(parents=True)
    (tree.root / "audios").rename(sounds)
    assert read_vpo(*tree)[0][0].audio == sounds / "dddddddddd0_000010.wav"


def test_wrong_tables_are_named(tmp_path: Path) -> None:
    tree = write_table(tmp_path, "ms")
    with pytest.raises(UserError, match="got no root; masks are all the truth there is"):
        read_vpo(tree.annotations)
    (tree.root / "mask/000000489267.png").unlink()
    with pytest.raises(UserError, match="expected a picture of class numbers, got no such file"):
        read_vpo(*tree)
    header = "img_Id,ann_Ids,cateName,vgg_file,split\n"
    for text, problem in (
        ("a,b\n1,2\n", "expected a table with the columns img_Id"),
        (header + "1,2,dog,s,train\n", "expected rows of the split test"),
        (header + "1,2,dragon,s,test\n", "expected one of VPO's 21 classes, got 'dragon'"),
    ):
        tree.annotations.write_text(text)
        with pytest.raises(UserError, match=problem):
            read_vpo(*tree)


@pytest.mark.shared
def test_the_real_lists(annotations: Path) -> None:
    folder = annotations / "kaistmm+SSLalignment/metadata"
    single, several = BENCHMARKS["vpo_ss"].load(folder), BENCHMARKS["vpo_ms"].load(folder)
    assert len(single) == len({target.group for _, target in single}) == 890
    assert len(several) == len({clip.id for clip, _ in several}) == 2157
    sizes = Counter(Counter(target.group for _, target in several).values())
    assert sizes == {1: 759, 2: 623, 3: 49, 5: 1}
    assert sum(sizes.values()) == 1432
    assert sum(target.boxes == ((0.0, 0.0, 0.0, 0.0),) for _, target in several) == 2
    assert len({defect.clip_id for defect in check(several, read=False).defects}) == 2
