"""Weights files: what they refuse, and what their header tells. Round trips are in tests/methods."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from soundspot import weights
from soundspot.methods import build
from soundspot.tensors import read_safetensors
from soundspot.types import UserError


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    method = build("ogl", image_backbone="resnet10t")
    return weights.save(method, tmp_path_factory.mktemp("weights") / "ogl.safetensors")


def test_header_tells_method_options_and_origin_without_reading_tensors(saved):
    header = weights.read_header(saved)
    assert header["method"] == "ogl"
    assert json.loads(header["options"])["image_backbone"] == "resnet10t"
    assert json.loads(header["initial"]) == {"image": "random init"}
    assert header["licence"] == "not stated"


def test_nothing_is_left_beside_the_file(saved):
    assert [path.name for path in saved.parent.iterdir()] == ["ogl.safetensors"]


def test_the_same_weights_are_the_same_bytes(saved, tmp_path):
    """The library would order the header's fields anew each time."""
    method = weights.load(saved)
    copies = [weights.save(method, tmp_path / f"{number}.safetensors", {"b": "1", "a": "2"}) for number in range(4)]
    assert len({weights.sha256(copy) for copy in copies}) == 1
    assert all(torch.equal(value, load_file(copies[0])[name]) for name, value in load_file(saved).items())


def test_paths_of_initial_weights_stay_out_of_the_file(saved, tmp_path):
    initial = tmp_path / "tower.safetensors"
    tensors = {name.removeprefix("image.net."): value for name, value in load_file(saved).items()}
    save_file(tensors, initial)
    method = build("ogl", image_backbone="resnet10t", init_image=str(initial))
    assert method.initial["image"] == f"tower.safetensors sha256:{weights.sha256(initial)}"
    path = weights.save(method, tmp_path / "ogl.safetensors")
    initial.unlink()
    loaded = weights.load(path)
    assert loaded.initial == method.initial
    assert str(tmp_path) not in json.dumps(weights.read_header(path))
    for name, value in method.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name])


def test_wrong_files_are_refused_in_one_line(saved, tmp_path):
    with pytest.raises(UserError, match="got nothing there"):
        weights.load(tmp_path / "no.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(UserError, match="soundspot convert"):
        weights.load(tmp_path / "text.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="without that header"):
        weights.load(tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="without that header"):
        weights.read_header(tmp_path / "other.safetensors")


def test_tensors_that_do_not_fit_are_refused(saved, tmp_path):
    tensors, header = read_safetensors(saved)
    tensors.pop("image.net.layer1.0.conv1.weight")
    save_file(tensors, tmp_path / "less.safetensors", header)
    with pytest.raises(UserError, match=r"1 differ in name or shape, such as image\.net\.layer1\.0\.conv1\.weight"):
        weights.load(tmp_path / "less.safetensors")


def test_options_of_another_version_are_refused(saved, tmp_path):
    tensors, header = read_safetensors(saved)
    save_file(tensors, tmp_path / "new.safetensors", {**header, "options": '{"magic": 1}'})
    with pytest.raises(UserError, match="unknown option of ogl 'magic'"):
        weights.load(tmp_path / "new.safetensors")


def test_verify_compares_hashes(saved):
    weights.verify(saved, weights.sha256(saved))
    with pytest.raises(UserError, match="fetch the file again"):
        weights.verify(saved, "0" * 64)


def test_the_users_own_file_is_found_as_it_is_named(saved):
    assert weights.find_weights(saved) == saved
    assert weights.find_weights(str(saved)) == saved


def test_names_that_stand_for_no_weights_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"unknown weights 'defualt': .*; did you mean 'default'\?"):
        weights.find_weights("defualt")
    with pytest.raises(
        UserError, match=r"gone\.safetensors: expected a weights file, got nothing there; check the path"
    ):
        weights.find_weights(tmp_path / "gone.safetensors")
    with pytest.raises(UserError, match="expected a weights file"):
        weights.find_weights(tmp_path)


def test_built_in_weights_that_did_not_come_with_the_package_are_named(monkeypatch):
    monkeypatch.setitem(weights.BUILT_IN, "lost", "lost.safetensors")
    with pytest.raises(UserError, match=r"built-in weights at .*lost\.safetensors, got nothing there; install"):
        weights.find_weights("lost")


def test_the_default_weights_come_with_the_package():
    path = weights.find_weights("default")
    header = weights.read_header(path)
    assert header["method"] == "spot"
    assert json.loads(header["calibration"]).keys() == {
        "scale", "offset", "low", "high", "unsure_rate", "error_rate",
    }  # fmt: skip
    assert path.stat().st_size < 4_000_000


def test_encoders_stay_out_of_a_small_file_and_are_found_again(encoders, tmp_path):
    named = {"init_image": "tf_efficientnet_lite0", "init_audio": "yamnet"}
    options = {"image_backbone": "tf_efficientnet_lite0", "audio_backbone": "yamnet", "spectrogram": "yamnet"}
    frozen = {"trainable": "heads", "trainable_audio": "heads", "sample_rate": 16000, "dim": 8, "clusters": 3}
    files = {option: str(encoders[name]) for option, name in named.items()}
    method = build("interference_eraser", **options, **frozen, **files)
    small = weights.save_without_encoders(method, tmp_path / "small.safetensors", named, {"source": "a test"})
    assert small.stat().st_size < 250_000
    loaded = weights.load(small)
    assert loaded.provenance["source"] == "a test"
    for name, value in method.state_dict().items():
        there = loaded.state_dict()[name]
        assert torch.equal(there, value) or torch.equal(there.half(), value.half()), name
    whole = weights.save(loaded, tmp_path / "whole.safetensors")
    assert not json.loads(weights.read_header(whole)["options"])["init_image"]
    other = build("interference_eraser", **options, **frozen)
    with pytest.raises(UserError, match="expected towers as the encoders tf_efficientnet_lite0, yamnet were fetched"):
        weights.save_without_encoders(other, tmp_path / "other.safetensors", named)
