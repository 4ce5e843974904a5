"""Published checkpoints, made here in the authors' layouts around torchvision's ResNet-18."""

from __future__ import annotations

import os
import zipfile

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from soundspot import weights
from soundspot.convert import convert
from soundspot.nets.image import ImageTower
from soundspot.types import Batch, UserError


def resnet(channels=3):
    """A ResNet-18 with statistics that are not the initial ones."""
    net = torchvision.models.resnet18(weights=None)
    if channels != 3:
        net.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval()


def features(net, x):
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    return net.layer4(net.layer3(net.layer2(net.layer1(x))))


def unit(x):
    return x / x.norm(dim=1, keepdim=True)


def state(net, prefix, *, drop=("fc.",)):
    return {f"{prefix}{k}": v for k, v in net.state_dict().items() if not k.startswith(drop)}


@pytest.fixture
def batch():
    torch.manual_seed(11)
    return Batch(torch.randn(2, 3, 96, 96), torch.randn(2, 1, 129, 64), ("a", "b"))


def ez_checkpoint(image, audio, heads):
    tensors = {**state(image, "imgnet."), **state(audio, "audnet.")}
    for name, head in heads.items():
        tensors |= state(head, f"{name}.")
    return {
        "model": {f"module.{name}": value for name, value in tensors.items()},
        "optimizer": {
            "state": {0: {"step": 3, "exp_avg": torch.zeros(2)}},
            "param_groups": [{"lr": 1e-4, "params": [0]}],
        },
        "epoch": 20,
        "best_cIoU": np.float64(0.3594),
        "best_Auc": np.float64(0.382),
    }


def test_ez_vsl_checkpoint_gives_the_published_networks_maps(tmp_path, batch):
    torch.manual_seed(0)
    image, audio = resnet(), resnet(1)
    heads = {"img_proj": nn.Conv2d(512, 512, 1), "aud_proj": nn.Linear(512, 512)}
    checkpoint = ez_checkpoint(image, audio, heads)
    assert len(checkpoint["model"]) == 244
    torch.save(checkpoint, tmp_path / "best.pth")
    result = convert(tmp_path / "best.pth", "ez_vsl", tmp_path / "ez.safetensors")
    assert (result.tensors, result.dead) == (244, ())
    method = weights.load(result.path)
    assert method.initial == {"image": "as published", "audio": "as published"}
    assert "stoneMo/EZ-VSL" in method.provenance["source"]
    assert result.source_sha256 in method.provenance["source"]
    with torch.no_grad():
        cells = unit(heads["img_proj"](features(image, batch.image)))
        sounds = unit(heads["aud_proj"](features(audio, batch.audio).amax(dim=(2, 3))))
        expected = torch.einsum("ncxy,nc->nxy", cells, sounds) / 0.03
        torch.testing.assert_close(method.localize(batch), expected, rtol=1e-4, atol=1e-4)


def test_slavc_checkpoint_keeps_online_and_momentum_towers_apart(tmp_path, batch):
    torch.manual_seed(0)
    tensors, parts = {}, {}
    for prefix in ("", "momentum_"):
        nets = {"imgnet": resnet(), "audnet": resnet(1)}
        nets |= {f"img_proj{n}": nn.Conv2d(512, 512, 1) for n in (1, 2)}
        nets |= {f"aud_proj{n}": nn.Linear(512, 512) for n in (1, 2)}
        parts[prefix] = nets
        for name, net in nets.items():
            tensors |= state(net, f"{prefix}{name}.")
    assert len(tensors) == 496
    torch.save({"model": {f"module.{k}": v for k, v in tensors.items()}, "epoch": 20}, tmp_path / "latest.pth")
    result = convert(tmp_path / "latest.pth", "slavc", tmp_path / "slavc.safetensors", infer_with="online")
    method = weights.load(result.path)
    assert method.options["infer_with"] == "online"
    for prefix, nets in parts.items():
        method.infer_with_teacher = prefix == "momentum_"
        with torch.no_grad():
            places, sounds = features(nets["imgnet"], batch.image), features(nets["audnet"], batch.audio)
            expected = sum(
                torch.einsum(
                    "ncxy,nc->nxy",
                    unit(nets[f"img_proj{n}"](places)),
                    unit(nets[f"aud_proj{n}"](sounds.amax(dim=(2, 3)))),
                )
                for n in (1, 2)
            ) / (2 * 0.03)
            torch.testing.assert_close(method.localize(batch), expected, rtol=1e-4, atol=1e-4)


def lvs_state():
    """LVS's network: every tower holds stems for picture, sound and flow and a classifier, and uses one stem."""
    image, audio = resnet(), resnet(1)
    for tower in (image, audio):  # both of one class
        tower.layer4[0].conv1.stride = tower.layer4[0].downsample[0].stride = (1, 1)
    tensors = {**state(image, "imgnet.", drop=()), **state(audio, "audnet.", drop=("conv1.",))}
    tensors["audnet.conv1_a.weight"] = audio.conv1.weight.detach()
    tensors["audnet.conv1.weight"] = torch.randn(64, 3, 7, 7)
    tensors["imgnet.conv1_a.weight"] = torch.randn(64, 1, 7, 7)
    for tower in ("imgnet", "audnet"):
        tensors[f"{tower}.conv1_flow.weight"] = torch.randn(64, 2, 7, 7)
    return image, audio, tensors


def test_lvs_checkpoint_gives_the_published_networks_maps_and_names_its_dead_tensors(tmp_path, batch):
    torch.manual_seed(0)
    image, audio, tensors = lvs_state()
    torch.save({"model_state_dict": {f"module.{k}": v for k, v in tensors.items()}}, tmp_path / "lvs.pth.tar")
    result = convert(tmp_path / "lvs.pth.tar", "lvs", tmp_path / "lvs.safetensors")
    assert result.dead == (
        "audnet.conv1.weight",
        "audnet.conv1_flow.weight",
        "audnet.fc.bias",
        "audnet.fc.weight",
        "imgnet.conv1_a.weight",
        "imgnet.conv1_flow.weight",
        "imgnet.fc.bias",
        "imgnet.fc.weight",
    )
    with torch.no_grad():
        cells = unit(features(image, batch.image))
        sounds = unit(features(audio, batch.audio).amax(dim=(2, 3)))
        expected = torch.einsum("ncxy,nc->nxy", cells, sounds)
        got = weights.load(result.path).localize(batch)
    assert got.shape == (2, 6, 6)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_numbers_of_numpy_1_are_read_too(tmp_path):
    torch.save({"state_dict": {"x": torch.arange(3)}, "score": np.float64(0.5)}, tmp_path / "new.pth")
    with zipfile.ZipFile(tmp_path / "new.pth") as new, zipfile.ZipFile(tmp_path / "old.pth", "w") as old:
        for name in new.namelist():
            content = new.read(name).replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")
            old.writestr(name, content)
    assert b"numpy.core" in (tmp_path / "old.pth").read_bytes()
    assert convert(tmp_path / "old.pth", "backbone", tmp_path / "x.safetensors").tensors == 1


class Command:
    """What a malicious checkpoint holds."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"model": {"x": torch.zeros(1)}, "extra": Command(tmp_path / "pwned")}, tmp_path / "bad.pth")
    with pytest.raises(UserError, match="expected a PyTorch checkpoint of tensors and numbers"):
        convert(tmp_path / "bad.pth", "ez_vsl", tmp_path / "out.safetensors")
    assert not (tmp_path / "pwned").exists()


def test_checkpoints_of_another_method_are_refused(tmp_path):
    _, _, tensors = lvs_state()
    torch.save({"model_state_dict": tensors}, tmp_path / "lvs.pth")
    with pytest.raises(UserError, match="name the method that the file is of"):
        convert(tmp_path / "lvs.pth", "ez_vsl", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
    with pytest.raises(UserError, match="did you mean 'ez_vsl'"):
        convert(tmp_path / "lvs.pth", "ezvsl", tmp_path / "out.safetensors")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(UserError, match="expected a state dict"):
        convert(tmp_path / "list.pth", "lvs", tmp_path / "out.safetensors")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(UserError, match=r"text\.pth: expected a PyTorch checkpoint"):
        convert(tmp_path / "text.pth", "lvs", tmp_path / "out.safetensors")


def test_a_torchvision_backbone_becomes_initial_weights(tmp_path):
    net = resnet()
    torch.save(net.state_dict(), tmp_path / "resnet18.pth")
    result = convert(tmp_path / "resnet18.pth", "backbone", tmp_path / "resnet18.safetensors")
    tower = ImageTower("resnet18", pretrained=result.path).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(tower(x), features(net, x))
