"""FNAC against numbers of the published code, and its schedule."""

from __future__ import annotations

import pytest
import torch

from soundspot import ops
from soundspot.methods.ez_vsl import EZVSL
from soundspot.methods.fnac import FNAC, false_negative_terms, foreground
from soundspot.types import UserError


def published(arrays, towers):
    weight = float(arrays["par_weight"])
    return FNAC(
        **towers,
        temperature=float(arrays["par_tau"]),
        foreground_above=float(arrays["par_fg_thr"]),
        fns1_weight=weight,
        tns_weight=weight,
        fns2_weight=weight,
    )


@pytest.mark.parametrize("case", ["a", "b"])
def test_terms_map_and_gradients_of_the_published_code(golden, close, tiny_towers, case):
    arrays = golden(f"fnac_loss__{case}")
    method = published(arrays, tiny_towers)
    cells, sounds = (torch.tensor(arrays[name], requires_grad=True) for name in ("in_img", "in_aud"))
    terms = method.terms(cells, sounds)
    close(terms["nce"], arrays["out_loss_nce"])
    for name in ("fns1", "tns", "fns2"):
        close(terms[name] / float(arrays["par_weight"]), arrays[f"out_loss_{name}"])
    total = sum(terms.values())
    close(total, arrays["out_total"])
    close(method.scores(cells, sounds), arrays["out_map"])
    total.backward()
    # the published inputs are unit cells; ours are made so first, which leaves of the gradient what lies across them
    across = arrays["out_grad_img"] - arrays["in_img"] * (arrays["out_grad_img"] * arrays["in_img"]).sum(1)[:, None]
    close(cells.grad, across, atol=0, rtol=1e-2)
    close(sounds.grad, arrays["out_grad_aud"], atol=0, rtol=1e-2)


@pytest.mark.parametrize("case", ["a", "b"])
def test_whole_gradients_of_the_published_code(golden, close, case):
    arrays = golden(f"fnac_loss__{case}")
    temperature, threshold = float(arrays["par_tau"]), float(arrays["par_fg_thr"])
    cells, sounds = (torch.tensor(arrays[name], requires_grad=True) for name in ("in_img", "in_aud"))
    logits = ops.pooled_similarity(cells, sounds, ops.max_pool) / temperature
    terms = false_negative_terms(cells, sounds, logits, temperature, threshold)
    (ops.symmetric_info_nce(logits) + float(arrays["par_weight"]) * sum(terms.values())).backward()
    close(cells.grad, arrays["out_grad_img"], atol=0, rtol=1e-2)
    close(sounds.grad, arrays["out_grad_aud"], atol=0, rtol=1e-2)


def test_a_foreground_is_summed_over_its_cells_and_divided_by_all():
    cells = torch.tensor([[[[1.0, 2.0, 4.0, 8.0]]]])
    assert foreground(cells, torch.tensor([[[0.0, 0.7, 0.5, 1.0]]]), 0.6).item() == (2 + 8) / 4
    assert foreground(cells, torch.full((1, 1, 4), 0.3), 0.6).item() == 0  # a flat map has none


def test_a_flat_map_and_equal_clips_give_a_loss_of_nothing_but_the_chance(tiny_towers):
    cells, sounds = torch.ones(2, 4, 3, 3), torch.full((2, 4), 0.5)
    terms = FNAC(**tiny_towers).terms(cells, sounds)
    assert terms["nce"].item() == pytest.approx(2 * torch.tensor(2.0).log().item())
    assert terms["fns1"].item() == terms["tns"].item() == terms["fns2"].item() == 0


def test_warm_up_is_ez_vsls_loss_and_a_weight_of_0_leaves_a_term_out(tiny_towers, make_batch):
    batch = make_batch(image=(3, 3), audio=(6, 1))
    method = FNAC(**tiny_towers, warmup_epochs=2, tns_weight=0.0).eval()
    names = {}
    for epoch in range(4):
        method.before_epoch(epoch)
        names[epoch] = set(method.loss(batch))
    assert names == {0: {"nce"}, 1: {"nce"}, 2: {"nce", "fns1", "fns2"}, 3: {"nce", "fns1", "fns2"}}
    plain = EZVSL(**tiny_towers).eval()
    plain.load_state_dict(method.state_dict())
    torch.testing.assert_close(method.loss(batch)["nce"], plain.loss(batch)["nce"])
    torch.testing.assert_close(method.localize(batch), plain.localize(batch))


def test_dropout_is_on_what_the_heads_read(tiny_towers):
    torch.manual_seed(0)
    method = FNAC(**tiny_towers, dropout_image=0.5, dim=16).train()
    with torch.no_grad():
        method.image_head.weight.copy_(torch.eye(16)[:, :, None, None])
        method.image_head.bias.zero_()
        method.audio_head.weight.copy_(torch.eye(16))
        method.audio_head.bias.zero_()
    cells, sounds = method.project(torch.ones(4, 16, 8, 8), torch.ones(4, 16))
    assert set(cells.unique().tolist()) == {0.0, 2.0}
    assert (cells == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    torch.testing.assert_close(sounds, torch.full((4, 16), 0.25))  # none on the sound
    assert (method.eval().project(torch.ones(4, 16, 8, 8), torch.ones(4, 16))[0] == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout_image": 1.0}, r"expected dropout_image in \[0, 1\), got 1.0; set it to 0"),
        ({"dropout_audio": -0.1}, r"expected dropout_audio in \[0, 1\), got -0.1; set it to 0"),
        ({"foreground_above": 1.5}, r"expected foreground_above in \[0, 1\), got 1.5; set it to 0.6"),
        ({"matching": "max_simm"}, "did you mean 'max_sim'"),
    ],
)
def test_wrong_options_say_what_is_known(tiny_towers, options, message):
    with pytest.raises(UserError, match=message):
        FNAC(**tiny_towers, **options)
