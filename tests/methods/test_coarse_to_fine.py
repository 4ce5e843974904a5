"""CoarseToFine against numbers of the published code."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from soundspot import weights
from soundspot.methods.coarse_to_fine import CoarseToFine, class_pool, distance_loss, match_loss, weighted
from soundspot.types import UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t"}
SEVEN = ",".join("abcdefg")


@pytest.fixture
def published(golden, tiny_towers, monkeypatch):
    """The fixture, and a method with its weights whose towers give its features."""
    arrays = golden("coarse2fine__a")
    method = CoarseToFine(**tiny_towers, classes=SEVEN, hidden=24, match_hidden=8, output_stride=32)
    state = {
        "match_head.0.weight": "avc_w0",
        "match_head.0.bias": "avc_b0",
        "match_head.2.weight": "avc_w1",
        "match_head.2.bias": "avc_b1",
        "sound_classes.weight": "class_a_w",
        "image_classes.weight": "class_v_w",
        "sound_head.0.weight": "proj_a_w0",
        "sound_head.2.weight": "proj_a_w1",
        "image_head.0.weight": "proj_v_w0",
        "image_head.2.weight": "proj_v_w1",
    }
    wanted = method.state_dict()
    tensors = {ours: torch.tensor(arrays[f"par_{theirs}"]).view_as(wanted[ours]) for ours, theirs in state.items()}
    lacking, unknown = method.load_state_dict(tensors, strict=False)
    assert not unknown
    assert all(name.startswith(("image.", "audio.")) for name in lacking)
    features = tuple(torch.tensor(arrays[name]) for name in ("in_img_feat", "in_aud_featmap"))
    monkeypatch.setattr(method, "features", lambda batch: features)
    return arrays, method, features


def test_logits_class_vectors_and_losses_of_the_published_code(published, close):
    arrays, method, (image, audio) = published
    pairs = method.match_logits(audio.mean(dim=(2, 3)), image.mean(dim=(2, 3)))
    close(pairs, arrays["out_avc"])
    close(match_loss(pairs), arrays["out_loss_avc"])
    heard, sounds = method.sound_vectors(audio)
    seen, pictures = method.image_vectors(image)
    close(heard, arrays["out_cls_a"])
    close(seen, arrays["out_cls_v"])
    close(sounds.movedim(1, 2), arrays["out_fine_a"])
    close(pictures.movedim(1, 2), arrays["out_fine_v"])
    distance = distance_loss(sounds, pictures, heard.sigmoid() > 0.3, seen.sigmoid() > 0.3, 1.4)
    close(distance, arrays["out_loss_dist"])


def test_the_whole_loss_of_the_published_code(published, close, make_batch):
    """Their picture and sound have labels of their own; ours share the clip's, so either side is compared alone."""
    arrays, method, _ = published
    for side, term in (("a", "heard"), ("v", "seen")):
        rows = arrays[f"in_label_{side}"]
        labels = tuple(tuple(name for name, yes in zip("abcdefg", row, strict=True) if yes) for row in rows)
        keep = [number for number, own in enumerate(labels) if own]
        assert keep == [0, 1, 2, 3], "every clip of the fixture has a label"
        terms = method.loss(replace(make_batch(size=4), labels=labels))
        close(terms[term], arrays[f"out_loss_{side}"])
    assert terms.keys() == {"match", "heard", "seen", "distance"}
    total = terms["match"] + terms["distance"] + terms["seen"]
    close(total, arrays["out_loss"] - arrays["out_loss_a"])


def test_maps_of_the_published_code(published, close, make_batch):
    arrays, method, (image, audio) = published
    with torch.no_grad():
        close(method.class_maps(image, method.sound_vectors(audio)[1]), arrays["out_class_sim"])
        large = F.interpolate(method.localize(make_batch(size=4))[:, None], (256, 256), mode="bilinear")[:, 0]
    large /= large.amax(dim=(1, 2), keepdim=True)
    close(large[:, ::8, ::8], arrays["out_map256_stride8"])


def test_signed_cosines_agree_with_the_published_map_where_it_is_above_0(published):
    _, method, (image, audio) = published
    vectors = method.sound_vectors(audio)[1]
    positive = method.class_maps(image, vectors)
    method.show = lambda cosines: cosines
    signed = method.class_maps(image, vectors)
    assert (signed < 0).any()
    torch.testing.assert_close(signed.relu(), positive)


def test_pooling_by_hand_and_a_class_that_is_nowhere():
    features = torch.tensor([[[[1.0, 3.0]], [[2.0, 4.0]]]])  # two channels, two places
    activations = torch.tensor([[[[1.0, 3.0]], [[-1.0, -2.0]]]])
    pooled = class_pool(features, activations)
    torch.testing.assert_close(pooled[0, 0], torch.tensor([2.5, 3.5]))  # weights 1/4, 3/4
    assert torch.equal(pooled[0, 1], torch.zeros(2))


def test_distances_by_hand():
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    sounds, pictures = torch.stack([one, other])[:, None], torch.stack([one, one])[:, None]  # two clips, one class
    yes = torch.ones(2, 1, dtype=torch.bool)
    # own: d^2 = 0 and 2; others: d = 0 of the first sound, sqrt(2) of the second (beyond the margin)
    expected = torch.tensor((0 + 2) / 2 + (1.4**2 + 0) / 2)
    torch.testing.assert_close(distance_loss(sounds, pictures, yes, yes, 1.4), expected, rtol=0, atol=1e-3)
    absent = torch.tensor([[True], [False]])
    assert distance_loss(sounds, pictures, absent, absent, 1.4) == 0
    assert distance_loss(sounds, pictures, ~yes, yes, 1.4) == 0, "nothing heard: nothing to compare"


def test_a_single_pair_has_no_wrong_pairs():
    logits = torch.tensor([[[0.0, 0.0]]])
    torch.testing.assert_close(match_loss(logits), torch.tensor(2.0).log() / 2)


def test_only_classes_that_are_heard_count_and_else_the_likeliest():
    maps = torch.tensor([1.0, 2.0, 4.0]).view(1, 3, 1, 1)
    assert weighted(maps, torch.tensor([[0.2, 0.4, 0.6]])).item() == pytest.approx((0.4 * 2 + 0.6 * 4) / 1.0)
    assert weighted(maps, torch.tensor([[0.2, 0.1, 0.1]])).item() == pytest.approx(1.0)
    assert weighted(maps, torch.zeros(1, 3)).item() == 0.0


def test_the_stages_follow_each_other(tmp_path, make_batch):
    torch.manual_seed(0)
    batch = replace(make_batch(size=2), labels=(("dog",), ("cat", "dog")))
    coarse = CoarseToFine(**SMALL, stage="coarse", classes="dog,cat")
    terms = coarse.loss(batch)
    assert terms.keys() == {"match", "heard", "seen"}
    sum(terms.values()).backward()
    learned = {name for name, value in coarse.named_parameters() if value.grad is not None and value.grad.any()}
    assert learned == {name for name, value in coarse.named_parameters() if value.requires_grad}
    assert not any(name.startswith(("sound_head", "image_head")) for name in learned)
    with torch.no_grad():
        scores = coarse.eval().localize(batch)
    assert scores.shape == (2, 4, 4)
    assert 0 < scores.min() < scores.max() < 1
    path = weights.save(coarse, tmp_path / "coarse.safetensors")
    fine = weights.load(path, options={"stage": "fine"})
    assert fine.options["stage"] == "fine"
    assert fine.loss(batch).keys() == {*terms, "distance"}
    assert all(parameter.requires_grad for parameter in fine.parameters())


def test_wrong_options_and_labels_say_what_to_do(make_batch):
    with pytest.raises(UserError, match="did you mean 'coarse'"):
        CoarseToFine(**SMALL, stage="course")
    with pytest.raises(UserError, match="expected two or more different names, got 'dog,dog'"):
        CoarseToFine(**SMALL, classes="dog,dog")
    with pytest.raises(UserError, match="expected margin above 0"):
        CoarseToFine(**SMALL, margin=0.0)
    method, batch = CoarseToFine(**SMALL, classes="car horn, honking;dog"), make_batch(size=2)
    assert method.classes == ("car horn, honking", "dog")
    with pytest.raises(UserError, match="got none for every clip"):
        method.loss(batch)
    with pytest.raises(UserError, match="got none for 1; train on labelled"):
        method.loss(replace(batch, labels=(("dog",), ())))
    with pytest.raises(UserError, match=r"clip 1: expected labels among the 2 classes .* got 'cat'"):
        method.loss(replace(batch, labels=(("dog",), ("cat",))))
