"""Retrieval: ranks by hand, ties against the query, groups, and nothing that depends on order or chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.metrics.retrieval import both_ways, chance, compose, median_rank, nearest, ranks, recall_at
from soundspot.types import UserError


def pairs(seed: int, count: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    image = draw.normal(size=(count, 16))
    return image, image + noise * draw.normal(size=(count, 16))


def test_ranks_by_hand() -> None:
    answers = np.eye(3)
    queries = np.array([[1.0, 0.2, 0.1], [0.9, 0.5, 0.1], [0.3, 0.2, 0.1]])
    assert ranks(queries, answers).tolist() == [1, 2, 3]
    assert recall_at([1, 2, 3], 1) == pytest.approx(1 / 3)
    assert recall_at([1, 2, 3], 2) == pytest.approx(2 / 3)
    assert recall_at([1, 2, 3], 5) == 1
    assert median_rank([1, 2, 3, 10]) == 2.5


@given(seed=st.integers(0, 999), count=st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_identical_embeddings_are_found_at_once(seed: int, count: int) -> None:
    image, _ = pairs(seed, count)
    for found in both_ways(image, image).values():
        assert recall_at(found, 1) == 1
        assert median_rank(found) == 1


@given(seed=st.integers(0, 999), count=st.integers(1, 40), chunk=st.integers(1, 45), scale=st.floats(0.01, 50))
@settings(max_examples=25, deadline=None)
def test_order_chunks_and_lengths_change_nothing(seed: int, count: int, chunk: int, scale: float) -> None:
    image, sound = pairs(seed, count, noise=2.0)
    order = np.random.default_rng(seed + 1).permutation(count)
    whole = both_ways(image, sound)
    for way, found in both_ways(image[order] * scale, sound[order], chunk=chunk).items():
        assert np.array_equal(found, whole[way][order])


def test_ranks_are_those_of_a_full_sort() -> None:
    image, sound = pairs(3, 50, noise=2.0)
    cosines = (image / np.linalg.norm(image, axis=1)[:, None]) @ (sound / np.linalg.norm(sound, axis=1)[:, None]).T
    expected = [1 + int(np.flatnonzero(np.argsort(-row) == own)[0]) for own, row in enumerate(cosines)]
    found = both_ways(image, sound)
    assert found["image_to_sound"].tolist() == expected
    assert len(set(expected)) > 5, "the case is a hard one"
    assert not np.array_equal(found["image_to_sound"], found["sound_to_image"])


def test_a_tie_counts_against_the_query() -> None:
    collapsed = np.ones((5, 8))
    assert ranks(collapsed, collapsed).tolist() == [5] * 5
    # Two clips share a picture: the sound of neither can find its own first, unless both are right.
    image, sound = pairs(0, 6, noise=0.01)
    image[4], sound[4] = image[3] * (1 + 1e-7), sound[3] + 0.001
    assert ranks(sound, image).tolist() == [1, 1, 1, 2, 2, 1]
    assert ranks(sound, image, groups=["a", "b", "c", "d", "d", "e"]).tolist() == [1] * 6
    assert ranks(np.zeros((3, 4)), np.eye(3, 4)).tolist() == [3, 3, 3], "nothing is like nothing"


def test_with_groups_the_best_of_the_right_answers_counts() -> None:
    answers = np.eye(4)
    queries = np.array([[0.1, 0.9, 0.5, 0.0], [0.1, 0.0, 0.9, 0.5], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    assert ranks(queries, answers).tolist() == [3, 4, 1, 1]
    assert ranks(queries, answers, ["x", "x", "y", "z"]).tolist() == [1, 3, 1, 1]


def test_chance_is_what_random_order_gives() -> None:
    assert chance(5158, 10) == pytest.approx(10 / 5158)
    assert chance(3, 10) == 1
    assert np.isnan(chance(0, 1))
    groups = ["a", "a", "a", "b", "c", "c"]
    draw = np.random.default_rng(0)
    tries = [ranks(draw.normal(size=(6, 6)), draw.normal(size=(6, 6)), groups) for _ in range(1500)]
    for k in (1, 2, 5):
        assert chance(6, k, groups) == pytest.approx(recall_at(np.concatenate(tries), k), abs=0.02)
    assert chance(6, 1, groups) == pytest.approx((9 / 6 + 1 / 6 + 4 / 6) / 6)


def test_nothing_has_no_recall() -> None:
    empty = ranks(np.zeros((0, 4)), np.zeros((0, 4)))
    assert empty.shape == (0,)
    assert np.isnan(recall_at(empty, 1))
    assert np.isnan(median_rank(empty))


def test_what_does_not_pair_is_refused() -> None:
    with pytest.raises(UserError, match=r"as many pictures as sounds.* got \(2, 3\) and \(3, 3\)"):
        ranks(np.ones((2, 3)), np.ones((3, 3)))
    with pytest.raises(UserError, match="expected finite vectors"):
        ranks(np.full((2, 3), np.nan), np.ones((2, 3)))
    with pytest.raises(UserError, match="a group a clip, got 1 for 2"):
        ranks(np.ones((2, 3)), np.ones((2, 3)), ["a"])


def test_a_composed_query_lies_between_its_parts() -> None:
    image, sounds = np.array([2.0, 0, 0]), np.array([[0, 5.0, 0], [0, 0, 0.1]])
    assert np.allclose(compose(image, sounds[:1]), [0.5, 0.5, 0])
    assert np.allclose(compose(image, sounds), [0.5, 0.5, 0.5])
    assert np.allclose(compose(image, sounds[:1], share=0.9), [0.9, 0.1, 0])
    answers = np.array([[1.0, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    rows, cosines = nearest(compose(image, sounds[:1]), answers, 3, leave_out=[0])
    assert rows.tolist() == [1, 4, 2], "equals in the order of their rows"
    assert np.allclose(cosines, [1, 1, np.sqrt(0.5)])
    assert nearest(image, answers, 99)[0].shape == (5,)
