"""The numbers to beat: the best row of each benchmark and metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from soundspot.benchmarks.published.row import LOWER_IS_BETTER, Published, Trust


@dataclass(frozen=True)
class Anchor:
    """The best published value of one metric on one benchmark."""

    benchmark: str
    metric: str
    best: Published
    """Of all rows; of equal values the most trusted one."""
    best_open: Published | None
    """Of the rows whose weights are public; None where there is none."""

    @property
    def value(self) -> float:
        """What the best row has."""
        return self.best.metrics[self.metric]

    @property
    def trust(self) -> Trust:
        """How far to trust it."""
        return self.best.trust

    @property
    def open_value(self) -> float | None:
        """What the best row with public weights has."""
        return None if self.best_open is None else self.best_open.metrics[self.metric]


def best_rows(rows: Sequence[Published]) -> dict[tuple[str, str], Anchor]:
    """An anchor for every (benchmark, metric) of `rows`, in the order in which they first occur."""
    groups: dict[tuple[str, str], list[Published]] = {}
    for row in rows:
        for metric in row.metrics:
            groups.setdefault((row.benchmark, metric), []).append(row)
    return {
        (benchmark, metric): Anchor(
            benchmark,
            metric,
            _best(few, metric),
            _best(public, metric) if (public := [row for row in few if row.weights_public]) else None,
        )
        for (benchmark, metric), few in groups.items()
    }


def _best(rows: Sequence[Published], metric: str) -> Published:
    sign = -1 if metric in LOWER_IS_BETTER else 1
    trusts = get_args(Trust)
    return max(rows, key=lambda row: (sign * row.metrics[metric], -trusts.index(row.trust)))
