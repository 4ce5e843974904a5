"""Two-tower methods on kept features: what the frozen stages gave once is what they would give again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from make_scenes import make_scenes
from soundspot import methods
from soundspot.data.features import KeptFeatures
from soundspot.data.folder import read_folder
from soundspot.data.training import TrainingSet
from soundspot.methods.base import Method
from soundspot.train.loop import train
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.types import Batch, UserError

PAPERS = ("ez_vsl", "slavc", "lvs")
Options = dict[str, int | float | str | bool]
OPTIONS: Options = {
    "image_backbone": "resnet10t",
    "audio_backbone": "yamnet",
    "audio_stride": 32,
    "trainable": "last_block",
    "trainable_audio": "last_block",
    "dim": 16,
    "image_size": 64,
    "spectrogram": "yamnet",
    "sample_rate": 16000,
    "seconds": 0.5,
}


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    """A picture tower whose batch norm has seen something: in evaluation mode a fresh one's features overflow."""
    torch.manual_seed(1)
    net = timm.create_model("resnet10t").train()
    with torch.no_grad():
        for _ in range(60):
            net(torch.randn(8, 3, 64, 64))
    path = tmp_path_factory.mktemp("weights") / "resnet10t.safetensors"
    save_file(net.state_dict(), path)
    return {**OPTIONS, "init_image": str(path)}


def build(paper: str, options: Options, **others: int | float | str | bool) -> Method:
    torch.manual_seed(3)
    return methods.build(paper, **{**options, **others})


def noise(size: int = 4) -> Batch:
    draw = torch.Generator().manual_seed(7)
    return Batch(
        image=torch.randn(size, 3, 64, 64, generator=draw),
        audio=torch.randn(size, 1, 64, 48, generator=draw),
        clip_ids=tuple(str(number) for number in range(size)),
    )


def without_media(batch: Batch, kept: dict[str, torch.Tensor]) -> Batch:
    size = len(batch)
    return Batch(torch.empty(size, 3, 0, 0), torch.empty(size, 1, 0, 0), batch.clip_ids, extra=kept)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("scenes"), ["visible"] * 8, split="train")


@pytest.mark.parametrize("paper", PAPERS)
def test_loss_gradient_and_map_are_the_same_from_kept_features(paper: str, options: Options) -> None:
    method, batch = build(paper, options), noise()
    method.train()
    method.after_step()
    kept = method.frozen(batch)
    assert set(kept) == {"image", "audio"}
    state = {name: value.clone() for name, value in method.state_dict().items()}
    results = []
    for given in (batch, without_media(batch, kept)):
        method.load_state_dict(state)
        method.zero_grad()
        torch.manual_seed(5)  # dropout
        loss = method.train().loss(given)
        torch.stack(list(loss.values())).sum().backward()
        gradients = {name: value.grad.clone() for name, value in method.named_parameters() if value.grad is not None}
        with torch.no_grad():
            maps = method.eval().localize(given)
        results.append((loss, gradients, maps))
    (loss, gradients, maps), (loss_kept, gradients_kept, maps_kept) = results
    assert gradients.keys() == gradients_kept.keys()
    assert gradients
    assert all(torch.equal(value, loss_kept[name]) for name, value in loss.items())
    assert all(torch.equal(value, gradients_kept[name]) for name, value in gradients.items())
    assert torch.equal(maps, maps_kept)


@pytest.mark.parametrize("paper", PAPERS)
def test_half_precision_moves_a_map_by_little(paper: str, options: Options) -> None:
    method, batch = build(paper, options).eval(), noise()
    with torch.no_grad():
        maps = method.localize(batch)
        halved = {name: value.half().float() for name, value in method.frozen(batch).items()}
        kept = method.localize(without_media(batch, halved))
    assert float((maps - kept).abs().max()) < 0.01 * float(maps.abs().max())


@pytest.mark.parametrize("paper", PAPERS)
def test_nothing_is_kept_where_a_whole_tower_learns(paper: str, options: Options) -> None:
    assert build(paper, options, trainable="all").frozen(noise()) == {}


def test_slavcs_frozen_stages_stay_the_same_in_the_teachers(options: Options) -> None:
    method = build("slavc", options, momentum_image=0.7, momentum_audio=0.7)
    for _ in range(20):
        method.after_step()
    online, teacher = method.online, method.teacher  # type: ignore[attr-defined]
    batch = noise()
    assert torch.equal(online.image.frozen(batch.image), teacher.image.frozen(batch.image))
    assert torch.equal(online.audio.frozen(batch.audio), teacher.audio.frozen(batch.audio))


def recipe(options: Options, **others: int | float | str | bool) -> Recipe:
    data = DataSpec("folder", split="train")
    chosen = {**options, **others}
    return Recipe("ez", "ez_vsl", chosen, data, epochs=2, batch_size=4, cache="features", num_workers=0, log_steps=1)


def test_runs_share_one_pass_through_frozen_stages(scenes: Path, tmp_path: Path, options: Options) -> None:
    first = train(recipe(options), root=scenes, out=tmp_path / "first", progress=False)
    assert first.kept is not None
    again = train(recipe(options), root=scenes, out=tmp_path / "again", kept=first.kept, progress=False)
    assert again.kept is first.kept
    assert again.summary["last_losses"] == first.summary["last_losses"]
    other = train(
        recipe(options, matching="avg_sim"), root=scenes, out=tmp_path / "other", kept=first.kept, progress=False
    )
    assert other.summary["last_losses"] != first.summary["last_losses"]


def test_kept_features_of_other_clips_or_parts_are_refused(scenes: Path, tmp_path: Path, options: Options) -> None:
    method = build("ez_vsl", options)
    pairs = list(read_folder(scenes, split="train"))
    here, turned = (TrainingSet(some, method.inputs, seed=0) for some in (pairs, pairs[::-1]))
    kept = KeptFeatures(here, method, "cpu")
    kept.check(here, method, "cpu")
    with pytest.raises(UserError, match="these 8 clips"):
        kept.check(turned, method, "cpu")
    torch.manual_seed(4)
    with pytest.raises(UserError, match="same frozen parts"):
        kept.check(here, methods.build("ez_vsl", **options), "cpu")
    with pytest.raises(UserError, match="cache=features"):
        train(replace(recipe(options), cache="off"), root=scenes, out=tmp_path, kept=kept, progress=False)


def test_views_kept_under_one_seed_serve_runs_of_another(scenes: Path, options: Options) -> None:
    changed = {"motion": "clip", "time_mask": 4, "frequency_mask": 4}
    method = build("ssl_tie", {**options, **changed})
    pairs = list(read_folder(scenes, split="train"))
    ours, theirs = (TrainingSet(pairs, method.inputs, seed=seed) for seed in (0, 1))
    kept = KeptFeatures(ours, method, "cpu")
    assert {"image_moved", "degrees"} <= kept.features.keys()
    kept.check(theirs, method, "cpu")
    other = KeptFeatures(theirs, method, "cpu")
    assert not torch.equal(kept.features["degrees"], other.features["degrees"]), "by its own seed they were others"
