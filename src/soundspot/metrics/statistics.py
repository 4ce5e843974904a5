"""What data sets and maps look like, as plain arrays to plot ("How to listen", arXiv 2204.05156).

Its Figure 2 has, for each data set: how much of the picture boxes and heat maps cover, where boxes lie, and how many a
frame has; its Figure 3 has the heat maps of a method, laid over each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Boxes = Sequence[Sequence[float]]
Maps = npt.NDArray


class Histogram(NamedTuple):
    """Shares of the values in each bin."""

    edges: Floats
    """(bins + 1,), ascending."""
    shares: Floats
    """(bins,), sum 1; all 0 of no values."""


def num_boxes(boxes: Sequence[Boxes]) -> npt.NDArray[np.int64]:
    """N clips' boxes -> (N,): how many each has, degenerate ones as well (Figure 2, bottom)."""
    return np.array([len(own) for own in boxes], dtype=np.int64)


def box_areas(boxes: Boxes) -> Floats:
    """(n, 4) fractions x0, y0, x1, y1 -> (n,): the share of the picture in each box; 0 of a degenerate one."""
    left, top, right, bottom = _inside(boxes).T
    return np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)


def box_centres(boxes: Boxes) -> Floats:
    """(n, 4) fractions -> (m, 2): the centres x, y of the boxes that have an area (Figure 2, middle)."""
    cut = _inside(boxes)
    real = cut[box_areas(boxes) > 0]
    return np.stack([real[:, [0, 2]].mean(axis=1), real[:, [1, 3]].mean(axis=1)], axis=1)


def _inside(boxes: Boxes) -> Floats:
    return np.clip(np.asarray(boxes, dtype=np.float64).reshape(-1, 4), 0.0, 1.0)


def histogram(values: npt.ArrayLike, bins: int = 20, span: tuple[float, float] = (0.0, 1.0)) -> Histogram:
    """(N,) shares or scores -> shares of them by bin; NaN and what lies outside `span` is in none."""
    numbers = np.asarray(values, dtype=np.float64)
    counts, edges = np.histogram(numbers[~np.isnan(numbers)], bins=bins, range=span)
    return Histogram(edges, counts / max(counts.sum(), 1))


def position_histogram(points: npt.ArrayLike, bins: int = 28) -> Floats:
    """(n, 2) x, y in 0..1 -> (bins, bins): the share of points in each cell, rows from the top; all 0 of none."""
    places = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    places = places[~np.isnan(places).any(axis=1)]
    counts, _, _ = np.histogram2d(places[:, 1], places[:, 0], bins=bins, range=((0, 1), (0, 1)))
    return counts / max(counts.sum(), 1)


def area_shares(areas: Maps) -> Floats:
    """(N, ...) claimed pixels or weights of the truth -> (N,): the share of the picture they take (Figure 2, top)."""
    return np.asarray(areas, dtype=np.float64).reshape(len(areas), -1).mean(axis=1)


def area_above(maps: Maps, level: float = 0.5) -> Floats:
    """(N, ...) -> (N,): the share of the picture at or above `level`; the paper's is .5 of maps stretched to 0..1."""
    return area_shares(np.asarray(maps) >= level)


def laid_over(maps: Maps) -> Floats:
    """(N, H, W) stretched maps, claims or truth -> (H, W): their mean (Figure 3); NaN of none."""
    if not len(maps):
        return np.full(maps.shape[1:], np.nan)
    return np.asarray(maps).mean(axis=0, dtype=np.float64)


def centroids(maps: Maps) -> Floats:
    """(N, H, W) -> (N, 2): x, y in 0..1 of the centre of mass above each map's lowest score; flat maps: the middle."""
    mass = _mass(maps)
    rows, columns = _places(maps)
    return np.stack([(mass * columns).sum(axis=(1, 2)), (mass * rows).sum(axis=(1, 2))], axis=1)


def spreads(maps: Maps) -> Floats:
    """(N, H, W) -> (N,): root mean square distance of that mass from its centroid, in sides of the picture.

    A flat map has about sqrt(1 / 6) = .41; all mass in one cell has 0.
    """
    mass = _mass(maps)
    rows, columns = _places(maps)
    centres = centroids(maps)
    across = columns - centres[:, 0, None, None]
    down = rows - centres[:, 1, None, None]
    return np.sqrt((mass * (across**2 + down**2)).sum(axis=(1, 2)))


def entropies(maps: Maps) -> Floats:
    """(N, H, W) -> (N,): entropy of that mass as a share of a flat map's; 1 is flat, 0 one single cell."""
    mass = _mass(maps).reshape(len(maps), -1)
    logs = np.log(mass, out=np.zeros_like(mass), where=mass > 0)
    cells = mass.shape[1]
    return -(mass * logs).sum(axis=1) / np.log(cells) if cells > 1 else np.zeros(len(mass))


def _mass(maps: Maps) -> Floats:
    """(N, H, W) -> the same, at least 0 and summing to 1: what is above the lowest; even where all are equal."""
    values = np.asarray(maps, dtype=np.float64)
    values = values - values.min(axis=(1, 2), keepdims=True)
    total = values.sum(axis=(1, 2), keepdims=True)
    even = np.full_like(values, 1 / (values.shape[1] * values.shape[2]))
    return np.divide(values, total, out=even, where=total > 0)


def _places(maps: Maps) -> tuple[Floats, Floats]:
    """Rows' and columns' middles as fractions, ready to multiply with (N, H, W)."""
    height, width = maps.shape[1:]
    return ((np.arange(height) + 0.5) / height)[:, None], ((np.arange(width) + 0.5) / width)[None, :]
