"""Reliability and expected calibration error, against numbers worked out by hand and against what must hold."""

from __future__ import annotations

import numpy as np
import pytest

from soundspot.metrics.calibration import reliability


def test_bins_hold_what_is_stated_and_what_comes_true() -> None:
    found = reliability([0.05, 0.15, 0.85, 0.95, 1.0], [0, 1, 1, 1, 0], num_bins=2)
    assert found.stated == pytest.approx([0.1, 2.8 / 3])
    assert found.true == pytest.approx([0.5, 2 / 3])
    assert found.share == pytest.approx([0.4, 0.6])
    assert found.error == pytest.approx(0.4 * 0.4 + 0.6 * (2.8 - 2) / 3)


def test_an_empty_bin_counts_for_nothing() -> None:
    found = reliability([0.1, 0.9], [0, 1], num_bins=3)
    assert np.isnan(found.true[1])
    assert found.error == pytest.approx(0.1)


def test_probabilities_that_come_true_have_no_error_and_overconfidence_has() -> None:
    draw = np.random.default_rng(0)
    values = draw.random(50_000)
    truths = draw.random(50_000) < values
    assert reliability(values, truths).error < 0.01
    # a logit twice as large: |p^2 / (p^2 + (1-p)^2) - p| has the mean 0.0966
    surer = values**2 / (values**2 + (1 - values) ** 2)
    assert reliability(surer, truths).error == pytest.approx(0.0966, abs=0.01)


def test_balanced_means_that_the_number_of_either_kind_does_not_matter() -> None:
    values, truths = np.array([0.2, 0.6, 0.7, 0.9]), np.array([0, 0, 1, 1])
    many, flags = np.concatenate([values, np.tile(values[2:], 9)]), np.concatenate([truths, np.ones(18)])
    once, often = (reliability(*each, balanced=True) for each in ((values, truths), (many, flags)))
    assert once.true == pytest.approx(often.true, nan_ok=True)
    assert once.error == pytest.approx(often.error)
    assert reliability(many, flags).error != pytest.approx(once.error, abs=0.01)
