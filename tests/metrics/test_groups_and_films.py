"""Groups of one apart from the others; films before their mean."""

from __future__ import annotations

import numpy as np
import pytest

from soundspot.metrics import iiou
from soundspot.metrics.overlap import by_film, split_groups


def test_groups_of_one_are_told_from_larger_ones() -> None:
    groups, overlaps = ["a", "b", "a", "c", "d", "d"], np.array([0.6, 0.9, 0.7, 0.1, 0.6, 0.2])
    lone, several = split_groups(groups)
    assert lone.tolist() == [False, True, False, True, False, False]
    assert np.array_equal(several, ~lone)
    names = np.array(groups)
    assert iiou(overlaps, groups) == 0.5
    assert iiou(overlaps[lone], names[lone].tolist()) == 0.5
    assert iiou(overlaps[several], names[several].tolist()) == 0.5
    assert iiou(overlaps[several][:2], names[several][:2].tolist()) == 1
    assert split_groups([])[0].shape == (0,)


def test_films_weigh_the_same_however_long() -> None:
    films = by_film([1, 0, 0, 0.5, np.nan, np.nan], ["long", "long", "long", "short", "short", "blind"])
    assert films[:2] == pytest.approx([1 / 3, 0.5])
    assert np.isnan(films[2])
    assert by_film([], []).shape == (0,)
    with pytest.raises(ValueError, match="shorter"):
        by_film([1, 2], ["a"])
