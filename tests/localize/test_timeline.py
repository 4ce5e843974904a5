"""Timelines: probabilities, times, stretches, and what is written of them."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from soundspot.localize.timeline import Calibration, Moment, Timeline, Verdict


def moment(time: float, verdict: Verdict | None = "on-screen", tag: str = "Dog", heat: float = 0.5) -> Moment:
    scores = np.zeros((2, 4), np.float32)
    scores[1, 0] = 3.0
    return Moment(
        time_seconds=time,
        map=scores,
        heat=np.full((2, 4), heat, np.float32),
        confidence=3.0,
        probability=None if verdict is None else heat,
        verdict=verdict,
        level_dbfs=-math.inf if verdict == "silent" else -20.0,
        tags=() if verdict == "silent" else ((tag, 0.9), ("Bark", 0.4)),
        boxes=((0.0, 0.5, 0.25, 1.0),) if verdict == "on-screen" else (),
    )


def timeline(*moments: Moment, step: float = 0.5) -> Timeline:
    return Timeline("film.mp4", moments, step, {"method": "made"})


def test_a_calibration_is_the_logistic_curve_in_the_header() -> None:
    found = Calibration.of({"calibration": '{"scale": 2.0, "offset": -1.0}'})
    assert found == Calibration(2.0, -1.0)
    assert found is not None
    assert found.probability([0.5, 1.0]) == pytest.approx([0.5, 1 / (1 + math.exp(-1))])
    assert Calibration.of({"method": "spot"}) is None


def test_extreme_scores_are_certain_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Calibration(1.0, 0.0).probability([-1e4, 1e4]).tolist() == [0.0, 1.0]


def test_the_nearest_moment_stands_for_a_time_also_outside() -> None:
    line = timeline(*(moment(0.5 * n) for n in range(4)))
    times = [line.at(time).time_seconds for time in (-3.0, 0.2, 0.3, 1.0, 1.4, 99.0)]
    assert times == [0.0, 0.0, 0.5, 1.0, 1.5, 1.5]


def test_heat_blends_between_moments_and_stays_at_the_ends() -> None:
    line = timeline(moment(0.0, heat=0.0), moment(0.5, heat=1.0), moment(1.0, heat=0.4))
    heats = [float(line.heat_at(time).mean()) for time in (-1.0, 0.0, 0.125, 0.5, 0.75, 1.0, 8.0)]
    assert heats == pytest.approx([0.0, 0.0, 0.25, 1.0, 0.7, 0.4, 0.4])
    assert line.heat_at(0.2).dtype == np.float32


def test_stretches_are_half_open_and_cover_the_film_without_gaps() -> None:
    line = timeline(
        moment(0.0), moment(0.5), moment(1.0, tag="Cat"), moment(1.5, "off-screen", "Cat"),
        moment(2.0, "silent", "Cat"), moment(2.5, "silent"),
    )  # fmt: skip
    assert list(line.stretches()) == [
        (0.0, 0.75, "on-screen", "Dog"),
        (0.75, 1.25, "on-screen", "Cat"),
        (1.25, 1.75, "off-screen", "Cat"),
        (1.75, 2.75, "silent", ""),
    ]
    assert list(timeline(moment(0.0)).stretches()) == [(0.0, 0.25, "on-screen", "Dog")]


def test_a_row_is_plain_and_the_peak_is_the_middle_of_its_cell() -> None:
    row = moment(1.23456).row()
    assert row["time_seconds"] == 1.235
    assert row["peak"] == [0.125, 0.75]
    assert row["boxes"] == [[0.0, 0.5, 0.25, 1.0]]
    assert row["heard"][0] == {"tag": "Dog", "probability": 0.9}
    assert (row["verdict"], row["probability"], row["confidence"], row["level_dbfs"]) == ("on-screen", 0.5, 3.0, -20.0)


def test_the_file_is_strict_json_a_line_a_moment_after_one_of_provenance(tmp_path: Path) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    path = tmp_path / "timeline.jsonl"
    timeline(moment(0.0), moment(0.5, "silent"), moment(1.0, None, "Geräusch")).save(path)
    head, *rows = (json.loads(line, parse_constant=refuse) for line in path.read_text("utf-8").splitlines())
    assert head == {"source": "film.mp4", "step_seconds": 0.5, "made_with": {"method": "made"}}
    assert [row["time_seconds"] for row in rows] == [0.0, 0.5, 1.0]
    assert [row["verdict"] for row in rows] == ["on-screen", "silent", None]
    assert rows[1]["level_dbfs"] is None, "digital silence has no finite level"
    assert rows[2]["probability"] is None
    assert rows[2]["heard"][0]["tag"] == "Geräusch"
    assert [file.name for file in tmp_path.iterdir()] == ["timeline.jsonl"]
