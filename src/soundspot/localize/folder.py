"""A folder of films, one or several at a time: the good ones done, the bad ones named, what is done kept."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from soundspot.localize.localizer import Localizer
from soundspot.localize.run import Localized, Wanted, localize
from soundspot.localize.source import open_source
from soundspot.media.files import FILMS, written_aside
from soundspot.misread import one_line, parse_json
from soundspot.types import UserError

DONE = "done.json"
"""Stands in a film's folder once all of it is written: what was asked, and what came out."""
DIED = "expected a film that can be read, got one over which the process died; look at it alone"


@dataclass(frozen=True)
class Outcome:
    """How a film of a folder ended: what was found, or why it was not looked at."""

    path: Path
    facts: dict[str, Any]
    line: str
    error: str = ""


def films_in(folder: Path) -> list[Path]:
    """The films of a folder and of those in it, by name. UserError where there is none."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in FILMS and path.is_file())
    if not found:
        raise UserError(f"{folder}: expected films ({', '.join(FILMS)}), got none; give another folder")
    return found


def localize_folder(folder: Path, out: Path, wanted: Wanted, jobs: int = 1) -> Iterator[Outcome]:
    """Each film's outcome as it ends, what a former run has finished first; results lie in `out` by film.

    A film's folder has its name within `folder`. With several `jobs` each is a process of its own with its share of
    the cores. UserError where there is no film at all.
    """
    places = {path: out / path.relative_to(folder) for path in films_in(folder) if out not in path.parents}
    waiting: list[Path] = []
    for path, place in places.items():
        known = _finished(path, place, wanted)
        if known is None:
            waiting.append(path)
        else:
            yield known
    if jobs == 1:
        localizer = Localizer.from_pretrained(wanted.weights, wanted.device) if waiting else None
        for path in waiting:
            assert localizer is not None
            yield _one(localizer, path, places[path], wanted)
        return
    lost: list[Path] = []
    yield from _together(waiting, places, wanted, jobs, lost)
    for path in lost:  # one of them has taken the others' process with it: each in a process of its own tells which
        alone: list[Path] = []
        yield from _together([path], places, wanted, 1, alone)
        if alone:
            yield Outcome(path, {}, "", f"{path}: {DIED}")


def _together(
    paths: Sequence[Path], places: dict[Path, Path], wanted: Wanted, jobs: int, lost: list[Path]
) -> Iterator[Outcome]:
    """Outcomes of films in several processes; those that a dead process left are put into `lost`."""
    threads = max(1, (os.cpu_count() or 1) // jobs)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _begin, (wanted, threads)) as pool:
        tasks = {pool.submit(_in_process, path, places[path], wanted): path for path in paths}
        for task in as_completed(tasks):
            try:
                yield task.result()
            except BrokenProcessPool:
                lost.append(tasks[task])


_LOCALIZER: list[Localizer] = []
"""Of a worker process, made once."""


def _begin(wanted: Wanted, threads: int) -> None:
    torch.set_num_threads(threads)
    _LOCALIZER.append(Localizer.from_pretrained(wanted.weights, wanted.device))


def _in_process(path: Path, place: Path, wanted: Wanted) -> Outcome:
    return _one(_LOCALIZER[0], path, place, wanted, shown=False)


def _one(localizer: Localizer, path: Path, place: Path, wanted: Wanted, *, shown: bool = True) -> Outcome:
    try:
        source = open_source(path).between(wanted.start_seconds, wanted.end_seconds)
        done = localize(localizer, source, place, wanted, shown=shown)
    except (UserError, OSError) as error:
        return Outcome(path, {}, "", " ".join(str(error).split()))
    facts = outcome(done)
    with written_aside(place / DONE) as aside:
        aside.write_text(json.dumps({"asked": _asked(path, wanted), **facts}, indent=1))
    return Outcome(path, facts["facts"], facts["line"])


def outcome(done: Localized) -> dict[str, Any]:
    """What is kept of a film's results beside the files."""
    return {"facts": done.facts(), "line": done.summary_line()}


def _asked(path: Path, wanted: Wanted) -> dict[str, Any]:
    facts = path.stat()
    return {**asdict(wanted), "film": [str(path.resolve()), facts.st_size, facts.st_mtime_ns]}


def _finished(path: Path, place: Path, wanted: Wanted) -> Outcome | None:
    """What an earlier run of the same words found of the same film, if it finished it."""
    try:
        known = parse_json((place / DONE).read_bytes())
        if known["asked"] != json.loads(json.dumps(_asked(path, wanted))):
            return None
        return Outcome(path, dict(known["facts"]), one_line(str(known["line"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None
