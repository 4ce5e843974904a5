"""Packed clips: what WebDataset itself reads, what training reads, and what a damaged or half-made pack does."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import webdataset

from make_media import make_film, number_of, tone
from make_scenes import make_scenes
from soundspot.data.decoding import UNMOVED, Draws, Pair, decode, draw
from soundspot.data.folder import read_folder
from soundspot.data.pack import Form, pack
from soundspot.data.shards import PACK, Packed
from soundspot.data.training import Plan, TrainingSet, training_batches
from soundspot.media.errors import MediaError
from soundspot.train.clips import find_clips
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.types import Clip, Inputs, Missing, UserError

INPUTS = Inputs(image_size=48, sample_rate=8000, seconds=0.5, spectrogram="logmel")
AREAS = ("mask", "objects")
KINDS = ("visible", "visible", "silent", "visible", "offscreen", "visible", "noise", "visible")
SMALL = Form(clips_per_shard=3, quality=95)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("pack") / "scenes", KINDS)


@pytest.fixture(scope="module")
def pairs(scenes: Path) -> list[Pair]:
    return list(read_folder(scenes))


@pytest.fixture
def packed(pairs: list[Pair], tmp_path: Path) -> Packed:
    pack(pairs, INPUTS, tmp_path / "packed", areas=AREAS, form=SMALL, jobs=1)
    return Packed.at(tmp_path / "packed")


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def brightness(picture: np.ndarray) -> np.ndarray:
    """(..., 3) -> (...): of coloured noise JPEG keeps little else."""
    return picture.astype(float) @ (0.299, 0.587, 0.114)


def test_a_packed_clip_is_the_clip_but_for_what_jpeg_loses(pairs: list[Pair], packed: Packed) -> None:
    assert [clip.id for clip, _ in pairs] == list(packed.rows)
    for pair in pairs:
        draws = draw(0, 0, pair[0].id)
        from_file, from_pack = decode(pair, INPUTS, draws, AREAS), packed.decode(pair[0].id, draws)
        assert np.array_equal(from_pack.samples, from_file.samples)
        assert from_pack.samples.dtype == np.int16
        assert from_pack.sample_rate == from_file.sample_rate
        assert from_pack.image.shape == from_file.image.shape
        assert np.abs(brightness(from_pack.image) - brightness(from_file.image)).mean() < 2
        assert from_pack.areas.keys() == from_file.areas.keys() == set(AREAS)
        for name in AREAS:
            assert np.array_equal(from_pack.areas[name], from_file.areas[name])
        clip, target = packed.rows[pair[0].id].pair()
        assert (clip.labels, clip.group) == (pair[0].labels, pair[0].group)
        assert target is not None
        assert pair[1] is not None
        assert (target.kind, target.boxes, target.box_labels) == (pair[1].kind, pair[1].boxes, pair[1].box_labels)


def test_a_run_sees_the_same_crops_of_the_same_clips(pairs: list[Pair], packed: Packed) -> None:
    from_files = TrainingSet(pairs, INPUTS, seed=5, areas=AREAS)
    from_pack = TrainingSet(pairs, INPUTS, seed=5, areas=AREAS, packed=packed)
    plan = Plan(8, 4, seed=5)
    read = [training_batches(each, plan, epochs=2) for each in (from_files, from_pack)]
    for (one, _), (other, _) in zip(*read, strict=True):
        assert [clip.id for clip in one[0].clips] == [clip.id for clip in other[0].clips]
        assert np.abs(brightness(one[0].images.numpy()) - brightness(other[0].images.numpy())).mean() < 2
        assert (one[0].samples == other[0].samples).all()
        for name in AREAS:
            assert (one[0].areas[name] == other[0].areas[name]).all()


def test_webdataset_itself_reads_the_shards(packed: Packed, pairs: list[Pair]) -> None:
    shards = [str(path) for path in sorted(packed.folder.glob("*.tar"))]
    assert len(shards) == 3
    read = list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8"))
    assert [sample["json"]["id"] for sample in read] == [clip.id for clip, _ in pairs]
    for sample in read:
        decoded = packed.decode(sample["json"]["id"], UNMOVED)
        assert np.array_equal(sample["npy"], decoded.samples)
        assert np.abs(sample["jpg"].astype(int) - decoded.image).max() <= 2, "two decoders of one file"
        assert sample["json"]["sample_rate"] == decoded.sample_rate
        assert {"mask.png", "objects.png"} < sample.keys()


def test_the_bytes_do_not_depend_on_the_number_of_processes(pairs: list[Pair], packed: Packed, tmp_path: Path) -> None:
    done = pack(pairs, INPUTS, tmp_path / "by3", areas=AREAS, form=SMALL, jobs=3)
    assert (done.clips, done.shards, done.made, done.missing) == (8, 3, 3, [])
    left, right = digests(packed.folder), digests(tmp_path / "by3")
    assert len(left) == 7
    assert {name: left[name] for name in left if name != PACK} == {name: right[name] for name in right if name != PACK}


def test_an_interrupted_run_goes_on_and_makes_anew_what_is_damaged(packed: Packed, pairs: list[Pair]) -> None:
    folder, whole = packed.folder, digests(packed.folder)
    again = pack(pairs, INPUTS, folder, areas=AREAS, form=SMALL, jobs=1)
    assert (again.clips, again.made) == (8, 0)
    (folder / PACK).unlink()  # stopped after the second shard's index, with half of the third
    (folder / "shard-000002.jsonl").unlink()
    (folder / "shard-000002.tar").write_bytes((folder / "shard-000002.tar").read_bytes()[:5000])
    with pytest.raises(UserError, match=r"pack\.json.*pack again"):
        Packed.at(folder)
    damaged = bytearray((folder / "shard-000000.tar").read_bytes())
    damaged[3000] ^= 1
    (folder / "shard-000000.tar").write_bytes(damaged)
    assert pack(pairs, INPUTS, folder, areas=AREAS, form=SMALL, jobs=1).made == 2
    assert digests(folder) == whole


def test_a_changed_bit_is_a_missing_clip_and_no_other(packed: Packed, pairs: list[Pair]) -> None:
    row = packed.rows[pairs[4][0].id]
    start, size, _ = row.moments[0]["jpg"]
    damaged = bytearray(row.shard.read_bytes())
    damaged[start + size // 2] ^= 4
    row.shard.write_bytes(damaged)
    training = TrainingSet(pairs, INPUTS, seed=0, areas=AREAS, packed=Packed.at(packed.folder))
    read = [training[0, number] for number in range(8)]
    lost = [entry for entry in read if isinstance(entry, Missing)]
    assert [entry.clip_id for entry in lost] == [pairs[4][0].id]
    assert "expected the bytes that were packed, got others; pack again" in lost[0].reason


@pytest.mark.parametrize("place", ["../elsewhere/shard-000000.tar", "{folder}/shard-000000.tar"])
def test_a_pack_names_no_files_elsewhere(packed: Packed, place: str) -> None:
    elsewhere = packed.folder.with_name("elsewhere")
    shutil.copytree(packed.folder, elsewhere)
    head = json.loads((packed.folder / PACK).read_text())
    head["shards"][0]["file"] = place.format(folder=elsewhere)
    (packed.folder / PACK).write_text(json.dumps(head))
    with pytest.raises(UserError, match="expected names of files beside it"):
        Packed.at(packed.folder)
    head["shards"][0]["file"] = "shard-000000.tar"
    (packed.folder / PACK).write_text(json.dumps(head))
    (packed.folder / "shard-000000.tar").unlink()
    (packed.folder / "shard-000000.tar").symlink_to(elsewhere / "shard-000000.tar")
    with pytest.raises(UserError, match="expected names of files beside it"):
        Packed.at(packed.folder)


@pytest.mark.parametrize(("start", "size"), [(0, 1 << 50), (-1, 10), (0, -1), (1 << 60, 10)])
def test_an_index_that_claims_what_the_shard_has_not_costs_no_memory(
    packed: Packed, pairs: list[Pair], start: int, size: int
) -> None:
    row = packed.rows[pairs[0][0].id]
    moment = dict(row.moments[0])
    moment["jpg"] = (start, size, 0)
    row.moments[0] = moment
    with pytest.raises(MediaError, match="expected the bytes that were packed"):
        packed.decode(row.clip_id, draw(0, 0, row.clip_id))


def test_a_shard_of_another_length_is_refused(packed: Packed) -> None:
    shard = packed.folder / "shard-000001.tar"
    shard.write_bytes(shard.read_bytes()[:-512])
    with pytest.raises(UserError, match=r"shard-000001\.tar: expected the \d+ bytes .* pack again"):
        Packed.at(packed.folder)


def test_other_clips_or_settings_are_refused_and_nothing_is_mixed(packed: Packed, pairs: list[Pair]) -> None:
    before = digests(packed.folder)
    for change in (
        {"pairs": pairs[:-1]},
        {"inputs": replace(INPUTS, seconds=0.4)},
        {"form": Form(clips_per_shard=3, quality=80)},
        {"areas": ()},
    ):
        words = {"pairs": pairs, "inputs": INPUTS, "areas": AREAS, "form": SMALL, **change}
        with pytest.raises(UserError, match="expected a shard of these clips and settings"):
            pack(words.pop("pairs"), words.pop("inputs"), packed.folder, jobs=1, **words)
    assert digests(packed.folder) == before


def test_a_run_that_asks_for_something_else_is_refused(packed: Packed, pairs: list[Pair]) -> None:
    for change, said in (
        ({"image_size": 56}, r"side=61 \(not 52\)"),
        ({"seconds": 1.0}, r"seconds=1.0 \(not 0.5\)"),
        ({"views": ("flow",)}, r"views=\('flow',\)"),
        ({"train_frame": "random"}, "train_frame=random"),
    ):
        with pytest.raises(UserError, match=f"expected a pack with {said}"):
            TrainingSet(pairs, replace(INPUTS, **change), seed=0, packed=packed)
    TrainingSet(pairs, INPUTS, seed=0, areas=("mask",), packed=packed)  # less than there is will do


def test_flac_loses_nothing(pairs: list[Pair], packed: Packed, tmp_path: Path) -> None:
    pack(pairs, INPUTS, tmp_path / "flac", areas=AREAS, form=Form(sound="flac"), jobs=1)
    flac = Packed.at(tmp_path / "flac")
    for clip, _ in pairs:
        draws = UNMOVED
        assert np.array_equal(flac.decode(clip.id, draws).samples, packed.decode(clip.id, draws).samples)
    (tone_row, other) = (found.rows[pairs[0][0].id].moments[0] for found in (flac, packed))
    assert tone_row["flac"][1] < 0.8 * other["npy"][1]
    with pytest.raises(UserError, match="unknown form of sounds 'mp3'"):
        pack(pairs, INPUTS, tmp_path / "mp3", form=Form(sound="mp3"))


def test_workers_and_ranks_see_the_same_epoch_and_a_later_start_goes_on_in_it(
    packed: Packed, pairs: list[Pair]
) -> None:
    training = TrainingSet(pairs, INPUTS, seed=3, areas=AREAS, packed=packed)

    def ids(workers: int, **how: int) -> list[list[str]]:
        plan = Plan(8, 4, drop_last=False, seed=3, **{name: how[name] for name in ("rank", "num_ranks") if name in how})
        read = training_batches(training, plan, epochs=2, first_step=how.get("first_step", 0), num_workers=workers)
        return [[clip.id for clip in stacks[0].clips] for stacks, _ in read]

    whole = ids(0)
    assert sorted(whole[0] + whole[1]) == sorted(clip.id for clip, _ in pairs), "an epoch has each clip once"
    assert ids(2) == whole
    shares = [ids(1, rank=rank, num_ranks=2) for rank in (0, 1)]
    assert [left + right for left, right in zip(*shares, strict=True)] == whole
    assert ids(2, first_step=1) == whole[1:]


def test_clips_that_cannot_be_read_are_listed_with_their_reasons(pairs: list[Pair], tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    broken = [*pairs, (replace(pairs[0][0], id="zz", image=tmp_path / "bad.png"), pairs[0][1])]
    done = pack(broken, INPUTS, tmp_path / "packed", missing=[Missing("gone", "no media")], jobs=2)
    assert done.clips == 8
    reasons = {entry.clip_id: entry.reason for entry in done.missing}
    assert reasons.keys() == {"gone", "zz"}
    assert "bad.png" in reasons["zz"]
    read = Packed.at(tmp_path / "packed")
    assert {entry.clip_id: entry.reason for entry in read.missing} == reasons
    assert "zz" not in read.rows


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack") / "numbers.mp4"
    make_film(path, num_frames=40, rate=10, samples=tone(440, 4, 16000), sample_rate=16000)
    return path


def test_random_frames_of_a_film_come_from_several_packed_moments(film: Path, tmp_path: Path) -> None:
    moving = replace(INPUTS, train_frame="random", train_scale=1.0)
    pair: Pair = (Clip("f", video=film), None)
    pack([pair], moving, tmp_path / "packed", form=Form(moments=4), jobs=1)
    packed = Packed.at(tmp_path / "packed")
    assert packed.moves
    shown = [number_of(packed.decode("f", Draws(0.5, 0.5, 1.0, moment)).image) for moment in (0.0, 0.3, 0.6, 0.99)]
    assert shown == [number_of(decode(pair, moving, Draws(0.5, 0.5, 1.0, (n + 0.5) / 4)).image) for n in range(4)]
    assert shown == sorted(set(shown))
    TrainingSet([pair], moving, seed=0, packed=packed)


def test_the_frames_of_views_are_packed_too(film: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    inputs = replace(INPUTS, views=("flow", "frames"), num_frames=3)
    pair: Pair = (Clip("f", video=film), None)
    pack([pair], inputs, tmp_path / "packed", jobs=1)
    read = Packed.at(tmp_path / "packed").decode("f", UNMOVED)
    expected = decode(pair, inputs, UNMOVED)
    assert {name: len(frames) for name, frames in read.frames.items()} == {"flow": 2, "frames": 3}
    for name, frames in expected.frames.items():
        for one, other in zip(frames, read.frames[name], strict=True):
            assert np.abs(one.astype(int) - other).mean() < 4


PACKED_RECIPE = ("ez_vsl_paste", "--set", "data.split=test", "--set", "data.kinds=", "--set", "cache=off")
TINY = [
    *("--set", "method.image_backbone=resnet10t", "--set", "method.audio_backbone=resnet10t"),
    *("--set", "method.init_image=", "--set", "method.init_audio=", "--set", "method.spectrogram=logmel"),
    *("--set", "method.trainable=all", "--set", "method.trainable_audio=all", "--set", "method.image_size=64"),
    *("--set", "epochs=2", "--set", "batch_size=4", "--set", "num_workers=1", "--set", "log_steps=1"),
]


def test_the_verb_packs_what_a_recipe_trains_on_and_the_pack_is_a_runs_root(
    scenes: Path, tmp_path: Path, command: Callable
) -> None:
    out = tmp_path / "packed"
    done = command("pack", PACKED_RECIPE[0], scenes, out, *PACKED_RECIPE[1:], *TINY, "--jobs", "2", "--clips", "5")
    assert done.code == 0, done.err
    assert done.out.startswith(f"{out}\t8 clips\t2 shards (2 made now)\t")
    words = [*PACKED_RECIPE, *TINY]
    for root, name in ((scenes, "files"), (out, "pack")):
        ran = command("train", *words, "--root", root, "--out", tmp_path / name)
        assert ran.code == 0, ran.err
    losses = {}
    for name in ("files", "pack"):
        rows = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        losses[name] = [row["loss"] for row in rows if row["kind"] == "step"]
        assert json.loads((tmp_path / name / "summary.json").read_text())["clips_used"] == 8
    assert len(losses["files"]) == 4
    assert losses["pack"][0] == pytest.approx(losses["files"][0], rel=0.2), "the same crops, but for JPEG"
    again = json.loads(command("pack", PACKED_RECIPE[0], scenes, out, *words[1:], "--clips", "5", "--json").out)
    assert (again["clips"], again["made"]) == (8, 0)


def test_lists_come_along_so_that_no_leak_goes_unseen(scenes: Path, tmp_path: Path, command: Callable) -> None:
    out = tmp_path / "packed"
    (scenes / "test_ids.txt").write_text("test003\nelsewhere\n")
    words = [*PACKED_RECIPE, *TINY, "--set", "data.test_ids=test_ids.txt"]
    assert command("pack", words[0], scenes, out, *words[1:], "--jobs", "1").code == 0
    refused = command("train", *words, "--root", out, "--out", tmp_path / "run")
    assert refused.code == 2
    assert "1 of the 2 test ids of test_ids are among the 8 training ids" in refused.err
    with pytest.raises(UserError, match="expected a pack of the split train, got one of test"):
        find_clips(Recipe("r", "m:M", data=DataSpec(split="train")), out)
    held = find_clips(Recipe("r", "m:M", data=DataSpec(split="test", kinds=("silent",))), out)
    assert [clip.id for clip, _ in held.training] == ["test002"]
