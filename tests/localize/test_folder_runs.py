"""Folders of films, stdin and stopped runs, with weights of a small real method."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from make_media import make_film, tone
from soundspot import weights
from soundspot.localize.folder import films_in, localize_folder
from soundspot.localize.run import UNFINISHED, Wanted
from soundspot.methods import build
from soundspot.types import UserError

RATE = 16000


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    shape = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "image_size": 64, "seconds": 1.0}
    return weights.save(build("ez_vsl", dim=8, **shape), tmp_path_factory.mktemp("weights") / "tiny.safetensors")


def film(path: Path, seconds: int = 3, shade: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((48, 64, 3), shade, np.uint8)
    return make_film(path, num_frames=4 * seconds, rate=4, size=(64, 48), picture=lambda _: picture,
                     samples=tone(300, seconds, RATE), sample_rate=RATE)  # fmt: skip


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Two films, one of them in a folder below, a text with a film's name, and a text that claims to be nothing."""
    film(tmp_path / "in/one.mp4")
    film(tmp_path / "in/below/one.mp4", shade=90)
    (tmp_path / "in/bad.mp4").write_text("no film")
    (tmp_path / "in/notes.txt").write_text("no film either")
    return tmp_path / "in"


@pytest.mark.parametrize("jobs", [1, 2])
def test_good_ones_are_done_bad_ones_named(films: Path, tiny: Path, tmp_path: Path, jobs: int) -> None:
    made = {each.path.relative_to(films).as_posix(): each for each in
            localize_folder(films, tmp_path / "out", Wanted(str(tiny), with_film=False), jobs)}  # fmt: skip
    assert sorted(made) == ["bad.mp4", "below/one.mp4", "one.mp4"]
    assert "bad.mp4: expected a film" in made["bad.mp4"].error
    for name in ("one.mp4", "below/one.mp4"):
        assert not made[name].error
        assert "3.0 s\trelative 100%" in made[name].line
        rows = (tmp_path / "out" / name / "timeline.jsonl").read_text().splitlines()
        assert len(rows) == 7, name
        assert not (tmp_path / "out" / name / UNFINISHED).exists()


def test_what_is_done_is_not_done_again_unless_film_or_words_change(films: Path, tiny: Path, tmp_path: Path) -> None:
    wanted, out = Wanted(str(tiny), with_film=False), tmp_path / "out"
    first = {each.path: each for each in localize_folder(films, out, wanted)}
    place = out / "one.mp4/timeline.jsonl"
    place.write_text("mine")
    again = {each.path: each for each in localize_folder(films, out, wanted)}
    assert {path: each.facts for path, each in again.items()} == {path: each.facts for path, each in first.items()}
    assert place.read_text() == "mine"
    film(films / "one.mp4", seconds=2)
    list(localize_folder(films, out, wanted))
    assert len(place.read_text().splitlines()) == 5
    list(localize_folder(films, out, Wanted(str(tiny), every_seconds=1.0, with_film=False)))
    assert len(place.read_text().splitlines()) == 3
    (out / "one.mp4/done.json").write_text("{cut")
    assert len([each for each in localize_folder(films, out, wanted) if not each.error]) == 2


def test_results_within_the_folder_are_not_taken_for_films(films: Path, tiny: Path) -> None:
    list(localize_folder(films, films / "out", Wanted(str(tiny))))
    assert (films / "out/one.mp4/overlay.mp4").is_file()
    again = localize_folder(films, films / "out", Wanted(str(tiny)))
    assert sorted(each.path.name for each in again) == ["bad.mp4", "one.mp4", "one.mp4"]


def test_films_of_a_process_that_was_killed_are_looked_at_again(tiny: Path, tmp_path: Path) -> None:
    for number in range(3):
        film(tmp_path / f"in/{number}.mp4", seconds=20)

    def kill() -> None:
        while not (children := multiprocessing.active_children()) or not any((tmp_path / "out").rglob("looks.jsonl")):
            time.sleep(0.05)
        os.kill(int(children[0].pid or 0), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    made = list(localize_folder(tmp_path / "in", tmp_path / "out", Wanted(str(tiny), 0.25, with_film=False), 2))
    killer.join()
    assert sorted(each.path.name for each in made) == ["0.mp4", "1.mp4", "2.mp4"]
    assert [each.error for each in made] == [""] * 3


def test_the_command_prints_a_line_a_film_and_ends_with_1(
    films: Path, tiny: Path, tmp_path: Path, command: Callable
) -> None:
    words = ("localize", films, "--out", tmp_path / "out", "--weights", tiny, "--no-film")
    ended = command(*words)
    assert ended.code == 1
    assert sorted(line.split("\t")[0] for line in ended.out.splitlines()) == [
        str(films / "below/one.mp4"), str(films / "one.mp4"),
    ]  # fmt: skip
    assert "bad.mp4: expected a film" in ended.err
    assert ended.err.splitlines()[-1] == "1 of 3 films could not be looked at"
    rows = {row["film"]: row for row in json.loads(command(*words, "--json").out)}
    assert rows[str(films / "one.mp4")]["shares"] == {"relative": 1.0}
    assert "expected a film" in rows[str(films / "bad.mp4")]["error"]
    (films / "bad.mp4").unlink()
    assert command(*words).code == 0


def test_folders_that_hold_nothing_and_sounds_beside_them_are_refused(tmp_path: Path, command: Callable) -> None:
    with pytest.raises(UserError, match=r"expected films \(\.mp4, .*\), got none"):
        films_in(tmp_path)
    ended = command("localize", tmp_path, tmp_path / "s.wav")
    assert (ended.code, "expected no sound beside a folder" in ended.err) == (2, True)


def test_a_film_on_stdin(tiny: Path, tmp_path: Path, command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def given(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    given(film(tmp_path / "f.mp4").read_bytes())
    ended = command("localize", "-", "--out", tmp_path / "out", "--weights", tiny, "--no-film")
    assert ended.code == 0, ended.err
    assert len((tmp_path / "out/timeline.jsonl").read_text().splitlines()) == 7
    given(b"")
    assert "expected a film on stdin, got nothing" in command("localize", "-", "--out", tmp_path / "out").err


def test_a_run_that_was_killed_goes_on_and_ends_the_same(tiny: Path, tmp_path: Path) -> None:
    path = film(tmp_path / "long.mp4", seconds=25)
    code = "from soundspot.cli import main; main()"
    words = [sys.executable, "-c", code, "localize", str(path), "--weights", str(tiny), "--no-film", "--every", "0.1"]
    out, looks = tmp_path / "stopped", tmp_path / "stopped" / UNFINISHED / "looks.jsonl"
    with subprocess.Popen([*words, "--out", str(out)], stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and (not looks.exists() or looks.read_bytes().count(b"\n") < 30):
            time.sleep(0.02)
        process.kill()
    before = looks.read_bytes().count(b"\n")
    assert 30 <= before < 240, "it was stopped on the way"
    head, *lines = looks.read_text().splitlines()
    marked = json.loads(lines[4]) | {"level_dbfs": -33.3}  # so that it shows whether this line was taken up
    looks.write_text("\n".join([head, *lines[:4], json.dumps(marked), *lines[5:]]) + "\n")
    done = subprocess.run([*words, "--out", str(out)], check=True, capture_output=True, text=True)
    subprocess.run([*words, "--out", str(tmp_path / "whole")], check=True, capture_output=True)
    one, other = ((tmp_path / name / "timeline.jsonl").read_text().splitlines() for name in ("stopped", "whole"))
    assert json.loads(one[5])["level_dbfs"] == -33.3
    assert one[:5] + one[6:] == other[:5] + other[6:]
    assert len(one) > 245
    assert "timeline:" in done.stdout
