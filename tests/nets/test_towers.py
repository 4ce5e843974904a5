"""Backbones by name: shapes, initial weights, freezing."""

from __future__ import annotations

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from soundspot.nets.audio import AudioTower
from soundspot.nets.image import ImageTower
from soundspot.types import UserError


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A torchvision ResNet-18 as its .pth file."""
    torch.manual_seed(3)
    net = torchvision.models.resnet18(weights=None).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(net.state_dict(), path)
    return net, path


def torchvision_features(net, x):
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    return net.layer4(net.layer3(net.layer2(net.layer1(x))))


def test_torchvision_weights_give_torchvisions_features(published):
    net, path = published
    tower = ImageTower("resnet18", pretrained=path).eval()
    x = torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        torch.testing.assert_close(tower(x), torchvision_features(net, x))
    assert tower.initial.startswith("resnet18.pth sha256:")
    assert tower.channels == 512


def test_output_stride_16_takes_the_stride_away_and_keeps_the_convolutions_dense(published):
    net, path = published
    tower = ImageTower("resnet18", output_stride=16, pretrained=path).eval()
    net.layer4[0].conv1.stride = net.layer4[0].downsample[0].stride = (1, 1)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        dense = tower(x)
        torch.testing.assert_close(dense, torchvision_features(net, x))
        dilated = ImageTower("resnet18", output_stride=16, pretrained=path, dilated=True).eval()(x)
    net.layer4[0].conv1.stride = net.layer4[0].downsample[0].stride = (2, 2)
    assert dense.shape == dilated.shape == (1, 512, 4, 4)
    assert not torch.allclose(dense, dilated)


def test_weights_of_three_channels_are_summed_for_a_spectrogram(published):
    net, path = published
    tower = AudioTower("resnet18", pretrained=path).eval()
    x = torch.randn(1, 1, 65, 40)
    with torch.no_grad():
        torch.testing.assert_close(tower(x), torchvision_features(net, x.expand(1, 3, 65, 40)), rtol=1e-4, atol=1e-5)


def test_safetensors_do_as_well(published, tmp_path):
    net, _ = published
    path = tmp_path / "model.safetensors"
    save_file(net.state_dict(), path)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ImageTower("resnet18", pretrained=path).eval()(x), torchvision_features(net, x))


def test_weights_of_another_backbone_are_an_error(published):
    _, path = published
    with pytest.raises(UserError, match="weights of the same architecture"):
        ImageTower("resnet34", pretrained=path)
    with pytest.raises(UserError, match="did you mean"):
        ImageTower("resnet_18")


@pytest.mark.parametrize(
    ("name", "stride", "channels"),
    [("mobilenetv3_small_050", 32, 288), ("convnext_atto", 32, 320), ("vit_tiny_patch16_224", 16, 192)],
)
def test_other_families_give_maps_too(name, stride, channels):
    tower = ImageTower(name).eval()
    with torch.no_grad():
        maps = tower(torch.randn(1, 3, 64, 96))
    assert maps.shape == (1, channels, 64 // stride, 96 // stride)
    assert tower.channels == channels


def test_a_backbone_without_strides_to_take_says_so():
    with pytest.raises(UserError, match="convolutional backbone"):
        ImageTower("vit_tiny_patch16_224", output_stride=8)


@pytest.mark.parametrize(("trainable", "first"), [("last_block", "layer4"), ("heads", None)])
def test_frozen_parts_neither_learn_nor_drift(trainable, first):
    tower = ImageTower("resnet18", trainable=trainable).train()
    before = {name: value.clone() for name, value in tower.net.state_dict().items()}
    tower(torch.randn(4, 3, 64, 64))
    learning = {name.split(".")[0] for name, value in tower.net.named_parameters() if value.requires_grad}
    drifted = {
        name.split(".")[0] for name, value in tower.net.state_dict().items() if not torch.equal(value, before[name])
    }
    assert learning == drifted == ({first} if first else set())


def test_initialisation_follows_torchs_generator():
    towers = []
    for _ in range(2):
        torch.manual_seed(5)
        towers.append(AudioTower("resnet10t").state_dict())
    assert all(torch.equal(value, towers[1][name]) for name, value in towers[0].items())
