"""EZ-VSL against numbers of the published code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from soundspot import nets, ops
from soundspot.methods.ez_vsl import EZVSL
from soundspot.types import UserError


@pytest.mark.parametrize("case", ["a", "b"])
def test_loss_map_and_gradients_of_the_published_code(golden, close, tiny_towers, case):
    arrays = golden(f"ez_maxmil__{case}")
    method = EZVSL(**tiny_towers, temperature=float(arrays["par_tau"]))
    cells, sounds = (torch.tensor(arrays[name], requires_grad=True) for name in ("in_img", "in_aud"))
    logits = method.logits(cells, sounds)
    loss = ops.symmetric_info_nce(logits)
    loss.backward()
    close(logits, arrays["out_logits"])
    close(loss, arrays["out_loss"])
    close(method.scores(cells, sounds), arrays["out_map"])


@pytest.mark.parametrize("case", ["a", "b"])
def test_gradients_of_the_published_code(golden, close, case):
    arrays = golden(f"ez_maxmil__{case}")
    cells, sounds = (torch.tensor(arrays[name], requires_grad=True) for name in ("in_img", "in_aud"))
    logits = ops.pooled_similarity(cells, sounds, ops.max_pool) / float(arrays["par_tau"])
    ops.symmetric_info_nce(logits).backward()
    close(cells.grad, arrays["out_grad_img"], atol=0, rtol=2e-3)
    close(sounds.grad, arrays["out_grad_aud"], atol=0, rtol=2e-3)


def test_whole_head_of_the_published_code(golden, close, tiny_towers):
    arrays = golden("ez_forward__a")
    method = EZVSL(**tiny_towers, dim=24, temperature=float(arrays["par_tau"]))
    method.image_head, method.audio_head = nn.Conv2d(32, 24, 1), nn.Linear(32, 24)
    with torch.no_grad():
        for head, name in ((method.image_head, "img"), (method.audio_head, "aud")):
            head.weight.copy_(torch.tensor(arrays[f"par_{name}_proj_w"]))
            head.bias.copy_(torch.tensor(arrays[f"par_{name}_proj_b"]))
        cells, sounds = method.project(torch.tensor(arrays["in_img_feat"]), torch.tensor(arrays["in_aud_feat"]))
        close(ops.symmetric_info_nce(method.logits(cells, sounds)), arrays["out_loss"])
        close(method.scores(cells, sounds), arrays["out_map"])


def test_matchings_are_the_three_rows_of_the_paper(tiny_towers):
    """A picture with one cell that matches and one that does the opposite tells the three apart."""
    cells = torch.tensor([[3.0, -3.0], [4.0, -4.0]]).reshape(1, 2, 1, 2)
    sounds = torch.tensor([[0.6, 0.8]])
    got = {
        name: EZVSL(**tiny_towers, temperature=1.0, matching=name).logits(cells, sounds).item()
        for name in ("max_sim", "avg_sim", "max_feature")
    }
    assert got == pytest.approx({"max_sim": 1.0, "avg_sim": 0.0, "max_feature": 1.0}, abs=1e-6)
    two = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).reshape(1, 2, 1, 2)
    logits = EZVSL(**tiny_towers, temperature=1.0, matching="max_feature").logits(two, torch.tensor([[1.0, 0.0]]))
    assert logits.item() == pytest.approx(0.5**0.5)  # pooled to (1, 1) before it is compared


def test_published_layout_has_the_published_number_of_weights():
    method = EZVSL()
    assert len(method.state_dict()) == 244
    assert sum(parameter.numel() for parameter in method.parameters()) == 22_872_064
    assert method.initial == {"image": "random init", "audio": "random init"}
    assert method.score_range == pytest.approx((-1 / 0.03, 1 / 0.03))


def test_initialisation_is_the_published_one():
    torch.manual_seed(0)
    method = EZVSL()
    conv = method.audio.net.layer1[0].conv1.weight
    assert conv.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    assert method.audio_head.weight.std().item() == pytest.approx(0.01, rel=0.02)
    norm = torch.cat([m.weight.detach() for m in method.audio.net.modules() if isinstance(m, nn.BatchNorm2d)])
    assert norm.mean().item() == pytest.approx(1.0, abs=0.002)
    assert norm.std().item() == pytest.approx(0.02, rel=0.05)


def test_maps_and_the_loss_agree_on_the_best_place(tiny_towers, make_batch):
    method = EZVSL(**tiny_towers).eval()
    batch = make_batch(image=(7, 5), audio=(6, 1))
    cells, sounds = method.encode(batch)
    np.testing.assert_allclose(
        method.localize(batch).flatten(1).max(dim=1).values.detach(),
        method.logits(cells, sounds).diagonal().detach(),
        rtol=1e-5,
    )


def test_towers_are_taken_from_the_table(tiny_towers):
    assert set(tiny_towers.values()) <= nets.TOWERS.keys()
    assert EZVSL(**tiny_towers).image.channels == 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"matching": "max_simm"}, "did you mean 'max_sim'"),
        ({"temperature": 0.0}, "temperature above 0"),
        ({"trainable": "head"}, "did you mean 'heads'"),
        ({"image_norm": "imagnet"}, "did you mean 'imagenet'"),
        ({"init_image": "nowhere.safetensors"}, "got no file there"),
        ({"image_backbone": "resnet81"}, "did you mean"),
    ],
)
def test_wrong_options_say_what_is_known(options, message):
    with pytest.raises(UserError, match=message):
        EZVSL(**options)
