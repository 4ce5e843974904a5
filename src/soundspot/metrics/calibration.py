"""How far stated probabilities are from what comes true: reliability and expected calibration error.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017 (bins of equal width).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Reliability(NamedTuple):
    """Bin by bin: what is stated, what comes true, and how much of everything lies there; NaN where nothing does."""

    stated: Floats
    """(N,) mean probability."""
    true: Floats
    """(N,) share of trues."""
    share: Floats
    """(N,) of all weight."""

    @property
    def error(self) -> float:
        """The expected calibration error: how far both lie apart, bins weighing what lies in them."""
        return float(np.nansum(np.abs(self.stated - self.true) * self.share))


def reliability(
    probabilities: npt.ArrayLike, truths: npt.ArrayLike, *, num_bins: int = 10, balanced: bool = False
) -> Reliability:
    """Probabilities (N,) and truths (N,) -> what comes true of them, in bins of equal width.

    `balanced`: trues and falses weigh the same, however many there are.

    >>> reliability([0.9, 0.9, 0.9, 0.1], [1, 1, 0, 0], num_bins=2).true
    array([0.        , 0.66666667])
    """
    values, flags = np.asarray(probabilities, dtype=np.float64), np.asarray(truths, dtype=bool)
    weights = np.ones(len(values))
    if balanced:
        weights = 1 / np.where(flags, max(1, flags.sum()), max(1, (~flags).sum()))
    bins = np.minimum((values * num_bins).astype(int), num_bins - 1)
    total, stated, true = (
        np.bincount(bins, weights=weights * each, minlength=num_bins) for each in (1.0, values, flags)
    )
    with np.errstate(invalid="ignore"):
        return Reliability(stated / total, true / total, total / weights.sum())
