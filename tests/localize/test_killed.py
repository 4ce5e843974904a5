"""A run that is killed goes on where it was, and ends with the files of one that was not."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from make_media import make_film, numbered
from soundspot import weights
from soundspot.localize.run import UNFINISHED
from soundspot.media.image import read_image
from soundspot.methods import build

RATE = 16000
SECONDS = 20
CALIBRATION = '{"scale": 1.0, "offset": 0.0, "low": 0.45, "high": 0.55}'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film whose picture and sound differ at every moment, and weights of a small method."""
    folder = tmp_path_factory.mktemp("place")
    at = np.arange(SECONDS * RATE) / RATE
    sweep = (0.4 * np.sin(2 * np.pi * (200 + 40 * at) * at) * (at % 7 > 1)).astype(np.float32)
    make_film(
        folder / "film.mp4", num_frames=10 * SECONDS, rate=10, picture=lambda n: np.roll(numbered(n), 3 * n, axis=1),
        samples=sweep[None], sample_rate=RATE,
    )  # fmt: skip
    method = build("ez_vsl", image_backbone="resnet10t", audio_backbone="resnet10t", image_size=64)
    weights.save(method, folder / "weights.safetensors", {"calibration": CALIBRATION})
    return folder


def started(place: Path, out: Path) -> subprocess.Popen[bytes]:
    words = ["localize", place / "film.mp4", "--out", out, "--weights", place / "weights.safetensors", "--every", "0.1"]
    words.append("--no-film")  # it is made of the timeline alone
    line = [sys.executable, "-c", "from soundspot.cli import main; main()", *map(str, words)]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def num_looks(out: Path) -> int:
    path = next(out.glob(f"**/{UNFINISHED}/**/looks.jsonl"), None)
    return max(0, path.read_bytes().count(b"\n") - 1) if path is not None else 0


def killed_after(place: Path, out: Path, looks: int) -> int:
    """How many looks a run left that was killed when there were so many."""
    process = started(place, out)
    deadline = time.monotonic() + 120
    while num_looks(out) < looks and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was still running"
    return num_looks(out)


def finish(place: Path, out: Path) -> None:
    process = started(place, out)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors


def test_a_killed_run_goes_on_and_ends_as_if_it_had_not_been(place: Path, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    finish(place, whole)
    counts = [killed_after(place, stopped, 24)]
    shutil.copytree(stopped, tmp_path / "marked")
    counts.append(killed_after(place, stopped, counts[0] + 30))
    assert 24 <= counts[0] < counts[1] < 10 * SECONDS, "the second began with what the first had found"
    assert not (stopped / "timeline.jsonl").exists()
    finish(place, stopped)
    assert (stopped / "timeline.jsonl").read_bytes() == (whole / "timeline.jsonl").read_bytes()
    pictures = [read_image(folder / "summary.png").astype(int) for folder in (whole, stopped)]
    # a decoder that starts in the middle gives samples that differ by a rounding
    assert np.abs(pictures[0] - pictures[1]).mean() < 0.1
    assert sorted(path.name for path in stopped.iterdir()) == ["summary.png", "timeline.jsonl"], "nothing else is left"
    _taken_up(place, tmp_path / "marked", counts[0])


def _taken_up(place: Path, out: Path, count: int) -> None:
    """What the first run found is what the second tells: it is not found again."""
    (path,) = out.glob(f"**/{UNFINISHED}/**/looks.jsonl")
    head, *rows = path.read_text().splitlines()
    marked = [json.dumps({**json.loads(row), "tags": [["Marked", 1.0]]}) for row in rows[:count]]
    path.write_text("\n".join([head, *marked]) + "\n")
    finish(place, out)
    moments = [json.loads(line) for line in (out / "timeline.jsonl").read_text().splitlines()[1:]]
    assert len(moments) == 10 * SECONDS
    silent = [moment["verdict"] == "silent" for moment in moments]
    tagged = [bool(moment["heard"]) for moment in moments]
    assert tagged == [index < count and not quiet for index, quiet in enumerate(silent)]
