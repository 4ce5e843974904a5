"""Class-aware metrics of mixtures, as DSOL and IEr report them: overlap a sounding class, silence of the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from soundspot.lookup import unknown
from soundspot.metrics.areas import claimed
from soundspot.metrics.overlap import auc, ciou, success_rate
from soundspot.metrics.truth import BoxRounding, boxes_to_cells
from soundspot.types import UserError

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Maps = npt.NDArray[np.floating]

SHARES_OF_MAX: dict[str, float] = {"solo": 0.1, "synthetic": 0.5, "duet": 0.2}
"""By data set, the share of a map's maximum above which DSOL's code claims a pixel (tools, eval, eval_duet)."""

SILENT_LEVEL = 0.2
"""A pixel at or below it is silent for a class: absolute, on the softmax over classes."""


def class_cells(
    boxes: Sequence[Sequence[float]],
    labels: Sequence[str],
    classes: Sequence[str],
    grid: int = 224,
    *,
    rounding: BoxRounding = "unclamped_floor",
) -> tuple[Bools, Bools]:
    """Boxes with a class each -> bool (K, grid, grid) of each class, (K,) which classes have a box.

    The default rounding is DSOL's: corners towards zero as they are. UserError for a label that is none of `classes`,
    and if there isn't one label a box.
    """
    if len(labels) != len(boxes):
        raise UserError(f"expected a class a box, got {len(labels)} classes for {len(boxes)} boxes; give both alike")
    strange = next((label for label in labels if label not in classes), None)
    if strange is not None:
        raise unknown(classes, strange, "class")
    cells = [
        boxes_to_cells([box for box, own in zip(boxes, labels, strict=True) if own == name], grid, rounding=rounding)
        for name in classes
    ]
    return np.stack(cells), np.array([name in labels for name in classes])


def merge_clusters(maps: Maps, clusters_of_class: npt.ArrayLike) -> Maps:
    """(..., K, h, w) cluster maps, (C, K) of 0 and 1 -> (..., C, h, w): a class map is the sum of its clusters' maps.

    Add before enlarging, as DSOL's code does. A class without a cluster has a map of zeros and claims nothing.
    """
    chosen = np.asarray(clusters_of_class, dtype=maps.dtype)
    return np.einsum("ck,...khw->...chw", chosen, maps)


def match_clusters(
    labels: npt.ArrayLike, clusters: npt.ArrayLike, num_classes: int, num_clusters: int
) -> npt.NDArray[np.int64]:
    """(N,) class numbers, (N,) cluster numbers of the same items -> (C, K) of 0 and 1: a row a class, its clusters.

    Every class gets a cluster of its own while there are enough, every other cluster goes to one class, and the sum of
    the classes' shares in their clusters is the highest possible; DSOL's code looks for it by a million random tries.
    Give items of the training part: matched on the labels that are then scored, the numbers flatter, and nothing here
    does so unless asked. An item's number may not reach `num_classes` or `num_clusters`: UserError.
    """
    items, found = np.asarray(labels, dtype=np.int64), np.asarray(clusters, dtype=np.int64)
    for what, numbers, bound in (("class", items, num_classes), ("cluster", found, num_clusters)):
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < bound:
            raise UserError(
                f"expected {what} numbers in 0..{bound - 1}, got {numbers.min()}..{numbers.max()}; fix them"
            )
    from scipy.optimize import linear_sum_assignment  # here, since it takes longer to import than all of this

    counts = np.zeros((num_classes, num_clusters))
    np.add.at(counts, (items, found), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    matched = np.zeros(shares.shape, dtype=np.int64)
    # What a cluster loses by going elsewhere than where it fits best: the least loss in all is the highest sum.
    rows, columns = linear_sum_assignment(shares.max(axis=0) - shares)
    matched[rows, columns] = 1
    left = np.setdiff1d(np.arange(num_clusters), columns)
    matched[shares.argmax(axis=0)[left], left] = 1
    return matched


def class_overlaps(maps: Maps, truth: npt.NDArray, sounding: Bools, share: float) -> Floats:
    """(N, K, P) maps and truth, (N, K) which classes have boxes -> (N,): an image's mean cIoU over those.

    A class claims what is strictly above `share` (see SHARES_OF_MAX) of its map's maximum. An image without boxes has
    no value: NaN, and DSOL's code leaves it out. With one class (K = 1) this is the overlap of single sources.
    """
    values = ciou(claimed(maps[sounding], "share_of_max", share), truth[sounding])
    images, counts = np.nonzero(sounding)[0], sounding.sum(axis=1)
    sums = np.bincount(images, values, minlength=len(sounding))
    return np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)


def silent_shares(maps: Maps, sounding: Bools, level: float = SILENT_LEVEL) -> Floats:
    """(N, K, P) softmax over classes, (N, K) which have boxes -> (N,): silent pixels of silent classes, for the NSA.

    The mean over classes without a box of the share of pixels at or below `level`; NaN where every class sounds.
    DSOL's code takes single clusters for classes here: the same while each class has one cluster and none is left over;
    else give the clusters' maps and which clusters belong to a sounding class.
    """
    quiet = (maps <= level).mean(axis=2)
    counts = (~sounding).sum(axis=1)
    sums = np.where(sounding, 0.0, quiet).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)


def known(values: npt.ArrayLike) -> Floats:
    """(N,) -> (M,): without the NaN of images that have nothing to measure; N - M is how many were skipped."""
    numbers = np.asarray(values, dtype=np.float64)
    return numbers[~np.isnan(numbers)]


def class_rates(overlaps: npt.ArrayLike, silent: npt.ArrayLike) -> dict[str, float]:
    """(N,) of `class_overlaps`, (N,) of `silent_shares` -> success rates at .3 and .5, AUC, NSA, by summary name."""
    values, quiet = known(overlaps), known(silent)
    return {
        "class_ciou@0.3": success_rate(values, 0.3),
        "class_ciou@0.5": success_rate(values, 0.5),
        "class_auc": auc(values),
        "nsa": float(quiet.mean()) if len(quiet) else float("nan"),
    }


def single_rates(overlaps: npt.ArrayLike) -> dict[str, float]:
    """(N,) of `class_overlaps` with one class -> DSOL's single-source IoU (the success rate at .5) and AUC."""
    values = known(overlaps)
    return {"single_iou@0.5": success_rate(values, 0.5), "class_auc": auc(values)}
