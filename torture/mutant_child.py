"""Chosen tests in a child of this process: what they import is already there, what may be mutated is read afresh."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

MOST_MEMORY = 8 << 30
MOST_WRITTEN = 1 << 30
OPTIONS = ("-q", "--tb=line", "--no-header", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-seed=0")


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, minus the signal that ended it, or None where its time was up."""

    code: int | None
    seconds: float


@dataclass
class Footprint:
    """What the undisturbed tests do: how long each takes, and which run each line of the files asked about."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    unfit: list[str] = field(default_factory=list)
    """Tests that failed or were skipped: nothing can be learned from them."""
    modules: list[str] = field(default_factory=list)
    """Modules of other packages that the tests import."""

    def write(self, path: Path) -> None:
        """As JSON, moved into place."""
        aside = path.with_suffix(".part")
        aside.write_text(json.dumps(asdict(self)), encoding="utf-8")
        aside.replace(path)

    @staticmethod
    def read(path: Path) -> Footprint:
        """What `write` wrote."""
        made = Footprint(**json.loads(path.read_text(encoding="utf-8")))
        made.lines = {file: {int(line): who for line, who in lines.items()} for file, lines in made.lines.items()}
        return made

    def of(self, file: str) -> Footprint:
        """The part that is one test file's."""
        own = {test: seconds for test, seconds in self.seconds.items() if test.startswith(f"{file}::")}
        lines = {
            source: {line: kept for line, who in by_line.items() if (kept := [test for test in who if test in own])}
            for source, by_line in self.lines.items()
        }
        return Footprint(own, lines, [test for test in self.unfit if test in own], self.modules)


def joined(parts: Sequence[Footprint]) -> Footprint:
    """Of several test files, all."""
    made = Footprint()
    for part in parts:
        made.seconds |= part.seconds
        made.unfit += part.unfit
        made.modules += [name for name in part.modules if name not in made.modules]
        for source, by_line in part.lines.items():
            lines = made.lines.setdefault(source, {})
            for line, who in by_line.items():
                lines.setdefault(line, []).extend(who)
    return made


class Chosen:
    """A pytest plugin: the tests named run in the order named, and the first that fails is written down."""

    def __init__(self, tests: Sequence[str], failed: Path) -> None:
        self._place = {test: number for number, test in enumerate(tests)}
        self._failed = failed

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._place), key=lambda item: self._place[item.nodeid]
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self._failed.exists():
            self._failed.write_text(report.nodeid, encoding="utf-8")


class Watching:
    """A pytest plugin: which test runs which line, and how long each takes."""

    def __init__(self, cover: Any) -> None:
        self.footprint = Footprint()
        self._cover = cover

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self._cover.switch_context(item.nodeid)
        started = _computed_seconds()
        try:
            return (yield)
        finally:
            self.footprint.seconds[item.nodeid] = _computed_seconds() - started
            self._cover.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if (report.failed or report.skipped) and report.nodeid not in self.footprint.unfit:
            self.footprint.unfit.append(report.nodeid)


def run_chosen(tree: Path, tests: Sequence[str], scratch: Path, most_seconds: float, most_waited: float) -> Ended:
    """Run `tests` of `tree` in this order until one fails; `scratch`/failed names it, `scratch`/log tells how.

    `most_seconds` are of computing, so that a busy machine kills nothing; `most_waited` are of the clock.
    """
    (scratch / "failed").unlink(missing_ok=True)
    files = list(dict.fromkeys(test.split("::")[0] for test in tests))

    def work() -> int:
        bounded(most_seconds)
        return run_pytest(tree, scratch, ["-x", *files], Chosen(tests, scratch / "failed"))

    return in_a_child(tree, work, scratch / "log", most_waited)


def bounded(most_seconds: float) -> None:
    """From here on this process ends if it computes, keeps or writes too much."""
    computing = math.ceil(most_seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (computing, computing + 10))
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_WRITTEN, MOST_WRITTEN))


def footprint(tree: Path, tests: Sequence[str], files: Sequence[str], scratch: Path) -> Footprint:
    """Run all of `tests` undisturbed and see which run each line of `files`."""
    out = scratch / "footprint.json"

    def work() -> int:
        import coverage

        cover = coverage.Coverage(data_file=None, include=[str(tree / file) for file in files], config_file=False)
        cover.start()
        watching = Watching(cover)
        code = run_pytest(tree, scratch, list(tests), watching)
        cover.stop()
        data = cover.get_data()
        made = watching.footprint
        for file in files:
            by_line = data.contexts_by_lineno(str(tree / file))
            made.lines[file] = {line: sorted(set(who) - {""}) for line, who in by_line.items()}
        made.modules = sorted(_of_other_packages())
        made.write(out)
        return code

    sys.dont_write_bytecode = False
    ended = in_a_child(tree, work, scratch / "log", most_seconds=6 * 3600.0)
    if ended.code not in (0, 1) or not out.exists():
        raise RuntimeError(f"expected the undisturbed tests to run, got exit {ended.code}; see {scratch / 'log'}")
    return Footprint.read(out)


def _computed_seconds() -> float:
    """By this process and those that it has waited for."""
    return sum(os.times()[:4])


def warm_up(modules: Iterable[str]) -> None:
    """Import what tests will, so that children need not."""
    for name in modules:
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except ImportError:  # a module of a package's own making, which its package will make again
                continue
    assert "soundspot" not in sys.modules


def _of_other_packages() -> Iterable[str]:
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None) or ""
        if "site-packages" in place and not name.startswith(("_pytest", "pytest", "soundspot")):
            yield name


def run_pytest(tree: Path, scratch: Path, words: list[str], plugin: object) -> int:
    """Pytest in this process, the same whenever it is run; its exit code."""
    import hypothesis

    # What earlier mutants failed on is none of this one's tests, and how to fail most simply is of no use here.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", database=None, phases=phases, deadline=None)
    hypothesis.settings.load_profile("mutants")
    own = ["-o", "addopts=--strict-markers --doctest-modules", f"--rootdir={tree}", f"--basetemp={scratch / 'tmp'}"]
    code = int(pytest.main([*words, *OPTIONS, *own], plugins=[plugin]))
    soundspot = sys.modules.get("soundspot")
    assert soundspot is None or str(soundspot.__file__).startswith(str(tree)), soundspot
    return code


def in_a_child(tree: Path, work: Callable[[], int], log: Path, most_seconds: float) -> Ended:
    """Do `work` in a fork of this process that runs in `tree`, and end all that it leaves behind."""
    sys.stdout.flush()
    sys.stderr.flush()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            _move_in(tree, log)
            code = work()
        except BaseException:  # noqa: BLE001 - whatever it is, it must not run on as a second parent
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    status = None
    while status is None and time.monotonic() - started < most_seconds:
        ended, raw = os.waitpid(child, os.WNOHANG)
        if ended:
            status = os.waitstatus_to_exitcode(raw)
        else:
            time.sleep(0.02)
    _sweep(child, ended=status is not None)
    return Ended(status, time.monotonic() - started)


def _sweep(child: int, *, ended: bool) -> None:
    """End the child, if it has not, and what it left running."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not ended:
        os.waitpid(child, 0)


def _move_in(tree: Path, log: Path) -> None:
    os.setsid()
    os.chdir(tree)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.environ["PYTHONPATH"] = str(tree / "src")
    if sys.dont_write_bytecode:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.path[:0] = [str(tree / "src"), str(tree)]
