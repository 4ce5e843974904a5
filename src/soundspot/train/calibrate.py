"""Fit, on scenes kept for that, what turns a method's scores into probabilities; it travels in the weights' header."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize

from soundspot import weights
from soundspot.data.decoding import AREAS, load_labelled
from soundspot.data.folder import read_folder
from soundspot.data.loader import LoadedClip, split_missing, to_batch
from soundspot.localize.classes import ClassThresholds
from soundspot.localize.timeline import Calibration
from soundspot.media.errors import MediaError
from soundspot.methods.base import Method
from soundspot.predict import predict
from soundspot.types import Batch, Clip, Missing, Target, UserError

Pair = tuple[Clip, Target]
JUDGED = ("visible", "offscreen", "noise")
"""Kinds that the probability tells apart; silence is judged by its level."""
UNSURE = 0.15
"""The share of scenes, nearest to the even chance, of which nothing is claimed."""

Fitted = Calibration | ClassThresholds


def calibrate(
    path: Path,
    root: Path,
    out: Path,
    *,
    split: str = "calibration",
    batch_size: int = 16,
    unsure: float = UNSURE,
    keep: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Fitted:
    """Tune the method of `path` on a split of `root`, fit how sure it is there, and write both to `out`.

    The verdict is `unsure` for the share `unsure` of the scenes that lie nearest to the even chance. `keep` leaves the
    method and the curve that its header holds as they are, and fits that band alone. `options` replaces some of the
    method's, for good. Of methods that tell classes apart: from which values on a class counts as heard and as in view.
    Raises UserError where the split lacks scenes in which the source is visible or scenes in which it is not, or where
    there is no curve to keep.
    """
    if not 0 <= unsure < 1:
        raise UserError(f"expected a share of unsure scenes from 0 on and below 1, got {unsure:g}; try {UNSURE}")
    if keep and options:
        raise UserError(f"expected no options where the curve is kept, got {', '.join(options)}; calibrate anew")
    method = weights.load(path, options=options)
    pairs = read_folder(root, split=split)
    place = f"{root.name}/{split}"
    fitted, header = (_with_another_band if keep else _anew)(method, pairs, place, batch_size, unsure)
    weights.save(method, out, header)
    return fitted


def _anew(
    method: Method, pairs: Sequence[Pair], place: str, batch_size: int, unsure: float
) -> tuple[Fitted, dict[str, str]]:
    """What was fitted after tuning the method, and the header that says so."""
    # a class is named by what is in view and heard: an off-screen sound would lend its name to what is silent
    tuned = [pair for pair in pairs if pair[1].kind == "visible"] if method.class_names else pairs
    method.tune(_labelled(tuned, method, batch_size))
    header = {key: value for key, value in method.provenance.items() if key in KEPT}
    name = "class_thresholds" if method.class_names else "calibration"
    if method.class_names:
        fitted, used = _class_thresholds(method, pairs, batch_size)
    else:
        fitted, used = _calibration(method, pairs, batch_size, unsure)
    return fitted, {**header, name: json.dumps(vars(fitted)), "calibrated_on": f"{place}, {used}"}


def _with_another_band(
    method: Method, pairs: Sequence[Pair], place: str, batch_size: int, unsure: float
) -> tuple[Fitted, dict[str, str]]:
    """The curve of the method's header with its band fitted, and the header with that alone changed."""
    kept = Calibration.of(method.provenance)
    if kept is None:
        raise UserError("expected weights with a calibration to keep, got none; calibrate without --keep")
    header = {key: value for key, value in method.provenance.items() if key not in OF_THE_FILE}
    fitted, used = _calibration(method, pairs, batch_size, unsure, kept)
    return fitted, {**header, "calibration": json.dumps(vars(fitted)), "unsure_on": f"{place}, {used}"}


def _calibration(
    method: Method, pairs: Sequence[Pair], batch_size: int, unsure: float, kept: Calibration | None = None
) -> tuple[Fitted, str]:
    """The fitted curve (or the one that is kept) with its band, and on how many clips."""
    judged = [pair for pair in pairs if pair[1].kind in JUDGED]
    predictions = predict(method, [clip for clip, _ in judged], batch_size=batch_size)
    scores = np.array([predictions.maps[t.clip_id].max() for _, t in judged if t.clip_id in predictions.maps])
    visible = np.array([t.kind == "visible" for _, t in judged if t.clip_id in predictions.maps])
    return with_band(kept or fit(scores, visible), scores, visible, unsure), f"{len(scores)} of {len(judged)} clips"


def _class_thresholds(method: Method, pairs: Sequence[Pair], batch_size: int) -> tuple[Fitted, str]:
    """From visible scenes whose sound is of the method's classes: each class is heard and in view, or neither.

    Give solos: a silent thing of one of the classes would count as seen where it should not be.
    """
    judged = [pair for pair in pairs if pair[1].kind == "visible" and set(pair[0].labels) <= {*method.class_names}]
    heard, seen, truth = [], [], []
    with torch.no_grad():
        for batch in _labelled(judged, method, batch_size):
            heard.append(method.hear(batch).numpy())
            seen.append(method.see(batch).flatten(2).amax(dim=2).numpy())
            truth += [[name in labels for name in method.class_names] for labels in batch.labels]
    if not truth:
        raise UserError(
            f"expected visible scenes of the classes {', '.join(method.class_names)}, got none; give a split with such"
        )
    sounds = np.array(truth)
    found = ClassThresholds(
        *(best_threshold(np.concatenate(values).ravel(), sounds.ravel()) for values in (heard, seen))
    )
    return found, f"{len(truth)} of {len(judged)} clips"


def best_threshold(values: npt.NDArray[np.floating], truth: npt.NDArray[np.bool_]) -> float:
    """Values (N,) in 0..1, truths (N,) -> the bound in between two of them that tells both apart best.

    By the mean of the rates at which either is told right, the lowest of equals, kept off 0 and 1. UserError where all
    are true, or none is.
    """
    if truth.all() or not truth.any():
        raise UserError("expected scenes with a class and scenes without it, got one kind only; add the other")
    levels = np.unique(np.concatenate([[0.0], values.astype(np.float64), [1.0]]))
    bounds = (levels[:-1] + levels[1:]) / 2
    rates = [(values[truth] >= bound).mean() + (values[~truth] < bound).mean() for bound in bounds]
    return float(np.clip(bounds[int(np.argmax(rates))], 1e-3, 1 - 1e-3))


KEPT = ("recipe", "init", "epochs", "licence", "source")
"""What of the old header goes on into the new one."""
OF_THE_FILE = ("weights", "weights_sha256")
"""What `weights.load` adds to a header: it says which file this was."""


def fit(scores: npt.NDArray[np.floating], visible: npt.NDArray[np.bool_]) -> Calibration:
    """Scores (N,) and truths (N,) -> the logistic curve of least cross-entropy, both kinds weighing the same."""
    _check_kinds(visible)
    counts = np.where(visible, visible.sum(), (~visible).sum())
    # Platt's targets, a little short of 0 and 1: scores that tell the kinds apart for sure would have no best curve.
    truths = np.where(visible, (counts + 1) / (counts + 2), 1 / (counts + 2))
    # The search starts from a slope of 1, so it must not matter in which units a method scores.
    centre, spread = float(scores.mean()), float(scores.std()) or 1.0
    units = (scores.astype(np.float64) - centre) / spread

    def loss(place: npt.NDArray[np.float64]) -> float:
        odds = place[0] * units + place[1]
        return float(((np.logaddexp(0, odds) - truths * odds) / counts).sum())

    slope, offset = minimize(loss, np.array([1.0, 0.0])).x
    return Calibration(float(slope / spread), float(offset - slope * centre / spread))


def with_band(
    curve: Calibration, scores: npt.NDArray[np.floating], visible: npt.NDArray[np.bool_], unsure: float
) -> Calibration:
    """The curve with the band around one half that holds the share `unsure` of scores (N,), or as near as they come.

    Both truths (N,) weigh the same, and so do both sides of one half.
    """
    _check_kinds(visible)
    shares = 0.5 / np.where(visible, visible.sum(), (~visible).sum())
    probabilities = curve.probability(scores)
    distances = np.abs(probabilities - 0.5)
    levels, which = np.unique(distances, return_inverse=True)
    held = np.concatenate([[0.0], np.cumsum(np.bincount(which, weights=shares))])
    # the last level is never held: a band of everything would judge nothing
    count = int(np.argmin(np.abs(held[:-1] - unsure))) if unsure else 0
    half = (levels[count - 1] + levels[count]) / 2 if count else 0.0
    outside = distances >= half
    wrong = (probabilities >= 0.5) != visible
    return replace(
        curve,
        low=float(0.5 - half),
        high=float(0.5 + half),
        unsure_rate=float(shares[~outside].sum()),
        error_rate=float(shares[outside & wrong].sum() / shares[outside].sum()),
    )


def _check_kinds(visible: npt.NDArray[np.bool_]) -> None:
    if visible.all() or not visible.any():
        raise UserError("expected scenes with a visible source and scenes without, got one kind only; add the other")


def _labelled(pairs: Sequence[Pair], method: Method, batch_size: int) -> Iterator[Batch]:
    """The scenes by the evaluation rule, with what of their truth the method needs."""
    names = sorted(method.needs & AREAS.keys())

    def read(pair: Pair) -> tuple[Clip, LoadedClip] | Missing:
        try:
            return pair[0], load_labelled(pair, method.inputs, names)
        except MediaError as error:
            return Missing(pair[0].id, str(error))

    for start in range(0, len(pairs), batch_size):
        stacks, _ = split_missing([read(pair) for pair in pairs[start : start + batch_size]])
        for stacked in stacks:
            yield to_batch(stacked, method.inputs, "cpu")
