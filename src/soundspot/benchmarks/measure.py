"""Predictions against targets, clip by clip: the protocol's steps in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import numpy.typing as npt

from soundspot.benchmarks.grid import Bools, Chunk, Floats, Truth, enlarged, in_chunks
from soundspot.benchmarks.protocols import Protocol
from soundspot.metrics.areas import claimed, top_exactly, top_more_than
from soundspot.metrics.maps import confidence_max, confidence_top_quarter, stretch
from soundspot.metrics.overlap import ciou, count_true, pointing
from soundspot.predictions import Predictions
from soundspot.types import Target

DEVICE_CHUNK = 512
"""Targets at a time on a GPU, which has room."""


@dataclass(frozen=True)
class Measured:
    """A value a target, in the targets' order; NaN where there is no map, and overlaps NaN where nothing is visible."""

    present: Bools
    ciou: npt.NDArray[np.float64]
    ciou_adaptive: npt.NDArray[np.float64]
    pointing: npt.NDArray[np.float64]
    confidence: npt.NDArray[np.float64]
    area: npt.NDArray[np.float64]
    """Of the truth, in pixels of the grid, by weight."""

    @staticmethod
    def empty(count: int) -> Measured:
        """Nothing measured yet."""
        return Measured(np.zeros(count, dtype=bool), *(np.full(count, np.nan) for _ in range(5)))

    @staticmethod
    def join(parts: Sequence[Measured]) -> Measured:
        """The parts one after the other: what several processes have measured of a set."""
        return Measured(
            *(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Measured))
        )


Kernel = Callable[[Predictions, Sequence[str], Bools, Truth], dict[str, npt.NDArray]]
"""n clips, which are visible, (n, P) truth -> `confidence` (n,), and of the visible ones columns of Measured."""


def measure(
    several: Sequence[Predictions],
    targets: Sequence[Target],
    protocol: Protocol,
    *,
    jobs: int | None = None,
    device: str = "cpu",
) -> list[Measured]:
    """Every one of `several` predictions against the same targets; the truth is drawn once for all.

    On the processor by NumPy and `jobs` threads (all cores unless told), on another `device` by torch.
    """
    results = [Measured.empty(len(targets)) for _ in several]
    kernel = _kernel(protocol, device)

    def fill(chunk: Chunk, truth: Truth, start: int) -> None:
        area = count_true(truth) if truth.dtype == np.bool_ else truth.sum(axis=1, dtype=np.float64)
        for predictions, measured in zip(several, results, strict=True):
            measured.area[start : start + len(chunk)] = area
            _fill(kernel, predictions, chunk, truth, measured, start)

    if device == "cpu":
        in_chunks(targets, protocol, fill, jobs=jobs)
    else:
        in_chunks(targets, protocol, fill, size=DEVICE_CHUNK, jobs=1)
    return results


def _kernel(protocol: Protocol, device: str) -> Kernel:
    if device == "cpu":
        return partial(_with_numpy, protocol)
    from soundspot.benchmarks.measure_torch import TorchMeasurer

    return TorchMeasurer(protocol, device)


def _fill(kernel: Kernel, predictions: Predictions, chunk: Chunk, truth: Truth, into: Measured, start: int) -> None:
    """Fill `into` from `start` on with what one chunk of targets gives."""
    here = np.array([row for row, target in enumerate(chunk) if target.clip_id in predictions.maps], dtype=np.int64)
    if not len(here):
        return
    visible = np.array([chunk[row].kind == "visible" for row in here])
    ids = [chunk[row].clip_id for row in here]
    columns = kernel(predictions, ids, visible, truth if len(here) == len(chunk) else truth[here])
    into.present[start + here] = True
    into.confidence[start + here] = columns.pop("confidence")
    for name, values in columns.items():
        getattr(into, name)[start + here[visible]] = values


def _with_numpy(
    protocol: Protocol, predictions: Predictions, ids: Sequence[str], visible: Bools, truth: Truth
) -> dict[str, npt.NDArray]:
    large = enlarged(predictions, ids, protocol)
    columns: dict[str, npt.NDArray] = {"confidence": _confidence(large, predictions, protocol)}
    if visible.any():
        every = visible.all()  # and then nothing need be copied
        wanted = truth if every else truth[visible]
        scores = stretch(large if every else large[visible], protocol.stretch, predictions.score_range)
        scores = scores.reshape(len(wanted), -1)
        columns["ciou"] = ciou(claimed(scores, protocol.area, protocol.level), wanted)
        columns["ciou_adaptive"] = ciou(adaptive(scores, wanted, protocol), wanted)
        columns["pointing"] = pointing(scores, wanted)
    return columns


def _confidence(large: Floats, predictions: Predictions, protocol: Protocol) -> npt.NDArray[np.float64]:
    raw = confidence_max(large) if protocol.confidence == "max" else confidence_top_quarter(large)
    if predictions.score_range is None:
        return raw
    low, high = predictions.score_range
    return (raw - low) / (high - low)


def adaptive(scores: Floats, truth: Truth, protocol: Protocol) -> Bools:
    """(n, P), (n, P) -> bool (n, P): claims as many pixels as are true, half-agreed ones included."""
    counts = count_true(truth > 0)
    return top_exactly(scores, counts) if protocol.adaptive == "exact" else top_more_than(scores, counts)
