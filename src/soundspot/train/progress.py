"""Where a run stands, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soundspot.data.features import KeptFeatures


@dataclass(frozen=True)
class TrainResult:
    """Where a run's files are, and its account."""

    out: Path
    weights: Path | None
    """None while the run is unfinished (`max_steps`)."""
    checkpoint: Path
    metrics: Path
    summary: dict[str, Any]
    kept: KeptFeatures | None = None
    """Under cache=features: for a further run with the same frozen parts."""


@dataclass
class Progress:
    """Where a run stands: all of it goes into the checkpoint."""

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    trimmed: int = 0
    """Clips left out of a step so that all ranks brought equally many, after another could not be read."""
    empty_steps: int = 0
    """Steps that changed nothing, since none of their clips could be read."""
    missing: dict[str, str] = field(default_factory=dict)
    best: float | None = None
    best_epoch: int | None = None
    curve: list[dict[str, float]] = field(default_factory=list)
    last_terms: dict[str, float] = field(default_factory=dict)
