"""Any folder of films: clips to predict on, none to score."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from layouts.made import make_picture, make_sound
from make_media import make_film, tone
from soundspot import weights
from soundspot.benchmarks import find_benchmark
from soundspot.data.sets.unlabelled import NO_TRUTH
from soundspot.data.sets.videos import read_videos
from soundspot.methods import build
from soundspot.predictions import Predictions
from soundspot.types import UserError

RATE = 8000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films, one cut to nothing, a picture with and one without its sound, and what is none of these."""
    root = tmp_path_factory.mktemp("films")
    (root / "b").mkdir()
    sound = {"size": (48, 36), "samples": tone(300, 2.0, RATE), "sample_rate": RATE}
    make_film(root / "b/late.mp4", num_frames=10, rate=5, **sound)
    make_film(root / "a.mkv", num_frames=10, rate=5, **sound)
    (root / "broken.mp4").write_bytes(b"no film")
    make_picture(root / "dog.jpg")
    make_sound(root / "dog.wav", 500.0)
    make_picture(root / "lonely.png")
    make_sound(root / "b/alone.wav", 500.0)
    (root / ".hidden.mp4").write_bytes(b"")
    (root / "notes.txt").write_text("x")
    return root


def test_films_and_pictures_beside_a_sound_by_name(folder: Path) -> None:
    clips = read_videos(folder)
    assert [clip.id for clip in clips] == ["a.mkv", "b/late.mp4", "broken.mp4", "dog.jpg"]
    assert clips[0].video == folder / "a.mkv"
    assert clips[0].time_seconds is None
    assert (clips[3].image, clips[3].audio) == (folder / "dog.jpg", folder / "dog.wav")
    assert [clip.id for clip in read_videos(folder, recursive=False)] == ["a.mkv", "broken.mp4", "dog.jpg"]


def test_a_clip_every_so_many_seconds_and_one_where_the_film_cannot_be_read(folder: Path) -> None:
    clips = read_videos(folder, every_seconds=0.8)
    moments = {clip.id: clip.time_seconds for clip in clips}
    assert moments == {
        "a.mkv@0.000": 0.0, "a.mkv@0.800": 0.8, "a.mkv@1.600": 1.6,
        "b/late.mp4@0.000": 0.0, "b/late.mp4@0.800": 0.8, "b/late.mp4@1.600": 1.6,
        "broken.mp4": None, "dog.jpg": None,
    }  # fmt: skip
    assert [clip.id for clip in read_videos(folder, every_seconds=9)][::2] == ["a.mkv@0.000", "broken.mp4"]


def test_folders_without_any_and_odd_steps_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected films, or pictures with a sound"):
        read_videos(tmp_path)
    with pytest.raises(UserError, match="expected a folder of films"):
        read_videos(tmp_path / "gone")
    with pytest.raises(UserError, match="every_seconds above 0, got 0"):
        read_videos(folder, every_seconds=0)


def test_predicted_by_the_command_and_the_unreadable_named(folder: Path, tmp_path: Path, command: Callable) -> None:
    saved = weights.save(build("ogl", image_backbone="resnet10t", image_size=64), tmp_path / "tiny.safetensors")
    out = tmp_path / "maps.safetensors"
    done = command("predict", saved, "videos", "--root", folder, "--out", out, "--every", "0.8")
    assert (done.code, done.out) == (0, f"{out}\t7 of 8 clips, 1 missing\n"), done.err
    made = Predictions.load(out)
    assert list(made.missing) == ["broken.mp4"]
    assert "b/late.mp4@1.600" in made.maps
    scored = command("score", out, "--benchmark", "videos", "--root", folder)
    assert (scored.code, scored.out) == (2, "")
    assert "no truth to compare with" in scored.err
    for words, problem in (
        (("videos",), "give --root"),
        (("videos", "--root", folder, "--wrong-sound"), "expected no --wrong-sound"),
        (("samples", "--root", folder, "--every", "1"), "expected no --every"),
    ):
        refused = command("predict", saved, *words, "--out", tmp_path / "other.safetensors")
        assert refused.code == 2
        assert problem in refused.err


@pytest.mark.parametrize("name", ["music_unlabelled", "vggsound_unlabelled"])
def test_sets_that_nobody_published_say_so(name: str, command: Callable, tmp_path: Path) -> None:
    assert name in NO_TRUTH
    with pytest.raises(UserError, match=f"{name}: expected a published data set, got one that only its paper knows"):
        find_benchmark(name)
    for words in (("check", name, tmp_path), ("score", "centre", "--benchmark", name, "--root", tmp_path)):
        done = command(*words)
        assert done.code == 2
        assert "use films of your own" in done.err
