"""LVS against numbers of the published code."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from soundspot import ops
from soundspot.methods.lvs import LVS, TriMap, lvs_logits
from soundspot.types import UserError


def published(arrays):
    masks = TriMap(
        float(arrays["par_eps_pos"]),
        float(arrays["par_eps_neg"]),
        float(arrays["par_tau"]),
        trimap=bool(arrays["par_trimap"]),
    )
    options = {"temperature": float(arrays["par_temp"]), "hard_negative": bool(arrays["par_hardneg"])}
    return masks, options


@pytest.mark.parametrize("case", ["a", "b"])
def test_logits_masks_map_and_gradients_of_the_published_code(golden, close, case):
    arrays = golden(f"lvs_logits__{case}")
    masks, options = published(arrays)
    image, audio = (torch.tensor(arrays[name], requires_grad=True) for name in ("in_img_feat", "in_aud_featmap"))
    cells, sounds = ops.unit(image), ops.unit(ops.max_pool(audio))
    scores = ops.own_similarity(cells, sounds)
    close(scores, arrays["out_map"])
    close(masks.positive(scores), arrays["out_pos_mask"])
    close(masks.negative(scores), arrays["out_neg_mask"])
    logits = lvs_logits(cells, sounds, masks, diagonal_quirk=True, **options)
    close(logits, arrays["out_logits"])
    loss = F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))
    loss.backward()
    close(loss, arrays["out_loss"])
    close(image.grad, arrays["out_grad_img"], atol=0, rtol=2e-3)
    close(audio.grad, arrays["out_grad_aud"], atol=0, rtol=2e-3)


def test_own_sound_is_no_negative_whatever_its_sign():
    """The published factor hides the diagonal while cosines are positive, and turns it into a huge logit below 0."""
    sounds = torch.eye(3)
    cells = -sounds.reshape(3, 3, 1, 1)
    plain = lvs_logits(cells, sounds, TriMap())
    quirk = lvs_logits(cells, sounds, TriMap(), diagonal_quirk=True)
    assert torch.isneginf(plain[:, 1:4].diagonal()).all()
    assert (quirk[:, 1:4].diagonal() > 1000).all()
    off = ~torch.eye(3, dtype=torch.bool)
    torch.testing.assert_close(plain[:, 1:4][off], quirk[:, 1:4][off])


def test_a_picture_that_sounds_everywhere_gives_no_nan():
    cells, sounds = torch.ones(2, 1, 4, 4), torch.ones(2, 1)
    assert lvs_logits(cells, sounds, TriMap())[:, -1].isfinite().all()


def test_rows_of_one_process_are_those_of_the_whole_batch():
    torch.manual_seed(0)
    cells, sounds = ops.unit(torch.rand(6, 8, 3, 3)), ops.unit(torch.rand(6, 8))
    whole = lvs_logits(cells, sounds, TriMap())
    torch.testing.assert_close(lvs_logits(cells[4:], sounds, TriMap(), first=4), whole[4:])


def test_map_is_14x14_without_dilation_and_cosines_of_relu_features_are_positive(make_batch):
    method = LVS().eval()
    with torch.no_grad():
        scores = method.localize(make_batch(size=1, image=(224, 224)))
    assert scores.shape == (1, 14, 14)
    assert 0 <= scores.min() <= scores.max() <= 1 + 1e-6
    assert {module.dilation for module in method.image.modules() if isinstance(module, torch.nn.Conv2d)} == {(1, 1)}
    assert sum(parameter.numel() for parameter in method.parameters()) == 23_422_928 - 1_076_176  # less the dead ones


def test_the_sounds_tower_keeps_the_stride_of_the_pictures():
    method = LVS(audio_backbone="resnet10t", image_backbone="resnet10t").eval()
    with torch.no_grad():
        assert method.audio(torch.zeros(1, 1, 256, 672)).shape[-2:] == (16, 42)


def test_towers_of_unequal_width_need_heads():
    with pytest.raises(UserError, match="set dim"):
        LVS(image_backbone="tf_efficientnet_lite0", audio_backbone="resnet10t")
    assert LVS(image_backbone="tf_efficientnet_lite0", audio_backbone="resnet10t", dim=8).image_head.out_channels == 8
