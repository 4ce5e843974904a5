"""A benchmark as the curve of a training run: scored after every epoch, for the eye and never for the choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from soundspot.benchmarks import find_benchmark, score
from soundspot.predictions import Predictions
from soundspot.train.validate import Curve
from soundspot.types import Clip, Target


def curve_of(benchmark: str, pairs: Sequence[tuple[Clip, Target]], metric: str = "ciou@0.5") -> Curve:
    """Score `pairs` under the benchmark's own protocol; `metric` is what best, last and gap are told of."""
    rules = find_benchmark(benchmark).protocol

    def scores(predictions: Predictions, targets: Sequence[Target]) -> Mapping[str, float]:
        result = score(predictions, targets, rules, benchmark=benchmark, intervals=False, beside=False)
        return {name: value.value for name, value in result.summary.items()}

    return Curve(benchmark, pairs, scores, metric)
