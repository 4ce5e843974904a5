"""Whole protocols equal the peers' own evaluation loops, map by map, on the three kinds of benchmark."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from soundspot.benchmarks import score
from soundspot.benchmarks.result import Result
from soundspot.methods.fusion import fuse
from soundspot.metrics import group_of_name
from soundspot.predictions import Predictions
from soundspot.types import Target

Golden = Callable[[str], dict[str, np.ndarray]]
CASES = ("eval_vggss__a", "eval_flickr__a", "eval_is3__a")
BOXES = {
    "eval_vggss__a": ("in_box_norm_f64", 1),
    "eval_flickr__a": ("in_box256_f64", 256),
    "eval_is3__a": ("in_box224_f64", 224),
}

# The peer's name of a rule -> our protocol.
PROTOCOLS = {
    "ez": "ezvsl",
    "slavc_rel": "slavc",
    "slavc_abs": "slavc_absolute",
    "lvs": "lvs",
    "ssl_cv2": "sslalign",
    "ssl_bilinear": "sslalign_corners",
    "sspl": "sspl",
    "rcgrad": "rcgrad",
    "htf": "heartheflow",
}
# SLAVC's maps are divided by the temperature, and their range with them.
COSINE = {"score_low": "-1.0", "score_high": "1.0"}
OBJECT = {"score_low": "0.0", "score_high": "2.5"}


def targets_of(case: str, arrays: dict[str, np.ndarray]) -> list[Target]:
    key, grid = BOXES[case]
    consensus = 2 if case.startswith("eval_flickr") else 1
    targets = []
    for name, boxes in zip(arrays["in_names"], arrays[key], strict=True):
        kept = [tuple(map(float, box / grid)) for box in boxes if not np.isnan(box).any()]
        targets.append(Target(str(name), boxes=tuple(kept), consensus=consensus, group=group_of_name(str(name))))
    return targets


def predictions_of(arrays: dict[str, np.ndarray], key: str, provenance: dict[str, str]) -> Predictions:
    names = [str(name) for name in arrays["in_names"]]
    return Predictions(dict(zip(names, arrays[key], strict=True)), {}, {"method": key, **provenance})


def check(result: Result, arrays: dict[str, np.ndarray], rule: str, suffix: str = "") -> None:
    overlaps = np.array([record[f"ciou{suffix}"] for record in result.records], dtype=float)
    assert np.abs(overlaps - arrays[f"out_ciou_{rule}_f64"]).max() < 5e-4
    assert result.summary[f"ciou{suffix}@0.5"].value == pytest.approx(arrays[f"out_sr_{rule}"], abs=1e-12)
    assert result.summary[f"auc{suffix}"].value == pytest.approx(arrays[f"out_auc_{rule}"], abs=2.5e-3)


def run(predictions: Predictions, case: str, arrays: dict[str, np.ndarray], protocol: str) -> Result:
    return score(predictions, targets_of(case, arrays), protocol, thresholds=(0.5, 0.3), intervals=False, beside=False)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rule", ["ez_av", "slavc_rel_av", "slavc_abs_av", "lvs", "sspl", "rcgrad", "htf"])
def test_maps_that_hear(golden: Golden, case: str, rule: str) -> None:
    arrays = golden(case)
    protocol = PROTOCOLS[rule.removesuffix("_av")]
    check(run(predictions_of(arrays, "in_map", COSINE), case, arrays, protocol), arrays, rule)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rule", ["ez_obj", "slavc_rel_obj", "slavc_abs_obj"])
def test_object_maps(golden: Golden, case: str, rule: str) -> None:
    arrays = golden(case)
    protocol = PROTOCOLS[rule.removesuffix("_obj")]
    check(run(predictions_of(arrays, "in_obj", OBJECT), case, arrays, protocol), arrays, rule)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rule", ["ez_fused", "slavc_rel_fused", "slavc_abs_fused"])
def test_fused_maps(golden: Golden, case: str, rule: str) -> None:
    arrays = golden(case)
    form = "ezvsl" if rule.startswith("ez") else "slavc"
    alpha = float(arrays["par_alpha_ez" if form == "ezvsl" else "par_alpha_slavc"])
    fused = fuse(predictions_of(arrays, "in_map", COSINE), predictions_of(arrays, "in_obj", OBJECT), form, alpha)
    check(run(fused, case, arrays, PROTOCOLS[rule.removesuffix("_fused")]), arrays, rule)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rule", ["ssl_cv2", "ssl_bilinear"])
def test_adaptive_and_interactive_metrics(golden: Golden, case: str, rule: str) -> None:
    arrays = golden(case)
    result = run(predictions_of(arrays, "in_map", {}), case, arrays, PROTOCOLS[rule])
    check(result, arrays, rule)
    check(result, arrays, f"{rule}_adap", "_adaptive")
    metrics = ("iiou@0.5", "iiou_adaptive@0.5", "iauc", "iauc_adaptive")
    expected = arrays[f"out_iiou_{rule}_f64"]
    for name, value, tolerance in zip(metrics, expected, (1e-12, 1e-12, 2.5e-3, 2.5e-3), strict=True):
        assert result.summary[name].value == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_success_at_another_threshold(golden: Golden, case: str) -> None:
    arrays = golden(case)
    result = run(predictions_of(arrays, "in_map", {}), case, arrays, "rcgrad")
    assert result.summary["ciou@0.3"].value == pytest.approx(arrays["out_rcgrad_ciou_at_0.3"], abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_confidences_areas_and_box_counts(golden: Golden, case: str) -> None:
    arrays = golden(case)
    targets = targets_of(case, arrays)
    heard, objects = predictions_of(arrays, "in_map", COSINE), predictions_of(arrays, "in_obj", OBJECT)
    fused = fuse(heard, objects, "slavc", float(arrays["par_alpha_slavc"]))
    for name, predictions in {"av": heard, "obj": objects, "fused": fused}.items():
        result = run(predictions, case, arrays, "slavc")
        confidences = np.array([record["confidence"] for record in result.records], dtype=float)
        assert np.abs(confidences - arrays[f"out_conf_slavc_{name}"]).max() < 1e-5
    assert [record["area"] for record in result.records] == list(arrays["out_gt_area_f64"])
    assert [len(target.boxes) for target in targets] == list(arrays["out_nbox"])
