"""Laws that every map metric keeps: the truth scores 1, order, batches, ties, and what a rule by rank cannot see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from soundspot.metrics import auc, auroc, average_precision, ciou, claimed, max_f1, pointing, success_rate
from soundspot.metrics.areas import AreaRule, top_exactly, top_more_than
from soundspot.metrics.classes import class_overlaps, silent_shares
from soundspot.metrics.curves import ap_over_overlap, max_f1_by_kind, overlaps_by_area
from soundspot.metrics.negatives import area_auc, area_curve, false_areas, overlap_curve, same_claims
from soundspot.metrics.overlap import by_film, iauc, iiou
from soundspot.metrics.segmentation import frame_counts, frame_fscore, frame_iou, fscore, join, miou, miou_dataset
from soundspot.metrics.statistics import area_above, centroids, entropies, spreads

CELLS = 16 * 16
few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**31)
# Few values, so that ties are the rule; 1/64 steps are exact in float32, so that monotone maps of them stay so.
levels = st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.75, 1.0])
maps_of = st.one_of(
    arrays_of.arrays(np.float32, (4, CELLS), elements=levels, fill=levels),
    seeds.map(lambda seed: (np.random.default_rng(seed).integers(-32, 65, (4, CELLS)) / 64).astype(np.float32)),
)
truth_of = st.one_of(
    arrays_of.arrays(np.float32, (4, CELLS), elements=st.sampled_from([0.0, 0.5, 1.0]), fill=st.just(0.0)),
    seeds.map(lambda seed: np.random.default_rng(seed).choice([0, 0, 0.5, 1], (4, CELLS)).astype(np.float32)),
)
BY_RANK: tuple[AreaRule, ...] = ("half_ge", "half_gt", "half_exact")
RULES: tuple[AreaRule, ...] = (*BY_RANK, "half_gt_or_one", "half_ge_and_level", "level", "level_gt", "share_of_max")
MONOTONE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "line": lambda x: 4 * x - 3,
    "exp": np.exp,
    "cube": lambda x: x**3 + x,
    "squeezed": lambda x: np.arctan(x) / 8,
}
PIXELWISE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    **{
        rule: lambda maps, truth, rule=rule: ciou(claimed(maps, rule, 0.5), truth)  # type: ignore[misc]
        for rule in RULES
    },
    "adaptive": lambda maps, truth: ciou(top_exactly(maps, np.count_nonzero(truth, axis=1)), truth),
    "one_fewer": lambda maps, truth: ciou(top_more_than(maps, np.count_nonzero(truth, axis=1)), truth),
    "pointing": lambda maps, truth: pointing(maps, truth).astype(float),
    "by_area": lambda maps, truth: overlaps_by_area(maps, truth),
    "frame_iou": lambda maps, truth: frame_iou(frame_counts(maps, truth)),
    "hits": lambda maps, truth: frame_counts(maps, truth).hits,
    "class_overlaps": lambda maps, truth: class_overlaps(
        maps[:, None], truth[:, None], np.ones((len(maps), 1), bool), 0.5
    ),
    "silent_shares": lambda maps, truth: silent_shares(maps[:, None], np.zeros((len(maps), 1), dtype=bool)),
    "false_areas": lambda maps, truth: false_areas(maps, 0.5),
    "area_curve": lambda maps, truth: area_curve(maps, [0.0, 0.5]),
    "overlap_curve": lambda maps, truth: overlap_curve(maps, truth, [0.0, 0.5]),
    "same_claims": lambda maps, truth: same_claims(maps > 0.5, truth > 0.5),
    "area_above": lambda maps, truth: area_above(maps),
    "centroids": lambda maps, truth: centroids(maps.reshape(-1, 16, 16)),
    "spreads": lambda maps, truth: spreads(maps.reshape(-1, 16, 16)),
    "entropies": lambda maps, truth: entropies(maps.reshape(-1, 16, 16)),
}
"""Metrics that give a value, or a row, a clip."""


@given(truth=truth_of)
@few
def test_the_truth_itself_scores_one(truth: np.ndarray) -> None:
    there = truth.any(axis=1)
    full = (truth > 0).astype(np.float32)
    for name in ("level", "level_gt", "share_of_max", "adaptive", "class_overlaps"):
        assert np.array_equal(PIXELWISE[name](full, full)[there], np.ones(there.sum())), name
    assert np.array_equal(pointing(full, full), there)
    counts = frame_counts(full, full)
    assert np.all(frame_iou(counts) == 1)
    assert frame_fscore(counts)[there] == pytest.approx(1)
    assert fscore(counts, chunk=None) == pytest.approx(float(there.any()))
    assert miou_dataset(counts, "foreground") == float(there.any())


@given(maps=maps_of, truth=truth_of, name=st.sampled_from(sorted(MONOTONE)))
@few
def test_ranks_are_all_that_a_fraction_sees(maps: np.ndarray, truth: np.ndarray, name: str) -> None:
    moved = MONOTONE[name](maps)
    for rule in BY_RANK:
        assert np.array_equal(claimed(moved, rule), claimed(maps, rule)), rule
    for metric in ("adaptive", "one_fewer", "pointing", "by_area"):
        assert np.array_equal(PIXELWISE[metric](moved, truth), PIXELWISE[metric](maps, truth)), metric


@given(maps=maps_of, factor=st.sampled_from([0.25, 2.0, 8.0]))
@few
def test_scale_is_nothing_to_a_share_of_the_maximum(maps: np.ndarray, factor: float) -> None:
    assert np.array_equal(claimed(maps * np.float32(factor), "share_of_max", 0.5), claimed(maps, "share_of_max", 0.5))


@given(maps=maps_of, truth=truth_of, seed=seeds)
@few
def test_clips_do_not_see_each_other(maps: np.ndarray, truth: np.ndarray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(maps))
    for name, metric in PIXELWISE.items():
        values = metric(maps, truth)
        assert np.array_equal(metric(maps[order], truth[order]), values[order], equal_nan=True), name
        parts = [metric(maps[rows], truth[rows]) for rows in (slice(0, 1), slice(1, 4))]
        assert np.array_equal(np.concatenate(parts), values, equal_nan=True), name


@given(maps=maps_of, truth=truth_of)
@few
def test_chunks_of_frames_join_into_the_whole(maps: np.ndarray, truth: np.ndarray) -> None:
    films = ["a", "b", "b", "a"]
    whole = frame_counts(maps, truth)
    parts = join([frame_counts(maps[:1], truth[:1]), frame_counts(maps[1:], truth[1:])])
    assert fscore(parts) == fscore(whole)
    assert fscore(parts, films=films) == fscore(whole, films=films)
    assert miou(parts, films) == miou(whole, films)
    assert miou_dataset(parts) == miou_dataset(whole)


@given(maps=maps_of, truth=truth_of, constant=levels)
@few
def test_no_map_and_no_truth_gives_nan(maps: np.ndarray, truth: np.ndarray, constant: float) -> None:
    flat, nothing = np.full_like(maps, constant), np.zeros_like(truth)
    for name, metric in PIXELWISE.items():
        for given_maps, given_truth in ((flat, truth), (maps, nothing), (flat, nothing)):
            values = np.asarray(metric(given_maps, given_truth), dtype=np.float64)
            assert not np.isnan(values).any(), name
            assert values.min() >= 0, name
    counts = frame_counts(flat, nothing)
    assert np.isfinite([miou(counts), fscore(counts), miou_dataset(counts)]).all()


@given(maps=maps_of)
@few
def test_ties_are_broken_the_same_way_every_time(maps: np.ndarray) -> None:
    counts = np.full(4, CELLS // 2)
    assert np.array_equal(claimed(maps, "half_exact"), top_exactly(maps, counts))
    for row, taken in zip(maps, top_exactly(maps, counts), strict=True):
        lowest = row[taken].min()
        tied = np.flatnonzero(row == lowest)
        assert np.array_equal(tied[taken[tied]], tied[: taken[tied].sum()])
    assert np.array_equal(claimed(maps.copy(order="F"), "half_exact"), claimed(maps, "half_exact"))


rows_of = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 20), st.booleans(), st.sampled_from("ab")), min_size=4, max_size=30
)


@given(rows=rows_of, seed=seeds)
@few
def test_order_of_clips_changes_no_rate(rows: list[tuple[int, int, bool, str]], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(rows))
    sure, reached, positives, kinds = (np.array(column) for column in zip(*rows, strict=True))
    overlaps = reached / 20
    ids = np.array([f"clip {row:02}" for row in range(len(rows))])

    def rates(take: np.ndarray) -> list[float]:
        hits = (overlaps >= 0.5) & positives
        own = (sure[take], hits[take], positives[take])
        groups = kinds[take].tolist()
        return [
            success_rate(overlaps[take]),
            auc(overlaps[take]),
            area_auc(overlaps[take]),
            iiou(overlaps[take], groups),
            iauc(overlaps[take], groups),
            float(by_film(overlaps[take], groups).mean()),
            auroc(sure[take], positives[take]),
            average_precision(*own),
            max_f1(*own),
            *ap_over_overlap(sure[take], overlaps[take], positives[take], [0.3, 0.7]),
            *max_f1_by_kind(*own, groups, ids[take].tolist()).values(),
        ]

    assert rates(order) == pytest.approx(rates(np.arange(len(rows))), nan_ok=True)


@given(rows=rows_of, name=st.sampled_from(sorted(MONOTONE)))
@few
def test_confidences_are_ranks(rows: list[tuple[int, int, bool, str]], name: str) -> None:
    sure, reached, positives, _ = (np.array(column) for column in zip(*rows, strict=True))
    moved = MONOTONE[name](sure.astype(np.float64))
    hits = (reached >= 10) & positives
    for metric in (average_precision, max_f1):
        assert metric(moved, hits, positives) == pytest.approx(metric(sure, hits, positives), nan_ok=True)
    assert auroc(moved, positives) == pytest.approx(auroc(sure, positives), nan_ok=True)
