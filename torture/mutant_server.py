"""Mutants within functions, tried in forks of one process that has collected the tests: their code is exchanged."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType

import _pytest.main
import pytest

from torture.mutant_child import Chosen, Ended, bounded, in_a_child, run_pytest

Trial = Callable[[Callable[[Sequence[str], float], Ended]], None]
"""Tries one mutant, given what runs chosen tests for at most so many seconds of computing."""


class Exchange:
    """What the functions of one file become."""

    def __init__(self, path: Path, before: str, after: str) -> None:
        """`possible` unless something outside of functions differs, such as a constant or a default."""
        pairs = list(_pairs(compile(before, str(path), "exec"), compile(after, str(path), "exec")))
        self.possible = bool(pairs) and all(old is not None for old, _ in pairs)
        self._pairs = pairs

    def is_all_in(self, functions: Sequence[FunctionType]) -> bool:
        """Whether the functions to change are among these."""
        return all(
            any(_same_place(one.__code__, old) for one in functions) for old, _ in self._pairs if old is not None
        )

    def make(self, functions: Sequence[FunctionType]) -> None:
        """Exchange the code of those functions."""
        for old, new in self._pairs:
            for one in functions:
                if old is not None and _same_place(one.__code__, old):
                    one.__code__ = new


def functions_of(paths: Iterable[Path]) -> dict[Path, list[FunctionType]]:
    """Those that were defined in each file, wrapped ones too."""
    found: dict[str, list[FunctionType]] = {str(path): [] for path in paths}
    for one in gc.get_objects():
        if type(one) is FunctionType and one.__code__.co_filename in found:
            found[one.__code__.co_filename].append(one)
    return {Path(name): functions for name, functions in found.items()}


def _same_place(one: CodeType, other: CodeType) -> bool:
    return one.co_qualname == other.co_qualname and one.co_firstlineno == other.co_firstlineno


def _pairs(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType | None, CodeType]]:
    """The outermost functions that differ; (None, new) where what differs is no function's."""
    inner_old, inner_new = _inner(old), _inner(new)
    if len(inner_old) != len(inner_new) or _own(old) != _own(new):
        yield None, new
        return
    for before, after in zip(inner_old, inner_new, strict=True):
        if before == after:
            continue
        # A class's body runs once, and so do comprehensions and the like of the module itself.
        if before.co_flags & 2 and before.co_name.isidentifier() and before.co_freevars == after.co_freevars:
            yield before, after
        else:
            yield from _pairs(before, after)


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _own(code: CodeType) -> tuple[object, ...]:
    constants = tuple((type(one), repr(one)) for one in code.co_consts if not isinstance(one, CodeType))
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_exceptiontable


class _Serving:
    """A pytest plugin: in place of running what was collected, `work` forks."""

    def __init__(self, work: Callable[[pytest.Session], None]) -> None:
        self._work = work

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._work(session)
        return True


def serve(
    tree: Path,
    files: Sequence[str],
    scratch: Path,
    control: Sequence[str],
    trials: Sequence[tuple[Exchange, Path, Trial]],
    most_waited: float,
) -> Ended:
    """Collect the tests of `files` in a child and make the `trials` in forks of it, but for those not possible.

    First the tests named by `control` run there with nothing exchanged: they must pass.
    """

    def forks(session: pytest.Session) -> None:
        known = functions_of({path for _, path, _ in trials})
        gc.freeze()  # only now: what is frozen is not found
        nothing = Exchange(tree, "", "")
        undisturbed = _fork(session, nothing, [], tree, scratch, most_waited, control, most_waited)
        if undisturbed.code != 0:
            raise RuntimeError(f"expected tests to pass with nothing exchanged, got {undisturbed}; see {scratch}/log")
        for exchange, path, trial in trials:
            if exchange.is_all_in(known[path]):
                trial(partial(_fork, session, exchange, known[path], tree, scratch, most_waited))

    def collect() -> int:
        return run_pytest(tree, scratch, ["-x", "-s", *files], _Serving(forks))

    return in_a_child(tree, collect, scratch / "server.log", most_seconds=48 * 3600.0)


def _fork(
    session: pytest.Session,
    exchange: Exchange,
    functions: Sequence[FunctionType],
    tree: Path,
    scratch: Path,
    most_waited: float,
    tests: Sequence[str],
    most_seconds: float,
) -> Ended:
    (scratch / "failed").unlink(missing_ok=True)

    def work() -> int:
        bounded(most_seconds)
        exchange.make(functions)
        return _run(session, tests, scratch / "failed")

    return in_a_child(tree, work, scratch / "log", most_waited)


def _run(session: pytest.Session, tests: Sequence[str], failed: Path) -> int:
    chosen = Chosen(tests, failed)
    session.config.pluginmanager.register(chosen)
    chosen.pytest_collection_modifyitems(session.items)
    try:
        _pytest.main.pytest_runtestloop(session)
    except (session.Failed, session.Interrupted):
        return 1
    return 1 if session.testsfailed else 0
