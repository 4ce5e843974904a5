"""Maps a class against boxes with classes: overlap of what sounds, silence of what does not, in DSOL's form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from soundspot.benchmarks.grid import Chunk, Truth, enlarged, in_chunks
from soundspot.benchmarks.protocols import Protocol
from soundspot.benchmarks.result import Columns, Value, mean_value
from soundspot.metrics import classes as metrics
from soundspot.metrics.areas import claimed
from soundspot.metrics.intervals import Bootstrap
from soundspot.metrics.maps import enlarge
from soundspot.metrics.overlap import auc_shares, ciou, successes
from soundspot.predictions import Predictions
from soundspot.types import Target, UserError


def by_class(
    predictions: Predictions, targets: Sequence[Target], protocol: Protocol, bootstrap: Bootstrap | None
) -> tuple[dict[str, Value], Columns]:
    """CIoU at .3 and .5 and AUC over images that have boxes; of maps by class also NSA, over those with a silent class.

    Maps by class are (K, h, w), softmax over classes; the predictions' provenance names the K `classes` as a JSON list.
    A map that tells no classes apart, (h, w), is taken for each class that sounds, so that such methods and the floors
    stand in the same table; it has no NSA. Of each clip: its mean overlap, its silent classes' share of silent pixels.
    Nothing where boxes have no classes. UserError where some maps are by class and some are not, or classes are not
    named.
    """
    overlaps, silent = class_values(predictions, targets, protocol)
    if np.isnan(overlaps).all() and np.isnan(silent).all():
        return {}, {}
    reached: dict[str, np.ndarray] = {
        f"class_ciou@{threshold:g}": successes(overlaps, threshold) for threshold in (0.3, 0.5)
    }
    reached["class_auc"] = auc_shares(np.nan_to_num(overlaps))
    summary = {key: mean_value(values, ~np.isnan(overlaps), bootstrap) for key, values in reached.items()}
    if np.isnan(silent).all() and not predictions.tells_classes:
        return summary, {"class_ciou": overlaps}
    summary["nsa"] = mean_value(silent, ~np.isnan(silent), bootstrap)
    return summary, {"class_ciou": overlaps, "silent_share": silent}


def class_values(
    predictions: Predictions, targets: Sequence[Target], protocol: Protocol
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(N,) an image's mean overlap over its sounding classes, (N,) the share of silent pixels of its silent ones.

    NaN where there is nothing to measure: no map, no boxes with classes, no silent class.
    """
    rows = [row for row, target in enumerate(targets) if target.clip_id in predictions.maps]
    classed = [row for row in rows if predictions.maps[targets[row].clip_id].ndim == 3]
    if not classed:
        return _of_one_map(predictions, targets, protocol), np.full(len(targets), np.nan)
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
    return overlaps, silent


def _of_one_map(predictions: Predictions, targets: Sequence[Target], protocol: Protocol) -> npt.NDArray[np.float64]:
    """(N,) mean overlaps of maps (h, w), each taken for every sounding class; all NaN if some boxes have no class."""
    overlaps = np.full(len(targets), np.nan)
    if any(target.boxes and not target.box_labels for target in targets):
        return overlaps

    def fill(chunk: Chunk, truth: Truth, start: int) -> None:
        here = [row for row, target in enumerate(chunk) if target.boxes and target.clip_id in predictions.maps]
        if not here:
            return
        scores = enlarged(predictions, [chunk[row].clip_id for row in here], protocol).reshape(len(here), -1)
        areas = claimed(scores, "share_of_max", protocol.level)
        truths = [_cells_by_class(chunk[row], protocol) for row in here]
        counts = np.array([len(each) for each in truths])
        images = np.repeat(np.arange(len(here)), counts)
        sums = np.bincount(images, ciou(areas[images], np.concatenate(truths)))
        overlaps[start + np.array(here)] = sums / counts

    in_chunks(targets, protocol, fill)
    return overlaps


def _cells_by_class(target: Target, protocol: Protocol) -> npt.NDArray[np.bool_]:
    """(C, P): the boxes of each class that the target has."""
    labels = list(dict.fromkeys(target.box_labels))
    cells, _ = metrics.class_cells(
        target.boxes, target.box_labels, labels, protocol.grid, rounding=protocol.box_rounding
    )
    return cells.reshape(len(labels), -1)


def _names(
    predictions: Predictions, targets: Sequence[Target], rows: Sequence[int], classed: Sequence[int]
) -> tuple[str, ...]:
    if len(classed) < len(rows):
        lone = next(targets[row].clip_id for row in rows if row not in set(classed))
        raise UserError(f"expected maps (K, h, w) of every clip, got one map for {lone}; predict all with one method")
    names = predictions.class_names
    counts = {len(predictions.maps[targets[row].clip_id]) for row in classed}
    if counts != {len(names)}:
        raise UserError(
            f"expected the names of {sorted(counts)} classes in the predictions' provenance, got"
            f" {predictions.provenance.get('classes')};"
            ' add "classes", a JSON list of names'
        )
    return names
