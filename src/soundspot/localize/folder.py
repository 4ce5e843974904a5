"""A folder of films, one or several at a time: the good ones done, the bad ones named, what is done kept."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from soundspot.localize.localizer import Localizer
from soundspot.localize.run import Localized, Wanted, localize
from soundspot.localize.source import file_facts, open_source
from soundspot.media.files import FILMS, is_disk_full, written_aside
from soundspot.misread import one_line, parse_json
from soundspot.processes import Pool, pool
from soundspot.tensors import sha256
from soundspot.types import UserError
from soundspot.weights import find_weights

DONE = "done.json"
"""Stands in a film's folder once all of it is written: what was asked, and what came out."""
DIED = "expected a film that can be read, got one over which the process died; look at it alone"
QUIET_SECONDS = 900.0
"""Without a byte written for any film: what takes that long is taken for hanging, and its process is ended."""


@dataclass(frozen=True)
class Outcome:
    """How a film of a folder ended: what was found, or why it was not looked at."""

    path: Path
    facts: dict[str, Any]
    line: str
    error: str = ""


@dataclass(frozen=True)
class _Task:
    """A film to be looked at, and where what is found is to lie."""

    path: Path
    place: Path
    wanted: Wanted
    made_by: str
    """The weights' SHA-256."""
    shown: bool
    """Whether its progress is."""

    def asked(self) -> dict[str, Any]:
        """What the results depend on."""
        return {**asdict(self.wanted), "weights_sha256": self.made_by, "film": file_facts(self.path)}


def films_in(folder: Path) -> list[Path]:
    """The films of a folder and of those in it, by name. UserError where there is none."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in FILMS and path.is_file())
    if not found:
        raise UserError(f"{folder}: expected films ({', '.join(FILMS)}), got none; give another folder")
    return found


def localize_folder(folder: Path, out: Path, wanted: Wanted, jobs: int = 1) -> Iterator[Outcome]:
    """Each film's outcome as it ends, what a former run has finished first; results lie in `out` by film.

    A film's folder has its name within `folder`. Each of the `jobs` is a process of its own with its share of the
    cores: a film that brings down its process, or over which it gives no sign for a long time, holds up no other.
    UserError where there is no film at all, or no such weights; OSError where the disk is full.
    """
    places = {path: out / path.relative_to(folder) for path in films_in(folder) if out not in path.parents}
    made_by = sha256(find_weights(wanted.weights))
    waiting: list[_Task] = []
    for path, place in places.items():
        task = _Task(path, place, wanted, made_by, shown=jobs == 1)
        known = _finished(task)
        if known is None:
            waiting.append(task)
        else:
            yield known
    threads = max(1, (os.cpu_count() or 1) // jobs)  # always as many: sums of other shares end in other last bits
    lost: list[_Task] = []
    yield from _together(waiting, jobs, threads, lost)
    for task in lost:  # alone, each tells whether it was the one that brought down the others, or nothing was wrong
        again: list[_Task] = []
        yield from _together([task], 1, threads, again)
        if again:
            yield Outcome(task.path, {}, "", f"{task.path}: {DIED}")


def _together(tasks: Sequence[_Task], jobs: int, threads: int, lost: list[_Task]) -> Iterator[Outcome]:
    """Outcomes of films in several processes; those under way when one of these died are put into `lost`."""
    rest = deque(tasks)
    while rest:
        count = min(jobs, len(rest))
        with pool(count) as processes:
            _require_start(processes, rest[0].wanted, threads)
            running: dict[Future[Outcome], _Task] = {}
            died = False
            while running or (rest and not died):
                while rest and len(running) < count and not died:
                    died = not _hand_out(processes, rest, running, threads)
                for future in _ended(processes, running):
                    task = running.pop(future)
                    try:
                        yield future.result()
                    except BrokenProcessPool:
                        lost.append(task)
                        died = True


def _hand_out(processes: Pool, rest: deque[_Task], running: dict[Future[Outcome], _Task], threads: int) -> bool:
    """Whether the next film could be given to a process; not where one of them has died."""
    try:
        running[processes.submit(_in_process, rest[0], threads)] = rest[0]
    except BrokenProcessPool:
        return False
    rest.popleft()
    return True


def _ended(processes: Pool, running: dict[Future[Outcome], _Task]) -> set[Future[Outcome]]:
    """The first films that end; those of processes that give no sign for too long are brought to an end."""
    known, since = _signs(running.values()), time.monotonic()
    while running:
        done = wait(running, timeout=QUIET_SECONDS / 100, return_when=FIRST_COMPLETED).done
        if done:
            return done
        now = _signs(running.values())
        if now != known:
            known, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET_SECONDS:
            processes.kill()
            since = time.monotonic()
    return set()


def _signs(tasks: Iterable[_Task]) -> list[tuple[str, int]]:
    """What changes with every byte that is written for them."""
    found = []
    for task in tasks:
        for path in task.place.rglob("*"):
            try:
                found.append((str(path), path.lstat().st_size))
            except FileNotFoundError:  # moved into place meanwhile
                continue
    return sorted(found)


_LOCALIZER: list[Localizer] = []
"""Of a worker process, made once."""


def _require_start(processes: Pool, wanted: Wanted, threads: int) -> None:
    """A process that cannot even load the weights must not be taken for a film that brings it down."""
    try:
        processes.submit(_load, wanted, threads).result()
    except BrokenProcessPool:
        raise UserError(
            "expected to be able to start processes that load the weights, got one that ended at once; free memory, or"
            " in a script call this below `if __name__ == '__main__':`"
        ) from None


def _load(wanted: Wanted, threads: int) -> None:
    if not _LOCALIZER:
        torch.set_num_threads(threads)
        _LOCALIZER.append(Localizer.from_pretrained(wanted.weights, wanted.device))


def _in_process(task: _Task, threads: int) -> Outcome:
    _load(task.wanted, threads)
    return _one(_LOCALIZER[0], task)


def _one(localizer: Localizer, task: _Task) -> Outcome:
    wanted = task.wanted
    try:
        source = open_source(task.path).between(wanted.start_seconds, wanted.end_seconds)
        asked = task.asked()
        done = localize(localizer, source, task.place, wanted, shown=task.shown)
        facts = outcome(done)
        with written_aside(task.place / DONE) as aside:
            aside.write_text(json.dumps({"asked": asked, **facts}, indent=1))
    except (UserError, OSError) as error:
        if is_disk_full(error):  # the other films would find no room either
            raise
        return Outcome(task.path, {}, "", " ".join(str(error).split()))
    return Outcome(task.path, facts["facts"], facts["line"])


def outcome(done: Localized) -> dict[str, Any]:
    """What is kept of a film's results beside the files."""
    return {"facts": done.facts(), "line": done.summary_line()}


def _finished(task: _Task) -> Outcome | None:
    """What an earlier run of the same words found of the same film, if it finished it."""
    try:
        known = parse_json((task.place / DONE).read_bytes())
        if known["asked"] != json.loads(json.dumps(task.asked())):
            return None
        return Outcome(task.path, dict(known["facts"]), one_line(str(known["line"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None
