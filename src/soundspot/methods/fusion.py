"""Fuse maps that hear with an object prior's, as EZ-VSL (arXiv 2203.09324) and SLAVC (2209.09634) do it in code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from soundspot.lookup import find
from soundspot.types import UserError

if TYPE_CHECKING:
    from soundspot.predictions import Predictions

Map = npt.NDArray[np.float32]
Range = tuple[float, float]

ALPHAS = {"ezvsl": 0.4, "slavc": 0.9}
"""The weight of the map that hears, by form: what the authors' test scripts pass."""

GRID = 224
"""Side of the grid on which both codes fuse."""


def fuse(av: Predictions, obj: Predictions, form: str = "ezvsl", alpha: float | None = None) -> Predictions:
    """Predictions whose maps are `alpha` parts of `av` and `1 - alpha` parts of `obj`; `alpha` None is the authors'.

    `form` is "ezvsl" or "slavc", see fuse_maps. A clip missing from either is missing from the result. Raises
    UserError where clips are not the same ones, or "slavc" finds no score range in a provenance.
    """
    from soundspot.predictions import Predictions

    weight = find(ALPHAS, form, "form") if alpha is None else alpha
    _check_same_clips(av, obj)
    ranges = (_range(av, "av"), _range(obj, "obj")) if form == "slavc" else None
    missing = {**obj.missing, **av.missing}
    maps = {
        name: fuse_maps(scores, obj.maps[name], form=form, alpha=weight, ranges=ranges)
        for name, scores in av.maps.items()
        if name not in missing
    }
    provenance = {
        "method": f"fuse:{form}",
        "options": json.dumps({"form": form, "alpha": weight}),
        "score_low": "0.0",
        "score_high": "1.0",
        "av": json.dumps(dict(av.provenance)),
        "obj": json.dumps(dict(obj.provenance)),
    }
    return Predictions(maps=maps, missing=missing, provenance=provenance)


def fuse_maps(av: Map, obj: Map, *, form: str, alpha: float, ranges: tuple[Range, Range] | None = None) -> Map:
    """Two maps (h, w), (h', w') -> one; (h, w) if both have that shape, else (224, 224).

    Both codes fuse after up-sampling to 224 x 224 (align_corners=True; ezvsl bilinear, slavc bicubic).
    ezvsl: minmax(alpha minmax(av) + (1 - alpha) minmax(obj)). slavc: both scaled from `ranges` (av's, obj's) to 0..1,
    mixed, and left so. Either is linear once the extremes are known, so maps of one shape are mixed as they are, with
    the extremes of the 224 grid: up-sampled by the paper's protocol they give the paper's map.
    """
    find(ALPHAS, form, "form")
    if av.ndim != 2 or obj.ndim != 2:
        raise UserError(f"fuse: expected maps (h, w), got {av.shape} and {obj.shape}; class maps can't be fused")
    if not 0 <= alpha <= 1:
        raise UserError(f"fuse: expected alpha in 0..1, got {alpha}")
    if form == "slavc" and ranges is None:
        raise UserError("fuse: expected the score ranges of both maps for form 'slavc', got none")
    mode = "bilinear" if form == "ezvsl" else "bicubic"
    if av.shape != obj.shape:
        av, obj = _up(av, mode), _up(obj, mode)
    if ranges is not None and form == "slavc":
        return _mix(_scaled(av, *ranges[0]), _scaled(obj, *ranges[1]), alpha)
    mixed = _mix(_stretched(av, mode), _stretched(obj, mode), alpha)
    return _stretched(mixed, mode)


def _mix(av: Map, obj: Map, alpha: float) -> Map:
    return np.float32(alpha) * av + np.float32(1 - alpha) * obj


def _scaled(scores: Map, low: float, high: float) -> Map:
    return (scores - np.float32(low)) / np.float32(high - low)


def _stretched(scores: Map, mode: str) -> Map:
    """To 0..1 by the extremes of the up-sampled map; a constant map stays as it is."""
    large = _up(scores, mode)
    low, high = float(large.min()), float(large.max())
    return _scaled(scores, low, high) if high > low else scores


def _up(scores: Map, mode: str) -> Map:
    """(h, w) -> (224, 224)."""
    import torch
    import torch.nn.functional as F

    if scores.shape == (GRID, GRID):
        return scores
    grid = torch.from_numpy(np.array(scores, dtype=np.float32))[None, None]  # a copy: maps of a file are read-only
    large: Map = F.interpolate(grid, size=(GRID, GRID), mode=mode, align_corners=True)[0, 0].numpy()
    return large


def _check_same_clips(av: Predictions, obj: Predictions) -> None:
    first, second = ({*each.maps, *each.missing} for each in (av, obj))
    if first != second:
        example = min(first ^ second)
        raise UserError(
            f"fuse: expected predictions of the same clips, got {len(first - second)} only in the first and "
            f"{len(second - first)} only in the second, such as {example!r}; predict both on one benchmark"
        )


def _range(predictions: Predictions, which: str) -> Range:
    if predictions.score_range is None:
        raise UserError(
            f"fuse: expected score_low and score_high in the provenance of {which}, got none; "
            "form 'slavc' fuses methods whose scores have bounds, use form 'ezvsl'"
        )
    return predictions.score_range
