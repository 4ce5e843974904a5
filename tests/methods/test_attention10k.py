"""Attention10k against numbers of the published code."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from soundspot.methods.attention10k import Attention10k, log_attention, ratio_loss, supervised_loss
from soundspot.types import UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t"}


@pytest.fixture
def published(golden, tiny_towers):
    """The fixture, and a method whose heads have its weights."""
    arrays = golden("attention10k__a")
    method = Attention10k(**tiny_towers, output_stride=32)
    for head, modality in ((method.sound_head, "sound"), (method.vision_head, "vision")):
        for place, layer in ((0, "fc1"), (2, "fc2")):
            for kind in ("weight", "bias"):
                value = torch.tensor(arrays[f"par_{modality}_{layer}_{kind}"])
                setattr(head[place], kind, torch.nn.Parameter(value))
    return arrays, method


def test_attention_and_both_losses_of_the_published_code(published, close):
    arrays, method = published
    cells, own, other = (torch.tensor(arrays[f"in_{name}"]) for name in ("img_feat", "aud_pos", "aud_neg"))
    log_weights = log_attention(method.cosines(cells, own))
    close(log_weights.exp(), arrays["out_att"])
    seen = method.attended(cells, log_weights)
    close(seen, arrays["out_z"])
    close(ratio_loss(seen, own, other), arrays["out_loss_unsup"])
    truth = torch.tensor(arrays["in_gt_att"] * arrays["in_weight"][:, :1])  # clips without truth weigh nothing
    close(supervised_loss(log_weights, truth), arrays["out_loss_sup"])


def test_attention_has_its_sums_and_the_places_order_of_the_cosines(make_batch):
    torch.manual_seed(0)
    batch = make_batch(size=2)
    method = Attention10k(**SMALL).eval()
    shown = Attention10k(**SMALL, shown="attention").eval()
    shown.load_state_dict(method.state_dict())
    with torch.no_grad():
        cosines, attention = method.localize(batch), shown.localize(batch)
    torch.testing.assert_close(attention.sum(dim=(1, 2)), torch.ones(2))
    assert (cosines > 0).all(), "as they must be at the start, where ReLU passes no gradient below"
    assert torch.equal(cosines.flatten(1).argsort(dim=1), attention.flatten(1).argsort(dim=1))


def test_negatives_are_the_next_clips_sounds(make_batch, monkeypatch):
    method = Attention10k(**SMALL).eval()
    sounds = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    monkeypatch.setattr(method, "encode", lambda batch: (torch.ones(3, 512, 2, 2), sounds))
    monkeypatch.setattr(method, "cosines", lambda cells, sounds: torch.zeros(3, 2, 2))
    monkeypatch.setattr(method, "attended", lambda cells, weights: torch.zeros(3, 2))
    distances = torch.tensor([[0.0, 5.0], [5.0, 1.0], [1.0, 0.0]])  # of 0 to the own and to the next sound
    expected = distances.softmax(dim=1)[:, 0].square().mean()  # both shares are as far from (0, 1)
    torch.testing.assert_close(method.loss(make_batch(size=3))["ratio"], expected, rtol=0, atol=1e-5)


def test_a_batch_of_one_has_no_negative_and_loses_nothing(make_batch):
    loss = Attention10k(**SMALL).eval().loss(make_batch(size=1))["ratio"]
    assert loss == 0


def test_masks_pull_attention_to_their_places_and_are_asked_for_only_then(make_batch):
    assert Attention10k(**SMALL).needs == frozenset()
    method = Attention10k(**SMALL, supervised=0.5, trainable="all").eval()
    assert method.needs == {"mask"}
    batch = make_batch(size=2)
    mask = torch.zeros(2, 1, 64, 64)
    mask[0, :, :16, 16:32] = 1  # exactly one of 4 x 4 places
    mask[0, :, 32:48, :7] = 1  # less than half of one
    with torch.no_grad():
        weights = log_attention(method.localize(batch))
        term = method.loss(replace(batch, mask=mask))["supervised"]
    torch.testing.assert_close(term, -0.5 * weights[0, 1] / 2)
    with pytest.raises(UserError, match="expected masks"):
        method.loss(batch)


def test_the_picture_is_frozen_by_default_and_wrong_options_say_so():
    assert not any(parameter.requires_grad for parameter in Attention10k(**SMALL).image.parameters())
    with pytest.raises(UserError, match="expected supervised of 0 or above, got -1"):
        Attention10k(**SMALL, supervised=-1.0)
    with pytest.raises(UserError, match="did you mean 'attention'"):
        Attention10k(**SMALL, shown="attended")
