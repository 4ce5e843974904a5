"""DMC against numbers of the published simplified code, and by hand."""

from __future__ import annotations

import pytest
import torch

from soundspot.methods.dmc import DMC, cluster, contrastive_terms, distances, squared_match
from soundspot.types import UserError


@pytest.fixture
def published(golden, tiny_towers):
    """The fixture's arrays, and a method with its heads and options."""
    arrays = golden("dmc_em__a")
    method = DMC(
        **tiny_towers,
        dim=10,
        image_clusters=int(arrays["par_kv"]),
        audio_clusters=int(arrays["par_ka"]),
        sharpness=-float(arrays["par_beta"]),
        rounds=int(arrays["par_iters"]),
        margin=float(arrays["par_margin"]),
    )
    method.image_head, method.audio_head = torch.nn.Linear(12, 10), torch.nn.Linear(12, 10)
    with torch.no_grad():
        for head, name in ((method.image_head, "v"), (method.audio_head, "a")):
            head.weight.copy_(torch.tensor(arrays[f"par_fc_{name}_w"]))
            head.bias.copy_(torch.tensor(arrays[f"par_fc_{name}_b"]))
    return arrays, method


def test_clusters_distances_loss_and_gradients_of_the_published_code(published, close):
    arrays, method = published
    image, audio = (torch.tensor(arrays[name], requires_grad=True) for name in ("in_img_feat", "in_aud_featmap"))
    seen, heard = method.clusters(*method.project(image, audio))
    close(seen.centres, arrays["out_v_centers"])
    close(heard.centres, arrays["out_a_centers"])
    close(seen.log_shares.exp().unflatten(2, (7, 7)), arrays["out_v_assign"])
    close(distances(seen.centres, heard.centres), arrays["out_dist_all"])
    squared = squared_match(seen.centres, heard.centres)
    close(squared, (arrays["out_dist"] ** 2).sum(axis=1))
    own = torch.tensor(arrays["in_label"]).bool()
    loss = sum(contrastive_terms(squared[own], squared[~own], method.margin).values())
    loss.backward()
    close(loss, arrays["out_loss"])
    close(image.grad, arrays["out_grad_img"], atol=0, rtol=2e-3)
    close(audio.grad, arrays["out_grad_aud"], atol=0, rtol=2e-3)


def test_the_map_is_the_share_of_the_cluster_nearest_to_the_sound(published, close):
    arrays, method = published
    image, audio = (torch.tensor(arrays[name]) for name in ("in_img_feat", "in_aud_featmap"))
    clusters = method.clusters(*method.project(image, audio))
    nearest = arrays["out_dist_all"][:, :, 0].argmin(axis=1)
    assert set(nearest.tolist()) == {0, 1}
    shares = arrays["out_v_assign"].reshape(6, 2, 49)[range(6), nearest]
    odds = method.scores(*clusters)
    close(odds.sigmoid(), shares)
    method.shown = "assignment"
    close(method.scores(*clusters), shares)


def test_two_heaps_of_cells_are_found_and_log_odds_order_what_shares_round_to_1():
    cells = torch.tensor([[[0.0], [0.2], [0.1], [9.0], [9.4], [8.6]]])
    found = cluster(cells, 2)
    torch.testing.assert_close(found.centres, torch.tensor([[[0.1], [9.0]]]))
    assert (found.log_shares.exp()[0, 0, :3] == 1).all()
    assert (found.log_shares[0, 1, :3].diff() != 0).all()


def test_a_centre_that_all_cells_have_left_stays_a_number():
    cells = torch.tensor([[[0.0], [100.0], [40.0], [-60.0]]], requires_grad=True)
    found = cluster(cells, 3, sharpness=1000.0, rounds=6)
    found.centres.sum().backward()
    assert found.centres.isfinite().all()
    assert cells.grad.isfinite().all()


def test_equal_cells_give_a_flat_map_and_finite_gradients(tiny_towers, make_batch):
    method = DMC(**tiny_towers)
    batch = make_batch(size=2, image=(4, 4), audio=(6, 1))
    batch.image.zero_()
    batch.audio.zero_()
    assert (method.localize(batch) == 0).all()  # as likely as not
    sum(method.loss(batch).values()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in method.parameters())


def test_the_loss_by_hand(tiny_towers, make_batch, monkeypatch):
    """Centres 0 and 4 in both pictures; sounds at 1 and 4: own distances 1 and 0, the next clip's 0 and 1."""
    method = DMC(**tiny_towers, margin=3.0)
    image = torch.tensor([[[0.0], [0.0], [4.0], [4.0]]] * 2)
    sounds = torch.tensor([[[1.0]], [[4.0]]])
    monkeypatch.setattr(method, "encode", lambda batch: (image, sounds, (2, 2)))
    terms = method.loss(make_batch(size=2))
    assert terms["positive"].item() == pytest.approx(0.5 * 1 / 4, abs=1e-4)
    assert terms["negative"].item() == pytest.approx(0.5 * (3**2 + 2**2) / 4, abs=1e-3)
    scores = method.localize(make_batch(size=2))
    assert scores.shape == (2, 2, 2)
    torch.testing.assert_close(scores[0], torch.tensor([[120.0, 120.0], [-120.0, -120.0]]), rtol=0, atol=0.1)
    torch.testing.assert_close(scores[1], -scores[0])


def test_a_sound_of_two_clusters_matches_each_with_its_nearest():
    image, audio = torch.tensor([[[0.0], [10.0]]]), torch.tensor([[[1.0], [8.0]]])
    assert squared_match(image, audio).item() == pytest.approx(1 + 4)


def test_one_clip_alone_has_no_negative(tiny_towers, make_batch):
    terms = DMC(**tiny_towers).eval().loss(make_batch(size=1, image=(4, 4), audio=(6, 1)))
    assert terms["negative"].item() == 0
    assert terms["positive"].item() > 0


@pytest.mark.parametrize(("shown", "bounds"), [("log_odds", None), ("assignment", (0.0, 1.0))])
def test_what_is_shown_states_its_bounds(tiny_towers, make_batch, shown, bounds):
    method = DMC(**tiny_towers, shown=shown)
    assert method.score_range == bounds
    scores = method.localize(make_batch(size=2, image=(4, 4), audio=(6, 1)))
    assert bool((scores < 0).any()) == (bounds is None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_clusters": 1}, r"image_clusters \(objects and background\) of at least 2, got 1"),
        ({"audio_clusters": 0}, "audio_clusters of at least 1, got 0"),
        ({"rounds": 0}, "rounds of at least 1, got 0"),
        ({"sharpness": -30.0}, "sharpness above 0, got -30.0"),
        ({"margin": 0.0}, "margin above 0, got 0.0"),
        ({"shown": "assignments"}, "did you mean 'assignment'"),
    ],
)
def test_wrong_options_say_what_is_known(tiny_towers, options, message):
    with pytest.raises(UserError, match=message):
        DMC(**tiny_towers, **options)
