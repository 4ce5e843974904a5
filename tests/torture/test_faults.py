"""Faults other than a kill of everything: one process of several, signals, a full disk, a bad checkpoint, a clock."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from torture.kill_client import Ended, Server
from torture.kill_verbs import IN_PROCESSES, OUT, VERBS, Verb, every_file, make_inputs
from torture.kills import Undisturbed, undisturbed

ALL = VERBS | IN_PROCESSES
"""pack and localize in two processes; train and predict read clips in two."""
RUNS = ALL | {"localize by one": VERBS["localize"]}
NO_PROCESS_SECONDS = 30.0
"""Within which none may be left: torch's readers look every five whether their parent is there."""


@dataclass(frozen=True)
class Bench:
    """A warm process, the input, and what the verbs do undisturbed."""

    server: Server
    inputs: Path
    known: dict[str, Undisturbed]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    place = tmp_path_factory.mktemp("faults")
    make_inputs(place / "inputs")
    with Server() as server:
        known = {
            name: undisturbed(server, verb, place / "inputs", place / name, processes=False)
            for name, verb in RUNS.items()
        }
        yield Bench(server, place / "inputs", known)


def again(bench: Bench, name: str, folder: Path, server: Server | None = None) -> None:
    """Run it once more: it ends well and all is as if nothing had been."""
    verb = RUNS[name]
    ended = (server or bench.server).run([*verb.words(bench.inputs), *verb.again], folder, processes=False)
    assert ended.code == 0, ended.said
    assert differences(verb, folder, bench.known[name]) == []


def differences(verb: Verb, folder: Path, known: Undisturbed) -> list[str]:
    results = verb.results(folder)
    return [name for name in results.keys() | known.results.keys() if results.get(name) != known.results.get(name)]


def group(leader: int) -> list[int]:
    """The processes of a group that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        if int(pgrp) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_for_none(leader: int) -> None:
    until = time.monotonic() + NO_PROCESS_SECONDS
    while left := group(leader):
        assert time.monotonic() < until, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="not run: needs /proc to tell processes apart")
@pytest.mark.parametrize("name", ALL)
def test_processes_end_when_the_one_that_started_them_is_killed(name: str, bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    middle = bench.known[name].operations // 2
    ended = bench.server.run(
        RUNS[name].words(bench.inputs), folder, processes=name == "localize", operation=middle, to="leader"
    )
    assert ended.killed, ended.said
    wait_for_none(ended.pid)
    again(bench, name, folder)


@pytest.mark.parametrize(
    ("name", "number", "to", "code"),
    [
        ("pack", signal.SIGINT, "group", 130),
        ("train", signal.SIGINT, "group", 130),
        ("predict", signal.SIGTERM, "leader", 143),
        ("localize", signal.SIGTERM, "leader", 143),
        ("train", signal.SIGTERM, "leader", 143),
        ("localize", signal.SIGINT, "group", 130),
    ],
)
def test_a_signal_ends_a_run_with_one_line_and_it_goes_on(
    name: str, number: int, to: str, code: int, bench: Bench, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    middle = bench.known[name].operations // 2
    ended = bench.server.run(
        RUNS[name].words(bench.inputs), folder, processes=False, operation=middle, signal=number, to=to
    )
    assert ended.code == code, ended.said
    assert "Traceback" not in ended.said
    assert ended.said.splitlines()[-1].startswith("soundspot: stopped; the same words again go on")
    wait_for_none(ended.pid)
    again(bench, name, folder)


@pytest.mark.parametrize("name", ALL)
def test_processes_that_are_killed_beside_the_first_are_told_or_replaced(
    name: str, bench: Bench, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    middle = bench.known[name].operations // 2
    ended = bench.server.run(RUNS[name].words(bench.inputs), folder, processes=False, operation=middle, to="others")
    if name in IN_PROCESSES:
        assert ended.code == 0, ended.said
        assert differences(RUNS[name], folder, bench.known[name]) == []
        return
    assert ended.code == 2, ended.said
    assert "Traceback" not in ended.said
    assert "soundspot: expected the processes that read clips to last, got 'DataLoader worker" in ended.said
    assert "then resume" in ended.said
    wait_for_none(ended.pid)
    again(bench, name, folder)


@pytest.mark.parametrize(
    ("name", "how", "quiet_seconds"),
    [
        ("localize by one", "kills", 900.0),
        ("localize", "kills", 900.0),
        ("localize by one", "hangs", 15.0),  # more than any of the good films takes
    ],
    ids=["one kills", "two kill", "one hangs"],
)
def test_a_film_that_brings_down_its_process_or_hangs_holds_up_no_other(
    name: str, how: str, quiet_seconds: float, bench: Bench, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    ended = bench.server.run(
        RUNS[name].words(bench.inputs),
        folder,
        processes=False,
        deadly=f"{how} film0.mp4/summary",
        quiet_seconds=quiet_seconds,
    )
    assert ended.code == 1, ended.said
    assert "film0.mp4: expected a film that can be read, got one over which the process died" in ended.said
    assert "1 of 3 films could not be looked at" in ended.said
    lost = differences(RUNS[name], folder, bench.known[name])
    assert [part for part in lost if not part.startswith(f"{OUT}/film0.mp4")] == []
    again(bench, name, folder)


@pytest.fixture(scope="module")
def small_disk(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A warm process that sees a disk of its own at a place, and that disk as seen from here."""
    disk = tmp_path_factory.mktemp("disk") / "disk"
    disk.mkdir()
    namespace = ("unshare", "--user", "--map-root-user", "--mount")
    if shutil.which("unshare") is None or os.system(f"{' '.join(namespace)} true 2> /dev/null"):
        how = "not run: the kernel allows no name spaces of one's own, and a disk cannot be made small without"
        if os.environ.get("CI"):
            pytest.fail(how, pytrace=False)
        pytest.skip(how)
    with Server(*namespace) as server:
        server.other("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(disk))
        yield server, Path(f"/proc/{server.process.pid}/root") / disk.relative_to("/")


@pytest.mark.parametrize("name", ALL)
def test_a_full_disk_is_told_in_one_line_and_with_room_the_run_goes_on(
    name: str, bench: Bench, small_disk: tuple[Server, Path], tmp_path: Path
) -> None:
    server, seen = small_disk
    disk = Path("/") / seen.relative_to(Path(f"/proc/{server.process.pid}/root"))
    for left in seen.iterdir():
        shutil.rmtree(left)
    resize(server, disk, room(bench, name) // 2)
    ended = run_on(server, bench, name, disk)
    assert ended.code == 2, ended.said
    assert "Traceback" not in ended.said
    (line,) = [line for line in ended.said.splitlines() if line.startswith("soundspot: ")]
    assert "No space left on device" in line
    assert OUT in line
    left = left_in(seen)
    if name == "localize":  # its other process is ended amid what it writes; the next run clears that away
        left = [part for part in left if ".partial-" not in part]
    assert [part for part in left if part not in bench.known[name].results] == []
    if name in IN_PROCESSES:  # of which each file is written once
        there = {part: digest for part, digest in every_file(seen).items() if part in left}
        assert there == {part: bench.known[name].results[part] for part in there}
    resize(server, disk, 4 * room(bench, name) + 2**18)  # a page for each small part
    ended = run_on(server, bench, name, disk, *RUNS[name].again)
    if "train without resume" in ended.said:
        ended = run_on(server, bench, name, disk)
    assert ended.code == 0, ended.said
    assert differences(RUNS[name], seen, bench.known[name]) == []


def left_in(folder: Path) -> list[str]:
    """Files that are not meant to be gone on with, or to grow in another order each time."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [name for name in names if not any(known in name for known in ("/.unfinished/", ".part-", "/tensorboard/"))]


def run_on(server: Server, bench: Bench, name: str, disk: Path, *more: str) -> Ended:
    """With the log elsewhere: on a full disk nothing could be said."""
    return server.run([*RUNS[name].words(bench.inputs), *more], disk, processes=False)


def room(bench: Bench, name: str) -> int:
    """Bytes that its results take."""
    folder = bench.inputs.parent / name
    return sum(4096 * -(-path.stat().st_size // 4096) for path in folder.rglob("*") if path.is_file())


def resize(server: Server, disk: Path, num_bytes: int) -> None:
    server.other("mount", "-o", f"remount,size={num_bytes // 1024}k", str(disk))
