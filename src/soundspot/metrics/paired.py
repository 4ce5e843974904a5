"""Do two methods differ on the same clips: paired tests, over clips or over groups of clips that share a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soundspot.metrics.intervals import SEED, Bootstrap

FLIPS = 20_000
"""Sign flips of the permutation test: its p-values are no finer than 1 / (FLIPS + 1)."""
_AT_A_TIME = 512


@dataclass(frozen=True)
class Difference:
    """How the first of two methods compares with the second on the same clips."""

    mean: float
    """Mean of first minus second."""
    low: float
    high: float
    """95 % interval of the mean, by the bootstrap over units."""
    p_value: float
    """Chance of so large a mean, either way, if it were a toss-up unit by unit which of the two got which value."""
    first_better: int
    second_better: int
    """Units (clips, or groups) on which one is better; the others are ties."""
    units: int


def compare(
    first: npt.ArrayLike, second: npt.ArrayLike, units: Sequence[str], *, flips: int = FLIPS, seed: int = SEED
) -> Difference:
    """(N,), (N,) values on the same clips, N units (a clip's own name or its group's) -> their difference.

    The p-value is that of the paired permutation test: signs of the units' summed differences flipped at random, the
    observed ones counted in (Phipson and Smyth, 2010), so it is never 0. ValueError for no clips or unequal lengths.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape or one.shape != (len(units),) or not len(units):
        raise ValueError(f"expected as many values as units, and one at least, got {one.shape}, {other.shape}")
    differences = one - other
    order: dict[str, int] = {}
    places = np.array([order.setdefault(unit, len(order)) for unit in units])
    sums = np.bincount(places, differences, len(order)).astype(np.float64)
    low, high = Bootstrap(units, seed=seed).of_mean(differences)
    return Difference(
        float(differences.mean()), low, high, _p_value(sums, flips, seed), int((sums > 0).sum()), int((sums < 0).sum()),
        len(order),
    )  # fmt: skip


def _p_value(sums: npt.NDArray[np.float64], flips: int, seed: int) -> float:
    unequal = sums[sums != 0]
    if not len(unequal):
        return 1.0
    observed = abs(unequal.sum())
    # Sums of the same numbers in another order differ in the last bits: what is as large must count.
    reached = observed * (1 - 1e-9)
    generator = np.random.default_rng(seed)
    as_large = 0
    for start in range(0, flips, _AT_A_TIME):
        signs = generator.integers(0, 2, (min(_AT_A_TIME, flips - start), len(unequal)), dtype=np.int8) * 2 - 1
        as_large += int((np.abs(signs @ unequal) >= reached).sum())
    return (as_large + 1) / (flips + 1)
