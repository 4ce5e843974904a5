"""Raw maps on their own grid -> scores on the scoring grid: enlarging and stretching, the papers' ways."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

Enlarge = Literal["bilinear", "bilinear_corners", "bicubic", "bicubic_corners"]
"""Interpolation; `_corners` maps corner cells onto corner pixels (torch's align_corners=True), else pixel areas."""

Stretch = Literal["none", "minmax", "minmax_inverted", "range"]

Floats = npt.NDArray[np.float32]

_CUBIC = -0.75  # the kernel constant of torch and OpenCV


def enlarge(maps: npt.NDArray[np.floating], size: tuple[int, int], how: Enlarge = "bilinear") -> Floats:
    """(..., h, w) -> (..., H, W) float32 without antialiasing; a map already of `size` is returned as it is."""
    maps = np.asarray(maps, dtype=np.float32)
    height, width = maps.shape[-2:]
    if (height, width) == size:
        return maps
    # From the minimum up: weights that sum to 1 only nearly would break the ties of constant maps and flat grounds.
    low = maps.min(axis=(-2, -1), keepdims=True)
    rows, columns = enlarging_weights(height, size[0], how), enlarging_weights(width, size[1], how)
    wide = np.einsum("Ww,...hw->...hW", columns, maps - low)
    # Plain loops, not BLAS: its threads cost more than such small products, a hundredfold on a busy machine.
    large = np.einsum("Hh,...hW->...HW", rows, wide)
    large += low
    return large


@lru_cache(maxsize=64)
def enlarging_weights(source: int, wanted: int, how: Enlarge) -> Floats:
    """(wanted, source): each row says how much of every source cell a wanted pixel takes."""
    pixels = np.arange(wanted, dtype=np.float64)
    if how.endswith("_corners"):
        places = pixels * ((source - 1) / (wanted - 1) if wanted > 1 else 0.0)
    else:
        places = (pixels + 0.5) * (source / wanted) - 0.5
    if how.startswith("bilinear"):
        places = np.maximum(places, 0.0)
    base = np.floor(places)
    shift = places - base
    if how.startswith("bilinear"):
        taps = {0: 1.0 - shift, 1: shift}
    else:
        taps = {-1: _far(1.0 + shift), 0: _near(shift), 1: _near(1.0 - shift), 2: _far(2.0 - shift)}
    weights = np.zeros((wanted, source))
    for offset, share in taps.items():
        cells = np.clip(base.astype(np.int64) + offset, 0, source - 1)
        np.add.at(weights, (np.arange(wanted), cells), share)
    return weights.astype(np.float32)


def _near(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cubic kernel for distances 0..1."""
    return ((_CUBIC + 2.0) * distance - (_CUBIC + 3.0)) * distance**2 + 1.0


def _far(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cubic kernel for distances 1..2."""
    return ((_CUBIC * distance - 5.0 * _CUBIC) * distance + 8.0 * _CUBIC) * distance - 4.0 * _CUBIC


def stretch(maps: Floats, how: Stretch, score_range: tuple[float, float] | None = None) -> Floats:
    """(..., H, W) -> the same, put onto 0..1 map by map (minmax) or by the method's own `score_range` (range).

    A constant map has nothing to stretch and stays as it is. `minmax_inverted` is 1 - minmax(-x).
    """
    if how == "none":
        return maps
    if how == "range":
        if score_range is None:
            raise ValueError("expected the method's score range to stretch by, got none")
        low, high = score_range
        return ((maps - np.float32(low)) / np.float32(high - low)).astype(np.float32)
    if how == "minmax_inverted":
        return np.float32(1.0) - _minmax(-maps)
    return _minmax(maps)


def _minmax(maps: Floats) -> Floats:
    low = maps.min(axis=(-2, -1), keepdims=True)
    spread = maps.max(axis=(-2, -1), keepdims=True) - low
    flat = spread[..., 0, 0] == 0
    stretched = maps - low
    stretched /= np.where(spread == 0, np.float32(1.0), spread)
    stretched[flat] = maps[flat]
    return stretched


def confidence_max(scores: Floats) -> npt.NDArray[np.float64]:
    """(N, H, W) -> (N,): the highest score, as SLAVC (arXiv 2209.09634) is written."""
    return scores.reshape(len(scores), -1).max(axis=1).astype(np.float64)


def confidence_top_quarter(scores: Floats) -> npt.NDArray[np.float64]:
    """(N, H, W) -> (N,): mean of the highest quarter of the pixels (what SLAVC's code computes)."""
    flat = scores.reshape(len(scores), -1)
    quarter = flat.shape[1] // 4
    if quarter == 0:
        return flat.max(axis=1).astype(np.float64)
    return np.partition(flat, -quarter, axis=1)[:, -quarter:].mean(axis=1, dtype=np.float64)
