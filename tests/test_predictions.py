"""The predictions file: whole or not at all, resumable, and readable by anybody's safetensors."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from soundspot.media.files import written_aside
from soundspot.predictions import Predictions, PredictionsWriter
from soundspot.types import Missing, UserError

FROM = {"method": "EzVsl", "weights_sha256": "abc", "score_low": "-1.0", "score_high": "1.0"}
shapes = st.one_of(st.tuples(st.integers(1, 4), st.integers(1, 4)), st.tuples(*[st.integers(1, 3)] * 3))
maps_of = shapes.flatmap(lambda shape: arrays_of.arrays(np.float32, shape, elements=st.floats(-9, 9, width=32)))


def same(one: Predictions, other: Predictions) -> None:
    assert one.maps.keys() == other.maps.keys()
    assert all(np.array_equal(one.maps[name], other.maps[name]) for name in one.maps)
    assert all(one.maps[name].dtype == np.float32 for name in one.maps)
    assert (one.missing, one.provenance) == (other.missing, other.provenance)


@given(
    maps=st.dictionaries(st.text(max_size=8), maps_of, max_size=8),
    missing=st.dictionaries(st.text(min_size=9, max_size=12), st.text(), max_size=3),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, maps: dict, missing: dict) -> None:
    predictions = Predictions(maps, missing, FROM)
    predictions.save(tmp_path / "p.safetensors")
    same(Predictions.load(tmp_path / "p.safetensors"), predictions)
    assert [path.name for path in tmp_path.iterdir()] == ["p.safetensors"]


def test_anybodys_safetensors_reads_it(tmp_path: Path) -> None:
    maps = {"a": np.eye(3), "b": np.ones((2, 2)), "c": np.zeros((3, 3))}
    Predictions({name: value.astype(np.float32) for name, value in maps.items()}, {}, FROM).save(tmp_path / "p")
    tensors = safetensors.numpy.load_file(tmp_path / "p")
    assert {name: value.shape for name, value in tensors.items()} == {"maps_3x3": (2, 3, 3), "maps_2x2": (1, 2, 2)}
    assert np.array_equal(tensors["maps_3x3"][0], np.eye(3))
    with safetensors.safe_open(tmp_path / "p", framework="np") as file:
        assert json.loads(file.metadata()["ids"]) == {"maps_3x3": ["a", "c"], "maps_2x2": ["b"]}
        assert json.loads(file.metadata()["provenance"]) == FROM


def test_parts_are_numbered_merged_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "p.safetensors"
    writer = PredictionsWriter(path, FROM)
    for number in range(3):
        writer.add([f"small{number}", f"large{number}"], [np.full((2, 2), number), np.full((3, 1), number)])
        writer.flush()
    writer.add_missing([Missing("lost", "no sound")])
    names = sorted(part.name for part in path.parent.iterdir())
    assert names == [f"p.safetensors.part-00000{number}" for number in (1, 2, 3)]
    writer.close()
    assert [file.name for file in path.parent.iterdir()] == ["p.safetensors"]
    loaded = Predictions.load(path)
    assert list(loaded.maps) == ["small0", "small1", "small2", "large0", "large1", "large2"]
    assert all(np.all(loaded.maps[f"{size}{number}"] == number) for size in ("small", "large") for number in range(3))
    assert loaded.missing == {"lost": "no sound"}


def test_small_maps_of_a_slow_method_are_put_by_every_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.safetensors"
    writer = PredictionsWriter(path, FROM)
    writer.add(["a"], np.ones((1, 2, 2)))
    assert list(tmp_path.iterdir()) == []
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    writer.add(["b"], np.ones((1, 2, 2)))
    writer.add(["c"], np.ones((1, 2, 2)))
    assert [part.name for part in tmp_path.iterdir()] == ["p.safetensors.part-000001"]


def test_a_crash_keeps_the_parts_and_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    Predictions({"old": np.ones((1, 1), dtype=np.float32)}, {}, FROM).save(path)
    with pytest.raises(UserError, match="clip b: expected finite"), PredictionsWriter(path, FROM) as writer:
        writer.add(["a", "b"], np.array([[[1.0]], [[np.nan]]]))
    assert list(Predictions.load(path).maps) == ["old"]
    with pytest.raises(UserError, match="expected no unfinished parts"):
        PredictionsWriter(path, FROM)
    with pytest.raises(UserError, match="parts of this same run"):
        PredictionsWriter(path, {"method": "another"}, resume=True)
    with PredictionsWriter(path, FROM, resume=True) as again:
        assert again.done == {"a"}
        again.add(["b"], np.zeros((1, 1, 1)))
    assert list(Predictions.load(path).maps) == ["a", "b"]


def test_wrong_maps_are_refused(tmp_path: Path) -> None:
    writer = PredictionsWriter(tmp_path / "p", FROM)
    writer.add(["a"], np.ones((1, 2, 2)))
    with pytest.raises(UserError, match="got a twice"):
        writer.add(["a"], np.ones((1, 2, 2)))
    with pytest.raises(UserError, match="got a twice"):
        writer.add_missing([Missing("a", "gone")])
    with pytest.raises(UserError, match="clip b: expected finite scores"):
        writer.add(["b"], np.full((1, 2, 2), np.nan))
    with pytest.raises(UserError, match=r"clip b: expected a map \(h, w\)"):
        writer.add(["b"], np.ones((1, 4)))
    with pytest.raises(ValueError, match="shorter"):
        writer.add(["b", "c"], np.ones((1, 2, 2)))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    with pytest.raises(UserError, match="got no such file"):
        Predictions.load(path)
    safetensors.numpy.save_file({"weights": np.ones(3)}, path)
    with pytest.raises(UserError, match="without its metadata"):
        Predictions.load(path)
    safetensors.numpy.save_file({"weights": np.ones(3)}, path, metadata={"format": "other 2"})
    with pytest.raises(UserError, match="got format 'other 2'"):
        Predictions.load(path)
    for content in (b"", b"abc", struct.pack("<Q", 10**9) + b"{}", struct.pack("<Q", 2) + b"[]"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="expected a predictions file"):
            Predictions.load(path)


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
def test_cut_off_file_is_refused(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "p.safetensors"
    Predictions({"a": np.ones((50, 50), dtype=np.float32)}, {}, FROM).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(UserError, match="cut-off"):
        Predictions.load(path)


def test_score_range() -> None:
    assert Predictions({}, {}, FROM).score_range == (-1, 1)
    assert Predictions({}, {}, {"score_low": "", "score_high": ""}).score_range is None
    assert Predictions({}, {}, {}).score_range is None
    with pytest.raises(UserError, match="expected score_low < score_high"):
        _ = Predictions({}, {}, {"score_low": "1", "score_high": "1"}).score_range


def test_what_an_interrupted_part_left_goes_with_the_parts(tmp_path: Path) -> None:
    """Written again under the same number by who was interrupted, so that nobody else would come by that name."""
    path = tmp_path / "p.safetensors"
    with PredictionsWriter(path, FROM) as writer:
        writer.add(["a"], np.zeros((1, 2, 2), np.float32))
        writer.flush()
        (tmp_path / ".p.safetensors.partial-0.part-000001").touch()
        with written_aside(tmp_path / "p.safetensors.part-000001") as alive:
            writer.close()
            assert [each.name for each in sorted(tmp_path.iterdir())] == [alive.name, path.name]
            alive.touch()
