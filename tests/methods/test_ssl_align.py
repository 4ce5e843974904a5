"""SSLalign against numbers of the published training code, by hand where there are none, and its ablations."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from soundspot import ops
from soundspot.methods.ssl_align import SSLAlign, by_pair, pair_losses
from soundspot.types import NUM_DRAWS, UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "projection": 8}
VIEWS = ("", "_aug", "_nn")


@pytest.fixture
def batch(make_batch):
    """Three clips with random numbers and neighbours."""
    draw = torch.Generator().manual_seed(3)
    plain, other = make_batch(size=3), make_batch(size=3)
    near = {"image_neighbour": other.image.flip(0), "audio_neighbour": other.audio.flip(0)}
    return replace(plain, extra=near, draws=torch.rand(3, NUM_DRAWS, generator=draw))


@pytest.fixture
def bare(tiny_towers):
    """A function that makes the method around towers of 16 channels, for tests that bring the towers' maps."""
    return lambda **options: SSLAlign(**tiny_towers, **{"projection": 12, **options})


def set_projections(method, arrays):
    for layer, name in ((method.image_projection, "img"), (method.audio_projection, "aud")):
        layer.weight.data = torch.tensor(arrays[f"par_{name}_proj_w"])
        layer.bias.data = torch.tensor(arrays[f"par_{name}_proj_b"])


@pytest.mark.parametrize(("case", "used", "further"), [("one", VIEWS[:1], "none"), ("nine", VIEWS, "both")])
def test_terms_map_and_gradients_of_the_published_code(golden, close, bare, case, used, further):
    arrays = golden(f"sslalign_train__{case}")
    method = bare(
        augmented=further,
        neighbours=further,
        temperature=float(arrays["par_temp"]),
        eps_pos=float(arrays["par_eps_pos"]),
        tau=float(arrays["par_tau"]),
    )
    set_projections(method, arrays)
    images = [torch.tensor(arrays[f"in_img_feat{view}"], requires_grad=True) for view in used]
    audios = [torch.tensor(arrays[f"in_aud_featmap{view}"], requires_grad=True) for view in used]
    logits = method.logits(images, audios)
    close(logits["localize"][0, 0], arrays["out_logits_sL_orig"])
    close(torch.cat([method.contrast(each).flatten() for each in logits.values()]), arrays["out_terms"])
    loss = sum(method.terms(images, audios).values())
    loss.backward()
    close(loss, arrays["out_loss"])
    for view, image, audio in zip(used, images, audios, strict=True):
        close(image.grad, arrays[f"out_grad_img_feat{view}"], atol=0, rtol=2e-3)
        close(audio.grad, arrays[f"out_grad_aud_featmap{view}"], atol=0, rtol=2e-3)
    method.features = lambda _: (images[0], audios[0])
    close(method.localize(None), arrays["out_map"])


def corner_maps():
    """Two pictures of two places each and two sounds, of one channel in 16 each, so that cosines are 0 or 1."""
    channel = torch.eye(16)
    images = torch.stack([torch.stack([channel[0], channel[2]], 1), torch.stack([channel[1], channel[1]], 1)])
    return images[:, :, None], torch.stack([channel[0], channel[1]])[:, :, None, None]


def test_the_paper_averages_all_places_and_projects_their_mean(bare):
    method = bare(variant="paper", augmented="none", neighbours="none", projection=16, temperature=1.0)
    for layer in (method.image_projection, method.audio_projection):
        layer.weight.data, layer.bias.data = torch.eye(16), torch.zeros(16)
    image, audio = corner_maps()
    logits = method.logits([image], [audio])
    torch.testing.assert_close(logits["localize"][0, 0], torch.tensor([[0.5, 0.0], [0.0, 1.0]]))
    torch.testing.assert_close(logits["align"][0, 0], torch.tensor([[0.5**0.5, 0.0], [0.0, 1.0]]))
    assert bare(variant="code", temperature=1.0).logits([image], [audio])["localize"][0, 0, 0, 0] > 0.99


def test_one_way_chooses_among_sounds_and_symmetric_among_pictures_too(bare):
    logits = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).reshape(1, 1, 2, 2)
    nce = [ops.info_nce(logits[0, 0]), ops.info_nce(logits[0, 0].T)]
    torch.testing.assert_close(bare().contrast(logits), nce[0].reshape(1, 1))
    torch.testing.assert_close(bare(symmetric=True).contrast(logits), sum(nce).reshape(1, 1))


def test_pairs_stand_by_view_of_picture_then_of_sound():
    pictures, sounds = torch.tensor([1.0, 2.0, 10.0, 20.0]), torch.tensor([3.0, 5.0, 7.0, 11.0, 13.0, 17.0])
    table = by_pair(torch.outer(pictures, sounds), (2, 3))
    assert table.shape == (2, 3, 2, 2)
    torch.testing.assert_close(table[1, 2], torch.outer(pictures[2:], sounds[4:]))
    torch.testing.assert_close(pair_losses(table)[1, 2], ops.info_nce(table[1, 2]))
    torch.testing.assert_close(pair_losses(table[:, :, 1:], first=1), -table.log_softmax(-1)[:, :, 1, 1])


def handed_over(method, images, audios, monkeypatch):
    """What another process would bring to each gathering."""
    seen = []
    monkeypatch.setattr(ops, "gather", lambda x: seen.append(x) or x)
    method.logits(images, audios)
    return seen


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_process_has_its_rows_of_the_whole_batchs_tables(bare, monkeypatch, symmetric):
    torch.manual_seed(0)
    method = bare(symmetric=symmetric, intra=True)
    images, audios = ([torch.rand(4, 16, *size) for _ in range(3)] for size in ((3, 3), (2, 2)))
    whole = method.logits(images, audios)
    others = iter(handed_over(method, [maps[:2] for maps in images], [maps[:2] for maps in audios], monkeypatch))
    monkeypatch.setattr(ops, "gather", lambda x: torch.cat([next(others), x]))
    monkeypatch.setattr(ops, "rank", lambda: 1)
    mine = method.logits([maps[2:] for maps in images], [maps[2:] for maps in audios])
    assert mine.keys() == whole.keys()
    for name, logits in mine.items():
        rows = slice(None) if symmetric else slice(2, 4)
        torch.testing.assert_close(logits, whole[name][:, :, rows])
        if not symmetric:
            expected = pair_losses(whole[name][:, :, 2:], first=2)
            torch.testing.assert_close(method.contrast(logits), expected)


@pytest.mark.parametrize(
    ("options", "needs", "pairs"),
    [
        ({}, {"draws", "neighbour"}, (3, 3)),
        ({"neighbours": "none"}, {"draws"}, (2, 2)),
        ({"augmented": "none"}, {"neighbour"}, (2, 2)),
        ({"augmented": "none", "neighbours": "image"}, {"neighbour"}, (2, 1)),
        ({"augmented": "audio", "neighbours": "none"}, {"draws"}, (1, 2)),
        ({"augmented": "none", "neighbour_from": "anchor"}, set(), (2, 2)),
        ({"augmented": "none", "neighbours": "none"}, set(), (1, 1)),
    ],
)
def test_only_views_in_use_are_needed_and_paired(batch, options, needs, pairs):
    method = SSLAlign(**SMALL, **options)
    assert method.needs == needs
    given = batch if needs else replace(batch, extra={}, draws=None)
    logits = method.logits(*method.views.features(method, given))
    assert logits.keys() == {"localize", "align"}
    assert all(table.shape == (*pairs, 3, 3) for table in logits.values())


def test_anchors_as_neighbours_add_nothing_new(batch):
    method = SSLAlign(**SMALL, augmented="none", neighbour_from="anchor").eval()
    alone = SSLAlign(**SMALL, augmented="none", neighbours="none").eval()
    alone.load_state_dict(method.state_dict())
    for name, loss in method.loss(batch).items():
        torch.testing.assert_close(loss, 4 * alone.loss(batch)[name])


def test_augmented_views_follow_their_own_numbers_and_neighbours_come_from_the_batch(batch):
    method = SSLAlign(**SMALL).eval()
    given = method.views.frozen(method, batch)
    assert list(given) == [
        *("image", "image_augmented", "image_neighbour"),
        *("audio", "audio_augmented", "audio_neighbour"),
    ]
    assert torch.equal(given["image_neighbour"], batch.extra["image_neighbour"])
    assert not torch.equal(given["image_augmented"], batch.image)
    rolled = [batch.audio[0].roll(steps, dims=-1) for steps in range(batch.audio.shape[-1])]
    assert any(torch.equal(given["audio_augmented"][0], sound) for sound in rolled)
    other = method.views.frozen(method, replace(batch, draws=1 - batch.draws))
    assert not torch.equal(other["image_augmented"], given["image_augmented"])
    assert not torch.equal(other["audio_augmented"], given["audio_augmented"])
    assert torch.equal(other["image"], given["image"])


def test_kept_features_of_every_view_give_the_loss_of_the_views_themselves(batch):
    torch.manual_seed(0)
    method = SSLAlign(**SMALL, trainable="last_block", trainable_audio="last_block", intra=True).train()
    kept = method.frozen(batch)
    assert kept.keys() == {
        f"{modality}{view}" for modality in ("image", "audio") for view in ("", "_augmented", "_neighbour")
    }
    from_kept = method.loss(replace(batch, extra=kept, draws=None))
    for name, loss in method.loss(batch).items():
        torch.testing.assert_close(from_kept[name], loss)
    assert SSLAlign(**SMALL).frozen(batch) == {}


def test_intra_alignment_compares_the_own_view_with_further_ones_of_its_modality(bare):
    torch.manual_seed(0)
    method = bare(intra=True, neighbours="image", augmented="none")
    images, audio = [torch.rand(3, 16, 2, 2) for _ in range(2)], torch.rand(3, 16, 2, 2)
    tables = method.logits(images, [audio])
    assert tables.keys() == {"localize", "align", "intra_image"}  # one sound view: nothing to compare it with
    own, near = (method.project(maps, torch.rand(3, 16))[0] for maps in images)
    torch.testing.assert_close(tables["intra_image"][0, 0], own @ near.T / 0.07)
    assert "intra_image" in method.terms(images, [audio])


def test_retrieval_uses_projections_or_the_mean_of_unit_cells(batch):
    method = SSLAlign(**SMALL).eval()
    plain = SSLAlign(**SMALL, retrieval="backbone").eval()
    plain.load_state_dict(method.state_dict())
    alone = SSLAlign(**SMALL, alignment=False).eval()
    assert [vectors.shape for vectors in method.embed(batch)] == [(3, 8)] * 2
    places, sounds = plain.encode(batch)
    torch.testing.assert_close(plain.embed(batch)[0], ops.unit(ops.unit(places).mean(dim=(2, 3))))
    torch.testing.assert_close(plain.embed(batch)[1], ops.unit(sounds))
    assert alone.embed(batch)[0].shape == (3, 512)
    assert not any("projection" in name for name in alone.state_dict())
    assert alone.loss(batch).keys() == {"localize"}


def test_a_single_silent_clip_has_finite_losses_and_maps_under_autocast(batch):
    one = replace(
        batch,
        image=batch.image[:1],
        audio=torch.zeros_like(batch.audio[:1]),
        clip_ids=("a",),
        extra={name: torch.zeros_like(value[:1]) for name, value in batch.extra.items()},
        draws=batch.draws[:1],
    )
    method = SSLAlign(**SMALL, intra=True).eval()
    with torch.autocast("cpu", torch.bfloat16):
        terms, scores = method.loss(one), method.localize(one)
    assert all(term.isfinite() and term.dtype == torch.float32 for term in terms.values())
    assert scores.isfinite().all()


def test_what_a_batch_lacks_is_named(batch):
    method = SSLAlign(**SMALL)
    with pytest.raises(UserError, match=r"draws.* for image_augmented, got none; .*augmented=none"):
        method.loss(replace(batch, draws=None))
    with pytest.raises(UserError, match=r"expected image_neighbour in the batch, got nothing .*neighbours=none"):
        method.loss(replace(batch, extra={}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "papr"}, "did you mean 'paper'"),
        ({"augmented": "all"}, "unknown augmented 'all': expected one of audio, both, image, none"),
        ({"neighbours": "sound"}, "unknown neighbours 'sound'"),
        ({"neighbour_from": "mine"}, "did you mean 'mined'"),
        ({"augmentation": "simclrs"}, "did you mean 'simclr'"),
        ({"retrieval": "project"}, "did you mean 'projected'"),
        ({"temperature": 0.0}, "expected temperature above 0, got 0.0"),
        ({"tau": -1.0}, "expected tau above 0"),
        ({"intra": True, "alignment": False}, "expected intra=false"),
        ({"intra": True, "augmented": "none", "neighbours": "none"}, "expected intra=false"),
        ({"image_backbone": "tf_efficientnet_lite0"}, "set dim"),
    ],
)
def test_wrong_options_say_what_to_do(options, message):
    with pytest.raises(UserError, match=message):
        SSLAlign(**{**SMALL, **options})


def test_heads_join_towers_of_unequal_width(make_batch):
    method = SSLAlign(**{**SMALL, "image_backbone": "tf_efficientnet_lite0"}, dim=8).eval()
    assert method.localize(make_batch(size=1)).shape == (1, 4, 4)
    assert method.image_projection.in_features == 8
