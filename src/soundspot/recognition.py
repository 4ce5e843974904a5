"""Clips through a method to the classes it hears, and how right they are, as Interference Eraser's table has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from soundspot.coming import Results
from soundspot.lookup import find
from soundspot.methods import method_name
from soundspot.methods.base import Method
from soundspot.metrics.recognition import multi_map, multi_precision, multi_recall, nmi
from soundspot.predict import Reading, check_ids, over_batches
from soundspot.types import Batch, Clip, Missing, UserError

CLAIMED = 0.5
"""A class of this probability or more is claimed."""


@dataclass(frozen=True)
class Heard:
    """What a method hears in clips, beside what sounds in them."""

    names: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]
    """(N, K) a class; a clip that could not be read has 0 throughout: nothing is claimed of it."""
    truth: npt.NDArray[np.bool_]
    """(N, K) which classes sound."""
    missing: Mapping[str, str] = field(default_factory=dict)

    def values(self, claimed: float = CLAIMED) -> dict[str, float]:
        """Precision, recall, mAP over classes, and NMI of the likeliest class over the clips in which one sounds.

        NaN where there is nothing to measure. Source: the poster's table on the Audio-Instance-Identifier.
        """
        solos = self.truth.sum(axis=1) == 1
        return {
            "nmi": nmi(self.probabilities[solos].argmax(axis=1), self.truth[solos].argmax(axis=1)),
            "precision": multi_precision(self.probabilities, self.truth, threshold=claimed),
            "recall": multi_recall(self.probabilities, self.truth, threshold=claimed),
            "map": multi_map(self.probabilities, self.truth),
            "clips": len(self.truth),
            "solos": int(solos.sum()),
        }


def recognise(
    method: Method,
    clips: Sequence[Clip],
    *,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
    num_workers: int | None = 0,
    progress: bool = True,
) -> Heard:
    """The probability of each class in each clip; what sounds there are the clip's labels.

    UserError for a method without classes, repeated ids, and a label that is none of its classes.
    """
    check_ids(clips)
    names = tuple(method.tag_names)
    if not names:
        raise UserError(
            f"{method_name(method)}: expected a method that names what it hears, got none; use dsol,"
            " interference_eraser, spot or clip_text_tran"
        )
    numbers = {name: number for number, name in enumerate(names)}
    truth = np.zeros((len(clips), len(names)), dtype=bool)
    for row, clip in enumerate(clips):
        for label in clip.labels:
            truth[row, find(numbers, label, "label among the method's classes:")] = True
    rows = {clip.id: row for row, clip in enumerate(clips)}
    probabilities = np.zeros(truth.shape, dtype=np.float32)
    missing: dict[str, str] = {}

    def ask(batch: Batch) -> list[Tensor]:
        return [method.hear(batch)]

    def take(ids: tuple[str, ...], results: Results) -> None:
        probabilities[[rows[name] for name in ids]] = results[0]

    def take_missing(lost: list[Missing]) -> None:
        missing.update({entry.clip_id: entry.reason for entry in lost})

    over_batches(
        "recognise", method, clips, Reading(batch_size, device, num_workers, progress), ask, take, take_missing
    )
    return Heard(names, probabilities, truth, missing)
