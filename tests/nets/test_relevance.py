"""Transformer-MM's relevance by the published code's numbers, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from soundspot.nets.relevance import relevance


def near(got: torch.Tensor, expected: np.ndarray, *, atol: float = 0.0, share: float = 0.0) -> None:
    """Equal to within `atol` and `share` of the largest value."""
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=0, atol=atol + share * np.abs(expected).max())


def layers(arrays, first):
    """(1, heads, N, N) attention and gradients of the layers from number `first` on."""
    return [[torch.tensor(layer)[None] for layer in arrays[name][first:]] for name in ("in_attn", "in_attn_grad")]


@pytest.mark.parametrize(("first", "name"), [(11, "last_layer"), (8, "from_layer8"), (0, "all_layers")])
def test_relevance_of_given_attention_is_the_published_codes(golden, first, name):
    arrays = golden("tmm_relevance__a")
    found = relevance(*layers(arrays, first))
    near(found[0], arrays[f"out_relevance_{name}"], share=1e-4)


def test_two_layers_of_two_heads_by_hand():
    """Heads are averaged after the ReLU; a layer multiplies what the layers before it gathered, and is added."""
    first = torch.tensor([[[0.0, 0.5], [0.25, 0.0]], [[0.0, 0.5], [0.0, 0.0]]])[None]
    second = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.25], [0.0, 0.0]]])[None]
    up = torch.ones(1, 2, 2, 2)
    mixed = up.clone()
    mixed[0, 1] = -1.0  # the second head speaks against: nothing of it counts
    # A1 = [[0, .5], [.125, 0]], R = [[1, .5], [.125, 1]]; A2 = [[1, .125], [0, 0]], its row adds (1 + 1/64, .5 + .125)
    torch.testing.assert_close(relevance([first, second], [up, up]), torch.tensor([[0.5 + 0.5 + 0.125]]))
    torch.testing.assert_close(relevance([first], [mixed]), torch.tensor([[0.25]]))


def test_pictures_of_a_batch_do_not_mix():
    draw = torch.Generator().manual_seed(0)
    attention, gradients = ([torch.rand(3, 2, 5, 5, generator=draw) for _ in range(2)] for _ in range(2))
    whole = relevance(attention, gradients)
    alone = relevance([each[1:2] for each in attention], [each[1:2] for each in gradients])
    torch.testing.assert_close(whole[1:2], alone)


def test_mixed_precision_does_not_reach_it():
    draw = torch.Generator().manual_seed(0)
    attention, gradients = ([torch.rand(1, 2, 5, 5, generator=draw) for _ in range(2)] for _ in range(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = relevance(attention, gradients)
    torch.testing.assert_close(rough, relevance(attention, gradients), rtol=0, atol=0)


def test_every_layer_needs_its_gradient():
    with pytest.raises(ValueError, match="zip"):
        relevance([torch.rand(1, 1, 2, 2)] * 2, [torch.rand(1, 1, 2, 2)])
