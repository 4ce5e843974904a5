"""Sound of Pixels in the house: weights, predictions of a folder, recipes, training from kept features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from any_batch import noise_batch
from make_scenes import make_scenes
from soundspot import weights
from soundspot.data.folder import read_folder
from soundspot.methods import build
from soundspot.methods.sound_of_pixels import SoundOfPixels
from soundspot.predict import predict
from soundspot.recipes import recipe
from soundspot.train.loop import train
from soundspot.train.recipe import apply_settings
from soundspot.types import Batch


def test_weights_and_a_folders_maps_come_back(tmp_path: Path):
    torch.manual_seed(0)
    method = build("sound_of_pixels", image_backbone="resnet10t", image_size=64, width=2, levels=3, seconds=0.5).eval()
    path = weights.save(method, tmp_path / "w.safetensors")
    loaded = weights.load(path)
    scenes = make_scenes(tmp_path / "scenes", ["visible", "silent", "visible"])
    list_of = [clip for clip, _ in read_folder(scenes)]
    made_by_both = [predict(each, list_of, batch_size=2, progress=False) for each in (method, loaded)]
    for clip in list_of:
        one, other = (predictions.maps[clip.id] for predictions in made_by_both)
        assert one.shape == (4, 4)
        assert (one == other).all()
        assert 0 <= one.min() <= one.max() <= 1
    assert (made_by_both[0].maps[list_of[1].id] == 0).all(), "the silent one"
    assert made_by_both[0].provenance["score_high"] == "1.0"


@pytest.mark.parametrize("name", ["sound_of_pixels_vggsound_144k", "sound_of_pixels_music", "sound_of_pixels_paste"])
def test_recipes_resolve(name):
    found = recipe(name)
    assert (found.name, found.method) == (name, "sound_of_pixels")
    options = {option: value for option, value in found.options.items() if not option.startswith("init_")}
    assert isinstance(build(found.method, **{**options, "image_backbone": "resnet10t", "width": 2}), SoundOfPixels)


@pytest.mark.parametrize(("cache", "trainable"), [("off", "all"), ("features", "heads")])
def test_a_recipe_trains_on_a_folder(cache, trainable, tmp_path: Path):
    scenes = make_scenes(tmp_path / "scenes", ["visible"] * 4, split="train")
    set_to = {
        "batch_size": 2, "epochs": 1, "num_workers": 0, "cache": cache, "method.image_backbone": "resnet10t",
        "method.image_size": 32, "method.width": 2, "method.levels": 3, "method.seconds": 0.5,
        "method.image_norm": "imagenet", "method.trainable": trainable, "method.init_image": "",
    }  # fmt: skip
    small = apply_settings(recipe("sound_of_pixels_paste"), [f"{key}={value}" for key, value in set_to.items()])
    done = train(small, root=scenes, out=tmp_path / "out", progress=False)
    assert done.summary["steps"] == 2
    assert 0 < done.summary["last_losses"]["loss_separation"] < 2
    assert done.weights is not None
    before, after = build("sound_of_pixels", **small.options), weights.load(done.weights)
    assert after.inputs.sample_rate == 11025
    assert after.state_dict().keys() == before.state_dict().keys()


def test_frozen_parts_and_the_sound_are_all_that_training_needs():
    torch.manual_seed(0)
    method = build("sound_of_pixels", image_backbone="resnet10t", trainable="heads", width=2, levels=3).eval()
    batch = replace(noise_batch(size=2), draws=None)
    batch = replace(batch, extra={"waveform": 0.1 * torch.randn(2, 5000)})
    kept = method.frozen(batch)
    assert kept.keys() == {"image", "waveform"}
    blind = Batch(torch.empty(2, 3, 0, 0), torch.empty(2, 1, 0, 0), batch.clip_ids, extra=kept)
    torch.testing.assert_close(method.loss(blind), method.loss(batch))
    assert build("sound_of_pixels", image_backbone="resnet10t", width=2).frozen(batch) == {}
