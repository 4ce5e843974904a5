"""Recognizing what sounds in a mixture, as Interference Eraser's table has it: NMI, precision, recall, mAP.

Interference Eraser (Liu et al., AAAI 2022, arXiv 2202.06406; no code) prints these four for its audio identifier on
MUSIC and VGGSound without a protocol. What it leaves open is chosen here, as the keyword defaults: NMI over the
arithmetic mean of both entropies; a class is claimed at a score of 0.5 or more; classes count alike ("macro"), those
that no clip holds not at all.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from soundspot.metrics.detection import curve
from soundspot.types import UserError

Average = Literal["macro", "micro"]
"""macro: the mean over classes that some clip holds; micro: all (clip, class) cells as one list."""
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def nmi(clusters: npt.ArrayLike, classes: npt.ArrayLike) -> float:
    """(N,) clusters, (N,) classes, any names -> their mutual information over the mean of their entropies, in 0..1.

    1 where both put everything into one part (they agree), 0 where only one does; NaN of nothing.
    """
    ours, theirs = (np.unique(np.asarray(names), return_inverse=True)[1].reshape(-1) for names in (clusters, classes))
    if len(ours) != len(theirs):
        raise UserError(f"expected a cluster and a class a clip, got {len(ours)} clusters and {len(theirs)} classes")
    if not len(ours):
        return float("nan")
    table = np.zeros((ours.max() + 1, theirs.max() + 1))
    np.add.at(table, (ours, theirs), 1)
    joint = table / len(ours)
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    mean_entropy = (_entropy(rows) + _entropy(columns)) / 2
    if mean_entropy == 0:
        return 1.0
    shared = _entropy(rows) + _entropy(columns) - _entropy(joint.ravel())
    return float(np.clip(shared / mean_entropy, 0.0, 1.0))


def _entropy(shares: Floats) -> float:
    known = shares[shares > 0]
    return float(-(known * np.log(known)).sum())


def multi_precision(
    scores: npt.ArrayLike, truth: npt.ArrayLike, *, threshold: float = 0.5, average: Average = "macro"
) -> float:
    """(N, K) scores, (N, K) which classes sound -> the share of claims that are right.

    A class that sounds and is never claimed has 0, and so has "micro" where nothing is claimed; NaN where nothing
    sounds.
    """
    claimed, sounds = _claims(scores, truth, threshold)
    return _share(claimed & sounds, claimed, sounds, average)


def multi_recall(
    scores: npt.ArrayLike, truth: npt.ArrayLike, *, threshold: float = 0.5, average: Average = "macro"
) -> float:
    """(N, K) scores, (N, K) which classes sound -> the share of what sounds that is claimed; NaN where nothing does."""
    claimed, sounds = _claims(scores, truth, threshold)
    return _share(claimed & sounds, sounds, sounds, average)


def multi_map(scores: npt.ArrayLike, truth: npt.ArrayLike, *, average: Average = "macro") -> float:
    """(N, K) scores, (N, K) which classes sound -> mean average precision over classes; NaN where nothing sounds.

    A class's is the sum of precision times the step in recall over its clips by score, not smoothed; clips of equal
    score count as one step. "micro" ranks all cells together.
    """
    values, sounds = _cells(scores, truth)
    if average == "micro":
        values, sounds = values.reshape(-1, 1), sounds.reshape(-1, 1)
    known = [_average_precision(values[:, k], sounds[:, k]) for k in np.flatnonzero(sounds.any(axis=0))]
    return float(np.mean(known)) if known else float("nan")


def _average_precision(values: Floats, sounds: Bools) -> float:
    full = curve(values, sounds, sounds, recall="voc")
    return float(np.sum(np.diff(full.recall, prepend=0.0) * full.precision))


def _cells(scores: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Floats, Bools]:
    values, sounds = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=bool)
    if values.ndim != 2 or values.shape != sounds.shape:
        raise UserError(f"expected scores and truth (N, K) of one shape, got {values.shape} and {sounds.shape}")
    if np.isnan(values).any():
        raise UserError("expected a score a clip and class, got NaN; check what made them")
    return values, sounds


def _claims(scores: npt.ArrayLike, truth: npt.ArrayLike, threshold: float) -> tuple[Bools, Bools]:
    values, sounds = _cells(scores, truth)
    return values >= threshold, sounds


def _share(right: Bools, of: Bools, sounds: Bools, average: Average) -> float:
    """Of (N, K) cells, how many of `of` are right; a class that sounds but isn't in `of` has 0."""
    if not sounds.any():
        return float("nan")
    if average == "micro":
        return float(right.sum() / max(1, of.sum()))
    kept = sounds.any(axis=0)
    return float(np.mean(right.sum(axis=0)[kept] / np.maximum(1, of.sum(axis=0)[kept])))
