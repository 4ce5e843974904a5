"""Every made copy of a data set's tree is whole: read by its benchmark, all media there and readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from layouts import LAYOUTS
from soundspot.benchmarks import BENCHMARKS, PROTOCOLS, prior, score
from soundspot.data.check import NO_TRUTH, check


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_is_whole_and_can_be_got_right(tmp_path: Path, name: str) -> None:
    benchmark = BENCHMARKS[name]
    tree = LAYOUTS[name](tmp_path)
    pairs = benchmark.load(*tree)
    assert pairs
    assert not {clip.id for clip, _ in pairs} & {lost.clip_id for lost in benchmark.missing(tree.annotations)}
    report = check(pairs)
    assert (report.missing, report.unreadable) == ([], [])
    targets = [target for _, target in pairs]
    lost = {defect.clip_id for defect in report.defects if defect.what == NO_TRUTH}
    result = score(prior("oracle", targets, PROTOCOLS["strict"]), targets, intervals=False, beside=False)
    for record in result.records:
        if record["kind"] == "visible":
            assert record["ciou_adaptive"] == pytest.approx(0 if record["clip_id"] in lost else 1)
