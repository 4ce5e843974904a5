"""`soundspot predict` and `embed`: what they refuse, what they say of clips that can't be read, and going on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from make_scenes import make_scenes
from soundspot import weights
from soundspot.methods import build
from soundspot.predictions import Predictions, PredictionsWriter


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that need no download: an untrained network's objectness."""
    method = build("ogl", image_backbone="resnet10t", image_size=64)
    return weights.save(method, tmp_path_factory.mktemp("weights") / "prior.safetensors")


@pytest.fixture(scope="module")
def hears(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights of a method that embeds."""
    method = build("ez_vsl", image_backbone="resnet10t", audio_backbone="resnet10t", image_size=64)
    return weights.save(method, tmp_path_factory.mktemp("weights") / "hears.safetensors")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_scenes(tmp_path_factory.mktemp("scenes"), ["visible"] * 5)
    return make_scenes(root, ["visible"] * 2, split="train", seed=1)


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """VGG-SS's annotations of six clips, with no media."""
    rows = [{"file": f"film_{i:06d}", "class": "dog", "bbox": [[0.1, 0.1, 0.6, 0.6]]} for i in range(6)]
    (tmp_path / "vggss.json").write_text(json.dumps(rows))
    return tmp_path / "vggss.json"


@pytest.mark.parametrize("verb", ["predict", "embed"])
def test_no_batch_is_smaller_than_one_clip(verb: str, tmp_path: Path, command: Callable) -> None:
    done = command(verb, "default", "samples", "--root", tmp_path, "--out", tmp_path / "m", "--batch-size", 0)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "Invalid value for '--batch-size'" in done.err


@pytest.mark.parametrize("verb", ["predict", "embed"])
def test_without_media_there_is_no_file(
    verb: str, prior: Path, hears: Path, boxes: Path, tmp_path: Path, command: Callable
) -> None:
    """No folder named, one that is not there, and one that holds none of the files."""
    chosen = {"predict": prior, "embed": hears}[verb]
    words = (verb, chosen, "vggss", "--annotations", boxes, "--out", tmp_path / "m.safetensors")
    (tmp_path / "empty").mkdir()
    for root, said in (
        ((), "vggss: expected a folder of its media, got nowhere to look; give --root"),
        (("--root", tmp_path / "gone"), "gone: expected the folder of vggss's media, got no such folder; check --root"),
        (("--root", tmp_path / "empty"), "vggss: expected clips that can be read, got none of 6 (the first: "),
    ):
        done = command(*words, *root)
        assert (done.code, done.out) == (2, "")
        assert said in done.err.splitlines()[-1]
        assert not list(tmp_path.glob("m.safetensors*"))


@pytest.mark.parametrize("verb", ["predict", "embed"])
def test_the_first_clips_that_cannot_be_read_are_told(
    verb: str, prior: Path, hears: Path, scenes: Path, tmp_path: Path, command: Callable
) -> None:
    root = shutil.copytree(scenes, tmp_path / "scenes")
    for number in range(4):
        (root / f"audio/test{number:03d}.wav").write_bytes(b"not a sound")
    chosen = {"predict": prior, "embed": hears}[verb]
    done = command(verb, chosen, "samples", "--root", root, "--split", "test", "--out", tmp_path / "m.safetensors")
    assert done.code == 0
    assert "1 of 5 clips, 4 missing" in done.out
    told = [line for line in done.err.splitlines() if "missing" in line and "%" not in line]
    for number in range(3):
        assert any(line.startswith(f"missing test{number:03d}: ") and ".wav" in line for line in told)
    assert "and 1 more missing, each with its reason in the file" in told
    assert not any("test003" in line for line in told)


def test_a_finished_file_is_replaced_only_by_request(
    prior: Path, scenes: Path, tmp_path: Path, command: Callable
) -> None:
    out = tmp_path / "m.safetensors"
    words = ("predict", prior, "samples", "--root", scenes, "--out", out, "--split")
    assert command(*words, "test").code == 0
    before = out.read_bytes(), out.stat().st_mtime_ns
    again = command(*words, "train")
    assert again.code == 2
    assert again.err == (
        f"soundspot: {out}: expected a new file, got one that is there; name another, or give --overwrite\n"
    )
    resumed = command(*words, "train", "--resume")
    assert resumed.code == 2
    assert "got a finished file of other clips (with 0 of these 2); name another file" in resumed.err
    other = command(*words, "test", "--resume", "--set", "image_size=32")
    assert other.code == 2
    assert "got a finished file of another method, options or versions" in other.err
    both = command(*words, "train", "--resume", "--overwrite")
    assert "expected --resume or --overwrite, got both" in both.err
    same = command(*words, "test", "--resume")
    assert (same.code, same.out) == (0, f"{out}\t5 of 5 clips, 0 missing\n")
    assert same.err == f"{out}: nothing to resume: all clips are there\n"
    assert (out.read_bytes(), out.stat().st_mtime_ns) == before
    assert command(*words, "train", "--overwrite").code == 0
    assert list(Predictions.load(out).maps) == ["train000", "train001"]


def test_an_interrupted_run_goes_on_with_its_own_clips_only(
    prior: Path, scenes: Path, tmp_path: Path, command: Callable
) -> None:
    out = tmp_path / "m.safetensors"
    words = ("predict", prior, "samples", "--root", scenes, "--out", out, "--split")
    assert command(*words, "test").code == 0
    whole = Predictions.load(out)
    maps = {name: scores.copy() for name, scores in whole.maps.items()}
    out.unlink()
    writer = PredictionsWriter(out, whole.provenance)
    writer.add(["test000", "test001"], [maps["test000"], maps["test001"]])
    writer.flush()
    other = command(*words, "train", "--resume")
    assert other.code == 2
    assert "part-000001: expected parts of this same run, got other clips (test000); delete the parts" in other.err
    assert command(*words, "test", "--resume").out == f"{out}\t5 of 5 clips, 0 missing\n"
    assert Predictions.load(out).maps.keys() == maps.keys()


def vectors_or_maps(path: Path) -> tuple[dict[str, str], bytes]:
    """What a file between methods and metrics holds, but for `made`: that names the workers."""
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:start])["__metadata__"]
    header.pop("made", None)
    return header, whole[start:]


@pytest.mark.parametrize("verb", ["predict", "embed"])
def test_workers_may_be_named_and_change_nothing(
    verb: str, prior: Path, hears: Path, scenes: Path, tmp_path: Path, command: Callable
) -> None:
    chosen = {"predict": prior, "embed": hears}[verb]
    words = (verb, chosen, "samples", "--root", scenes, "--batch-size", 2, "--out")
    files = [tmp_path / "none.safetensors", tmp_path / "two.safetensors"]
    for count, path in zip((0, 2), files, strict=True):
        assert command(*words, path, "--workers", count).code == 0
    assert vectors_or_maps(files[0]) == vectors_or_maps(files[1])
    refused = command(*words, tmp_path / "m.safetensors", "--workers", -1)
    assert refused.code == 2
    assert "Invalid value for '--workers'" in refused.err
