"""Hear The Flow's published checkpoints, made here in the authors' layout around torchvision's ResNet-18."""

from __future__ import annotations

import torch
import torchvision
from torch import nn

from soundspot import weights
from soundspot.convert import convert
from soundspot.types import Batch


def resnet(channels):
    """A ResNet-18 with statistics that are not the initial ones."""
    net = torchvision.models.resnet18(weights=None)
    net.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    net.fc = nn.Identity()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval()


def features(net, x):
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    return net.layer4(net.layer3(net.layer2(net.layer1(x))))


def test_checkpoint_gives_the_published_networks_maps(tmp_path):
    torch.manual_seed(0)
    nets = {"imgnet": resnet(3), "audnet": resnet(1), "flownet": resnet(2)}
    heads = {
        "query_conv": nn.Conv2d(512, 64, 1),
        "key_conv": nn.Conv2d(512, 64, 1),
        "value_conv": nn.Conv2d(512, 512, 1),
    }
    parts = {**nets, **{f"flowatt.{name}": head for name, head in heads.items()}}
    state = {f"model.{part}.{name}": value for part, net in parts.items() for name, value in net.state_dict().items()}
    torch.save({"epoch": 99, "state_dict": state, "hyper_parameters": {"lr": 0.001}}, tmp_path / "best.ckpt")
    result = convert(tmp_path / "best.ckpt", "hear_the_flow", tmp_path / "htf.safetensors")
    assert (result.tensors, result.dead) == (len(state), ())
    method = weights.load(result.path)
    assert method.options["flow"] == "bytes"  # what their network saw
    assert method.initial == dict.fromkeys(("image", "audio", "flow"), "as published")
    flow = torch.randint(0, 256, (2, 2, 64, 96)).float()
    batch = Batch(torch.randn(2, 3, 64, 96), torch.randn(2, 1, 257, 64), ("a", "b"), extra={"flow": flow})
    with torch.no_grad():
        image, moved = features(nets["imgnet"], batch.image), features(nets["flownet"], flow / 255)
        query, key, value = (
            heads[f"{name}_conv"](x).flatten(2) for name, x in (("query", image), ("key", moved), ("value", image))
        )
        attention = (query.transpose(1, 2) @ key / 8).softmax(dim=-1)
        cells = nn.functional.normalize(image + (value @ attention.transpose(1, 2)).view_as(image), dim=1)
        sounds = nn.functional.normalize(features(nets["audnet"], batch.audio).amax(dim=(2, 3)), dim=1)
        torch.testing.assert_close(
            method.localize(batch), torch.einsum("nchw,nc->nhw", cells, sounds), rtol=1e-4, atol=1e-5
        )
