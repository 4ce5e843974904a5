"""AVOL-Net against numbers of DSOL's first stage, which shares its heads, score and loss, and by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from soundspot import ops
from soundspot.methods.avol import AVOL, pair_terms
from soundspot.types import UserError


def published_heads(arrays, towers):
    """A method with the published heads; that network compares directions and scales them by 5."""
    method = AVOL(**towers, dim=12)
    assert method.image.channels == method.audio.channels == 16
    tensors = {
        f"{head}_head.{layer}.{kind}": torch.tensor(arrays[f"par_w_{name}_{number}_{kind}"])
        for head, name in (("image", "conv_v"), ("audio", "fc_a"))
        for layer, number in ((0, 1), (2, 2))
        for kind in ("weight", "bias")
    }
    tensors["scale"] = torch.tensor(arrays["par_w_conv_av_weight"]).reshape(())
    assert not method.load_state_dict(tensors, strict=False).unexpected_keys
    return method


def test_map_score_and_loss_of_dsols_first_stage(golden, close, tiny_towers):
    arrays = golden("dsol_stage1__a")
    method = published_heads(arrays, tiny_towers)
    sounds = ops.max_pool(torch.tensor(arrays["in_aud_featmap"]))
    odds = []
    for sign in ("pos", "neg"):
        cells, vectors = method.project(torch.tensor(arrays[f"in_img_feat_{sign}"]), sounds)
        odds.append(method.scores(ops.unit(cells), ops.unit(vectors)))
    interleaved = torch.stack(odds, dim=1).flatten(0, 1)
    close(interleaved.sigmoid(), arrays["out_map"])
    close(ops.max_pool(interleaved).sigmoid(), arrays["out_score"])
    close(sum(pair_terms(ops.max_pool(odds[0]), ops.max_pool(odds[1])).values()), arrays["out_loss"])


def test_scores_are_scaled_and_shifted_dot_products_of_any_length(tiny_towers):
    method = AVOL(**tiny_towers)
    with torch.no_grad():
        method.scale.fill_(2.0)
        method.offset.fill_(-1.0)
    cells = torch.tensor([[3.0, 0.0], [4.0, 1.0]]).reshape(1, 2, 1, 2)
    assert method.scores(cells, torch.tensor([[1.0, 2.0]])).tolist() == [[[21.0, 3.0]]]


def test_the_loss_takes_the_best_place_and_the_next_clips_sound_for_a_negative(tiny_towers, make_batch):
    method = AVOL(**tiny_towers).eval()
    batch = make_batch(size=3, image=(4, 4), audio=(6, 1))
    cells, sounds = method.encode(batch)
    odds = method.scale * torch.einsum("bchw,mc->bmhw", cells, sounds).amax(dim=(2, 3)) + method.offset
    own, other = odds.diagonal(), torch.stack([odds[0, 1], odds[1, 2], odds[2, 0]])
    truth = torch.tensor([1.0, 1, 1, 0, 0, 0])
    expected = F.binary_cross_entropy(torch.cat([own, other]).sigmoid(), truth)
    torch.testing.assert_close(sum(method.loss(batch).values()), expected)
    torch.testing.assert_close(method.localize(batch).amax(dim=(1, 2)), own)


def test_two_processes_have_together_the_loss_of_one(tiny_towers, make_batch, monkeypatch):
    method = AVOL(**tiny_towers).eval()
    batch = make_batch(size=4, image=(4, 4), audio=(6, 1))
    cells, sounds = method.encode(batch)
    monkeypatch.setattr(method, "encode", lambda part: (cells[part], sounds[part]))
    whole = sum(method.loss(slice(0, 4)).values())
    monkeypatch.setattr(ops, "gather", lambda x: sounds)
    parts = []
    for rank in (0, 1):
        monkeypatch.setattr(ops, "rank", lambda rank=rank: rank)
        parts.append(sum(method.loss(slice(2 * rank, 2 * rank + 2)).values()))
    torch.testing.assert_close(sum(parts) / 2, whole)


def test_one_clip_alone_has_no_negative(tiny_towers, make_batch):
    method = AVOL(**tiny_towers).eval()
    batch = make_batch(size=1, image=(4, 4), audio=(6, 1))
    terms = method.loss(batch)
    assert terms["negative"].item() == 0
    torch.testing.assert_close(terms["positive"], F.softplus(-method.localize(batch).max()))


def test_heads_have_two_layers_and_a_map_of_stride_16(tiny_towers):
    method = AVOL(image_backbone="resnet10t", audio_backbone="resnet10t")
    assert method.options["output_stride"] == 16
    assert [type(layer) for layer in method.image_head] == [nn.Conv2d, nn.ReLU, nn.Conv2d]
    assert [layer.out_features for layer in method.audio_head[::2]] == [128, 128]
    with pytest.raises(UserError, match="expected dim of at least 1, got 0; set it to 128"):
        AVOL(**tiny_towers, dim=0)
