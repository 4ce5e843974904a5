"""Clusters without names: k-means that repeats itself, labels that are found again, names that come last."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from soundspot import ops, weights
from soundspot.methods.dsol import DSOL
from soundspot.methods.prototypes import (
    HEAD_STD,
    ClassHead,
    cluster_means,
    dilated,
    kmeans,
    object_vectors,
)
from soundspot.types import Batch, UserError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(count: int, each: int, dim: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Far groups of near vectors, shuffled, and which group each is of."""
    draw = seeded(3)
    centres = 10 * torch.eye(count, dim)
    truth = torch.arange(count).repeat(each)[torch.randperm(count * each, generator=draw)]
    return centres[truth] + 0.1 * torch.randn(len(truth), dim, generator=draw), truth


def test_kmeans_finds_groups_and_repeats_itself_to_the_bit() -> None:
    vectors, truth = blobs(4, 12)
    centres, labels = kmeans(vectors, 4, seeded())
    again = kmeans(vectors, 4, seeded())
    assert torch.equal(labels, again[1])
    assert torch.equal(centres, again[0])
    for group in range(4):
        assert len(set(labels[truth == group].tolist())) == 1
    assert len(set(labels.tolist())) == 4
    torch.testing.assert_close(centres[labels[0]], vectors[labels == labels[0]].double().mean(dim=0))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(0, 30), st.integers(0, 1000))
def test_no_cluster_is_empty_while_vectors_differ_and_each_is_nearest(count: int, more: int, seed: int) -> None:
    vectors = torch.randn(count + more, 3, generator=seeded(seed))
    centres, labels = kmeans(vectors, count, seeded(seed))
    assert sorted(set(labels.tolist())) == list(range(count))
    squares = torch.cdist(vectors.double(), centres).square()
    assert torch.equal(squares.argmin(dim=1), labels)


def test_equal_vectors_and_too_few_of_them() -> None:
    centres, labels = kmeans(torch.ones(6, 2), 3, seeded())
    assert torch.equal(centres, torch.ones(3, 2, dtype=torch.float64))
    assert len(labels) == 6
    with pytest.raises(UserError, match="expected at least 3 vectors of finite numbers for 3 clusters, got 2"):
        kmeans(torch.ones(2, 2), 3, seeded())
    with pytest.raises(UserError, match="got 3 of which 2 are"):
        kmeans(torch.tensor([[0.0], [float("nan")], [1.0]]), 2, seeded())


def test_means_of_clusters_are_of_the_vectors_as_they_are_and_an_empty_one_has_its_centre() -> None:
    centres = torch.tensor([[1.0], [5.0], [9.0]])
    means = cluster_means(torch.tensor([[2.0], [4.0], [7.0]]), torch.tensor([0, 0, 2]), centres)
    assert means.flatten().tolist() == [3.0, 5.0, 7.0]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 1000))
def test_a_mask_grows_by_a_plus_but_not_from_the_border(height: int, width: int, seed: int) -> None:
    mask = (torch.rand(2, height, width, generator=seeded(seed)) < 0.3).float()
    inner = torch.zeros_like(mask)
    inner[:, 1:-1, 1:-1] = mask[:, 1:-1, 1:-1]
    for row, own, grown in zip(mask.numpy(), inner.numpy(), dilated(mask).numpy(), strict=True):
        expected = np.logical_or(row, ndimage.binary_dilation(own > 0)) if own.any() else row > 0
        assert np.array_equal(grown > 0, expected)


def test_object_vectors_by_hand() -> None:
    features = torch.arange(25.0).reshape(1, 1, 5, 5)
    maps = torch.zeros(1, 5, 5)
    maps[0, 2, 2] = 1.0  # grows to 7, 11, 12, 13, 17
    assert object_vectors(features, maps, 0.5).item() == pytest.approx(60 / 25)
    assert object_vectors(features, maps, 0.5, "mask").item() == pytest.approx(60 / 5)
    assert object_vectors(features, maps, 2.0, "mask").item() == pytest.approx(60 / 5), "nothing there: the best place"


def test_a_head_that_learns_faster_is_the_same_head_in_other_units() -> None:
    torch.manual_seed(0)
    slow, fast = ClassHead(6, 4, rate=1.0), ClassHead(6, 4, rate=10.0)
    assert fast.weight.std().item() == pytest.approx(HEAD_STD / 10, rel=0.5)
    with torch.no_grad():
        fast.weight.copy_(slow.weight / 10)
    x = torch.randn(3, 6)
    torch.testing.assert_close(fast(x), slow(x))
    rates = []
    for head in (slow, fast):
        before = head(x)
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-4)
        head(x).sum().backward()
        optimizer.step()
        rates.append((head(x) - before).abs().mean().item())
    assert rates[1] == pytest.approx(10 * rates[0], rel=1e-3)


@pytest.fixture
def found(tiny_towers) -> DSOL:
    """A method with three clusters that lie on the axes of its pictures' features."""
    torch.manual_seed(0)
    method = DSOL(**tiny_towers, stage="solo", clusters=3, classes="ant,bee").eval()
    method.centres.copy_(torch.eye(3, 16))
    method.clustered.fill_(True)
    return method


def clips(method: DSOL, monkeypatch: pytest.MonkeyPatch, numbers: list[int], labels: list[tuple[str, ...]]) -> Batch:
    """Clips whose object vectors lie at the centres of the given numbers."""
    monkeypatch.setattr(method, "vectors", lambda batch: 3 * torch.eye(3, 16)[numbers])
    names = tuple(f"clip {number}" for number in range(len(numbers)))
    return Batch(torch.zeros(len(names), 3, 8, 8), torch.zeros(len(names), 1, 6, 1), names, tuple(labels))


def test_names_follow_the_labels_however_clusters_are_numbered(found, monkeypatch) -> None:
    assert found.class_names == found.tag_names == ("cluster 0", "cluster 1", "cluster 2")
    labels = [("bee",), ("bee",), ("ant",), ("bee",), ("ant", "bee")]
    batch = clips(found, monkeypatch, [0, 2, 1, 2, 0], labels)
    found.tune([batch])
    assert found.class_of_cluster.tolist() == [1, 0, 1]
    assert found.class_names == found.tag_names == ("ant", "bee")
    shares = torch.tensor([[0.2, 0.5, 0.3]])
    torch.testing.assert_close(found.summed(shares), torch.tensor([[0.5, 0.5]]))
    torch.testing.assert_close(found.best(shares), torch.tensor([[0.5, 0.3]]))
    maps = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(found.summed(maps)[:, 1], maps[:, 0] + maps[:, 2])
    torch.testing.assert_close(found.best(maps)[:, 1], torch.maximum(maps[:, 0], maps[:, 2]))
    found.before_epoch(0)
    assert found.class_names[0] == "cluster 0", "what moves has no names"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_permuted_clusters_are_matched_back(order, found, monkeypatch) -> None:
    found.classes = ("ant", "bee", "cat")
    labels = [(found.classes[number],) for number in (0, 1, 2, 2)]
    batch = clips(found, monkeypatch, [order[number] for number in (0, 1, 2, 2)], labels)
    found.tune([batch])
    maps = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(found.summed(maps), maps[:, list(order)])


def test_names_come_from_the_scenes_where_no_option_gives_them_and_are_saved(tiny_towers, monkeypatch, tmp_path):
    torch.manual_seed(0)
    method = DSOL(**tiny_towers, clusters=3, stage="solo", spectrogram="logmel").eval()
    method.centres.copy_(torch.eye(3, 16))
    method.tune([clips(method, monkeypatch, [0, 1, 2], [("bee",), ("ant",), ("ant",)])])
    assert method.class_names == ("ant", "bee")
    loaded = weights.load(weights.save(method, tmp_path / "named.safetensors"))
    assert loaded.class_names == ("ant", "bee")
    assert loaded.class_of_cluster.tolist() == [1, 0, 0]


def test_scenes_that_cannot_name_clusters_say_so(found, monkeypatch) -> None:
    with pytest.raises(UserError, match="expected scenes with one label each"):
        found.tune([clips(found, monkeypatch, [0], [("ant", "bee")])])
    with pytest.raises(UserError, match=r"unknown label among the classes: 'bees'.*did you mean 'bee'"):
        found.tune([clips(found, monkeypatch, [0], [("bees",)])])


def test_labels_are_remembered_by_clip_and_others_have_the_nearest(found, monkeypatch, tiny_towers) -> None:
    batch = clips(found, monkeypatch, [2, 0, 1], [()] * 3)
    found.keep_clusters(["clip 0", "clip ä"], torch.eye(3, 16)[[1, 1]])
    assert found.pseudo_labels(batch).tolist() == [1, 0, 1], "the first is known, the others are the nearest"
    other = DSOL(**tiny_towers, stage="solo", clusters=3)
    other.recall(found.memory())
    assert other.labels == {"clip 0": 1, "clip ä": 1}
    other.recall({})
    assert other.labels, "nothing remembered is nothing lost"


def test_all_processes_go_on_with_the_first_ones_clusters(found, monkeypatch) -> None:
    """A process whose own clusters differ takes the labels, centres and fresh heads of the first."""
    monkeypatch.setattr(ops, "is_distributed", lambda: True)
    monkeypatch.setattr(torch.distributed, "broadcast", lambda tensor, source: tensor.fill_(source + 2))
    found.keep_clusters(["a", "b"], torch.eye(3, 16)[[0, 1]])
    assert found.labels == {"a": 2, "b": 2}
    assert (found.centres == 2).all()
    found.sound_classes.restart()
    assert (found.sound_classes.weight == 2).all()


def test_epochs_take_turns(tiny_towers) -> None:
    method = DSOL(**tiny_towers, stage="solo", first_epochs=2, class_epochs=3)
    phases = []
    for epoch in range(11):
        method.before_epoch(epoch)
        phases.append(("!" if method.surveys(epoch) else "") + method.phase[0])
    assert phases == ["p", "p", "!c", "c", "c", "p", "!c", "c", "c", "p", "!c"]
    with pytest.raises(UserError, match="expected clusters of 2 or more"):
        DSOL(**tiny_towers, clusters=1)


def test_one_map_for_all_has_no_class_names_but_hears_classes(found) -> None:
    one = DSOL(**{**found.options, "output": "one"})
    assert one.class_names == ()
    assert len(one.tag_names) == 3
    batch = Batch(torch.randn(2, 3, 8, 8), torch.randn(2, 1, 6, 1), ("a", "b"))
    with torch.no_grad():
        assert one.localize(batch).shape == (2, 8, 8)
        assert one.hear(batch).shape == (2, 3)


def test_a_further_class_takes_the_places_where_nothing_is() -> None:
    maps = torch.zeros(1, 2, 1, 2)
    maps[0, 1, 0, 1] = 0.4
    options = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "clusters": 2}
    plain = DSOL(**options).shares(maps, 10.0)
    torch.testing.assert_close(plain, (10 * maps).softmax(dim=1))
    e = math.e
    beside = DSOL(**options, nothing=0.2).shares(maps, 10.0)
    expected = torch.tensor([[[1 / (2 + e**2), 1 / (1 + e**4 + e**2)]], [[1 / (2 + e**2), e**4 / (1 + e**4 + e**2)]]])
    torch.testing.assert_close(beside[0], expected)
