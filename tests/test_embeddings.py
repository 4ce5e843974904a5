"""The embeddings file: whole or not at all, and readable by anybody's safetensors."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soundspot.embeddings import FORMAT, Embeddings
from soundspot.predictions import Predictions
from soundspot.types import UserError

FROM = {"method": "ez_vsl", "space": "projected", "weights_sha256": "abc", "benchmark": "vggss"}


def make(count: int = 3, width: int = 4, seed: int = 0) -> Embeddings:
    image, sound = np.random.default_rng(seed).normal(size=(2, count, width)).astype(np.float32)
    ids = tuple(f"clip{number}" for number in range(count))
    return Embeddings(ids, image, sound, missing={"lost": "no sound"}, provenance=FROM)


def same(one: Embeddings, other: Embeddings) -> None:
    for name in ("image", "sound"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == np.float32
    for name in ("ids", "labels", "groups", "missing", "provenance"):
        assert getattr(one, name) == getattr(other, name)


of_a_clip = st.tuples(st.lists(st.text(max_size=4)), st.none() | st.text())


@given(clips=st.dictionaries(st.text(max_size=6), of_a_clip, max_size=6), width=st.integers(1, 5), known=st.booleans())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, clips: dict, width: int, known: bool) -> None:
    image, sound = np.random.default_rng(0).normal(size=(2, len(clips), width)).astype(np.float32)
    labels, groups = zip(*clips.values(), strict=True) if clips and known else ((), ())
    made = Embeddings(tuple(clips), image, sound, tuple(map(tuple, labels)), tuple(groups), {"longer name": "x"}, FROM)
    made.save(tmp_path / "deep" / "e.safetensors")
    same(Embeddings.load(tmp_path / "deep" / "e.safetensors"), made)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["e.safetensors"]


def test_anybodys_safetensors_reads_it(tmp_path: Path) -> None:
    made = make()
    made.save(tmp_path / "e")
    tensors = safetensors.numpy.load_file(tmp_path / "e")
    assert tensors.keys() == {"image", "sound"}
    assert np.array_equal(tensors["sound"], made.sound)
    with safetensors.safe_open(tmp_path / "e", framework="np") as file:
        assert json.loads(file.metadata()["ids"]) == ["clip0", "clip1", "clip2"]
        assert json.loads(file.metadata()["provenance"]) == FROM
        assert file.metadata()["format"] == FORMAT


def test_groups_by_clip_tell_groups_from_lone_clips() -> None:
    vectors = np.ones((4, 2), dtype=np.float32)
    made = Embeddings(("a", "b", "c", "d"), vectors, vectors, groups=("x", None, "x", "b"))
    assert len(set(made.groups_by_clip)) == 3, "a group called like a clip is another"
    assert made.groups_by_clip[0] == made.groups_by_clip[2]
    assert len(set(make().groups_by_clip)) == 3
    assert (made.labels_of(0), len(made)) == ((), 4)


def test_rows_that_do_not_belong_together_are_refused() -> None:
    good, bad = np.ones((2, 3), dtype=np.float32), np.array([[1, 1, 1], [1, np.nan, 1]], dtype=np.float32)
    with pytest.raises(UserError, match=r"one shape \(2, C\), got \(2, 3\) and \(1, 3\)"):
        Embeddings(("a", "b"), good, good[:1])
    with pytest.raises(UserError, match=r"one shape \(1, C\)"):
        Embeddings(("a",), good, good)
    with pytest.raises(UserError, match="labels for all 2 clips or none, got 1"):
        Embeddings(("a", "b"), good, good, labels=(("dog",),))
    with pytest.raises(UserError, match="each clip once, got a twice"):
        Embeddings(("a", "a"), good, good)
    with pytest.raises(UserError, match="each clip once, got b twice"):
        Embeddings(("a", "b"), good, good, missing={"b": "gone"})
    with pytest.raises(UserError, match="finite numbers, got others in the sound of clip b"):
        Embeddings(("a", "b"), good, bad)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    with pytest.raises(
        UserError, match=r"expected an embeddings file.*got no such file; write one with `soundspot embed`"
    ):
        Embeddings.load(path)
    Predictions({"a": np.ones((1, 1), dtype=np.float32)}).save(path)
    with pytest.raises(UserError, match="got format 'soundspot predictions 1'"):
        Embeddings.load(path)
    make().save(path)
    with pytest.raises(UserError, match=r"expected a predictions file.*got format 'soundspot embeddings 1'"):
        Predictions.load(path)
    safetensors.numpy.save_file({"image": np.ones((1, 2))}, path)
    with pytest.raises(UserError, match="without its metadata"):
        Embeddings.load(path)
    metadata = {"format": FORMAT, "ids": '["a"]', "labels": "[]", "groups": "[]", "missing": "{}", "provenance": "{}"}
    safetensors.numpy.save_file({"image": np.ones((1, 2), dtype=np.float32)}, path, metadata=metadata)
    with pytest.raises(UserError, match=r"got other tensors \(image\)"):
        Embeddings.load(path)
    both = {"image": np.ones((1, 2)), "sound": np.ones((1, 2))}
    safetensors.numpy.save_file(both, path, metadata=metadata)
    with pytest.raises(UserError, match="tensors of another kind"):
        Embeddings.load(path)
    safetensors.numpy.save_file(
        {name: value.astype(np.float32) for name, value in both.items()}, path, {**metadata, "ids": "3"}
    )
    with pytest.raises(UserError, match="whose ids are of another form"):
        Embeddings.load(path)
    for content in (b"", b"abc", struct.pack("<Q", 10**9) + b"{}", struct.pack("<Q", 2) + b"[]"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="expected an embeddings file"):
            Embeddings.load(path)


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_cut_off_file_is_refused(tmp_path: Path, kept: float) -> None:
    make(count=40, width=30).save(tmp_path / "e")
    whole = (tmp_path / "e").read_bytes()
    (tmp_path / "e").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(UserError, match="cut-off"):
        Embeddings.load(tmp_path / "e")


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make().save(tmp_path / "e")

    def full(number: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        make(seed=1).save(tmp_path / "e")
    same(Embeddings.load(tmp_path / "e"), make())
    assert [path.name for path in tmp_path.iterdir()] == ["e"]
