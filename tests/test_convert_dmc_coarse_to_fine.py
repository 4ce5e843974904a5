"""Checkpoints of DMC and CoarseToFine, made here in their authors' layouts around torchvision's ResNet-18."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from soundspot import weights
from soundspot.convert import convert
from soundspot.methods.dmc import cluster, distances
from soundspot.types import Batch, UserError


def resnet():
    """A ResNet-18 with a stem for either modality, 16 pixels a cell, and statistics that are not the initial ones."""
    net = torchvision.models.resnet18(weights=None)
    net.conv1_a = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    net.layer4[0].conv1.stride = net.layer4[0].downsample[0].stride = (1, 1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval()


def features(net, x):
    stem = net.conv1 if x.shape[1] == 3 else net.conv1_a
    x = net.maxpool(net.relu(net.bn1(stem(x))))
    return net.layer4(net.layer3(net.layer2(net.layer1(x))))


def written(path, parts):
    torch.save(
        {f"{part}.{name}": value for part, net in parts.items() for name, value in net.state_dict().items()}, path
    )
    return path


@pytest.fixture
def batch():
    torch.manual_seed(1)
    return Batch(torch.randn(2, 3, 64, 96), torch.randn(2, 1, 129, 96), ("a", "b"))


@torch.no_grad()
def test_dmc(tmp_path, batch):
    torch.manual_seed(0)
    parts = {
        "visual_net": resnet(),
        "audio_net": resnet(),
        "fc_v_1": nn.Linear(512, 512),
        "fc_a_1": nn.Linear(512, 512),
    }
    never = {"fc_v_2": nn.Linear(128, 128), "fc_a_2": nn.Linear(128, 128), "fc_av": nn.Linear(1, 2)}
    done = convert(written(tmp_path / "dmc.pth", {**parts, **never}), "dmc", tmp_path / "dmc.safetensors")
    assert set(done.dead) == {f"{name}.{kind}" for name in never for kind in ("weight", "bias")} | {
        "visual_net.conv1_a.weight",
        "audio_net.conv1.weight",
        *(f"{net}.fc.{kind}" for net in ("visual_net", "audio_net") for kind in ("weight", "bias")),
    }
    method = weights.load(done.path)
    seen, heard = (features(parts[net], x) for net, x in (("visual_net", batch.image), ("audio_net", batch.audio)))
    cells, sounds = (
        parts[head](maps.flatten(2).transpose(1, 2)) for head, maps in (("fc_v_1", seen), ("fc_a_1", heard))
    )
    one, other = cluster(cells, 2), cluster(sounds, 1)
    nearest = distances(one.centres, other.centres).amin(dim=2).argmin(dim=1)
    log_odds = torch.stack([row[k] - row[1 - k] for row, k in zip(one.log_shares, nearest, strict=True)])
    torch.testing.assert_close(method.localize(batch), log_odds.unflatten(1, (4, 6)), rtol=1e-4, atol=1e-3)


def head():
    return nn.Sequential(nn.Conv1d(512, 1024, 1, bias=False), nn.ReLU(), nn.Conv1d(1024, 128, 1, bias=False))


@torch.no_grad()
def test_coarse_to_fine(tmp_path, batch):
    torch.manual_seed(0)
    parts = {
        "vision": resnet(),
        "audio": resnet(),
        "avc": nn.Sequential(nn.Linear(1024, 128), nn.ReLU(), nn.Linear(128, 2)),
        "project_a": head(),
        "project_v": head(),
        "class_a": nn.Conv2d(512, 7, 1, bias=False),
        "class_v": nn.Conv2d(512, 7, 1, bias=False),
    }
    parts["class_a"].weight.mul_(0.02)
    done = convert(written(tmp_path / "align.pth", parts), "coarse_to_fine", tmp_path / "fine.safetensors")
    assert len(done.dead) == 6
    method = weights.load(done.path)
    seen, heard = features(parts["vision"], batch.image), features(parts["audio"], batch.audio)
    probabilities = parts["class_a"](heard.mean(dim=(2, 3), keepdim=True)).flatten(1).sigmoid()
    activation = parts["class_a"](heard).relu()
    pooled = torch.einsum("bcft,bkft->bck", heard, activation)  # its length is lost in the head, which has no bias
    vectors = F.normalize(parts["project_a"](pooled), dim=1)
    places = F.normalize(parts["project_v"](seen.flatten(2)), dim=1).unflatten(2, (4, 6))
    maps = torch.einsum("bck,bchw->bkhw", vectors, places).relu()
    assert (probabilities > 0.3).all(), "every class counts here"
    expected = (maps * (probabilities / probabilities.sum(dim=1, keepdim=True))[..., None, None]).sum(dim=1)
    torch.testing.assert_close(method.localize(batch), expected, rtol=1e-4, atol=1e-5)
    pair = torch.cat([heard.mean(dim=(2, 3)), seen.mean(dim=(2, 3))], dim=1)
    own = method.match_logits(heard.mean(dim=(2, 3)), seen.mean(dim=(2, 3))).diagonal().T
    torch.testing.assert_close(own, parts["avc"](pair), rtol=1e-4, atol=1e-5)


def test_a_head_of_another_width_is_refused(tmp_path):
    parts = {"fc_v_1": nn.Conv1d(512, 512, 3)}
    with pytest.raises(UserError, match=r"expected a checkpoint of dmc, got 0 unknown, .* 1 tensors of another shape"):
        convert(written(tmp_path / "dmc.pth", parts), "dmc", tmp_path / "dmc.safetensors")
