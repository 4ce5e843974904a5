"""Predictions against targets, clip by clip: the protocol's steps in their order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from soundspot.benchmarks.grid import CHUNK, Bools, Chunk, Floats, Truth, enlarged, in_chunks
from soundspot.benchmarks.protocols import Protocol
from soundspot.metrics.areas import Ranked, claimed, top_exactly, top_more_than
from soundspot.metrics.maps import Stretching, confidence_max, confidence_top_quarter
from soundspot.metrics.order import Order
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


Kernel = Callable[[Predictions, Sequence[str], Truth], dict[str, npt.NDArray]]
"""n clips, the v visible ones first, (v, P) truth -> `confidence` (n,), and of the visible ones columns of Measured."""


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
        return NumpyMeasurer(protocol)
    from soundspot.benchmarks.measure_torch import TorchMeasurer

    return TorchMeasurer(protocol, device)


def _fill(kernel: Kernel, predictions: Predictions, chunk: Chunk, truth: Truth, into: Measured, start: int) -> None:
    """Fill `into` from `start` on with what one chunk of targets gives."""
    here = [row for row, target in enumerate(chunk) if target.clip_id in predictions.maps]
    if not here:
        return
    visible = [row for row in here if chunk[row].kind == "visible"]
    rows = np.array([*visible, *(row for row in here if chunk[row].kind != "visible")], dtype=np.int64)
    columns = kernel(
        predictions, [chunk[row].clip_id for row in rows], truth if len(visible) == len(chunk) else truth[visible]
    )
    into.present[start + rows] = True
    into.confidence[start + rows] = columns.pop("confidence")
    for name, values in columns.items():
        getattr(into, name)[start + rows[: len(visible)]] = values


class NumpyMeasurer:
    """Measures chunks of maps on the processor; each thread has arrays of its own that it uses again and again.

    For arrays so large a new one costs more, page by page, than what is computed in it.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.protocol, self._own = protocol, threading.local()

    def __call__(self, predictions: Predictions, ids: Sequence[str], truth: Truth) -> dict[str, npt.NDArray]:
        """What a `Kernel` gives."""
        protocol, grid, seen = self.protocol, self.protocol.grid, len(truth)
        maps_space, order_space = self._space(len(ids))
        large = enlarged(predictions, ids, protocol, out=maps_space.reshape(-1, grid, grid)).reshape(len(ids), -1)
        visible, others = large[:seen], large[seen:]
        order = Order(visible, into=order_space[:seen])
        raw = [_confidence(visible, order, protocol), _confidence(others, Order(others, into=others), protocol)]
        columns: dict[str, npt.NDArray] = {"confidence": _scaled(np.concatenate(raw), predictions)}
        if seen:
            stretched = Stretching(visible, protocol.stretch, predictions.score_range)
            ranked, scores = _Stretched(order, stretched), stretched(visible, out=visible)
            columns["ciou"] = ciou(claimed(scores, protocol.area, protocol.level, ranked=ranked), truth)
            columns["ciou_adaptive"] = ciou(adaptive(scores, truth, protocol, ranked), truth)
            columns["pointing"] = pointing(scores, truth)
        return columns

    def _space(self, count: int) -> tuple[Floats, Floats]:
        """Two arrays (count, P), this thread's own."""
        known: tuple[Floats, Floats] | None = getattr(self._own, "arrays", None)
        if known is None or len(known[0]) < count:
            shape = (max(count, CHUNK), self.protocol.grid**2)
            known = self._own.arrays = (np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32))
        return known[0][:count], known[1][:count]


@dataclass(frozen=True)
class _Stretched:
    """The order of stretched scores, which is that of the scores."""

    order: Order
    stretched: Stretching

    def at(self, place: int) -> Floats:
        return self.stretched(self.order.at(place))

    def at_each(self, places: npt.NDArray[np.integer]) -> Floats:
        return self.stretched(self.order.at_each(places))


def _confidence(maps: Floats, order: Order, protocol: Protocol) -> npt.NDArray[np.float64]:
    if not len(maps):
        return np.empty(0)
    return confidence_max(maps) if protocol.confidence == "max" else confidence_top_quarter(maps, order)


def _scaled(raw: npt.NDArray[np.float64], predictions: Predictions) -> npt.NDArray[np.float64]:
    if predictions.score_range is None:
        return raw
    low, high = predictions.score_range
    return (raw - low) / (high - low)


def adaptive(scores: Floats, truth: Truth, protocol: Protocol, ranked: Ranked | None = None) -> Bools:
    """(n, P), (n, P) -> bool (n, P): claims as many pixels as are true, half-agreed ones included."""
    counts = count_true(truth if truth.dtype == np.bool_ else truth > 0)
    if protocol.adaptive == "exact":
        return top_exactly(scores, counts, ranked=ranked)
    return top_more_than(scores, counts, ranked=ranked)
