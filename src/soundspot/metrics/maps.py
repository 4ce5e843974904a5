"""Raw maps on their own grid -> scores on the scoring grid: enlarging and stretching, the papers' ways."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from soundspot.metrics.order import Order, Scores

Enlarge = Literal["bilinear", "bilinear_corners", "bicubic", "bicubic_corners"]
"""Interpolation; `_corners` maps corner cells onto corner pixels (torch's align_corners=True), else pixel areas."""

Stretch = Literal["none", "minmax", "minmax_inverted", "range"]

Floats = npt.NDArray[np.float32]

_CUBIC = -0.75  # the kernel constant of torch and OpenCV


def enlarge(
    maps: npt.NDArray[np.floating], size: tuple[int, int], how: Enlarge = "bilinear", *, out: Floats | None = None
) -> Floats:
    """(..., h, w) -> (..., H, W) float32 without antialiasing, into `out` if given.

    A map already of `size` is returned as it is.
    """
    maps = np.asarray(maps, dtype=np.float32)
    height, width = maps.shape[-2:]
    if (height, width) == size:
        return maps
    # From the minimum up: weights that sum to 1 only nearly would break the ties of constant maps and flat grounds.
    low = maps.min(axis=(-2, -1), keepdims=True)
    rows, columns = enlarging_weights(height, size[0], how), enlarging_weights(width, size[1], how)
    # The minimum comes back as a last row with weight 1: that saves a pass over the large map.
    wide = np.empty((*maps.shape[:-2], height + 1, size[1]), dtype=np.float32)
    np.matmul(maps - low, columns.T, out=wide[..., :-1, :])
    wide[..., -1:, :] = low
    rows = np.concatenate([rows, np.ones((size[0], 1), dtype=np.float32)], axis=1)
    large = np.empty((*maps.shape[:-2], *size), dtype=np.float32) if out is None else out
    block = max(1, _ONE_THREAD // ((height + 1) * size[1]))
    for start in range(0, size[0], block):
        np.matmul(rows[start : start + block], wide, out=large[..., start : start + block, :])
    return large


_ONE_THREAD = 2**18
"""Products at a time: OpenBLAS shares more among threads, which so little work pays for dearly on a busy machine."""


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
    flat = maps.reshape(-1, maps.shape[-2] * maps.shape[-1])
    return Stretching(flat, how, score_range)(flat).reshape(maps.shape)


class Stretching:
    """What puts the values of each of N maps where `stretch` puts them.

    It keeps their order and treats every value alone, so that the stretched map's order statistics are the map's own,
    stretched.
    """

    def __init__(self, maps: Floats, how: Stretch, score_range: tuple[float, float] | None = None) -> None:
        """Of (N, P) maps."""
        self._how = how
        if how == "range":
            if score_range is None:
                raise ValueError("expected the method's score range to stretch by, got none")
            self._low, self._high = (np.full((len(maps), 1), end, dtype=np.float32) for end in score_range)
            self._spread = np.full((len(maps), 1), score_range[1] - score_range[0], dtype=np.float32)
        elif how != "none":
            self._low, self._high = maps.min(axis=1, keepdims=True), maps.max(axis=1, keepdims=True)
            self._spread = self._high - self._low

    def __call__(self, values: Floats, out: Floats | None = None) -> Floats:
        """(N, k) values of each map -> the same stretched, into `out` if given, which may be `values`."""
        if self._how == "none":
            return values
        turned = self._how == "minmax_inverted"
        constant = self._spread[:, 0] == 0
        kept = values[constant]
        made = np.subtract(self._high, values, out=out) if turned else np.subtract(values, self._low, out=out)
        made /= np.where(self._spread == 0, np.float32(1), self._spread)
        made[constant] = -kept if turned else kept
        return np.subtract(np.float32(1), made, out=made) if turned else made


def confidence_max(scores: Floats) -> npt.NDArray[np.float64]:
    """(N, H, W) -> (N,): the highest score, as SLAVC (arXiv 2209.09634) is written."""
    return scores.reshape(len(scores), -1).max(axis=1).astype(np.float64)


def confidence_top_quarter(scores: Scores, order: Order | None = None) -> npt.NDArray[np.float64]:
    """(N, H, W) -> (N,): mean of the highest quarter of the pixels (what SLAVC's code computes).

    `order`: the flat scores' order statistics, where they are at hand.
    """
    flat = scores.reshape(len(scores), -1)
    quarter = flat.shape[1] // 4
    if quarter == 0:
        return flat.max(axis=1).astype(np.float64)
    return (order or Order(flat)).mean_of_highest(quarter)
