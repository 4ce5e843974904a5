"""Alignment and the gap between modalities, by hand and by what must hold for all vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.metrics.embedding_space import alignment, gap, pair_cosines, pair_distances, unit_rows
from soundspot.types import UserError


def test_by_hand() -> None:
    image, sound = np.array([[3.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 0.0], [5.0, 0.0]])
    assert np.allclose(pair_cosines(image, sound), [1, 0])
    assert alignment(image, sound) == pytest.approx(0.5)
    assert np.allclose(pair_distances(image, sound), [0, np.sqrt(2)])
    # Centroids of the unit vectors: (0.5, 0.5) and (1, 0).
    assert gap(image, sound) == pytest.approx(np.sqrt(0.5))


def test_opposite_modalities_are_as_far_apart_as_can_be() -> None:
    image = np.tile([[1.0, 0.0]], (4, 1))
    assert (alignment(image, -image), gap(image, -image)) == (-1, 2)
    assert np.allclose(pair_distances(image, -image), 2)


@given(seed=st.integers(0, 999), count=st.integers(1, 20))
@settings(max_examples=25, deadline=None)
def test_what_holds_for_all_vectors(seed: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    image, sound = draw.normal(size=(2, count, 5))
    order = draw.permutation(count)
    assert alignment(image, image) == pytest.approx(1)
    assert gap(image, image[order]) == pytest.approx(0), "it knows no pairs"
    assert gap(image * 7, sound[order]) == pytest.approx(gap(image, sound))
    assert alignment(image[order], sound[order] * 7) == pytest.approx(alignment(image, sound))
    assert gap(image, sound) <= pair_distances(image, sound).mean() + 1e-12
    distances = pair_distances(image, sound)
    assert distances.mean() ** 2 + distances.std() ** 2 == pytest.approx(2 - 2 * alignment(image, sound))


def test_zeros_stay_zeros_and_nothing_is_nan() -> None:
    assert np.array_equal(unit_rows([[0.0, 0.0], [0.0, 4.0]]), [[0, 0], [0, 1]])
    assert np.isnan(alignment(np.zeros((0, 3)), np.zeros((0, 3))))
    assert np.isnan(gap(np.zeros((0, 3)), np.zeros((0, 3))))


def test_what_does_not_pair_is_refused() -> None:
    with pytest.raises(UserError, match=r"got \(2, 3\) and \(2, 4\)"):
        gap(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(UserError, match="expected finite vectors"):
        alignment(np.full((1, 2), np.inf), np.ones((1, 2)))
