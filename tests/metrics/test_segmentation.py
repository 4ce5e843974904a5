"""AVSBench's numbers, its chunks and films, and the data-set form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from soundspot.metrics import top_exactly
from soundspot.metrics.segmentation import (
    LEVELS,
    frame_counts,
    frame_fscore,
    frame_iou,
    fscore,
    fscore_curve,
    fscore_dataset,
    fscore_dataset_max,
    join,
    miou,
    miou_dataset,
)

Golden = Callable[[str], dict[str, np.ndarray]]


def some_frames(seed: int = 0, frames: int = 10) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores = generator.random((frames, 49)).astype(np.float32)
    truth = generator.random((frames, 49)) < 0.3
    truth[1::5] = False
    return scores, truth


def test_numbers_equal_the_peer(golden: Golden) -> None:
    arrays = golden("avs_metrics__a")
    probabilities = 1 / (1 + np.exp(-arrays["in_logits"].reshape(10, -1)))
    counts = frame_counts(probabilities, arrays["in_mask"].reshape(10, -1))
    assert np.abs(frame_iou(counts) - arrays["out_iou_per_frame"]).max() < 1e-5
    assert miou(counts) == pytest.approx(float(arrays["out_miou"]), abs=1e-5)
    assert fscore(counts, chunk=None) == pytest.approx(float(arrays["out_fscore"]), abs=1e-5)
    assert fscore(counts) == pytest.approx(float(arrays["out_fscore_batches_of_5_mean"]), abs=1e-5)


def test_frames_by_hand() -> None:
    scores = np.array([[0.9, 0.6, 0.4, 0.1], [0.9, 0.6, 0.4, 0.1]], dtype=np.float32)
    truth = np.array([[1, 0, 1, 0], [0, 0, 0, 0]])
    counts = frame_counts(scores, truth)
    assert frame_iou(counts) == pytest.approx([1 / 3, 1 / 2])
    precision, recall = 1 / 2, 1 / 2
    assert frame_fscore(counts)[0] == pytest.approx(1.3 * precision * recall / (0.3 * precision + recall))
    assert np.isnan(frame_fscore(counts)[1])
    # Best at any level from .6 to .9: one claim, right, of two true ones.
    assert fscore(counts, chunk=None) == pytest.approx(1.3 * 1 * 0.5 / (0.3 * 1 + 0.5))
    assert miou_dataset(counts, "foreground") == pytest.approx(1 / (3 + 2))
    assert miou_dataset(counts) == pytest.approx((1 / 5 + 3 / 7) / 2)
    assert fscore_dataset(counts, "foreground") == pytest.approx(1.3 / 4 / 2 / (0.3 / 4 + 1 / 2))
    background = 1.3 * 3 / 4 * 1 / 2 / (0.3 * 3 / 4 + 1 / 2)
    assert fscore_dataset(counts) == pytest.approx((fscore_dataset(counts, "foreground") + background) / 2)


def test_level_itself_is_not_decided_but_claimed() -> None:
    counts = frame_counts(np.full((1, 4), 0.5, dtype=np.float32), np.ones((1, 4)))
    assert counts.decided == [0]
    assert counts.claims[0, np.searchsorted(LEVELS, 0.5, side="right") - 1] == 4
    at_one = frame_counts(np.ones((1, 4), dtype=np.float32), np.ones((1, 4)))
    assert at_one.claims[0, -1] == 4


def test_curve_is_what_thresholds_one_by_one_give() -> None:
    scores, truth = some_frames()
    curve = fscore_curve(frame_counts(scores, truth))
    seen = truth.any(axis=1)
    for place in (0, 60, 130, 254):
        each = [
            frame_fscore(frame_counts(scores[[row]], truth[[row]], scores[[row]] >= LEVELS[place]))[0]
            for row in np.flatnonzero(seen)
        ]
        assert curve[place] == pytest.approx(np.mean(each))


def test_chunks_of_any_size_join_into_the_whole() -> None:
    scores, truth = some_frames()
    whole = frame_counts(scores, truth)
    parts = join([frame_counts(scores[rows], truth[rows]) for rows in (slice(0, 3), slice(3, 4), slice(4, 10))])
    for name in whole.__dataclass_fields__:
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


def test_films_need_no_order() -> None:
    scores, truth = some_frames(frames=15)
    films = [f"film {row // 5}" for row in range(15)]
    counts = frame_counts(scores, truth)
    assert fscore(counts, films=films) == pytest.approx(fscore(counts, chunk=5))
    assert fscore(counts, chunk=5) != pytest.approx(fscore(counts, chunk=3))
    order = np.random.default_rng(0).permutation(15)
    mixed = frame_counts(scores[order], truth[order])
    names = [films[row] for row in order]
    assert fscore(mixed, films=names) == pytest.approx(fscore(counts, films=films))
    assert miou(mixed, names) == pytest.approx(miou(counts, films))
    assert miou(counts, films) == pytest.approx(np.mean(frame_iou(counts).reshape(3, 5).mean(axis=1)))
    uneven = ["a"] * 12 + ["b"] * 3
    both = [frame_iou(counts)[:12].mean(), frame_iou(counts)[12:].mean()]
    assert miou(counts, uneven) == pytest.approx(np.mean(both))


def test_film_without_truth_counts_nothing_as_published() -> None:
    truth = np.array([[1, 0], [0, 0]])
    counts = frame_counts(truth.astype(np.float32), truth)
    assert fscore(counts, chunk=1) == 0.5
    assert fscore(counts, chunk=None) == 1


def test_masks_in_the_place_of_scores() -> None:
    scores, truth = some_frames()
    half = top_exactly(scores, np.full(10, 24))
    counts = frame_counts(half.astype(np.float32), truth, half)
    whole = frame_counts(scores, truth, np.ones_like(half))
    # Level 0 claims the whole frame, every other one the mask.
    curve = fscore_curve(counts)
    assert curve[0] == pytest.approx(np.nanmean(frame_fscore(whole)))
    assert curve[1:] == pytest.approx(np.nanmean(frame_fscore(counts)))


def test_adaptive_masks_are_as_large_as_the_truth() -> None:
    scores, truth = some_frames()
    counts = frame_counts(scores, truth, top_exactly(scores, truth.sum(axis=1)))
    assert np.array_equal(counts.decided, counts.area)
    seen = counts.area > 0
    precision = counts.inside[seen] / counts.area[seen]  # and recall, and so F
    assert frame_fscore(counts)[seen] == pytest.approx(precision)
    assert np.all(frame_iou(counts)[~seen] == 1)


def test_pooled_pixels_are_one_large_frame() -> None:
    scores, truth = some_frames()
    large = frame_counts(scores.reshape(1, -1), truth.reshape(1, -1))
    counts = frame_counts(scores, truth)
    assert miou_dataset(counts, "foreground") == pytest.approx(frame_iou(large)[0])
    assert fscore_dataset(counts, "foreground") == pytest.approx(frame_fscore(large)[0])
    assert fscore_dataset_max(counts) == pytest.approx(fscore(large))


def test_all_empty_is_agreement_or_nothing() -> None:
    nothing = np.zeros((3, 9), dtype=np.float32)
    counts = frame_counts(nothing, nothing)
    assert miou(counts) == 1
    assert fscore(counts) == 0
    assert miou_dataset(counts) == 0.5  # no foreground anywhere counts 0, as in CAVP's code
    assert fscore_dataset(counts) == 1
    none = frame_counts(nothing[:0], nothing[:0])
    for value in (miou(none), fscore(none), miou_dataset(none), fscore_dataset(none), fscore_dataset_max(none)):
        assert np.isnan(value)
