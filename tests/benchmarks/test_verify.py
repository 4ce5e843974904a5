"""Comparing a result with what came out of making it again: nothing equal is reported, and nothing else is missed."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from soundspot.benchmarks import score
from soundspot.benchmarks.origin import taken_down, truth_sha256
from soundspot.benchmarks.result import Result
from soundspot.benchmarks.verify import (
    Check,
    compare_file,
    compare_origin,
    compare_predictions,
    compare_results,
    compare_versions,
    exit_code,
)
from soundspot.predictions import Predictions
from soundspot.types import Target


def targets() -> list[Target]:
    boxes = [(0.1 * number, 0.1, 0.1 * number + 0.3, 0.6) for number in range(6)]
    return [Target(f"clip{number}", boxes=(box,)) for number, box in enumerate(boxes)] + [
        Target("mute", kind="silent"),
        Target("masked", mask=np.eye(16, dtype=bool)),
    ]


def maps(seed: int = 0) -> Predictions:
    draw = np.random.default_rng(seed)
    return Predictions(
        {target.clip_id: draw.normal(0, 0.3, (7, 7)).astype(np.float32) for target in targets()[:-1]},
        {"masked": "no such file"},
        {"method": "noise", "numpy": "1"},
    )


@pytest.fixture(scope="module")
def result() -> Result:
    return score(maps(), targets(), "strict", name="noise", benchmark="made")


def wrong(checks: list[Check]) -> list[str]:
    return [check.line for check in checks if check.state != "ok"]


def test_a_result_equals_itself_before_and_after_its_file(result: Result) -> None:
    again = Result.from_json(result.to_json())
    assert any(math.isnan(value.value) for value in result.summary.values()), "numbers that are none are compared too"
    assert wrong(compare_results(again, result)) == wrong(compare_results(result, again)) == []


def test_neither_the_order_of_targets_nor_jobs_change_a_result(result: Result) -> None:
    shuffled = [targets()[number] for number in np.random.default_rng(3).permutation(len(targets()))]
    for given, jobs in ((shuffled, None), (targets(), 1), (shuffled, 2), (targets(), 5)):
        again = score(maps(), given, "strict", name="noise", benchmark="made", jobs=jobs)
        assert wrong(compare_results(result, again)) == []


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (("summary", "ciou@0.5", "value"), "summary: differs (ciou@0.5 value: "),
        (("summary", "ciou@0.5", "low"), "summary: differs (ciou@0.5 low: "),
        (("beside", "centre", "auc"), "floors and ceilings: differs (centre auc: "),
        (("records", 2, "pointing"), "records: differs (clip2 pointing: "),
        (("provenance", "protocol", "grid"), "protocol: differs (rules grid: "),
        (("provenance", "clips_listed"), "clips: differs (clips_listed: "),
    ],
)
def test_a_single_number_is_found(result: Result, where: tuple, said: str) -> None:
    whole = json.loads(result.to_json())
    place = whole
    for key in where[:-1]:
        place = place[key]
    before = place[where[-1]]
    place[where[-1]] = before + 1 if isinstance(before, int) else before + 1e-6
    (line,) = wrong(compare_results(Result.from_json(json.dumps(whole)), result))
    assert line.startswith(said)
    assert line.endswith(f", {json.dumps(before)} now)")


def test_a_number_that_is_gone_or_new_or_none_is_found(result: Result) -> None:
    fewer = {key: value for key, value in result.summary.items() if key != "auc"}
    assert wrong(compare_results(replace(result, summary=fewer), result)) == ["summary: differs (auc: only now)"]
    assert wrong(compare_results(result, replace(result, summary=fewer))) == ["summary: differs (auc: only then)"]
    none = replace(result, summary={**result.summary, "auc": replace(result.summary["auc"], value=math.nan)})
    assert len(wrong(compare_results(none, result))) == 1
    rows = wrong(compare_results(replace(result, records=result.records[1:]), result))
    assert rows == ["records: differs (clip0: only now)"]
    assert wrong(compare_results(replace(result, records=result.records[::-1]), result)) == []


def test_the_last_digits_may_differ_and_no_more(result: Result) -> None:
    for change, lines in ((1e-11, 0), (1e-8, 1)):
        near = replace(result.summary["auc"], value=result.summary["auc"].value + change)
        assert len(wrong(compare_results(replace(result, summary={**result.summary, "auc": near}), result))) == lines


def test_of_many_differences_the_first_are_told_and_the_rest_counted(result: Result) -> None:
    other = score(maps(1), targets(), "strict", name="noise", benchmark="made")
    lines = [line for line in wrong(compare_results(result, other)) if line.startswith("summary")]
    assert len(lines) == 6
    assert "more)" in lines[-1]


def test_without_rows_that_is_said(result: Result) -> None:
    short = Result.from_json(result.to_json(records=False))
    (line,) = wrong(compare_results(short, result))
    assert line.startswith("records: noted (none in this file")
    assert exit_code(compare_results(short, result)) == 0


def test_maps_are_equal_within_their_own_scale() -> None:
    there = maps()
    assert wrong(compare_predictions(there, maps())) == []

    def moved(clip_id: str, by: float, times: float = 1.0) -> Predictions:
        changed = {name: scores * np.float32(times) for name, scores in there.maps.items()}
        changed[clip_id] = changed[clip_id].copy()
        changed[clip_id][3, 4] += np.float32(by)
        return replace(there, maps=changed)

    assert wrong(compare_predictions(there, moved("clip3", 0.9e-5))) == []
    (line,) = wrong(compare_predictions(there, moved("clip3", 3e-5)))
    assert line.startswith("maps: differs (largest difference 3e-05 at clip3; allowed 1e-05)")
    large = moved("clip3", 0.0, times=1000.0)
    assert wrong(compare_predictions(large, moved("clip3", 3e-5 * 50, times=1000.0))) == []
    (line,) = wrong(compare_predictions(large, moved("clip3", 0.1, times=1000.0)))
    assert ", whose scores reach " in line


def test_other_clips_shapes_and_missing_ones_are_found() -> None:
    there = maps()
    fewer = replace(there, maps={name: there.maps[name] for name in there.maps if name != "clip1"})
    assert wrong(compare_predictions(there, fewer)) == ["clips with maps: differs (clip1 has a map in one alone)"]
    found = wrong(compare_predictions(there, replace(there, missing={})))
    assert found == ["clips missing: differs (masked: no such file then, not missing)"]
    other = replace(there, maps={**there.maps, "clip2": np.zeros((5, 7), np.float32)})
    assert wrong(compare_predictions(there, other)) == ["shapes of maps: differs (clip2: (7, 7) then, (5, 7) now)"]
    assert exit_code(compare_predictions(there, Predictions({}))) == 1


def test_versions_are_told_and_count_for_nothing() -> None:
    check = compare_versions({"numpy": "1", "python": "3.11"}, {"numpy": "2", "python": "3.11"})
    assert (check.state, check.detail) == ("noted", "numpy 1 then, 2 now")
    assert exit_code([check]) == 0
    assert wrong(compare_origin({"method": "a", "numpy": "1"}, {"method": "a", "numpy": "2"})) == []
    assert len(wrong(compare_origin({"method": "a"}, {"method": "b"}))) == 1


def test_files_and_folders_are_told_by_their_bytes(tmp_path: Path) -> None:
    file, folder = tmp_path / "ids.txt", tmp_path / "set"
    file.write_text("a\n")
    folder.mkdir()
    (folder / "one.xml").write_text("<a/>")
    (folder / "two.csv").write_text("a,b")
    before = {path.name: taken_down(path) for path in (file, folder)}
    assert [compare_file("x", before[path.name], path)[0].state for path in (file, folder)] == ["ok", "ok"]
    (folder / "results.json").write_text("{}")
    (check,) = compare_file("x", before["set"], folder)
    assert (check.state, "come beside" in check.detail) == ("ok", True)
    (folder / "one.xml").write_text("<b/>")
    (folder / "two.csv").unlink()
    file.write_text("b\n")
    assert wrong(compare_file("x", before["set"], folder)) == [
        "x: noted (one.xml has changed)",
        "x: noted (two.csv is missing)",
    ]
    (check,) = compare_file("x", before["ids.txt"], file)
    assert check.state == "differs"
    (check,) = compare_file("x", before["ids.txt"], tmp_path / "gone")
    assert (check.state, check.detail) == ("cannot be checked", f"{tmp_path / 'gone'} is missing")


def test_the_truth_is_told_by_what_was_read_and_in_no_order() -> None:
    whole = truth_sha256(targets())
    assert truth_sha256(targets()[::-1]) == whole
    moved = replace(targets()[0], boxes=((0.0, 0.1, 0.3, 0.600001),))
    other = np.eye(16, dtype=bool)
    other[0, 1] = True
    for changed in (
        [moved, *targets()[1:]],
        [replace(targets()[0], kind="noise"), *targets()[1:]],
        [*targets()[:-1], replace(targets()[-1], mask=other)],
        targets()[1:],
    ):
        assert truth_sha256(changed) != whole


def test_a_difference_comes_before_what_cannot_be_checked() -> None:
    fine, off, gone = Check("a", "ok"), Check("b", "differs"), Check("c", "cannot be checked")
    assert [exit_code(some) for some in ([fine], [fine, off], [off, gone], [fine, gone])] == [0, 1, 1, 2]
