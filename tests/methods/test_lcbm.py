"""LCBM by hand: no numbers of the authors' code exist."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from soundspot.methods.labels import multi_hot
from soundspot.methods.lcbm import LCBM
from soundspot.types import UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "classes": "dog,cat"}


def by_hand(monkeypatch, fusion):
    """A method of two classes whose towers and heads give two directions: cells and sounds set here."""
    method = LCBM(**SMALL, dim=2, fusion=fusion).eval()
    cells = torch.tensor([[[[2.0, 0.0]], [[0.0, 2.0]]], [[[0.0, 0.0]], [[4.0, 0.0]]]])  # (2, dim 2, 1, 2)
    sounds = torch.tensor([[3.0, 0.0], [0.0, 5.0]])
    monkeypatch.setattr(method, "encode", lambda batch: (cells, sounds))
    method.classifier.weight = torch.nn.Parameter(torch.eye(2))
    return method


def cross_entropy(logits, truth):
    return -sum(share * value for share, value in zip(truth, torch.tensor(logits).log_softmax(0), strict=True))


@pytest.mark.parametrize("fusion", ["each", "sum"])
def test_both_ways_to_classify_by_hand(monkeypatch, make_batch, fusion):
    method = by_hand(monkeypatch, fusion)
    batch = replace(make_batch(size=2), labels=(("dog",), ("cat", "dog")))
    terms = method.loss(batch)
    pictures, sounds, truths = [[1.0, 1.0], [0.0, 2.0]], [[3.0, 0.0], [0.0, 5.0]], [[1.0, 0.0], [0.5, 0.5]]

    def mean(rows):
        return sum(cross_entropy(row, truth) for row, truth in zip(rows, truths, strict=True)) / 2

    if fusion == "each":
        expected = {"seen": mean(pictures), "heard": mean(sounds)}
    else:
        both = [[p + s for p, s in zip(*rows, strict=True)] for rows in zip(pictures, sounds, strict=True)]
        expected = {"class": mean(both)}
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value)


def test_the_map_is_the_cosine_of_place_and_sound(monkeypatch, make_batch):
    scores = by_hand(monkeypatch, "each").localize(make_batch(size=2))
    torch.testing.assert_close(scores, torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]]))


def test_a_few_steps_bring_places_of_a_class_to_its_sound(make_batch):
    """Two classes told apart by a constant: after learning, a picture fits its own class's sound better."""
    torch.manual_seed(0)
    batch = replace(make_batch(size=4), labels=(("dog",), ("cat",)) * 2)
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0]).view(4, 1, 1, 1)
    batch = replace(batch, image=0.1 * batch.image + sign, audio=0.1 * batch.audio + sign)
    method = LCBM(**SMALL, dim=16)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-3)
    for _ in range(12):
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    with torch.no_grad():
        own = method.localize(batch).mean()
        other = method.localize(replace(batch, audio=batch.audio.roll(1, dims=0))).mean()
    assert own > other + 0.2


def test_labels_become_rows_of_classes(make_batch):
    batch = replace(make_batch(size=2), labels=(("cat",), ("dog", "cat")))
    assert multi_hot(batch, ("dog", "cat")).tolist() == [[0.0, 1.0], [1.0, 1.0]]


def test_wrong_options_offer_the_nearest():
    with pytest.raises(UserError, match="did you mean 'each'"):
        LCBM(**SMALL, fusion="eech")
    with pytest.raises(UserError, match="expected two or more different names, got ''"):
        LCBM(**{**SMALL, "classes": ""})
