"""The torch scorer measures what NumPy's does, under every protocol, fractions and ties included."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from soundspot.benchmarks import PROTOCOLS
from soundspot.benchmarks.measure import measure
from soundspot.benchmarks.measure_torch import TorchMeasurer
from soundspot.predictions import Predictions
from soundspot.types import Target

FIELDS = ("present", "ciou", "ciou_adaptive", "pointing", "confidence", "area")


def made(clips: int = 24) -> tuple[Predictions, list[Target]]:
    """Maps of several shapes, of few levels (ties) and constant; truths of none to three boxes, one half agreed."""
    generator = np.random.default_rng(0)
    maps, targets = {}, []
    for number in range(clips):
        side = (7, 14, 224)[number % 3]
        scores = generator.random((side, side), dtype=np.float32)
        maps[f"{number}"] = [scores, np.round(scores * 4) / 4, np.full_like(scores, 0.25)][number // 3 % 3]
        corners = generator.uniform(0, 0.6, (number % 4, 2))
        boxes = tuple((x, y, x + 0.3, y + 0.4) for x, y in corners.tolist())
        kind = "offscreen" if number % 5 == 4 else "visible"
        targets.append(Target(f"{number}", kind=kind, boxes=boxes, consensus=1 + number // 12))
    del maps["3"]
    return Predictions(maps, {}, {"score_low": "0", "score_high": "1"}), targets


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_torch_measures_what_numpy_does(name: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    predictions, targets = made()
    (expected,) = measure([predictions], targets, PROTOCOLS[name])
    if device == "cpu":  # the torch kernel, where measure would take NumPy's
        monkeypatch.setattr("soundspot.benchmarks.measure._kernel", lambda protocol, _: TorchMeasurer(protocol, "cpu"))
    (got,) = measure([predictions], targets, PROTOCOLS[name], device=device)
    for field in FIELDS:
        np.testing.assert_allclose(getattr(got, field), getattr(expected, field), atol=2e-4, err_msg=field)


@pytest.mark.parametrize("jobs", [1, 3])
def test_threads_change_nothing(jobs: int) -> None:
    predictions, targets = made(100)
    for field in FIELDS:
        one, many = (getattr(measure([predictions], targets, PROTOCOLS["strict"], jobs=n)[0], field) for n in (2, jobs))
        np.testing.assert_array_equal(one, many)
