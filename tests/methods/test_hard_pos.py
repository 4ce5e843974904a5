"""HardPos: no code is public, so cases small enough to compute by hand; without neighbours it is LVS."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from soundspot import ops
from soundspot.methods.hard_pos import HardPos
from soundspot.methods.lvs import LVS
from soundspot.types import UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t"}


@pytest.fixture
def batch(make_batch):
    """Three clips with neighbours."""
    plain = make_batch(size=3)
    near = {"image_neighbour": plain.image.flip(0), "audio_neighbour": plain.audio.flip(0)}
    return replace(plain, extra=near)


@pytest.mark.parametrize(("add", "positive"), [("probabilities", 2 + 2 * math.e), ("scores", math.e**2)])
def test_positives_of_one_place_by_hand(tiny_towers, add, positive):
    """One place a picture, so its mean is its cosine: 1 and 0 for own and neighbour's sound, 0 and 1 for theirs."""
    method = HardPos(**tiny_towers, add=add, temperature=1.0)
    axis = torch.eye(2)
    cells = [axis[:1, :, None, None], axis[1:, :, None, None]]
    sounds = [axis[:1], axis[1:]]
    positives = method.positives(cells, sounds)
    torch.testing.assert_close(positives, torch.tensor([[1.0, 0.0, 0.0, 1.0]]))
    logits = method.with_positives(positives, torch.tensor([[1.0, -torch.inf, 0.5]]))
    torch.testing.assert_close(logits[0, 0].exp(), torch.tensor(positive))
    assert logits[0, 1:].tolist() == [-torch.inf, 0.5]


def test_each_pair_is_masked_by_its_own_map(tiny_towers):
    """Of two places one sounds with the own sound, the other with the neighbour's: both pairs score 1, not one half."""
    method = HardPos(**tiny_towers, neighbours="audio", temperature=1.0)
    cells = torch.eye(2).T[None, :, None, :]
    positives = method.positives([cells], [torch.eye(2)[:1], torch.eye(2)[1:]])
    torch.testing.assert_close(positives, torch.ones(1, 2), rtol=0, atol=1e-5)


def test_without_neighbours_it_is_lvs(batch):
    method, lvs = HardPos(**SMALL, neighbours="none").train(), LVS(**SMALL).train()
    lvs.load_state_dict(method.state_dict())
    assert method.needs == frozenset()
    torch.testing.assert_close(method.loss(replace(batch, extra={}))["nce"], lvs.loss(batch)["nce"])


def test_positives_are_of_all_four_pairs_and_negatives_of_the_own_alone(batch):
    method = HardPos(**SMALL).eval()
    assert method.needs == {"neighbour"}
    images, audios = method.views.features(method, batch)
    cells = [ops.unit(maps) for maps in images]
    sounds = [ops.unit(ops.max_pool(maps)) for maps in audios]
    logits = method.logits(cells[0], sounds[0])
    positives = method.positives(cells, sounds)
    assert positives.shape == (3, 4)
    torch.testing.assert_close(positives[:, 0], logits[:, 0])
    torch.testing.assert_close(positives[:, 3], positives[:, 0].flip(0))  # here neighbours are the clips in reverse
    total = torch.cat([positives, logits[:, 1:]], dim=1).exp()
    expected = -(total[:, :4].sum(dim=1) / total.sum(dim=1)).log().mean()
    torch.testing.assert_close(method.loss(batch)["nce"], expected)


def test_kept_features_of_every_view_give_the_loss_of_the_views_themselves(batch):
    method = HardPos(**SMALL, trainable="last_block", trainable_audio="last_block").train()
    kept = method.frozen(batch)
    assert kept.keys() == {"image", "image_neighbour", "audio", "audio_neighbour"}
    torch.testing.assert_close(method.loss(replace(batch, extra=kept))["nce"], method.loss(batch)["nce"])


def test_its_maps_need_no_neighbours(batch):
    method = HardPos(**SMALL).eval()
    scores = method.localize(replace(batch, extra={}))
    torch.testing.assert_close(scores, method.localize(batch))
    assert scores.shape == (3, 4, 4)


def test_a_single_silent_clip_has_a_finite_loss(batch):
    one = replace(
        batch,
        image=batch.image[:1],
        audio=torch.zeros_like(batch.audio[:1]),
        clip_ids=("a",),
        extra={name: torch.zeros_like(value[:1]) for name, value in batch.extra.items()},
    )
    method = HardPos(**SMALL).eval()
    with torch.autocast("cpu", torch.bfloat16):
        loss = method.loss(one)["nce"]
    loss.backward()
    assert loss.isfinite()
    assert all(value.grad.isfinite().all() for value in method.parameters() if value.grad is not None)


def test_wrong_options_and_batches_say_what_to_do(batch):
    with pytest.raises(UserError, match="did you mean 'probabilities'"):
        HardPos(**SMALL, add="probability")
    with pytest.raises(UserError, match="unknown neighbours 'sound': expected one of audio, both, image, none"):
        HardPos(**SMALL, neighbours="sound")
    with pytest.raises(UserError, match=r"expected image_neighbour in the batch, got nothing .*neighbours=none"):
        HardPos(**SMALL).loss(replace(batch, extra={}))
