"""One sort gives what top_exactly gives share by share; figures and tables by hand."""

from __future__ import annotations

import numpy as np
import pytest

from soundspot.metrics import average_precision, average_precision_slavc, ciou, max_f1, max_f1_slavc, top_exactly
from soundspot.metrics.curves import (
    AREA_SHARES,
    OVERLAPS,
    ap_by_area,
    ap_over_overlap,
    f1_over_confidence,
    max_f1_by_kind,
    overlaps_by_area,
    success_by_area,
)


def test_areas_equal_top_exactly_ties_included() -> None:
    generator = np.random.default_rng(0)
    scores = generator.choice([0.0, 0.25, 0.5, 1.0], (6, 50)).astype(np.float32)
    truth = generator.choice([0, 0.5, 1], (6, 50)).astype(np.float32)
    truth[0] = 0
    values = overlaps_by_area(scores, truth)
    for column, count in enumerate(range(5, 50, 5)):
        assert values[:, column] == pytest.approx(ciou(top_exactly(scores, np.full(6, count)), truth))
    assert overlaps_by_area(scores, truth, [0.5])[:, 0] == pytest.approx(
        ciou(top_exactly(scores, np.full(6, 25)), truth)
    )


def test_whole_and_no_picture() -> None:
    scores, truth = np.arange(10.0)[None], np.array([[0, 0, 0, 0, 0, 0, 0, 0, 1, 1]])
    assert overlaps_by_area(scores, truth, [0, 0.2, 1]).tolist() == [[0, 1, 0.2]]
    assert overlaps_by_area(scores, np.zeros((1, 10)), [0, 1]).tolist() == [[0, 0]]
    assert overlaps_by_area(np.zeros((1, 100)), np.ones((1, 100)), [0.29]).tolist() == [[0.29]]


def test_success_by_area_and_size() -> None:
    overlaps = np.array([[0.6, 0.1], [0.2, 0.7], [0.9, 0.9], [1, 1]])
    sizes, visible = ["small", "huge", "huge", "small"], [True, True, True, False]
    rates = success_by_area(overlaps, sizes, visible)
    assert list(rates) == ["all", "small", "medium", "large", "huge"]
    assert rates["all"] == pytest.approx([2 / 3, 2 / 3])
    assert rates["small"].tolist() == [1, 0]
    assert rates["huge"].tolist() == [0.5, 1]
    assert np.isnan(rates["medium"]).all()
    assert success_by_area(overlaps, sizes)["small"].tolist() == [1, 0.5]


@pytest.mark.parametrize("with_negatives", [False, True])
def test_precision_by_area_takes_the_rows_of_its_bin(with_negatives: bool) -> None:
    generator = np.random.default_rng(0)
    confidences, positives = generator.random(40), np.arange(40) % 3 > 0
    overlaps = generator.random((40, 2))
    sizes = np.where(np.arange(40) % 2, "huge", "small")
    values = ap_by_area(confidences, overlaps, sizes, positives, form="voc", with_negatives=with_negatives)
    rows = np.array(
        [size == "huge" if seen else with_negatives for size, seen in zip(sizes, positives, strict=True)], dtype=bool
    )
    hits = (overlaps[rows, 1] >= 0.5) & positives[rows]
    assert values["huge"][1] == average_precision(confidences[rows], hits, positives[rows])
    assert values["all"][1] == average_precision(confidences, (overlaps[:, 1] >= 0.5) & positives, positives)
    sampled = ap_by_area(confidences, overlaps, sizes, positives)["all"][0]
    assert sampled == average_precision_slavc(confidences, (overlaps[:, 0] >= 0.5) & positives, positives)
    assert np.isnan(values["large"]).all()


def test_precision_falls_with_the_overlap_asked_for() -> None:
    generator = np.random.default_rng(0)
    confidences, overlaps, positives = generator.random(60), generator.random(60), np.arange(60) % 2 > 0
    for form in ("slavc", "voc"):
        values = ap_over_overlap(confidences, overlaps, positives, form=form)
        assert len(values) == len(OVERLAPS) == 19
        assert values[9] == average_precision(confidences, (overlaps >= 0.5) & positives, positives, recall=form)
    assert np.all(np.diff(ap_over_overlap(confidences, overlaps, positives, form="voc")) <= 0)
    assert ap_over_overlap(confidences, overlaps, positives)[9] == average_precision_slavc(
        confidences, (overlaps >= 0.5) & positives, positives
    )


def test_f1_over_confidence_by_hand() -> None:
    confidences, hits, positives = [0.9, 0.6, 0.3], [1, 0, 1], [1, 0, 1]
    values = f1_over_confidence(confidences, hits, positives, [0, 0.5, 0.95])
    assert values == pytest.approx([0.8, 0.5, 0])
    assert len(f1_over_confidence(confidences, hits, positives)) == 21


def kinds_of(seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    positives = np.arange(60) < 40
    kinds = np.where(positives, "visible", np.where(np.arange(60) < 55, "noise", "silent"))
    ids = np.array([f"clip {row:03}" for row in generator.permutation(60)])
    hits = positives & (generator.random(60) < 0.6)
    return {"sure": generator.random(60) + hits, "hits": hits, "positives": positives, "kinds": kinds, "ids": ids}


def max_f1_of(clips: dict[str, np.ndarray], **options: object) -> dict[str, float]:
    return max_f1_by_kind(*clips.values(), **options)  # type: ignore[arg-type]


def test_each_kind_has_its_own_negatives_and_all_positives() -> None:
    clips = kinds_of()
    values = max_f1_of(clips, balanced=False, form="voc")
    assert list(values) == ["noise", "silent"]
    rows = clips["positives"] | (clips["kinds"] == "silent")
    assert values["silent"] == max_f1(clips["sure"][rows], clips["hits"][rows], clips["positives"][rows])
    sampled = max_f1_of(clips, balanced=False)["silent"]
    assert sampled == max_f1_slavc(clips["sure"][rows], clips["hits"][rows], clips["positives"][rows])


def test_draws_are_seeded_balanced_and_blind_to_order() -> None:
    clips = kinds_of()
    values = max_f1_of(clips)
    order = np.random.default_rng(1).permutation(60)
    assert max_f1_of({name: column[order] for name, column in clips.items()}) == values
    assert len({tuple(max_f1_of(clips, seed=seed).values()) for seed in range(5)}) > 1
    few = {name: column[~clips["positives"] | (np.arange(60) < 4)] for name, column in clips.items()}
    assert max_f1_of(few) == max_f1_of(few, balanced=False)


def test_balance_is_as_many_positives_as_negatives() -> None:
    clips = kinds_of()
    # Equally sure of everything and always right: F1 tells how many positives stand against the five silent clips.
    clips["sure"], clips["hits"] = np.zeros(60), clips["positives"]
    assert max_f1_of(clips)["silent"] == pytest.approx(2 * 0.5 / 1.5)
    assert max_f1_of(clips, balanced=False)["silent"] == pytest.approx(2 * (40 / 45) / (40 / 45 + 1))


def test_shares_are_tenths() -> None:
    assert np.allclose(AREA_SHARES, np.linspace(0.1, 0.9, 9), rtol=0, atol=1e-12)
