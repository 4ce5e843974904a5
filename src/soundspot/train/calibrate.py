"""Fit, on scenes kept for that, what turns a method's scores into probabilities; it travels in the weights' header."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from soundspot import weights
from soundspot.data.folder import read_folder
from soundspot.data.loader import LoadedClip, split_missing, to_batch
from soundspot.data.training import AREAS, load_labelled
from soundspot.localize.timeline import Calibration
from soundspot.media.errors import MediaError
from soundspot.methods.base import Method
from soundspot.predict import predict
from soundspot.types import Batch, Clip, Missing, Target, UserError

Pair = tuple[Clip, Target]
JUDGED = ("visible", "offscreen", "noise")
"""Kinds that the probability tells apart; silence is judged by its level."""


def calibrate(path: Path, root: Path, out: Path, *, split: str = "calibration", batch_size: int = 16) -> Calibration:
    """Tune the method of `path` on a split of `root`, fit its calibration there, and write both to `out`.

    Raises UserError where the split lacks scenes in which the source is visible or scenes in which it is not.
    """
    method = weights.load(path)
    pairs = read_folder(root, split=split)
    method.tune(_labelled(pairs, method, batch_size))
    judged = [pair for pair in pairs if pair[1].kind in JUDGED]
    predictions = predict(method, [clip for clip, _ in judged], batch_size=batch_size)
    scores = np.array([predictions.maps[t.clip_id].max() for _, t in judged if t.clip_id in predictions.maps])
    visible = np.array([t.kind == "visible" for _, t in judged if t.clip_id in predictions.maps])
    fitted = fit(scores, visible)
    header = {key: value for key, value in method.provenance.items() if key in KEPT}
    used = f"{root.name}/{split}, {len(scores)} of {len(judged)} clips"
    about = {"calibration": json.dumps(vars(fitted)), "calibrated_on": used}
    weights.save(method, out, {**header, **about})
    return fitted


KEPT = ("recipe", "init", "epochs", "licence", "source")
"""What of the old header goes on into the new one."""


def fit(scores: npt.NDArray[np.floating], visible: npt.NDArray[np.bool_]) -> Calibration:
    """Scores (N,) and truths (N,) -> the logistic curve of least cross-entropy, both kinds weighing the same."""
    if visible.all() or not visible.any():
        raise UserError("expected scenes with a visible source and scenes without, got one kind only; add the other")
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
