"""What a report of a benchmark is made of, beyond numbers: clips, truths, maps and the rules they are read by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from soundspot.benchmarks.forms.classes import class_values
from soundspot.benchmarks.protocols import Protocol
from soundspot.predictions import Predictions
from soundspot.types import Clip, Target


@dataclass(frozen=True)
class Evidence:
    """Everything a result was computed from, for the sections that show it."""

    pairs: Sequence[tuple[Clip, Target]]
    predictions: Mapping[str, Predictions]
    """By the name of their result."""
    protocol: Protocol

    @cached_property
    def targets(self) -> list[Target]:
        """In the benchmark's order."""
        return [target for _, target in self.pairs]

    @cached_property
    def clips(self) -> dict[str, Clip]:
        """By id."""
        return {clip.id: clip for clip, _ in self.pairs}

    @cached_property
    def class_values(self) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
        """By result, of each target: mean overlap of its sounding classes, share of silent pixels of its silent ones.

        Empty where the protocol does not measure classes.
        """
        if "classes" not in self.protocol.forms:
            return {}
        return {
            name: class_values(predictions, self.targets, self.protocol)
            for name, predictions in self.predictions.items()
        }


@dataclass(frozen=True)
class Section:
    """A part of the report, ready to be printed; empty text leaves it out of that form."""

    title: str
    html: str
    markdown: str = ""
