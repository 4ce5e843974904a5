"""Class-aware metrics equal DSOL's code; matching finds the best there is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.metrics import auc, enlarge, success_rate
from soundspot.metrics.classes import (
    SHARES_OF_MAX,
    class_cells,
    class_overlaps,
    class_rates,
    known,
    match_clusters,
    merge_clusters,
    silent_shares,
    single_rates,
)
from soundspot.metrics.overlap import AUC_THRESHOLDS
from soundspot.types import UserError

Golden = Callable[[str], dict[str, np.ndarray]]
# In alphabetical order, as the rows of the fixtures' matrix.
INSTRUMENTS = ["accordion", "acoustic_guitar", "cello", "clarinet", "erhu", "flute", "saxophone", "trumpet", "tuba"]
INSTRUMENTS += ["violin", "xylophone"]


def corners(boxes: np.ndarray) -> np.ndarray:
    """(n, 4) x, y, w, h -> the n' given ones as x0, y0, x1, y1."""
    given = boxes[~np.isnan(boxes[:, 0])]
    return np.concatenate([given[:, :2], given[:, :2] + given[:, 2:4]], axis=1)


def flat(maps: np.ndarray) -> np.ndarray:
    return enlarge(maps, (224, 224), "bilinear").reshape(*maps.shape[:-2], -1)


def test_single_sources_equal_the_peer(golden: Golden) -> None:
    arrays = golden("dsol_solo_metric__a")
    boxes = [corners(rows) for rows in arrays["in_box_xywh_norm_f64"]]
    truth, has_box = zip(*[class_cells(own, ["x"] * len(own), ["x"]) for own in boxes], strict=True)
    assert arrays["par_thr_of_max"] == np.float32(SHARES_OF_MAX["solo"])
    values = class_overlaps(
        flat(arrays["in_map"])[:, None],
        np.stack(truth).reshape(16, 1, -1),
        np.stack(has_box),
        SHARES_OF_MAX["solo"],
    )
    assert np.isnan(values).sum() == 2
    assert np.abs(known(values) - arrays["out_ciou_f64"]).max() < 1e-3
    assert single_rates(values)["class_auc"] == pytest.approx(float(arrays["out_auc"]), abs=1e-3)
    assert single_rates(values)["single_iou@0.5"] == pytest.approx(arrays["out_sr_f64"][10], abs=1e-9)


@pytest.mark.parametrize("kind", ["synthetic", "duet"])
def test_mixtures_equal_the_peer(golden: Golden, kind: str) -> None:
    arrays = golden(f"dsol_{kind}_metric__a")
    names = dict(zip(arrays["par_category_ids"].tolist(), arrays["par_category_names"].tolist(), strict=True))
    matrix, share = arrays["in_cluster_of_class"], SHARES_OF_MAX[kind]
    assert arrays["par_thr_of_max"] == np.float32(share)
    overlaps, silent = [], []
    for maps, rows in zip(arrays["in_class_maps"], arrays["in_box_xywh_norm_cat_f64"], strict=True):
        labels = [names[int(row[4])] for row in rows if not np.isnan(row[4])]
        truth, sounding = class_cells(corners(rows), labels, INSTRUMENTS)
        own = flat(merge_clusters(maps, matrix))[None]
        overlaps.append(class_overlaps(own, truth.reshape(1, 11, -1), sounding[None], share)[0])
        silent.append(silent_shares(own, sounding[None])[0])
    assert np.abs(overlaps - arrays["out_ciou_f64"]).max() < 1e-3
    assert np.abs(silent - arrays["out_nosound_f64"]).max() < 1e-3
    rates = class_rates(overlaps, silent)
    assert rates["class_ciou@0.3"] == arrays["out_ciou_at_0_3"]
    assert rates["class_ciou@0.5"] == arrays["out_ciou_at_0_5"]
    assert rates["class_auc"] == pytest.approx(float(arrays["out_auc"]), abs=1e-3)
    assert rates["nsa"] == pytest.approx(float(arrays["out_nsa"]), abs=1e-3)
    rate_of = [success_rate(overlaps, threshold) for threshold in AUC_THRESHOLDS]
    assert np.abs(rate_of - arrays["out_sr_f64"]).max() < 1e-9


def test_image_is_the_mean_over_its_sounding_classes() -> None:
    maps = np.array([[[0, 0, 1, 1], [4, 1, 0, 0], [0.2, 0.3, 0, 0]]])
    truth = np.array([[[0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]])
    sounding = np.array([[True, True, False]])
    assert class_overlaps(maps, truth, sounding, 0.5) == pytest.approx([(1 + 0.5) / 2])
    assert class_overlaps(maps, truth, sounding, 0.2) == pytest.approx([1])
    assert silent_shares(maps, sounding) == pytest.approx([0.75])


def test_nothing_to_measure_is_nan_and_left_out() -> None:
    maps, nothing = np.ones((2, 3, 4)), np.zeros((2, 3), dtype=bool)
    values = class_overlaps(maps, np.ones((2, 3, 4)), nothing, 0.5)
    assert np.isnan(values).all()
    assert np.isnan(silent_shares(maps, ~nothing)).all()
    assert np.isnan(list(class_rates(values, values).values())).all()
    assert class_rates([np.nan, 0.4], [0.5, np.nan]) == pytest.approx(
        {"class_ciou@0.3": 1, "class_ciou@0.5": 0, "class_auc": auc([0.4]), "nsa": 0.5}
    )


def test_a_degenerate_box_is_a_class_that_fails() -> None:
    truth, sounding = class_cells([(0.5, 0.5, 0.5, 0.9), (0, 0, 1, 1)], ["cello", "flute"], ["cello", "flute"], 4)
    values = class_overlaps(np.ones((1, 2, 16)), truth.reshape(1, 2, 16), sounding[None], 0.5)
    assert values == [0.5]


def test_boxes_of_one_class_join() -> None:
    truth, sounding = class_cells([(0, 0, 0.5, 1), (0.25, 0, 1, 0.5)], ["a", "a"], ["b", "a"], 4)
    assert list(sounding) == [False, True]
    assert truth.sum(axis=(1, 2)).tolist() == [0, 12]
    assert truth.max() == 1


def test_class_map_is_the_sum_of_its_clusters() -> None:
    maps = np.arange(3 * 4, dtype=np.float32).reshape(3, 2, 2)
    merged = merge_clusters(maps, [[1, 0, 1], [0, 0, 0]])
    assert merged.dtype == np.float32
    assert np.array_equal(merged[0], maps[0] + maps[2])
    assert not merged[1].any()
    assert np.array_equal(merge_clusters(maps[None], [[1, 0, 1], [0, 0, 0]]), merged[None])


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=15))
@settings(max_examples=25, deadline=None)
def test_matching_is_the_best_of_all(items: list[tuple[int, int]]) -> None:
    labels, clusters = zip(*items, strict=True)
    counts = np.zeros((2, 4))
    np.add.at(counts, (labels, clusters), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    all_ways = [way for way in product(range(2), repeat=4) if len(set(way)) == 2]
    best = max(sum(shares[owner, cluster] for cluster, owner in enumerate(way)) for way in all_ways)
    matched = match_clusters(labels, clusters, 2, 4)
    assert np.all(matched.sum(axis=0) == 1)
    assert np.all(matched.sum(axis=1) >= 1)
    assert (matched * shares).sum() == pytest.approx(best)


def test_fewer_clusters_than_classes_leave_classes_without() -> None:
    matched = match_clusters([0, 1, 2, 2], [0, 0, 1, 1], 3, 2)
    assert matched.sum() == 2
    assert matched[2].tolist() == [0, 1]


def test_mistakes_are_told() -> None:
    with pytest.raises(UserError, match="unknown class 'celo': expected one of cello, flute; did you mean 'cello'"):
        class_cells([(0, 0, 1, 1)], ["celo"], ["cello", "flute"])
    with pytest.raises(UserError, match="expected a class a box, got 0 classes for 1 boxes"):
        class_cells([(0, 0, 1, 1)], [], ["cello"])
    with pytest.raises(UserError, match=r"expected cluster numbers in 0\.\.2, got 0\.\.3"):
        match_clusters([0, 1], [0, 3], 2, 3)
