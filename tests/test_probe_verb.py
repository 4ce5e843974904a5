"""`soundspot probe`: a line a file, or JSON; what can't be used is named."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from make_media import make_film, tone


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "film.mp4", num_frames=25, samples=tone(440, 1, 16000), sample_rate=16000)


def test_good_files_are_told_and_end_with_0(film: Path, command: Callable) -> None:
    done = command("probe", film)
    assert (done.code, done.err) == (0, "")
    assert done.out.split("\t")[1] == "film"
    (facts,) = json.loads(command("probe", film, "--json").out)
    assert (facts["width"], facts["height"], facts["sample_rate"], facts["channels"]) == (96, 64, 16000, 1)


def test_one_bad_file_is_one_line_and_ends_with_2(tmp_path: Path, command: Callable) -> None:
    done = command("probe", tmp_path / "gone.mp4")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"soundspot: {tmp_path / 'gone.mp4'}: expected a film")


def test_some_bad_files_end_with_1_and_only_bad_ones_with_2(film: Path, tmp_path: Path, command: Callable) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    done = command("probe", film, tmp_path / "text.mp4", tmp_path / "gone.png")
    assert done.code == 1
    assert len(done.out.splitlines()) == 1
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["bad", "bad"]
    assert command("probe", tmp_path / "text.mp4", tmp_path / "gone.png").code == 2


def test_a_name_that_is_no_text_can_be_told(film: Path, command: Callable) -> None:
    odd = film.rename(film.with_name(os.fsdecode(b"caf\xe9.mp4")))
    done = command("probe", odd)
    assert done.code == 0, done.err
    assert "caf\\udce9.mp4\tfilm" in done.out


def test_a_full_disk_is_one_line(film: Path, command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("soundspot.media.facts.facts_of", fail)
    done = command("probe", film)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("soundspot: expected room on the disk, got 'No space left on device'; free some")
