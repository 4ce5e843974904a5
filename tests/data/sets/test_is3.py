"""IS3: an instance a row, two a picture, boxes and masks."""

from __future__ import annotations

from pathlib import Path

import pytest

from layouts.is3 import write
from soundspot.benchmarks import BENCHMARKS
from soundspot.data.check import check
from soundspot.data.sets.is3 import read_is3
from soundspot.types import UserError


def test_instances_of_a_picture_share_a_group(tmp_path: Path) -> None:
    tree = write(tmp_path)
    pairs = BENCHMARKS["is3"].load(*tree)
    assert [clip.id for clip, _ in pairs] == [
        "accordion_baby_10467_accordion", "accordion_baby_10467_baby",
        "donkey_sea-lion_77_donkey", "donkey_sea-lion_77_sea-lion",
    ]  # fmt: skip
    assert [target.group for _, target in pairs] == ["accordion_baby_10467"] * 2 + ["donkey_sea-lion_77"] * 2
    assert all(clip.group == target.group and clip.id == target.clip_id for clip, target in pairs)
    clip, target = pairs[1]
    assert clip.labels == target.labels == target.box_labels == ("baby",)
    assert target.boxes == ((0.5, 0.25, 1.0, 0.75),)
    assert clip.image == tree.root / "visual_frames/accordion_baby_10467_baby.jpg"
    assert clip.audio == tree.root / "audio_wav/accordion_baby_10467_baby.wav"
    assert target.mask == tree.root / "gt_masks/accordion_baby_10467_baby.jpg"
    assert check(pairs).fine


def test_boxes_alone_without_media(tmp_path: Path) -> None:
    tree = write(tmp_path)
    clip, target = read_is3(tree.annotations)[0]
    assert (clip.image, clip.audio, target.mask) == (None, None, None)
    assert target.boxes == ((0.0, 0.25, 0.5, 1.0),)


def test_masks_alone_need_the_root(tmp_path: Path) -> None:
    tree = write(tmp_path)
    listed = tree.annotations / "synthetic3240_seg.json"
    targets = [target for _, target in read_is3(listed, tree.root)]
    assert not any(target.boxes or target.box_labels for target in targets)
    assert [target.mask for target in targets] == [target.mask for _, target in read_is3(tree.annotations, tree.root)]
    with pytest.raises(UserError, match="expected masks for a list without boxes, got none; give the root"):
        read_is3(listed)


def test_a_lost_mask_is_named(tmp_path: Path) -> None:
    tree = write(tmp_path)
    (tree.root / "gt_masks/accordion_baby_10467_baby.jpg").unlink()
    with pytest.raises(UserError, match=r"got none for 1 .*accordion_baby_10467_baby"):
        read_is3(*tree)


def test_the_published_archives_names_serve_too(tmp_path: Path) -> None:
    tree = write(tmp_path)
    (tree.annotations / "synthetic3240_bbox.json").rename(tree.annotations / "IS3_annotation.json")
    (tree.root / "visual_frames").rename(tree.root / "images")
    (tree.root / "gt_masks").rename(tree.root / "gt_segmentation")
    pairs = read_is3(*tree)
    assert check(pairs).fine
    assert pairs[0][1].mask == tree.root / "gt_segmentation/accordion_baby_10467_accordion.jpg"


@pytest.mark.shared
def test_the_real_list(annotations: Path) -> None:
    pairs = BENCHMARKS["is3"].load(annotations / "kaistmm+SSLalignment/metadata")
    assert len(pairs) == len({clip.id for clip, _ in pairs}) == 6480
    groups = [target.group for _, target in pairs]
    assert len(set(groups)) == 3240
    assert all(groups.count(group) == 2 for group in groups[:20])
    assert len({target.labels for _, target in pairs}) == 111
    assert check(pairs, read=False).defects == []
    box = {clip.id: target.boxes for clip, target in pairs}
    assert box["accordion_baby_10467_baby"] == ((49 / 224, 8 / 224, 178 / 224, 221 / 224),)


@pytest.mark.shared
def test_a_real_picture_with_both_its_sounds(shared: Path, annotations: Path, tmp_path: Path) -> None:
    """The one genuine picture of IS3 at hand; it is the same under both names, as in the published archive."""
    from soundspot.data.loader import load_clip
    from soundspot.types import Inputs

    media = shared / "data/media/pairs/ssl_kccv_is3"
    stems = ("accordion_baby_10467_accordion", "accordion_baby_10467_baby")
    for folder in ("visual_frames", "audio_wav"):
        (tmp_path / folder).mkdir()
    for stem in stems:
        (tmp_path / "visual_frames" / f"{stem}.jpg").write_bytes((media / f"{stems[0]}.jpg").read_bytes())
        (tmp_path / "audio_wav" / f"{stem}.wav").write_bytes((media / f"{stem}.wav").read_bytes())
    pairs = [pair for pair in read_is3(annotations / "kaistmm+SSLalignment/metadata", tmp_path) if pair[0].id in stems]
    assert check(pairs).fine
    first, second = (load_clip(clip, Inputs(image_size=64)) for clip, _ in pairs)
    assert (first.image == second.image).all()
    assert first.samples.shape == second.samples.shape == (48000,)
    assert (first.samples != second.samples).any()
