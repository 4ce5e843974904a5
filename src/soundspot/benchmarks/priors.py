"""Predictions that never look or listen (floors), and those that know the truth (ceilings)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from soundspot.benchmarks.grid import truth_weights
from soundspot.benchmarks.protocols import Protocol
from soundspot.lookup import find
from soundspot.metrics.truth import area_average
from soundspot.predictions import Map, Predictions
from soundspot.types import Target, UserError


def prior(name: str, targets: Sequence[Target], protocol: Protocol, grid: tuple[int, int] | None = None) -> Predictions:
    """The prior called `name` for every target; `grid` is for the oracle: what a map of that many cells can do."""
    make = find(PRIORS, name, "prior")
    if not targets:
        raise UserError(f"prior {name}: expected targets to make maps for, got none; check the annotations")
    if grid is not None and name != "oracle":
        raise UserError(f"prior {name}: expected no grid, got {grid}; only the oracle has one")
    provenance = {"method": f"prior:{name}", "weights_sha256": "none"}
    if grid is not None:
        provenance["method"] += f" {grid[0]}x{grid[1]}"
    maps = make(targets, protocol, grid)
    low, high = (0.0, 1.0) if name in ("oracle", "whole") else _range(maps)
    return Predictions(maps, {}, {**provenance, "score_low": str(low), "score_high": str(high)})


def _range(maps: Mapping[str, Map]) -> tuple[float, float]:
    """Of maps that are all the same one."""
    scores = next(iter(maps.values()))
    return float(scores.min()), float(scores.max())


class _Lazy(Mapping[str, Map]):
    """Maps made when asked for: 5,158 of full size would be a gigabyte."""

    def __init__(self, targets: Sequence[Target], make: Callable[[Target], Map]) -> None:
        self._targets = {target.clip_id: target for target in targets}
        self._make = make

    def __getitem__(self, clip_id: str) -> Map:
        return self._make(self._targets[clip_id])

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._targets

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)


def _same(targets: Sequence[Target], scores: Map) -> Mapping[str, Map]:
    return {target.clip_id: scores for target in targets}


def _offsets(grid: int, centre: float) -> tuple[Map, Map]:
    places = np.arange(grid, dtype=np.float32) - np.float32(centre)
    return places[:, None], places[None, :]


def _centre(targets: Sequence[Target], protocol: Protocol, grid: tuple[int, int] | None) -> Mapping[str, Map]:
    """Nearness to pixel (grid/2, grid/2): its top half is the disc of SLAVC's published "Center Prior" (table 3)."""
    down, across = _offsets(protocol.grid, protocol.grid / 2)
    return _same(targets, -(down**2 + across**2))


def _gaussian(targets: Sequence[Target], protocol: Protocol, grid: tuple[int, int] | None) -> Mapping[str, Map]:
    """A Gaussian about the middle, a quarter of the side wide: the centre again, but with levels of its own."""
    down, across = _offsets(protocol.grid, (protocol.grid - 1) / 2)
    return _same(targets, np.exp(-(down**2 + across**2) / (2 * (protocol.grid / 4) ** 2)))


def _square(targets: Sequence[Target], protocol: Protocol, grid: tuple[int, int] | None) -> Mapping[str, Map]:
    """The middle square of half the area (158 of 224), the baseline of arXiv 2204.05156, falling off in square rings.

    Above half its range inside and below outside, so that level rules cut it out as area rules do.
    """
    down, across = _offsets(protocol.grid, (protocol.grid - 1) / 2)
    ring = np.maximum(abs(down), abs(across))
    side = int(protocol.grid * 0.5**0.5)
    inside = ring < side / 2
    return _same(targets, (inside - ring / (3 * protocol.grid)).astype(np.float32))


def _quadrants(targets: Sequence[Target], protocol: Protocol, grid: tuple[int, int] | None) -> Mapping[str, Map]:
    """A square in the middle of each quadrant, together half the picture: arXiv 2204.05156's for Music Synthesis.

    The paper says "four boxes" in four quadrants "spanning 1/8 of the image"; each is taken to be an eighth, half of
    its quadrant as `square` is of the picture (78 of 112 cells across). They fall off in rings as `square` does.
    """
    half = protocol.grid / 2
    places = np.abs(np.arange(protocol.grid, dtype=np.float32) % half - np.float32((half - 1) / 2))
    ring = np.maximum(places[:, None], places[None, :])
    inside = ring < int(half * 0.5**0.5) // 2
    return _same(targets, (inside - ring / (3 * half)).astype(np.float32))


def _whole(targets: Sequence[Target], protocol: Protocol, grid: tuple[int, int] | None) -> Mapping[str, Map]:
    """All the same: the whole picture where a rule allows it."""
    return _same(targets, np.ones((protocol.grid, protocol.grid), dtype=np.float32))


def _oracle(targets: Sequence[Target], protocol: Protocol, grid: tuple[int, int] | None) -> Mapping[str, Map]:
    """The truth itself, and a confidence that knows who is visible; on a `grid`, each cell's share of the truth.

    All the same elsewhere would let rules with ">" keep just the truth, so the rest is put in reading order.
    """
    side = protocol.grid
    order = 0.1 * (1 - np.arange(side * side, dtype=np.float32).reshape(side, side) / (side * side))

    def make(target: Target) -> Map:
        weights = truth_weights(target, protocol)
        if grid is not None:
            return area_average(weights + 0.01 * order, grid).astype(np.float32)
        return (order + np.where(weights > 0, 0.6 + 0.2 * weights, 0)).astype(np.float32)

    def with_verdict(target: Target) -> Map:
        return make(target) if target.kind == "visible" else make(target) - np.float32(1)

    return _Lazy(targets, with_verdict)


PRIORS: dict[str, Callable[[Sequence[Target], Protocol, tuple[int, int] | None], Mapping[str, Map]]] = {
    "centre": _centre,
    "gaussian": _gaussian,
    "square": _square,
    "quadrants": _quadrants,
    "whole": _whole,
    "oracle": _oracle,
}
