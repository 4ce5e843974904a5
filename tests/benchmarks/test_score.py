"""Scoring accounts for every clip, under every protocol, with floors, ceilings and intervals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.benchmarks import PROTOCOLS, Result, prior, score
from soundspot.benchmarks.grid import CHUNK, truth_weights
from soundspot.predictions import Predictions
from soundspot.types import Missing, Target, UserError

BOXES = [(0.1, 0.1, 0.4, 0.5), (0.5, 0.2, 0.9, 0.9), (0.0, 0.0, 1.0, 0.6), (0.3, 0.6, 0.35, 0.7)]


def visible(count: int = 12, **changes: object) -> list[Target]:
    targets = [Target(f"clip{row}", boxes=(BOXES[row % len(BOXES)],)) for row in range(count)]
    return [replace(target, **changes) for target in targets]  # type: ignore[arg-type]


def with_negatives() -> list[Target]:
    kinds = ("silent", "noise", "offscreen")
    return visible(6) + [Target(f"{kind}{row}", kind=kind) for kind in kinds for row in range(2)]


def noise(targets: list[Target], seed: int = 0, **provenance: str) -> Predictions:
    generator = np.random.default_rng(seed)
    maps = {target.clip_id: generator.normal(size=(7, 7)).astype(np.float32) for target in targets}
    return Predictions(maps, {}, {"method": "noise", "weights_sha256": "abc", **provenance})


def same_numbers(one: Result, other: Result) -> None:
    assert one.summary.keys() == other.summary.keys()
    for name, value in one.summary.items():
        assert value.value == pytest.approx(other.summary[name].value, nan_ok=True), name


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_oracle_is_above_the_centre_above_nothing(protocol: str) -> None:
    targets = with_negatives()
    rules = PROTOCOLS[protocol]
    made = {name: score(prior(name, targets, rules), targets, rules, intervals=False) for name in ("oracle", "centre")}
    oracle, centre = (made[name].summary for name in ("oracle", "centre"))
    for metric in ("ciou@0.5", "auc", "ciou_adaptive@0.5", "pointing"):
        assert oracle[metric].value >= centre[metric].value
    # CoarseToFine's boxes are shifted by one: what began at the frame's edge begins at -1 and covers nothing.
    assert oracle["pointing"].value == (5 / 6 if rules.box_rounding == "coarse_to_fine" else 1)
    assert oracle["auroc/all"].value == 1
    assert centre["auroc/all"].value == 0.5


def test_truth_as_prediction_is_perfect_where_the_area_is_right() -> None:
    targets = with_negatives()
    result = score(prior("oracle", targets, PROTOCOLS["strict"]), targets, "strict", intervals=False)
    for metric in ("ciou_adaptive@0.5", "ciou_adaptive@0.75", "auc_adaptive", "pointing", "auroc/silent"):
        assert result.summary[metric].value == 1, metric


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_order_of_targets_does_not_matter(seed: int) -> None:
    targets = with_negatives()
    mixed = [targets[row] for row in np.random.default_rng(seed).permutation(len(targets))]
    predictions = noise(targets, seed)
    same_numbers(
        score(predictions, mixed, intervals=False, beside=False),
        score(predictions, targets, intervals=False, beside=False),
    )


def test_chunks_and_map_shapes_do_not_matter() -> None:
    targets = visible(CHUNK + 3)
    predictions = noise(targets)
    whole = score(predictions, targets, intervals=False, beside=False)
    alone = [score(predictions, [target], intervals=False, beside=False).records[0] for target in targets]
    assert whole.records == alone
    mixed = dict(predictions.maps)
    mixed["clip1"] = np.ones((3, 5), dtype=np.float32)
    partly = score(Predictions(mixed), targets, intervals=False, beside=False)
    assert [row for row in range(len(targets)) if partly.records[row] != whole.records[row]] == [1]


def test_missing_clips_fail_in_strict_and_are_left_out_elsewhere() -> None:
    targets = visible(4)
    full = prior("oracle", targets, PROTOCOLS["strict"])
    kept = {clip_id: full.maps[clip_id] for clip_id in ("clip0", "clip1", "clip2")}
    predictions = Predictions(kept, {"clip3": "no sound track"}, full.provenance)
    strict, peers = (score(predictions, targets, name) for name in ("strict", "sslalign"))
    assert strict.summary["ciou_adaptive@0.5"].value == 0.75
    assert strict.summary["ciou_adaptive@0.5"].count == 4
    assert peers.summary["ciou_adaptive@0.5"].value == 1
    assert peers.summary["ciou_adaptive@0.5"].count == 3
    for result in (strict, peers):
        assert result.clips == "3 of 4"
        assert result.provenance["clips_missing"] == {"clip3": "no sound track"}
        assert result.records[3]["status"] == "missing: no sound track"
        assert result.records[3]["ciou"] is None
    assert "fails" in strict.provenance["missing_rule"]
    assert "left out" in peers.provenance["missing_rule"]


def test_missing_negative_counts_as_claimed_in_strict() -> None:
    targets = with_negatives()
    full = prior("oracle", targets, PROTOCOLS["strict"])
    without = Predictions({key: full.maps[key] for key in full.maps if key != "silent0"}, {}, full.provenance)
    summary = score(without, targets, "strict", intervals=False).summary
    assert summary["auroc/silent"].value == 0.5
    assert summary["auroc/noise"].value == 1
    assert summary["ap_voc@0.5"].value < score(full, targets, "strict", intervals=False).summary["ap_voc@0.5"].value


def test_all_clips_missing_is_a_result_and_no_overlap_of_ids_an_error() -> None:
    targets = visible(3)
    lost = Predictions({}, {target.clip_id: "unreadable" for target in targets}, {"method": "m"})
    assert score(lost, targets, "strict").summary["ciou@0.5"].value == 0
    assert np.isnan(score(lost, targets, "ezvsl").summary["ciou@0.5"].value)
    with pytest.raises(UserError, match="expected predictions for clips such as clip0, got other0"):
        score(Predictions({"other0": np.ones((2, 2), dtype=np.float32)}), targets)


def test_groups_of_one_count_for_the_peers_only() -> None:
    targets = [replace(target, group=f"frame{row // 2}") for row, target in enumerate(visible(5))]
    predictions = prior("oracle", targets, PROTOCOLS["strict"])
    strict, peers = (score(predictions, targets, name, beside=False).summary for name in ("strict", "sslalign"))
    assert (strict["iiou_adaptive@0.5"].count, peers["iiou_adaptive@0.5"].count) == (2, 3)
    assert strict["iiou_adaptive@0.5"].value == 1
    assert "iiou@0.5" not in score(predictions, visible(5), beside=False).summary


def test_a_group_fails_with_its_worst_member() -> None:
    targets = [replace(target, group="frame") for target in visible(2)]
    good = prior("oracle", targets, PROTOCOLS["strict"])
    swapped = Predictions({"clip0": good.maps["clip0"], "clip1": good.maps["clip0"]}, {}, good.provenance)
    summary = score(swapped, targets, beside=False).summary
    assert summary["ciou_adaptive@0.5"].value == 0.5
    assert summary["iiou_adaptive@0.5"].value == 0


def test_wrong_sound_control_is_just_another_file() -> None:
    targets = visible(4)
    right, wrong = (
        score(noise(targets, seed), targets, name=name) for seed, name in enumerate(("right", "wrong sound"))
    )
    assert (right.name, wrong.name) == ("right", "wrong sound")
    assert right.records != wrong.records


def test_masks_are_the_truth_in_strict_only() -> None:
    mask = np.zeros((112, 448), dtype=bool)
    mask[:56] = True
    (target,) = [replace(target, mask=mask) for target in visible(1)]
    assert truth_weights(target, PROTOCOLS["strict"]).sum() == 224 * 112
    assert truth_weights(target, PROTOCOLS["ezvsl"]).sum() == truth_weights(visible(1)[0], PROTOCOLS["ezvsl"]).sum()
    only_mask = replace(target, boxes=())
    assert np.array_equal(truth_weights(only_mask, PROTOCOLS["ezvsl"]), truth_weights(target, PROTOCOLS["strict"]))


def test_mask_file_is_read(tmp_path: Path) -> None:
    from soundspot.media.image import write_image

    picture = np.zeros((100, 60, 3), dtype=np.uint8)
    picture[:50] = 255
    write_image(tmp_path / "mask.png", picture)
    weights = truth_weights(Target("a", mask=tmp_path / "mask.png"), PROTOCOLS["strict"])
    assert weights[:112].all()
    assert not weights[112:].any()
    write_image(tmp_path / "mask.png", 255 - picture)  # a file that is written anew is read anew
    again = truth_weights(Target("a", mask=tmp_path / "mask.png"), PROTOCOLS["strict"])
    assert np.array_equal(again, ~weights)


def test_level_rule_asks_for_the_score_range() -> None:
    targets = visible(4)
    with pytest.raises(UserError, match="slavc_absolute: expected score_low and score_high"):
        score(noise(targets), targets, "slavc_absolute")
    ranged = noise(targets, score_low="-5", score_high="5")
    assert score(ranged, targets, "slavc_absolute").summary["ciou@0.5"].count == 4


def test_class_maps_duplicates_and_unknown_names_are_refused() -> None:
    targets = visible(2)
    stacked = Predictions({"clip0": np.ones((3, 7, 7), dtype=np.float32)})
    with pytest.raises(UserError, match=r"clip0: expected one map \(h, w\), got \(3, 7, 7\)"):
        score(stacked, targets, beside=False)
    with pytest.raises(UserError, match="got clip0 twice"):
        score(noise(targets), [*targets, targets[0]])
    with pytest.raises(UserError, match="did you mean 'slavc'"):
        score(noise(targets), targets, "slvac")
    with pytest.raises(UserError, match="expected targets"):
        score(noise(targets), [])


def test_result_carries_everything_and_survives_json() -> None:
    targets = with_negatives()
    listed = [Missing("lost", "no boxes")]
    result = score(noise(targets), targets, "slavc", name="run", benchmark="flickr", without_truth=listed)
    known = result.provenance
    assert result.clips == "12 of 13"
    assert known["clips_without_truth"] == {"lost": "no boxes"}
    assert known["weights_sha256"] == "abc"
    assert {"soundspot", "numpy"} <= known["versions"].keys()
    assert known["protocol"]["enlarge"] == "bicubic_corners"
    assert set(result.beside) == {"centre", "oracle", "oracle 7x7"}
    for name, value in result.summary.items():
        if name.startswith(("ap", "max_f1")) and "/" in name:
            assert np.isnan(value.low), name  # breakdowns of detection have no interval
        else:
            assert np.isnan(value.value) or value.low <= value.value <= value.high or name.startswith("max_f1"), name
    text = result.to_json()
    assert json.loads(text)["summary"]["ciou@0.5/small"]["value"] == result.summary["ciou@0.5/small"].value
    again = Result.from_json(text)
    same_numbers(again, result)
    assert again.records == result.records
    assert Result.from_json(result.to_json(records=False)).records == []
    with pytest.raises(UserError, match=r"expected a result .*, got nothing called 'summary'; score again"):
        Result.from_json("{}")


def test_size_bins_and_thresholds_asked_for() -> None:
    targets = visible(4)
    summary = score(noise(targets), targets, thresholds=(0.3,), beside=False).summary
    assert "ciou@0.3" in summary
    assert "ciou@0.5" not in summary
    sizes = {name: summary[f"ciou@0.3/{name}"].count for name in ("small", "medium", "large", "huge")}
    assert sizes == {"small": 1, "medium": 1, "large": 1, "huge": 1}


def test_constant_maps_are_scored_by_every_protocol() -> None:
    targets = visible(4)
    flat = Predictions({target.clip_id: np.full((7, 7), 0.3, dtype=np.float32) for target in targets})
    areas = {name: score(flat, targets, name, beside=False).summary["ciou@0.5"].value for name in ("ezvsl", "sslalign")}
    whole = score(prior("whole", targets, PROTOCOLS["ezvsl"]), targets, "ezvsl").summary["ciou@0.5"].value
    assert areas == {"ezvsl": whole, "sslalign": 0.0}
