"""What scoring gives: numbers with their intervals, a row a clip, and everything needed to trust and repeat them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from soundspot.metrics.intervals import Bootstrap
from soundspot.misread import parse_json, why
from soundspot.types import UserError

Record = dict[str, str | float | bool | None]
Columns = dict[str, npt.NDArray[np.float64]]
"""(N,) a clip's value by name, NaN where there is nothing to measure."""


@dataclass(frozen=True)
class Value:
    """A metric, its 95 % interval (NaN if none was asked for), and how many clips or groups it is taken over."""

    value: float
    low: float = math.nan
    high: float = math.nan
    count: int = 0


def mean_value(values: npt.NDArray, chosen: npt.NDArray[np.bool_], bootstrap: Bootstrap | None) -> Value:
    """(N,) values, (N,) which count -> their mean, with its interval if there is a bootstrap; NaN of none."""
    if not chosen.any():
        return Value(math.nan)
    mean = float(np.asarray(values, dtype=np.float64)[chosen].mean())
    low, high = bootstrap.of_mean(values, chosen) if bootstrap else (math.nan, math.nan)
    return Value(mean, low, high, int(chosen.sum()))


@dataclass(frozen=True)
class Result:
    """One predictions file on one benchmark under one protocol."""

    name: str
    benchmark: str
    protocol: str
    summary: dict[str, Value]
    records: list[Record]
    provenance: dict[str, Any]
    beside: dict[str, dict[str, float]]
    """The same metrics of floors and ceilings, by prior."""

    @property
    def clips(self) -> str:
        """How many clips the numbers stand on."""
        return f"{self.provenance['clips_used']} of {self.provenance['clips_listed']}"

    def to_json(self, *, records: bool = True) -> str:
        """Plain JSON (NaN as null), without the row a clip if `records` is False."""
        whole = asdict(self)
        if not records:
            whole["records"] = []
        return json.dumps(_without_nan(whole), ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> Result:
        """A result as `to_json` wrote it; UserError if it isn't one."""
        try:
            whole = parse_json(text)
            summary = {key: Value(**_with_nan(value)) for key, value in whole.pop("summary").items()}
            beside = {key: _with_nan(values) for key, values in whole.pop("beside").items()}
            found = Result(summary=summary, beside=beside, **whole)
            _ = found.clips  # its provenance is there
            return found
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"expected a result as `soundspot score --json` prints it, got {why(error)}; score again"
            ) from error


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_nan(values: Mapping[str, float | None]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in values.items()}
