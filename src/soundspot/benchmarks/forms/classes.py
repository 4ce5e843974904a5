"""Maps a class against boxes with classes: overlap of what sounds, silence of what does not, in DSOL's form."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from soundspot.benchmarks.protocols import Protocol
from soundspot.benchmarks.result import Value, mean_value
from soundspot.metrics import classes as metrics
from soundspot.metrics.intervals import Bootstrap
from soundspot.metrics.maps import enlarge
from soundspot.metrics.overlap import auc_shares, successes
from soundspot.predictions import Predictions
from soundspot.types import Target, UserError


def by_class(
    predictions: Predictions, targets: Sequence[Target], protocol: Protocol, bootstrap: Bootstrap | None
) -> dict[str, Value]:
    """CIoU at .3 and .5 and AUC over images that have boxes, NSA over those with a silent class.

    Maps are (K, h, w), softmax over classes; the predictions' provenance names the K `classes` as a JSON list. Nothing
    where no map has classes. UserError where some have and some have not, or classes are not named.
    """
    rows = [row for row, target in enumerate(targets) if target.clip_id in predictions.maps]
    classed = [row for row in rows if predictions.maps[targets[row].clip_id].ndim == 3]
    if not classed:
        return {}
    names = _names(predictions, targets, rows, classed)
    overlaps, silent = np.full(len(targets), np.nan), np.full(len(targets), np.nan)
    for row in classed:
        target = targets[row]
        maps = enlarge(predictions.maps[target.clip_id], (protocol.grid, protocol.grid), protocol.enlarge)
        truth, sounding = metrics.class_cells(
            target.boxes, target.box_labels, names, protocol.grid, rounding=protocol.box_rounding
        )
        flat = maps.reshape(1, len(names), -1)
        sounds = sounding[None]
        overlaps[row] = metrics.class_overlaps(flat, truth.reshape(flat.shape), sounds, protocol.level)[0]
        silent[row] = metrics.silent_shares(flat, sounds)[0]
    reached: dict[str, np.ndarray] = {
        f"class_ciou@{threshold:g}": successes(overlaps, threshold) for threshold in (0.3, 0.5)
    }
    reached["class_auc"] = auc_shares(np.nan_to_num(overlaps))
    summary = {key: mean_value(values, ~np.isnan(overlaps), bootstrap) for key, values in reached.items()}
    return summary | {"nsa": mean_value(silent, ~np.isnan(silent), bootstrap)}


def _names(
    predictions: Predictions, targets: Sequence[Target], rows: Sequence[int], classed: Sequence[int]
) -> list[str]:
    if len(classed) < len(rows):
        lone = next(targets[row].clip_id for row in rows if row not in set(classed))
        raise UserError(f"expected maps (K, h, w) of every clip, got one map for {lone}; predict all with one method")
    text = predictions.provenance.get("classes")
    counts = {len(predictions.maps[targets[row].clip_id]) for row in classed}
    if text is None or counts != {len(json.loads(text))}:
        raise UserError(
            f"expected the names of {sorted(counts)} classes in the predictions' provenance, got {text};"
            ' add "classes", a JSON list of names'
        )
    return [str(name) for name in json.loads(text)]
