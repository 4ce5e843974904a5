"""The papers' recipes: complete, documented, and able to take a step."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from encoder_files import cached
from make_scenes import make_scenes
from soundspot import weights
from soundspot.data.mining import MODALITIES, mine
from soundspot.methods import method_class
from soundspot.recipes import PAPERS, RECIPES, recipe
from soundspot.train.clips import find_clips
from soundspot.train.loop import train
from soundspot.train.recipe import DataSpec, apply_settings
from soundspot.types import UserError

SMALL = [
    "method.image_size=64",
    "method.seconds=0.5",
    "method.image_backbone=resnet10t",
    "method.audio_backbone=resnet10t",
    "compile=off",
    "autocast=off",
]
FILMS = {"avobject", "hear_the_flow"}
"""Papers whose methods need films: their own tests train them."""
LABELLED = {"coarse_to_fine", "lcbm"}
"""Papers whose methods need classes, which lists of ids do not give."""
OWN_SOUND = {"sound_of_pixels"}
"""Papers whose methods hear by a network that no package has, in the place of a tower."""
KEPT = sorted(set(PAPERS) - FILMS - OWN_SOUND)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_its_name_a_docstring_and_options_its_method_knows(name: str) -> None:
    built = recipe(name)
    module, _, function = RECIPES[name].partition(":")
    assert built.name == name
    assert set(built.options) <= set(inspect.signature(method_class(built.method)).parameters)
    assert getattr(importlib.import_module(module), function).__doc__
    text = importlib.import_module(module).__doc__ or ""
    assert f"soundspot train {name.split('_')[0]}" in text
    assert "Cost" in text


def test_every_recipe_on_a_published_list_checks_it_against_its_test_set() -> None:
    for name in RECIPES:
        built = recipe(name)
        assert built.choose == "last"
        assert built.on_leak == "stop"
        assert bool(built.data.test_ids) == (built.data.kind != "folder")


def test_an_unknown_recipe_gets_the_nearest_offered() -> None:
    with pytest.raises(UserError, match="did you mean 'ez_vsl_flickr_10k'"):
        recipe("ezvsl_flickr_10k")


def test_listing_recipes_imports_no_torch() -> None:
    code = (
        "import sys; from soundspot.recipes import RECIPES, recipe; [recipe(n) for n in RECIPES];"
        "sys.exit('torch' in sys.modules or 'av' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def mined(names: list[str], folder: Path) -> str:
    """Neighbours by chance, in `folder`."""
    for number, modality in enumerate(MODALITIES):
        vectors = np.random.default_rng(number).normal(size=(len(names), 4)).astype(np.float32)
        mine(vectors, names, folder, modality, k=1)
    return str(folder)


@pytest.mark.parametrize("paper", sorted(set(PAPERS) - FILMS - LABELLED - OWN_SOUND))
def test_a_papers_recipe_takes_a_step_and_says_that_it_began_at_random(
    paper: str, pairs_root: Path, tmp_path: Path
) -> None:
    built = recipe(f"{paper}_{PAPERS[paper][0]}")
    data = DataSpec("flickr")
    if built.data.neighbours is not None:
        clips = find_clips(replace(built, data=data), pairs_root).training
        data = replace(data, neighbours=mined([clip.id for clip, _ in clips], tmp_path / "near"))
    options = {name: value for name, value in built.options.items() if not name.startswith("init_")}
    small = apply_settings(replace(built, options=options, data=data, batch_size=2, num_workers=0), SMALL)
    tmp_path = tmp_path / "out"
    result = train(small, root=pairs_root, out=tmp_path, max_steps=1, progress=False)
    assert result.summary["init"] == "random init"
    assert result.summary["steps"] == 1


def test_a_papers_recipe_starts_from_a_picture_towers_file(pairs_root: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_file(timm.create_model("resnet10t").state_dict(), tmp_path / "tower.safetensors")
    small = replace(recipe("ez_vsl_flickr_10k"), data=DataSpec("flickr"), batch_size=2, num_workers=0)
    small = apply_settings(small, SMALL)
    result = train(
        small, root=pairs_root, out=tmp_path / "out", init=tmp_path / "tower.safetensors", max_steps=1, progress=False
    )
    assert "image: tower.safetensors sha256:" in result.summary["init"]
    assert "audio: random init" in result.summary["init"]


@pytest.mark.parametrize("paper", KEPT)
def test_a_recipe_on_pasted_scenes_learns_from_what_the_packages_towers_say(paper: str, tmp_path: Path) -> None:
    for encoder in ("tf_efficientnet_lite0", "yamnet"):
        cached(encoder)
    root = make_scenes(tmp_path / "scenes", ["visible", "silent", "visible"], split="train")
    built = recipe(f"{paper}_paste")
    assert (built.cache, built.batch_size, built.data.kinds) == ("features", 128, ("visible",))
    small = replace(built, batch_size=2, epochs=2, num_workers=0)
    if built.data.neighbours is not None:
        clips = find_clips(built, root).training
        mined([clip.id for clip, _ in clips], root / built.data.neighbours)
    result = train(small, root=root, out=tmp_path / "out", progress=False)
    assert result.summary["steps"] == 2
    assert "image: tf_efficientnet_lite0-" in result.summary["init"]
    assert "audio: yamnet-" in result.summary["init"]
    assert result.weights is not None
    found = weights.load(result.weights)
    assert found.inputs.spectrogram == "yamnet"
    assert found.inputs.sample_rate == 16000
    if paper in LABELLED:
        assert str(found.options["classes"]).count(";") == 1, "those of the clips"
