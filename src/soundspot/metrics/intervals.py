"""95 % intervals by the percentile bootstrap with a fixed seed, over clips or groups of clips that share a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

SEED = 0
NUM_RESAMPLES = 1000
NUM_RANK_RESAMPLES = 200
"""Resamples for statistics that are no means (AP, F1, AUROC): each is a whole computation."""


class Bootstrap:
    """Resamples of N items by unit: `units[n]` is item n's unit (itself, or its group), drawn whole.

    Which units are drawn follows from their names: items in another order have the same intervals.
    """

    def __init__(self, units: Sequence[str], *, resamples: int = NUM_RESAMPLES, seed: int = SEED) -> None:
        numbers = {unit: number for number, unit in enumerate(sorted(set(units)))}
        self.units = np.array([numbers[unit] for unit in units], dtype=np.int64)
        self.num_units = len(numbers)
        generator = np.random.default_rng(seed)
        self.draws = np.empty((resamples, self.num_units))
        for row in self.draws:
            row[:] = np.bincount(generator.integers(0, self.num_units, self.num_units), minlength=self.num_units)

    def of_mean(self, values: npt.ArrayLike, chosen: npt.ArrayLike | None = None) -> tuple[float, float]:
        """(N,) values, (N,) which count (all) -> interval of the mean of those."""
        counted = np.ones(len(self.units)) if chosen is None else np.asarray(chosen, dtype=np.float64)
        kept = np.where(counted > 0, np.asarray(values, dtype=np.float64), 0.0)
        by_unit = [np.bincount(self.units, each, self.num_units) for each in (kept, counted)]
        sums, totals = (self.draws @ np.stack(by_unit, axis=1)).T
        return interval(np.divide(sums, totals, out=np.full(len(sums), np.nan), where=totals > 0))

    def of_statistic(self, statistic: Callable[[Rows], float], items: Rows | None = None) -> tuple[float, float]:
        """Interval of `statistic(drawn)`: places in `items` (default all), each as often as it is drawn, ascending."""
        units = self.units if items is None else self.units[items]
        places = np.arange(len(units))
        draws = self.draws[:NUM_RANK_RESAMPLES, units].astype(np.int64)
        return interval(np.array([statistic(np.repeat(places, draw)) for draw in draws]))


def interval(values: Floats) -> tuple[float, float]:
    """The 2.5 and 97.5 percentiles of resampled values; NaN where no resample has one."""
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
