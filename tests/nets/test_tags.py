"""Weights by timm's tags, from files that lie where the hub or soundspot keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from soundspot.nets import tags
from soundspot.nets.image import ImageTower
from soundspot.nets.tags import tagged
from soundspot.recipes import recipe
from soundspot.train.start import start_method
from soundspot.types import UserError

TAG = "resnet10t.c3_in1k"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of our own that holds nothing, and made weights of TAG beside it."""
    monkeypatch.setenv("SOUNDSPOT_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    path = tmp_path / "made.safetensors"
    save_file(timm.create_model("resnet10t").state_dict(), path)
    return path


def in_cache(made: Path) -> Path:
    place = made.parent / "cache/timm" / f"{TAG}.safetensors"
    place.parent.mkdir(parents=True)
    return made.rename(place)


def test_what_the_hubs_cache_holds_is_found_and_kept_under_its_own_name(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    commit = "0" * 40
    repository = tmp_path / "hub" / f"models--timm--{TAG}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text(commit)
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "snapshots" / commit / "model.safetensors").write_bytes(made.read_bytes())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = tagged(f"timm:{TAG}")
    assert found.architecture == "resnet10t"
    assert found.mean == (0.485, 0.456, 0.406)
    assert found.file == tmp_path / "cache/timm" / f"{TAG}.safetensors"
    assert found.file.read_bytes() == made.read_bytes()
    assert tagged("resnet10t").file == found.file, "timm's default tag"
    pinned = tagged(f"timm:{TAG}@{commit}")
    assert pinned.file == tmp_path / "cache/timm" / f"{TAG}@{commit}.safetensors"
    with pytest.raises(UserError, match=r"expected model\.safetensors of timm/"):
        tagged(f"timm:{TAG}@{'1' * 40}")
    with pytest.raises(UserError, match="expected a revision"):
        tagged(f"timm:{TAG}@../../up")
    assert f"{TAG}.safetensors sha256:" in ImageTower("resnet10t", pretrained=found.file).initial


def test_weights_out_of_reach_say_where_to_put_them(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=rf"expected model\.safetensors of timm/{TAG} .*put it at .*cache/timm/{TAG}"):
        tagged(TAG)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet10t.c4_in1k", r"got 'resnet10t\.c4_in1k'; there is resnet10t\.c3_in1k"),
        ("resnet10x", "got 'resnet10x'; there is .*resnet101"),
        ("test_no_such_thing_at_all_9", r"see timm\.list_pretrained"),
    ],
)
def test_unknown_tags_offer_what_there_is(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        tagged(name)


def test_a_tag_fills_either_tower_and_decides_its_architecture(made: Path) -> None:
    weights = timm.create_model("resnet10t").state_dict()
    weights = {name: value for name, value in weights.items() if not name.startswith("fc.")}
    save_file(weights, made)
    in_cache(made)
    built = recipe("ez_vsl_vggsound_144k")
    assert "image_backbone" not in built.options
    start = start_method(built, f"timm:{TAG}", f"timm:{TAG}")
    options = start.method.options
    assert (options["image_backbone"], options["audio_backbone"]) == ("resnet10t", "resnet10t")
    assert start.init.count(f"{TAG}.safetensors sha256:") == 2
    state = start.method.state_dict()
    torch.testing.assert_close(state["image.net.conv1.0.weight"], weights["conv1.0.weight"])
    torch.testing.assert_close(state["audio.net.conv1.0.weight"], weights["conv1.0.weight"].sum(dim=1, keepdim=True))


def test_a_tag_of_another_architecture_than_the_recipes_is_refused(made: Path) -> None:
    from dataclasses import replace

    in_cache(made)
    built = replace(recipe("ez_vsl_vggsound_144k"), options={"image_backbone": "resnet18"})
    with pytest.raises(UserError, match="give the weights of the same architecture"):
        start_method(built, f"timm:{TAG}")


def test_every_tag_that_timm_lists_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "_file", lambda name, repository, revision: Path(name))
    for name in timm.list_pretrained("resnet*") + timm.list_pretrained("vit_small*"):
        assert tagged(f"timm:{name}").file == Path(name)
