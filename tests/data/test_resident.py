"""A set resident in memory: the loader's batches to the bit, and the word that is given where it does not fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from make_media import make_film, tone
from make_scenes import make_scenes
from soundspot.data import resident
from soundspot.data.decoding import Pair
from soundspot.data.features import unmoved
from soundspot.data.folder import read_folder
from soundspot.data.loader import Stack
from soundspot.data.mining import Neighbours, mine
from soundspot.data.pack import pack
from soundspot.data.resident import Resident, fitting
from soundspot.data.shards import Packed
from soundspot.data.training import Plan, TrainingSet, training_batches
from soundspot.train.loop import train
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.types import Clip, Inputs, Missing, UserError

INPUTS = Inputs(image_size=48, sample_rate=8000, seconds=0.5, spectrogram="logmel", train_scale=1.25)
KINDS = ("visible", "visible", "silent", "visible", "offscreen", "visible", "noise", "visible", "visible")
HERE = torch.device("cpu")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("resident") / "scenes", KINDS, size=80)


@pytest.fixture(scope="module")
def pairs(scenes: Path) -> list[Pair]:
    return list(read_folder(scenes))


def same(one: Stack, other: Stack) -> None:
    assert [clip.id for clip in one.clips] == [clip.id for clip in other.clips]
    assert one.sample_rate == other.sample_rate
    for name in ("images", "samples", "draws"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype
        assert torch.equal(left, right), name
    for left, right in ((one.areas, other.areas), (one.views, other.views)):
        assert left.keys() == right.keys()
        for name in left:
            assert left[name].dtype == right[name].dtype
            assert torch.equal(left[name], right[name]), name


def compare(training: TrainingSet, plan: Plan, epochs: int = 2) -> list[Missing]:
    """Every batch from memory against the one from files; the missing of all."""
    held = Resident(training, HERE, num_workers=0)
    lost: list[Missing] = []
    read = training_batches(training, plan, epochs=epochs)
    for (stacks, missing), (held_stacks, held_missing) in zip(read, held.batches(plan, epochs, 0, 0), strict=True):
        assert len(stacks) == len(held_stacks)
        for one, other in zip(stacks, held_stacks, strict=True):
            same(one, other)
        assert missing == held_missing
        lost += missing
    return lost


def test_batches_are_the_loaders_to_the_bit(pairs: list[Pair]) -> None:
    training = TrainingSet(pairs, INPUTS, seed=2, areas=("mask", "objects"))
    assert compare(training, Plan(9, 4, drop_last=False, seed=2)) == []


def test_so_are_those_of_pictures_of_other_shapes_and_of_unreadable_clips(pairs: list[Pair], tmp_path: Path) -> None:
    from soundspot.media.image import write_image

    generator = np.random.default_rng(0)
    for name, size in (("wide", (60, 200)), ("tall", (300, 61))):
        write_image(tmp_path / f"{name}.png", generator.integers(0, 255, (*size, 3), np.uint8))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    more = [(replace(pairs[0][0], id=name, image=tmp_path / f"{name}.png"), None) for name in ("bad", "wide", "tall")]
    training = TrainingSet([*more[:1], *pairs, *more[1:]], INPUTS, seed=1)
    lost = compare(training, Plan(12, 5, drop_last=False, seed=7))
    assert [entry.clip_id for entry in lost] == ["bad", "bad"]
    held = Resident(training, HERE, num_workers=2)
    whole = sum(picture.image.nbytes + picture.samples.nbytes for picture in _decoded(training))
    assert held.num_bytes == whole


def _decoded(training: TrainingSet) -> list:
    reader = resident._Reader(training)
    return [found for found in (reader[number] for number in range(len(reader))) if not isinstance(found, Missing)]


def test_neighbours_are_cut_as_the_loader_cuts_them(pairs: list[Pair], tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
    ids = [clip.id for clip, _ in pairs]
    for modality in ("image", "audio"):
        mine(vectors, ids, tmp_path, modality, k=3)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    broken = list(pairs)
    broken[3] = (replace(pairs[3][0], image=tmp_path / "bad.png"), pairs[3][1])
    training = TrainingSet(broken, INPUTS, seed=2, neighbours=Neighbours(tmp_path, among=ids))
    lost = compare(training, Plan(9, 4, drop_last=False, seed=2), epochs=4)
    assert {"bad.png" in entry.reason for entry in lost} == {True}
    assert any(entry.reason.startswith(f"its neighbour {ids[3]}: ") for entry in lost)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    folder = tmp_path_factory.mktemp("resident")
    for number in range(3):
        make_film(
            folder / f"{number}.mp4",
            num_frames=30,
            rate=10,
            samples=tone(300 + 90 * number, 3, 16000),
            sample_rate=16000,
        )
    return [(Clip(f"f{number}", video=folder / f"{number}.mp4"), None) for number in range(3)]


def test_views_are_computed_after_the_cut(films: list[Pair]) -> None:
    pytest.importorskip("cv2")
    inputs = replace(INPUTS, views=("flow", "frames"), num_frames=2)
    compare(TrainingSet(films, inputs, seed=0), Plan(3, 3, seed=0))


def test_random_frames_of_films_cannot_stay_in_memory(films: list[Pair]) -> None:
    moving = TrainingSet(films, replace(INPUTS, train_frame="random"), seed=0)
    with pytest.raises(UserError, match="cache=off with train_frame=random"):
        Resident(moving, HERE, 0)
    with pytest.raises(UserError, match="cache=off with train_frame=random"):
        fitting(moving, HERE)


def test_a_pack_stays_in_memory_too_and_in_order_are_the_middle_crops(pairs: list[Pair], tmp_path: Path) -> None:
    pack(pairs, INPUTS, tmp_path / "packed", areas=("mask",), jobs=1)
    training = TrainingSet(pairs, INPUTS, seed=4, areas=("mask",), packed=Packed.at(tmp_path / "packed"))
    compare(training, Plan(9, 3, seed=4))
    held = Resident(training, HERE, num_workers=0)
    middles = [stacked for stacks, _ in unmoved(training, 0) for stacked in stacks]
    for one, other in zip(middles, held.in_order(), strict=True):
        same(one, other)


def test_for_another_device_they_are_cut_ahead_and_are_the_same(pairs: list[Pair]) -> None:
    training = TrainingSet(pairs, INPUTS, seed=2)
    plan = Plan(9, 4, seed=2)
    here = Resident(training, HERE, 0)
    elsewhere = Resident(training, HERE, 0, for_device=torch.device("meta"))
    read = list(elsewhere.batches(plan, 3, 0, 1))
    assert len(read) == 5
    for (one, _), (other, _) in zip(here.batches(plan, 3, 0, 1), read, strict=True):
        same(one[0], other[0])


def test_it_grows_where_the_probed_clips_promised_less(pairs: list[Pair]) -> None:
    training = TrainingSet(pairs, INPUTS, seed=2)
    small, plain = Resident(training, HERE, 0, num_bytes=1.0), Resident(training, HERE, 0, num_bytes=1e6)
    keys: Sequence[tuple[int, int]] = [(0, number) for number in range(9)]
    same(small.fetch(keys)[0][0], plain.fetch(keys)[0][0])
    assert small.num_bytes == plain.num_bytes


def test_what_does_not_fit_is_read_again_and_the_run_says_so(
    scenes: Path, pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    training = TrainingSet(pairs, INPUTS, seed=2)
    fits = fitting(training, HERE)
    assert (fits.place, fits.note) == (HERE, None)
    needed = Resident(training, HERE, 0).num_bytes
    assert fits.num_bytes == pytest.approx(needed, rel=0.01)
    monkeypatch.setattr(resident, "free_bytes", lambda place: needed / 0.7 * 1.5)
    assert fitting(training, HERE).place == HERE
    assert fitting(training, HERE, processes=2).place is None, "each of the processes holds it"
    monkeypatch.setattr(resident, "free_bytes", lambda place: 1000.0)
    recipe = Recipe(
        "r",
        "ez_vsl",
        options={"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "image_size": 48, "seconds": 0.5},
        data=DataSpec(),
        epochs=1,
        batch_size=3,
        num_workers=0,
        cache="memory",
        seed=3,
    )
    fallen = train(recipe, root=scenes, out=tmp_path / "fallen", progress=False)
    said = "may lie on cpu: it is read again in every epoch"
    assert said in capsys.readouterr().err
    assert any(said in note for note in json.loads((tmp_path / "fallen" / "summary.json").read_text())["notes"])
    monkeypatch.undo()
    whole = train(recipe, root=scenes, out=tmp_path / "whole", progress=False)
    assert capsys.readouterr().err == ""
    assert fallen.weights is not None
    assert whole.weights is not None
    assert fallen.summary["last_losses"] == whole.summary["last_losses"]


def test_free_memory_is_what_the_machine_can_give() -> None:
    free = resident.free_bytes(HERE)
    assert 2**28 < free < 2**44


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="not run: no CUDA device")
def test_on_a_gpu_the_batches_are_the_same(pairs: list[Pair]) -> None:
    training = TrainingSet(pairs, INPUTS, seed=2, areas=("mask",))
    place = torch.device("cuda")
    assert fitting(training, place).place == place
    here, there = Resident(training, HERE, 0), Resident(training, place, 0)
    for (left, _), (right, _) in zip(
        here.batches(Plan(9, 4, seed=2), 1, 0, 0), there.batches(Plan(9, 4, seed=2), 1, 0, 0), strict=True
    ):
        assert right[0].images.device.type == "cuda"
        moved = right[0]
        assert torch.equal(left[0].images, moved.images.cpu())
        assert torch.equal(left[0].samples, moved.samples.cpu())
        assert torch.equal(left[0].areas["mask"], moved.areas["mask"].cpu())
