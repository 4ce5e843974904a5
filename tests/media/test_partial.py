"""Files written aside: what a killed process left is taken over, what a living one writes is left alone."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from soundspot.media import partial
from soundspot.media.files import REPLACED, folder_aside, is_disk_full, naming, written_aside

HOLD = """
import sys, time
from pathlib import Path
from soundspot.media.files import folder_aside, written_aside
with {how} as aside:
    (aside / "half" if aside.is_dir() else aside).write_text("half of it")
    print(aside.name, flush=True)
    time.sleep(600)
"""
WAYS = {"file": "written_aside(Path('x.txt'))", "folder": "folder_aside(Path('x'), 'index')"}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("how", WAYS)
def test_of_a_killed_process_nothing_stays_and_of_a_living_one_all(how: str, tmp_path: Path) -> None:
    """Two processes write the same; the first is killed, the second goes on, a third comes."""
    held = []
    for _ in range(2):
        words = [sys.executable, "-c", HOLD.format(how=WAYS[how])]
        process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        held.append((process, process.stdout.readline().strip()))
    (first, dead), (second, living) = held
    assert len({dead, living}) == 2
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert names(tmp_path) == sorted([dead, living])
    if how == "file":
        with written_aside(tmp_path / "x.txt") as aside:
            assert aside.name == dead
            assert aside.read_bytes() == b""
            aside.write_text("all of it")
    else:
        with folder_aside(tmp_path / "x", "index") as aside:
            assert aside.name == dead
            assert names(aside) == []
            (aside / "index").touch()
    assert dead not in names(tmp_path)
    assert living in names(tmp_path)
    second.send_signal(signal.SIGKILL)
    second.communicate()
    if how == "file":
        with written_aside(tmp_path / "x.txt") as aside:
            aside.write_text("again")
        assert names(tmp_path) == ["x.txt"]
    else:
        with folder_aside(tmp_path / "x", "index") as aside:
            (aside / "index").touch()
        assert names(tmp_path) == ["x"]


def test_within_a_process_two_do_not_meet_either(tmp_path: Path) -> None:
    with written_aside(tmp_path / "x.txt") as one, written_aside(tmp_path / "x.txt") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert names(tmp_path) == ["x.txt"]
    assert (tmp_path / "x.txt").read_text() == "one"


def test_a_folder_is_replaced_whole_and_what_a_kill_left_of_that_goes(tmp_path: Path) -> None:
    for content in ("first", "second"):
        with folder_aside(tmp_path / "x", "index") as aside:
            (aside / "index").write_text(content)
            (aside / content).touch()
        assert names(tmp_path / "x") == sorted(["index", content])
    (tmp_path / "x" / REPLACED).mkdir()  # killed before it was removed
    with folder_aside(tmp_path / "x", "index") as aside:
        (aside / "index").write_text("third")
    assert names(tmp_path / "x") == ["index"]


def test_where_no_locks_are_known_files_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(partial.fcntl, "flock", refused)
    with written_aside(tmp_path / "x.txt") as aside:
        assert str(os.getpid()) in aside.name
        aside.write_text("x")
    with pytest.raises(KeyError), written_aside(tmp_path / "x.txt"):
        raise KeyError
    assert names(tmp_path) == ["x.txt"]


def test_an_error_that_names_no_file_gets_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No space left on device: '.*x\.txt'") as told:
        with written_aside(tmp_path / "x.txt"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert is_disk_full(told.value)
    assert names(tmp_path) == []
    with pytest.raises(FileNotFoundError) as other, naming(tmp_path):
        (tmp_path / "nothing").read_text()
    assert other.value.filename == str(tmp_path / "nothing")
    assert not is_disk_full(other.value)
