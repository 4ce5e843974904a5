"""The bootstrap: fixed, of the right width, and by group where clips hang together."""

from __future__ import annotations

import numpy as np
import pytest

from soundspot.metrics import auroc
from soundspot.metrics.intervals import Bootstrap, interval

CLIPS = [str(row) for row in range(1000)]


def test_interval_of_a_share_is_as_wide_as_theory_says() -> None:
    values = np.arange(1000) % 4 == 0
    low, high = Bootstrap(CLIPS).of_mean(values)
    assert (low, high) == Bootstrap(CLIPS).of_mean(values)
    half = 1.96 * (0.25 * 0.75 / 1000) ** 0.5
    assert low == pytest.approx(0.25 - half, abs=0.004)
    assert high == pytest.approx(0.25 + half, abs=0.004)


def test_groups_that_agree_widen_the_interval() -> None:
    values = np.repeat(np.arange(100) % 2, 10)
    groups = [str(row // 10) for row in range(1000)]
    by_clip, by_group = Bootstrap(CLIPS).of_mean(values), Bootstrap(groups).of_mean(values)
    assert by_group[1] - by_group[0] > 2.5 * (by_clip[1] - by_clip[0])


def test_only_chosen_items_count() -> None:
    values = np.where(np.arange(1000) < 500, 1.0, np.nan)
    assert Bootstrap(CLIPS).of_mean(values, np.arange(1000) < 500) == (1, 1)
    assert np.isnan(Bootstrap(CLIPS).of_mean(values, np.zeros(1000))).all()


def test_statistic_sees_resampled_places() -> None:
    generator = np.random.default_rng(0)
    positives = np.arange(1000) < 500
    scores = generator.normal(size=1000) + positives
    low, high = Bootstrap(CLIPS).of_statistic(lambda rows: auroc(scores[rows], positives[rows]))
    assert low < auroc(scores, positives) < high
    assert 0.03 < high - low < 0.09
    kept = np.arange(10)
    sizes: list[int] = []
    Bootstrap(CLIPS).of_statistic(lambda rows: sizes.append(len(rows)) or float(rows.max(initial=0)), kept)
    assert np.mean(sizes) == pytest.approx(10, abs=1)


def test_interval_ignores_what_no_resample_knows() -> None:
    assert np.isnan(interval(np.array([np.nan]))).all()
    assert interval(np.array([0.5, np.nan, 0.5])) == (0.5, 0.5)
