"""MarginNCE against cases by hand: no code or weights of the authors are public."""

from __future__ import annotations

import math

import pytest
import torch

from soundspot.methods.ez_vsl import EZVSL
from soundspot.methods.margin_nce import MarginNCE
from soundspot.types import UserError


def test_the_margin_is_taken_from_own_pairs_over_the_temperature(tiny_towers):
    method = MarginNCE(**tiny_towers, margin=-0.2, temperature=0.1)
    got = method.eased(torch.tensor([[5.0, 1.0], [2.0, 3.0]]))
    torch.testing.assert_close(got, torch.tensor([[7.0, 1.0], [2.0, 5.0]]))


def test_the_loss_by_hand(tiny_towers, make_batch, monkeypatch):
    """Cosines 0.5 and 0.3 of own pairs, 0.1 and 0.2 of others, temperature 0.1, margin -0.2: logits 7, 5, 1, 2."""
    method = MarginNCE(**tiny_towers, margin=-0.2, temperature=0.1)
    cells = torch.eye(2).reshape(2, 2, 1, 1)
    sounds = torch.tensor([[0.5, 0.2], [0.1, 0.3]])
    monkeypatch.setattr(method, "encode", lambda batch: (cells, sounds))
    rows = math.log1p(math.exp(1 - 7)) + math.log1p(math.exp(2 - 5))
    columns = math.log1p(math.exp(2 - 7)) + math.log1p(math.exp(1 - 5))
    assert method.loss(make_batch(size=2))["nce"].item() == pytest.approx((rows + columns) / 2, rel=1e-5)


def test_no_margin_is_ez_vsl_and_no_margin_touches_the_map(tiny_towers, make_batch):
    batch = make_batch(image=(3, 3), audio=(6, 1))
    plain = EZVSL(**tiny_towers).eval()
    losses = {}
    for margin in (-0.2, 0.0, 0.2):
        method = MarginNCE(**tiny_towers, margin=margin).eval()
        method.load_state_dict(plain.state_dict())
        torch.testing.assert_close(method.localize(batch), plain.localize(batch), rtol=0, atol=0)
        losses[margin] = method.loss(batch)["nce"].item()
    assert losses[0.0] == plain.loss(batch)["nce"].item()
    assert losses[-0.2] < losses[0.0] < losses[0.2]


@pytest.mark.parametrize("margin", [-2.5, math.nan])
def test_a_margin_no_cosine_can_have_is_refused(tiny_towers, margin):
    with pytest.raises(UserError, match=f"expected a margin of a cosine, from -2 to 2, got {margin}; set it to -0.2"):
        MarginNCE(**tiny_towers, margin=margin)
