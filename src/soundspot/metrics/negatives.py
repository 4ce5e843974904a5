"""What a map claims when nothing in view sounds: areas above one threshold for a whole set, and choosing it.

Follows "A Critical Assessment of Visual Sound Source Localization Models Including Negative Audio" (arXiv 2410.01020)
by its released evaluation code; each function says whether its definition is from there or ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from soundspot.metrics.overlap import AUC_THRESHOLDS, success_rate
from soundspot.types import KINDS, Kind

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.floating]

NEGATIVES: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != "visible")


def false_areas(scores: Scores, threshold: float) -> Floats:
    """(N, P) maps of negatives -> (N,): the share of pixels strictly above `threshold`. From the source ("pIA")."""
    return np.array([np.count_nonzero(row > threshold) for row in scores]) / scores.shape[1]


def area_by_kind(areas: npt.ArrayLike, kinds: Sequence[str]) -> dict[str, float]:
    """(N,), N kinds -> the mean area of every negative kind there is. From the source; visible clips don't count."""
    values, names = np.asarray(areas, dtype=np.float64), np.array(kinds)
    return {kind: float(values[names == kind].mean()) for kind in NEGATIVES if (names == kind).any()}


def area_auc(areas: npt.ArrayLike) -> float:
    """Area under the share of clips whose false area is at most 0, .05 ... 1; 1 is best, NaN of none. From the source.

    It is the AUC's twin, with which the source combines it: clips must stay below a bound instead of reaching one.
    """
    values = np.asarray(areas, dtype=np.float64)
    if not values.size:
        return float("nan")
    within = (values[:, None] <= AUC_THRESHOLDS).mean(axis=0)
    return float(np.trapezoid(within, AUC_THRESHOLDS))


def area_curve(scores: Scores, thresholds: npt.ArrayLike) -> Floats:
    """(N, P) maps, (T,) -> (N, T): the share of pixels strictly above each threshold. Ours."""
    steps = np.asarray(thresholds, dtype=np.float64)
    above = [_above(row, steps) for row in scores]
    return np.reshape(above, (len(scores), len(steps))) / scores.shape[1]


def area_under_curve(curve: Floats, thresholds: npt.ArrayLike) -> float:
    """(N, T) of `area_curve`, (T,) ascending -> mean false area over their span; 0 is best, NaN of none. Ours.

    It needs no threshold, but the span must be the method's score range, or methods can't be compared.
    """
    steps = np.asarray(thresholds, dtype=np.float64)
    if not curve.size or steps[-1] == steps[0]:
        return float("nan")
    return float(np.trapezoid(curve.mean(axis=0), steps) / (steps[-1] - steps[0]))


def overlap_curve(scores: Scores, truth: Scores, thresholds: npt.ArrayLike) -> Floats:
    """(N, P) maps of visible clips, (N, P) weights, (T,) -> (N, T): cIoU of what is strictly above each threshold.

    The cIoU at a threshold is the source's; all thresholds at once is ours. Chunks of clips stack into the whole.
    """
    steps = np.asarray(thresholds, dtype=np.float64)
    inside, union = np.zeros((len(scores), len(steps))), np.zeros((len(scores), len(steps)))
    for row, (values, weights) in enumerate(zip(scores, truth, strict=True)):
        for weight in np.unique(weights):  # of boxes 0 and 1, of Flickr .5 too
            own = weights == weight
            above = _above(values[own], steps)
            inside[row] += weight * above
            union[row] += weight * np.count_nonzero(own) if weight else above
    return np.divide(inside, union, out=np.zeros(union.shape), where=union > 0)


def _above(scores: Scores, thresholds: Floats) -> npt.NDArray[np.int64]:
    """(P,), (T,) in any order -> (T,): how many are strictly above each threshold, as `scores > threshold` compares."""
    return len(scores) - np.searchsorted(np.sort(scores), thresholds.astype(scores.dtype), side="right")


def best_threshold(curve: Floats, thresholds: npt.ArrayLike, *, success: float | None = None) -> float:
    """(N, T) of `overlap_curve`, (T,) -> the threshold of the highest mean overlap, or of the highest success rate.

    `success` is the overlap to reach for the latter. Of equals the first; NaN of no clip. Ours: the source has one
    constant a model. Choose on clips you don't score.
    """
    if not curve.size:
        return float("nan")
    rates = curve.mean(axis=0) if success is None else [success_rate(column, success) for column in curve.T]
    return float(np.asarray(thresholds, dtype=np.float64)[int(np.argmax(rates))])


def quantile_threshold(maxima: npt.ArrayLike, kinds: Sequence[str] | None = None, quantile: float = 0.75) -> float:
    """(N,) each negative's highest score -> the threshold that so many of them stay below; NaN of none.

    With `kinds` the highest of the kinds' quantiles, so that it holds for each. The source's code has a constant a
    model, named after the third quartile of the maxima; how it was made of them is not in the code, so this is ours.
    """
    values = np.asarray(maxima, dtype=np.float64)
    if not values.size:
        return float("nan")
    if kinds is None:
        return float(np.quantile(values, quantile))
    names = np.array(kinds)
    return float(max(np.quantile(values[names == kind], quantile) for kind in dict.fromkeys(kinds)))


def harmonic_mean(first: float, second: float) -> float:
    """2 a b / (a + b): 0 if either is. From the source, which combines the pairs of `combined`."""
    return 2 * first * second / (first + second) if first + second else 0.0


def combined(placed: float, areas: Mapping[str, float]) -> dict[str, float]:
    """A rate on visible clips, the mean false area by kind -> its harmonic mean with 1 - area: all, and by kind.

    `placed` is the mean cIoU at the same threshold in the source; the success rate, which the field reports, is our
    choice where given. "all" takes the plain mean of the kinds' areas, as the source does, whatever their counts.
    """
    if not areas:
        return {}
    return _harmonic(placed, {kind: 1 - area for kind, area in areas.items()})


def combined_auc(auc: float, area_aucs: Mapping[str, float]) -> dict[str, float]:
    """The AUC on visible clips, `area_auc` by kind -> harmonic means: all, and by kind. From the source."""
    return _harmonic(auc, dict(area_aucs)) if area_aucs else {}


def _harmonic(placed: float, good: Mapping[str, float]) -> dict[str, float]:
    return {"all": harmonic_mean(placed, float(np.mean(list(good.values()))))} | {
        kind: harmonic_mean(placed, value) for kind, value in good.items()
    }


def same_claims(first: Bools, second: Bools) -> Floats:
    """(N, P), (N, P): what a picture's map claims with two sounds -> (N,) IoU of both; 1 where neither claims any.

    From the source: high between a true and a negative sound means that the sound is not listened to.
    """
    either = (first | second).sum(axis=1)
    both = (first & second).sum(axis=1)
    return np.divide(both, either, out=np.ones(len(either)), where=either > 0)
