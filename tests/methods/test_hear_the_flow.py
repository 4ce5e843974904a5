"""Hear The Flow against numbers of the published code, and what its options do."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from soundspot import ops
from soundspot.methods.hear_the_flow import FlowAttention, HearTheFlow, flow_tower
from soundspot.tensors import write_safetensors
from soundspot.types import UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "flow_backbone": "resnet10t"}


def moving(batch):
    flow = 4 * torch.randn(len(batch), 2, *batch.image.shape[-2:], generator=torch.Generator().manual_seed(5))
    return replace(batch, extra={"flow": flow})


def statistics(tower):
    return torch.cat([m.running_mean for m in tower.modules() if isinstance(m, nn.BatchNorm2d)]).clone()


def test_attention_map_loss_and_gradients_of_the_published_code(golden, close, tiny_towers):
    arrays = golden("hear_the_flow__cnn")
    limits = {"eps_pos": "par_eps_pos", "eps_neg": "par_eps_neg", "tau": "par_tau", "temperature": "par_temp"}
    options = {option: float(arrays[name]) for option, name in limits.items()}
    method = HearTheFlow(**tiny_towers, **options, flow_encoder="maxpool", diagonal_quirk=True)
    method.attention = FlowAttention(32, 32)
    for layer, name in ((method.attention.query, "q"), (method.attention.key, "k"), (method.attention.value, "v")):
        assert layer.weight.shape == arrays[f"par_{name}_w"].shape
        layer.weight.data = torch.tensor(arrays[f"par_{name}_w"])
        layer.bias.data = torch.tensor(arrays[f"par_{name}_b"])
    names = ("in_img_feat", "in_flow", "in_aud")
    image, flow, audio = (torch.tensor(arrays[name], requires_grad=True) for name in names)
    close(method.attention.weights(image, flow), arrays["out_attention"])
    close(method.attention(image, flow), arrays["out_attended"])
    cells, sounds = method.attended(image, flow), ops.unit(audio)
    close(ops.own_similarity(cells, sounds), arrays["out_map"])
    logits = method.logits(cells, sounds)
    loss = F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))
    close(loss, arrays["out_loss"])
    loss.backward()
    for got, name in ((image, "img"), (flow, "flow"), (audio, "aud")):
        close(got.grad, arrays[f"out_grad_{name}"], atol=0, rtol=2e-3)


def test_attention_by_hand():
    """Keys that answer in one place only bring that place's value everywhere."""
    attention = FlowAttention(1, 1)
    for layer, weight in ((attention.query, 1.0), (attention.key, 1.0), (attention.value, 3.0)):
        nn.init.constant_(layer.weight, weight)
        nn.init.zeros_(layer.bias)
    image = torch.tensor([[[[1.0, 2.0]]]])
    flow = torch.tensor([[[[0.0, 100.0]]]])  # all that moves is to the right
    torch.testing.assert_close(attention(image, flow), torch.tensor([[[[6.0, 6.0]]]]))


def test_maps_depend_on_the_motion(make_batch):
    torch.manual_seed(0)
    method = HearTheFlow(**SMALL).eval()
    batch = moving(make_batch(size=2, image=(96, 64)))
    still = replace(batch, extra={"flow": torch.zeros_like(batch.extra["flow"])})
    with torch.no_grad():
        assert (method.localize(batch) - method.localize(still)).abs().max() > 1e-6
        assert method.localize(batch).shape == (2, 3, 2)


def test_flow_of_another_grid_is_pooled_to_the_pictures(tiny_towers):
    method = HearTheFlow(**tiny_towers, flow_encoder="maxpool")
    flow = torch.zeros(1, 2, 6, 6)
    flow[0, :, 5, 5] = 7.0
    image = torch.randn(1, 16, 3, 3)
    small = F.adaptive_max_pool2d(flow, 3)
    assert small[0, 0, 2, 2] == 7
    torch.testing.assert_close(method.attended(image, flow), method.attended(image, small))


def test_maxpool_takes_the_largest_motion_of_each_cell_and_has_no_tower(make_batch):
    method = HearTheFlow(**SMALL, flow_encoder="maxpool")
    assert not list(method.flow.parameters())
    assert method.initial.keys() == {"image", "audio"}
    batch = moving(make_batch(size=2))
    pooled = method.through_frozen(batch)["flow_features"]
    torch.testing.assert_close(pooled, F.max_pool2d(batch.extra["flow"], 32))


def test_bytes_lose_what_the_published_files_lose(make_batch):
    batch = make_batch(size=1)
    flow = torch.zeros(1, 2, 64, 64)
    flow[0, 0, 0, :4] = torch.tensor([-3.0, 0.4, 2.6, 400.0])
    batch = replace(batch, extra={"flow": flow})
    seen = {name: HearTheFlow(**SMALL, flow=name).read_flow(flow)[0, 0, 0, :4].tolist() for name in ("signed", "bytes")}
    assert seen["signed"] == pytest.approx([-3.0, 0.4, 2.6, 400.0])
    assert seen["bytes"] == pytest.approx([0, 0, 3 / 255, 1])


@pytest.mark.parametrize("moves", [False, True])
def test_the_frozen_picture_tower_and_its_statistics(make_batch, moves):
    torch.manual_seed(0)
    method = HearTheFlow(**SMALL, moving_statistics=moves).train()
    batch = moving(make_batch())
    before = statistics(method.image)
    sum(method(batch).values()).backward()
    assert not any(parameter.requires_grad for parameter in method.image.parameters())
    assert bool((statistics(method.image) != before).any()) == moves
    assert method.audio.net.conv1[0].weight.grad.abs().max() > 0
    before = statistics(method.image)
    with torch.no_grad():
        method.eval().localize(batch)
    assert torch.equal(statistics(method.image), before)


def test_kept_features_are_all_three_towers_under_their_own_names(make_batch):
    torch.manual_seed(0)
    method = HearTheFlow(**SMALL, trainable_audio="last_block", trainable_flow="last_block").eval()
    batch = moving(make_batch(size=2))
    with torch.no_grad():
        kept = method.frozen(batch)
        assert kept.keys() == {"image", "audio", "flow_features"}
        blind = replace(batch, image=torch.empty(2, 3, 0, 0), audio=torch.empty(2, 1, 0, 0), extra=kept)
        torch.testing.assert_close(method.localize(blind), method.localize(batch))
        assert HearTheFlow(**SMALL, trainable_audio="heads", moving_statistics=True).frozen(batch) == {}


def test_the_loader_is_asked_for_flow_and_a_picture_without_it_is_refused(make_batch):
    method = HearTheFlow(**SMALL).eval()
    assert method.inputs.views == ("flow",)
    with pytest.raises(UserError, match="give films"):
        method.localize(make_batch(size=1))


def test_a_pictures_weights_fill_all_of_the_flow_tower_but_its_first_layer(tmp_path):
    torch.manual_seed(0)
    whole = flow_tower("resnet18", 32, None, "all").net
    whole.conv1 = nn.Conv2d(3, 64, 7, bias=False)
    path = tmp_path / "resnet18.safetensors"
    write_safetensors(path, whole.state_dict(), {})
    tower = flow_tower("resnet18", 32, path, "all")
    assert tower.net.conv1.weight.shape == (64, 2, 7, 7)
    torch.testing.assert_close(tower.net.layer4[1].conv2.weight, whole.layer4[1].conv2.weight)
    assert tower(torch.randn(1, 2, 64, 64)).shape == (1, 512, 2, 2)
    assert "but for its first layer" in tower.initial
    with pytest.raises(UserError, match="the first layer starts anew"):
        flow_tower("resnet18", 32, path, "last_block")


def test_published_layout_has_the_published_number_of_weights():
    """Three ResNet-18 without classifiers, of 3, 1 and 2 channels, and an attention of 64 of 512 channels."""
    resnet = 11_176_512
    attention = 2 * (512 * 64 + 64) + 512 * 512 + 512
    stems = resnet + (resnet - 2 * 64 * 49) + (resnet - 64 * 49)
    assert sum(parameter.numel() for parameter in HearTheFlow().parameters()) == stems + attention


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flow": "unsigned"}, "did you mean 'signed'"),
        ({"flow_encoder": "max"}, "did you mean 'maxpool'"),
        ({"trainable_flow": "last_blok"}, "did you mean 'last_block'"),
        ({"audio_backbone": "mobilenetv3_small_050"}, "set dim"),
    ],
)
def test_wrong_options_say_what_is_known(options, message):
    with pytest.raises(UserError, match=message):
        HearTheFlow(**{**SMALL, **options})
