"""SSL-TIE's published checkpoints, made here in the authors' layout around torchvision's ResNet-18."""

from __future__ import annotations

import torch
import torchvision
from torch import nn

from soundspot import weights
from soundspot.convert import convert
from soundspot.types import Batch


def resnet(channels):
    """A ResNet-18 whose last stage does not stride, with statistics that are not the initial ones."""
    net = torchvision.models.resnet18(weights=None)
    net.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    net.layer4[0].conv1.stride = net.layer4[0].downsample[0].stride = (1, 1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval()


def features(net, x):
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    return net.layer4(net.layer3(net.layer2(net.layer1(x))))


def test_checkpoint_gives_the_published_networks_maps_and_names_its_dead_tensors(tmp_path):
    torch.manual_seed(0)
    image, audio = resnet(3), resnet(1)
    tensors = {f"imgnet.{name}": value for name, value in image.state_dict().items()}
    tensors |= {f"audnet.{name}": value for name, value in audio.state_dict().items()}
    tensors["audnet.conv1_a.weight"] = tensors.pop("audnet.conv1.weight")
    unused = {
        "audnet.conv1.weight": torch.randn(64, 3, 7, 7),
        "imgnet.conv1_a.weight": torch.randn(64, 1, 7, 7),
        "audnet.conv1_flow.weight": torch.randn(64, 6, 7, 7),
        "imgnet.conv1_flow.weight": torch.randn(64, 6, 7, 7),
        "vision_fc1.weight": torch.randn(512, 1024, 1, 1),
        "vision_fc1.bias": torch.randn(512),
        "conv3.weight": torch.randn(1, 1, 1, 1),
        "conv3.bias": torch.randn(1),
        **{f"norm3.{name}": torch.ones(1) for name in ("weight", "bias", "running_mean", "running_var")},
    }
    content = {"epoch": 80, "state_dict": {**tensors, **unused}, "best_miou": 0.38, "optimizer": {}, "iteration": 7}
    torch.save(content, tmp_path / "tie.pth.tar")
    result = convert(tmp_path / "tie.pth.tar", "ssl_tie", tmp_path / "tie.safetensors")
    assert set(result.dead) == {
        *unused,
        *(f"{tower}.fc.{kind}" for tower in ("audnet", "imgnet") for kind in ("weight", "bias")),
    }
    method = weights.load(result.path)
    assert "jinxiang-liu/SSL-TIE" in method.provenance["source"]
    assert "MIT" in method.provenance["licence"]
    batch = Batch(torch.randn(2, 3, 96, 96), torch.randn(2, 1, 257, 64), ("a", "b"))
    with torch.no_grad():
        cells = nn.functional.normalize(features(image, batch.image), dim=1)
        sounds = nn.functional.normalize(features(audio, batch.audio).amax(dim=(2, 3)), dim=1)
        torch.testing.assert_close(
            method.localize(batch), torch.einsum("nchw,nc->nhw", cells, sounds), rtol=1e-4, atol=1e-5
        )
