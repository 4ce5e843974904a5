"""CSV and Parquet as pandas and pyarrow read them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_timelines import EVERY, NASTY, START, judged, of_classes, silence, unjudged

from soundspot.localize.exports.rows import COLUMNS
from soundspot.localize.timeline import Timeline

pandas = pytest.importorskip("pandas")
parquet = pytest.importorskip("pyarrow.parquet")


def table(timeline: Timeline, folder: Path) -> object:
    timeline.save(folder / "t.csv")
    return pandas.read_csv(folder / "t.csv", keep_default_na=False, na_values=[""])


def test_a_row_a_region_and_a_row_a_moment_without_any(tmp_path: Path) -> None:
    rows = table(judged(), tmp_path)
    assert list(rows.columns) == list(COLUMNS)
    assert rows.time_seconds.tolist() == [START, START, START + 0.5, START + 0.5, START + 1, START + 1.5, START + 2]
    assert rows.frame.tolist() == [250, 250, 262, 262, 275, 287, 300], "frames of the whole film, from its beginning"
    assert rows.track.tolist()[:5] == [1, 2, 1, 2, 300]
    assert rows.track.isna().tolist()[5:] == [True, True]
    assert rows.label.tolist()[:5] == [NASTY, NASTY, NASTY, NASTY, "Cat"], "quotes, line ends and emoji come back"
    assert rows.verdict.tolist()[4:] == ["unsure", "off-screen", "silent"]
    first = rows.iloc[0]
    assert (first.x0, first.y0, first.x1, first.y1) == pytest.approx((0, 1 / 6, 3 / 8, 4 / 6), abs=1e-4)
    assert first.score == pytest.approx(0.9)
    assert rows.score[1] == pytest.approx(0.85)
    assert np.isnan(rows.level_dbfs.iloc[-1]), "digital silence has no level"
    assert rows.heard.isna().tolist() == [False] * 6 + [True]
    assert rows.state.isna().all()


def test_without_a_calibration_there_is_a_row_a_moment_and_no_region(tmp_path: Path) -> None:
    rows = table(unjudged(), tmp_path)
    assert len(rows) == 3
    for name in ("verdict", "probability", "track", "label", "score", "x0"):
        assert rows[name].isna().all(), name
    assert rows.heard.tolist() == ["Dog"] * 3
    assert (rows.peak_x[0], rows.peak_y[0]) == pytest.approx((0.5 / 8, 1.5 / 6), abs=1e-4)
    quiet = table(silence(), tmp_path)
    assert quiet.verdict.tolist() == ["silent"] * 3


def test_classes_have_rows_with_and_without_a_place(tmp_path: Path) -> None:
    rows = table(of_classes(), tmp_path)

    def at(time: float) -> set[tuple[str, str, bool]]:
        found = rows[rows.time_seconds == time]
        return {(row.label, row.state, bool(np.isfinite(row.x0))) for row in found.itertuples()}

    assert at(1.0) == {("cello", "sounding", True), ("piano", "sounding", True)}
    assert at(3.0) == {("cello", "sounding", True), ("piano", "silent", True)}
    assert at(5.0) == {("cello", "sounding", True), ("piano", "silent", True), ("flute", "off-screen", False)}
    assert at(7.0) == {("cello", "silent", True), ("piano", "silent", True)}
    sounding = rows[rows.state == "sounding"]
    assert sounding.groupby("label").track.nunique().to_dict() == {"cello": 1, "piano": 1}
    assert rows[rows.state != "sounding"].track.isna().all()


@pytest.mark.parametrize("of", EVERY)
def test_parquet_holds_the_same_rows_with_types(of: str, tmp_path: Path) -> None:
    timeline = EVERY[of]()
    timeline.save(tmp_path / "t.parquet")
    read = parquet.read_table(tmp_path / "t.parquet")
    names = {float: "double", int: "int64", str: "string"}
    assert {field.name: str(field.type) for field in read.schema} == {n: names[kind] for n, kind in COLUMNS.items()}
    head = json.loads(read.schema.metadata[b"soundspot"])
    assert head["source"] == timeline.source
    assert head["shown"]["width"] == timeline.shown.width  # type: ignore[union-attr]
    frame = pandas.read_parquet(tmp_path / "t.parquet")
    rows = table(timeline, tmp_path)
    assert len(frame) == len(rows)
    for name, kind in COLUMNS.items():
        one, other = frame[name], rows[name]
        assert one.isna().tolist() == other.isna().tolist(), name
        there = ~one.isna()
        if kind is str:
            assert one[there].tolist() == other[there].tolist(), name
        else:
            assert one[there].astype(float).tolist() == other[there].astype(float).tolist(), name


def test_more_rows_than_are_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soundspot.localize.exports.parquet.ROWS_AT_ONCE", 3)
    judged().save(tmp_path / "t.parquet")
    assert parquet.read_table(tmp_path / "t.parquet")["track"].to_pylist() == [1, 2, 1, 2, 300, None, None]


def test_a_line_of_head_and_a_line_a_moment_in_json(tmp_path: Path) -> None:
    timeline = judged("folder/\udcff\n🎺.mp4")  # a name that is no Unicode, as file systems allow
    timeline.save(tmp_path / "t.jsonl")
    head, *rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text("utf-8").splitlines()]
    assert head["source"] == "folder/\udcff\n🎺.mp4"
    assert head["shown"] == {
        "width": 64, "height": 48, "frames_per_second": 25.0, "start_seconds": 10.0, "end_seconds": 12.5,
    }  # fmt: skip
    assert [row["tracks"] for row in rows] == [[1, 2], [1, 2], [300], [], []]
    assert rows[0]["heard"][0]["tag"] == NASTY
