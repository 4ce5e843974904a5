"""Backbones by name: shapes, initial weights, freezing."""

from __future__ import annotations

import copy

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from encoder_files import cached
from soundspot.convert import convert
from soundspot.nets.audio import AudioTower
from soundspot.nets.image import ImageTower
from soundspot.nets.yamnet import YAMNet
from soundspot.types import UserError


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A torchvision ResNet-18 converted from its .pth file."""
    torch.manual_seed(3)
    net = torchvision.models.resnet18(weights=None).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(net.state_dict(), path)
    path = convert(path, "backbone", path.with_suffix(".safetensors")).path
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
    assert tower.initial.startswith("resnet18.safetensors sha256:")
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


@pytest.mark.parametrize("tower", [ImageTower, AudioTower])
@pytest.mark.parametrize("twin", [False, True])
def test_frozen_batch_norms_let_no_clip_see_the_others_and_learn_scale_and_shift(tower, twin):
    torch.manual_seed(0)
    made = tower("resnet10t", batch_norm="frozen")
    made = copy.deepcopy(made).train() if twin else made.train()  # SLAVC's teachers are copies
    before = {name: value.clone() for name, value in made.named_buffers()}
    x = torch.randn(4, 3 if tower is ImageTower else 1, 64, 64)
    together = made(x)
    torch.testing.assert_close(together[:1], made(x[:1]))
    together.square().mean().backward()
    assert all(torch.equal(value, before[name]) for name, value in made.named_buffers())
    norms = [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert all(norm.weight.grad.abs().sum() > 0 for norm in norms)
    usual = tower("resnet10t").train()
    assert (usual(x)[:1] - usual(x[:1])).abs().max() > 0.01


def test_an_unknown_batch_norm_is_an_error():
    with pytest.raises(UserError, match="batch_norm"):
        ImageTower("resnet10t", batch_norm="frosen")


def test_initialisation_follows_torchs_generator():
    towers = []
    for _ in range(2):
        torch.manual_seed(5)
        towers.append(AudioTower("resnet10t").state_dict())
    assert all(torch.equal(value, towers[1][name]) for name, value in towers[0].items())


@pytest.mark.parametrize("trainable", ["all", "last_block", "heads"])
@pytest.mark.parametrize("name", ["resnet18", "resnet10t", "tf_efficientnet_lite0", "efficientnet_b0"])
def test_a_tower_is_its_frozen_stages_and_the_rest(name, trainable):
    tower = ImageTower(name, output_stride=16, trainable=trainable).eval()
    x = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        kept = tower.frozen(x)
        whole = tower.net.forward_features(x)
        assert torch.equal(tower(x), whole)
        assert torch.equal(tower.rest(kept), whole)
    assert tower.keeps == (trainable != "all")
    assert torch.equal(kept, {"all": x, "last_block": kept, "heads": whole}[trainable])


def test_the_rest_holds_all_that_learns_and_the_frozen_stages_nothing_else():
    tower = ImageTower("tf_efficientnet_lite0", trainable="last_block").train()
    kept = tower.frozen(torch.randn(2, 3, 64, 64))
    assert kept.shape == (2, 192, 2, 2)
    assert not kept.requires_grad
    tower.rest(kept).sum().backward()
    learning = [name for name, value in tower.net.named_parameters() if value.requires_grad]
    assert learning
    assert all(value.grad is not None for value in tower.net.parameters() if value.requires_grad)
    assert {name.split(".")[0] for name in learning} == {"blocks", "conv_head", "bn2"}


def test_a_copied_tower_runs_its_own_stages():
    tower = ImageTower("resnet10t", trainable="last_block").eval()
    other = copy.deepcopy(tower)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = other(x)
        for parameter in tower.parameters():
            parameter.zero_()
        assert torch.equal(other(x), before)
    assert set(tower.state_dict()) == {f"net.{name}" for name in tower.net.state_dict()}


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "vit_tiny_patch16_224"])
def test_nothing_is_kept_of_nets_that_are_more_than_their_stages(name):
    tower = ImageTower(name, trainable="last_block").eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert not tower.keeps
        assert tower.frozen(x) is x
        assert torch.equal(tower.rest(x), tower(x))


def test_the_yamnet_tower_gives_yamnets_features():
    path = cached("yamnet")
    tower = AudioTower("yamnet", pretrained=path, trainable="last_block").eval()
    log_mel = torch.randn(2, 1, 64, 298)
    with torch.no_grad():
        expected = YAMNet.load(path).feature_map(log_mel)
        assert torch.equal(tower(log_mel), expected)
    assert expected.shape == (2, tower.channels, 2, 9)
    assert tower.keeps
    assert tower.initial.startswith("yamnet-")
    learning = {name for name, value in tower.net.named_parameters() if value.requires_grad}
    assert learning == {f"stages.14.{layer}.conv.{part}" for layer in (0, 1) for part in ("weight", "bias")}


def test_a_yamnet_tower_from_scratch_keeps_its_signals_scale():
    torch.manual_seed(0)
    tower = AudioTower("yamnet")
    with torch.no_grad():
        assert 0.01 < float(tower(torch.randn(4, 1, 64, 96)).std()) < 100


def test_the_yamnet_tower_refuses_what_is_not_its_own(published):
    with pytest.raises(UserError, match="spectrogram=yamnet"):
        AudioTower("yamnet")(torch.randn(1, 1, 257, 96))
    with pytest.raises(UserError, match="weights of the same architecture"):
        AudioTower("yamnet", pretrained=published[1])
    with pytest.raises(UserError, match="output_stride=32"):
        AudioTower("yamnet", output_stride=16)
