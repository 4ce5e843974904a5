"""Published numbers, to the last printed digit, from the real annotation files and no media."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest

from soundspot.benchmarks import BENCHMARKS, PROTOCOLS, Result, prior, score
from soundspot.benchmarks.published import published
from soundspot.types import Target

pytestmark = pytest.mark.shared
VGGSS = "stoneMo+EZ-VSL/metadata/vggss.json"
FLICKR = "shvdiwnkozbw+Multi-Source-Sound-Localization/utils/flickr_soundnet_anno_2786.converted_from_dataset.pkl.json"
Scored = Callable[[str, str], Result]


@pytest.fixture(scope="module")
def vggss(annotations: Path) -> Scored:
    """Score a prior on all of VGG-SS, once."""
    targets = [target for _, target in BENCHMARKS["vggss"].load(annotations / VGGSS)]

    @lru_cache
    def scored(name: str, protocol: str) -> Result:
        rules = PROTOCOLS[protocol]
        return score(prior(name, targets, rules), targets, rules, benchmark="vggss", intervals=False, beside=False)

    return scored


def flickr_targets(annotations: Path, tmp_path: Path, source: str) -> list[Target]:
    (tmp_path / "boxes.json").write_bytes((annotations / FLICKR).read_bytes())
    (tmp_path / "flickr_test.csv").write_bytes((annotations / source / "metadata/flickr_test.csv").read_bytes())
    assert BENCHMARKS["flickr"].missing(tmp_path) == []
    return [target for _, target in BENCHMARKS["flickr"].load(tmp_path)]


def percent(result: Result, metric: str) -> float:
    return round(100 * result.summary[metric].value, 2)


def printed(benchmark: str, method: str, metric: str) -> float:
    (row,) = [row for row in published(benchmark) if row.method == method and metric in row.metrics]
    return round(100 * row.metrics[metric], 2)


def test_centre_prior_of_slavc_table_3(vggss: Scored) -> None:
    result = vggss("centre", "ezvsl")
    assert result.clips == "5158 of 5158"
    assert round(result.summary["ciou@0.5"].value * 5158) == 1762
    assert percent(result, "ciou@0.5") == 34.16 == printed("vggss", "centre prior", "ciou@0.5")
    assert percent(result, "ciou_adaptive@0.5") == 43.52
    assert (percent(result, "auc"), percent(result, "auc_adaptive")) == (37.46, 42.90)


def test_one_pixel_moves_the_centre_prior(vggss: Scored) -> None:
    result = vggss("centre", "sslalign")
    assert (percent(result, "ciou@0.5"), percent(result, "ciou_adaptive@0.5")) == (34.10, 43.52)


def test_size_bins_of_slavc_table_1(vggss: Scored) -> None:
    summary = vggss("centre", "ezvsl").summary
    counts = [summary[f"ciou@0.5/{name}"].count for name in ("small", "medium", "large", "huge")]
    assert counts == [134, 1796, 1726, 1502]


@pytest.mark.parametrize("protocol", ["ezvsl", "strict"])
def test_ceiling_of_half_the_area(vggss: Scored, protocol: str) -> None:
    result = vggss("oracle", protocol)
    assert percent(result, "ciou@0.5") == 50.54
    assert percent(result, "ciou_adaptive@0.5") == 99.96  # all but the two clips without a usable box


def test_whole_picture_and_square(vggss: Scored) -> None:
    whole = vggss("whole", "ezvsl")
    assert (percent(whole, "ciou@0.5"), percent(whole, "auc")) == (21.95, 31.25)
    square = vggss("square", "ezvsl")
    assert (round(percent(square, "ciou@0.5"), 1), round(percent(square, "auc"), 1)) == (31.9, 36.9)


def test_degenerate_boxes_are_named_and_lose(vggss: Scored) -> None:
    result = vggss("oracle", "ezvsl")
    named = result.provenance["defects"]
    assert len({defect["clip_id"] for defect in named}) == 18
    assert sum("overflowed" in defect["what"] for defect in named) == 12
    assert sum("covers nothing" in defect["what"] for defect in named) == 6
    lost = [record["clip_id"] for record in result.records if record["ciou"] == 0]
    assert sorted(lost) == ["M1P1xla8rg0_000000", "MKC9LvRivTM_000030"]
    assert sorted(defect["clip_id"] for defect in named if "no usable box" in defect["what"]) == sorted(lost)


def test_centre_square_of_how_to_listen(annotations: Path, tmp_path: Path) -> None:
    targets = flickr_targets(annotations, tmp_path, "stoneMo+EZ-VSL")
    assert len(targets) == 249
    rules = PROTOCOLS["rcgrad"]
    result = score(prior("square", targets, rules), targets, rules, intervals=False, beside=False)
    assert round(result.summary["ciou@0.5"].value, 4) == 0.6185
    assert round(result.summary["auc"].value, 4) == 0.5338
    assert round(percent(result, "auc"), 1) == printed("flickr", "centre square", "auc")


def test_flickr_centre_prior_and_sizes_of_slavc(annotations: Path, tmp_path: Path) -> None:
    targets = flickr_targets(annotations, tmp_path, "stoneMo+SLAVC")
    assert len(targets) == 250
    rules = PROTOCOLS["slavc"]
    result = score(prior("centre", targets, rules), targets, rules, intervals=False, beside=False)
    assert percent(result, "ciou@0.5") == 67.60 == printed("flickr", "centre prior", "ciou@0.5")
    counts = [result.summary[f"ciou@0.5/{name}"].count for name in ("small", "medium", "large", "huge")]
    assert counts == [0, 9, 83, 158]
