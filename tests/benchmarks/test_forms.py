"""Beside overlaps: masks, maps by class, what negatives claim, parts of a set, films."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from soundspot.benchmarks import PROTOCOLS, score
from soundspot.metrics.segmentation import LEVELS
from soundspot.predictions import Predictions
from soundspot.types import Target, UserError

SIDE = 224


def square(start: int, side: int = 112) -> np.ndarray:
    """A mask of a square on the diagonal."""
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[start : start + side, start : start + side] = True
    return mask


def framed(videos: dict[str, list[np.ndarray]]) -> list[Target]:
    return [
        Target(f"{video}_{number}", kind="visible" if mask.any() else "offscreen", mask=mask, video=video)
        for video, masks in videos.items()
        for number, mask in enumerate(masks)
    ]


def maps_of(targets: list[Target], shift: int = 0) -> dict[str, np.ndarray]:
    return {target.clip_id: np.roll(np.asarray(target.mask, dtype=np.float32), shift, axis=1) for target in targets}


def test_masks_frame_by_frame_and_over_the_set() -> None:
    targets = framed({"a": [square(0), square(50)], "b": [square(112)]})
    right = score(Predictions(maps_of(targets)), targets, "avsbench", beside=False)
    for key in ("miou", "fscore", "miou_adaptive", "miou_dataset", "fscore_dataset"):
        assert right.summary[key].value == pytest.approx(1), key
    moved = score(Predictions(maps_of(targets, 56)), targets, "avsbench", intervals=False, beside=False)
    # Half of each square is hit: 1 in 3, and precision = recall = a half.
    assert moved.summary["miou"].value == pytest.approx(1 / 3)
    assert moved.summary["fscore"].value == pytest.approx(0.5)
    assert moved.summary["miou_dataset"].value == pytest.approx((1 / 3 + 10 / 14) / 2)


def test_films_weigh_alike_and_empty_masks_count_as_avsbench_has_it() -> None:
    empty = np.zeros((SIDE, SIDE), dtype=bool)
    targets = framed({"a": [square(0)] * 3, "b": [empty]})
    maps = maps_of(targets)
    maps["b_0"] = np.tile(np.linspace(0, 1, SIDE, dtype=np.float32), (SIDE, 1))  # above .5: half the picture
    result = score(Predictions(maps), targets, "avsbench", intervals=False, beside=False)
    assert result.summary["miou"].value == pytest.approx((1 + 0.5) / 2)
    assert result.summary["fscore"].value == pytest.approx(0.5)  # a film with no truth counts 0
    assert result.summary["miou"].count == 4
    by_film = score(Predictions(maps), targets[:3], "strict", intervals=False, beside=False)
    assert by_film.summary["ciou_adaptive@0.5/by_film"].value == 1
    assert by_film.summary["ciou_adaptive@0.5/by_film"].count == 1


def test_a_frame_without_a_map_gets_nothing() -> None:
    targets = framed({"a": [square(0)], "b": [square(50)]})
    maps = maps_of(targets)
    del maps["b_0"]
    result = score(Predictions(maps), targets, "avsbench", intervals=False, beside=False)
    assert result.summary["miou"].value == pytest.approx(0.5)
    assert result.summary["fscore"].value == pytest.approx(0.5)


def test_the_claimed_mask_alone_in_sslaligns_way() -> None:
    # Top half of the picture claimed, a quarter true and inside it: precision 1/2, recall 1.
    targets = framed({"a": [square(0)]})
    maps = {"a_0": np.linspace(1, 0, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)}
    result = score(Predictions(maps), targets, "sslalign_masks", intervals=False, beside=False)
    assert result.summary["miou"].value == pytest.approx(0.5, abs=1e-3)
    assert result.summary["fscore"].value == pytest.approx(1.3 * 0.5 / (0.3 * 0.5 + 1), abs=1e-3)
    assert len(LEVELS) == 255


def test_box_metrics_against_masks() -> None:
    mask = square(0)
    target = Target("a", boxes=((0.5, 0, 1, 1),), mask=mask)
    order = np.linspace(0.1, 0, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
    maps = Predictions({"a": mask + order})
    as_mask = score(maps, [target], replace(PROTOCOLS["sslalign"], truth="mask"), intervals=False, beside=False)
    as_box = score(maps, [target], "sslalign", intervals=False, beside=False)
    assert as_mask.summary["ciou_adaptive@0.5"].value == 1
    assert as_box.summary["ciou_adaptive@0.5"].value == 0


CLASSES = ("cello", "drum", "flute")


def duet(name: str, first: int, second: int) -> tuple[Target, np.ndarray]:
    """Two of three classes sound, each in a half; (K, 2, 2) softmax-like maps that find them."""
    boxes = ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0))
    maps = np.full((3, 2, 2), 0.05, dtype=np.float32)
    maps[first, :, 0], maps[second, :, 1] = 0.9, 0.9
    return Target(name, boxes=boxes, box_labels=(CLASSES[first], CLASSES[second])), maps


def test_maps_by_class() -> None:
    (one, maps_one), (two, maps_two) = duet("one", 0, 1), duet("two", 2, 0)
    named = {"classes": json.dumps(CLASSES)}
    right = Predictions({"one": maps_one, "two": maps_two}, {}, named)
    found = score(right, [one, two], "dsol_synthetic", beside=False).summary
    assert found["class_ciou@0.3"].value == found["class_ciou@0.5"].value == found["nsa"].value == 1
    assert found["class_ciou@0.3"].count == 2
    crossed = Predictions({"one": maps_one[[1, 0, 2]], "two": maps_two}, {}, named)
    assert score(crossed, [one, two], "dsol_synthetic", beside=False).summary["class_ciou@0.3"].value == 0.5
    loud = Predictions({"one": np.maximum(maps_one, 0.5), "two": maps_two}, {}, named)
    assert score(loud, [one, two], "dsol_synthetic", beside=False).summary["nsa"].value == 0.5


def test_maps_by_class_need_names_and_a_protocol_for_them() -> None:
    target, maps = duet("one", 0, 1)
    with pytest.raises(UserError, match="expected the names of"):
        score(Predictions({"one": maps}), [target], "dsol_duet")
    with pytest.raises(UserError, match="choose one class's map a clip before scoring"):
        score(Predictions({"one": maps}), [target], "strict")
    mixed = Predictions({"one": maps, "two": maps[0]}, {}, {"classes": json.dumps(CLASSES)})
    with pytest.raises(UserError, match=r"expected maps \(K, h, w\) of every clip, got one map for two"):
        score(mixed, [target, replace(target, clip_id="two")], "dsol_duet")


def test_area_of_negatives_at_one_threshold() -> None:
    half = ((0.0, 0.0, 0.5, 1.0),)
    targets = [Target("seen", boxes=half), Target("quiet", kind="silent"), Target("else", kind="offscreen")]
    left = np.zeros((SIDE, SIDE), dtype=np.float32)
    left[:, :112] = 0.8
    maps = {"seen": left, "quiet": left * 0.5, "else": np.concatenate([left[:112], left[112:] * 0])}
    made = Predictions(maps, {}, {"score_low": "0", "score_high": "1"})
    found = score(made, targets, "strict", beside=False).summary
    assert found["mean_iou@threshold"].value == 1
    assert 0 <= found["false_area_threshold"].value < 0.8
    assert found["false_area/silent"].value in (0, 0.5)  # by which of the equally good thresholds comes first
    assert found["false_area/offscreen"].value == 0.25
    always = Predictions(dict.fromkeys(maps, left), {}, made.provenance)
    deaf = score(always, targets, "strict", beside=False).summary
    assert deaf["false_area/silent"].value == deaf["false_area/offscreen"].value == 0.5
    assert deaf["f_placed_quiet"].value == pytest.approx(2 / 3)
    assert "false_area_threshold" not in score(made, targets[:1], "strict", beside=False).summary


def test_area_of_negatives_without_a_map() -> None:
    half = ((0.0, 0.0, 0.5, 1.0),)
    targets = [Target("seen", boxes=half), Target("lost", boxes=half)]
    targets += [Target(name, kind="silent") for name in ("quiet", "gone")]
    left = np.zeros((SIDE, SIDE), dtype=np.float32)
    left[:, :112] = 0.8
    made = Predictions({"seen": left, "quiet": left * 0}, {}, {"score_low": "0", "score_high": "1"})
    failed = score(made, targets, "strict", beside=False).summary
    assert (failed["mean_iou@threshold"].value, failed["mean_iou@threshold"].count) == (0.5, 2)
    assert (failed["false_area/silent"].value, failed["false_area/silent"].count) == (0.5, 2)
    assert (failed["f_placed_quiet"].value, failed["f_placed_quiet"].count) == (0.5, 4)
    lenient = score(made, targets, replace(PROTOCOLS["strict"], missing="leave_out"), beside=False).summary
    assert (lenient["mean_iou@threshold"].value, lenient["mean_iou@threshold"].count) == (1, 1)
    assert (lenient["false_area/silent"].value, lenient["false_area/silent"].count) == (0, 1)
    nothing = Predictions({}, dict.fromkeys(("seen", "lost", "quiet", "gone"), "cut off"))
    none_read = score(nothing, targets, "strict", beside=False).summary
    assert (none_read["false_area/silent"].value, none_read["f_placed_quiet"].value) == (1, 0)


def test_parts_of_an_extended_set() -> None:
    boxes = ((0.0, 0.0, 1.0, 1.0),)
    targets = [Target(f"seen{number}", boxes=boxes) for number in range(4)]
    targets += [Target(f"real{number}", kind="offscreen", labels=("real",)) for number in range(2)]
    targets += [Target(f"other{number}", kind="offscreen", labels=("other_class",)) for number in range(2)]
    sure = {"seen": 3.0, "real": 1.0, "other": 5.0}
    maps = {target.clip_id: np.full((2, 2), sure[target.clip_id[:-1]], dtype=np.float32) for target in targets}
    found = score(Predictions(maps), targets, "strict", intervals=False, beside=False).summary
    assert found["max_f1@0.5/real"].value == 1
    assert found["ap@0.5/real"].value == 1
    # The two wrong sounds come first: precision never exceeds 2 of 4 for Table 5's balanced form, 4 of 6 with all.
    assert found["max_f1@0.5/other_class"].value == pytest.approx(2 / 3)
    assert found["ap@0.5/other_class"].value == pytest.approx(4 / 6)
    assert found["max_f1@0.5/other_class"].count == 2


def test_lone_pictures_are_shown_apart_from_interactive_ones() -> None:
    half = ((0.0, 0.0, 0.5, 1.0),)
    targets = [
        Target("a1", boxes=half, group="a"),
        Target("a2", boxes=half, group="a"),
        Target("b", boxes=half, group="b"),
    ]
    left = np.zeros((2, 2), dtype=np.float32)
    left[:, 0] = 1
    maps = {"a1": left, "a2": left[:, ::-1], "b": left}
    summary = score(Predictions(maps), targets, "sslalign", intervals=False, beside=False).summary
    assert summary["iiou@0.5"].value == 0.5
    assert summary["iiou@0.5/several"].value == 0
    assert summary["iiou@0.5/single"].value == 1
    strict = score(Predictions(maps), targets, "strict", intervals=False, beside=False).summary
    assert strict["iiou@0.5"].count == 1
    assert "iiou@0.5/single" not in strict
