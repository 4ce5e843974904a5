"""Do the tests notice? A seeded sample of mutants of metrics/, benchmarks/score.py and media/, each met by its tests.

`python -m torture mutants --out FOLDER --seed 0 --mutants 300`. Finished mutants are kept in FOLDER/mutants.jsonl, so
that a run that was stopped goes on: survivors count for the state of the source they were found in, the killed as long
as their file and the test that killed them stay as they are. FOLDER/mutants.md is the table.
"""

from __future__ import annotations

import argparse
import filecmp
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from torture.mutant_child import Ended, Footprint, footprint, joined, run_chosen, warm_up
from torture.mutant_server import Exchange, Trial, serve
from torture.mutant_source import Drawn, Mutant, draw, lines_run_with
from torture.mutant_table import table

Run = Callable[[Sequence[str], float], Ended]
ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("src/soundspot/metrics/*.py", "src/soundspot/benchmarks/score.py", "src/soundspot/media/*.py")
TESTS = (
    "tests/metrics",
    "tests/benchmarks",
    "tests/media",
    "src/soundspot/metrics",
    "src/soundspot/media",
    "src/soundspot/benchmarks/score.py",
)
MOST_SECONDS_A_ROUND = 5.0
"""Of undisturbed time: a mutant that the fastest tests worth so much do not kill survives."""
TIMES_UNDISTURBED = 5.0
SECONDS_TO_START = 30.0
MOST_WAITED_SECONDS = 900.0
"""Of the clock, for what waits without computing."""


def main(argv: list[str] | None = None) -> int:
    """Exit 0 if more than 80 % were killed, else 1."""
    words = _parser().parse_args(argv)
    out = words.out.resolve()
    scratch = out / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    commit = _commit()
    tree = out / "tree"
    _copy(tree)
    files = [str(path.relative_to(ROOT)) for pattern in words.sources for path in sorted(ROOT.glob(pattern))]
    started = time.monotonic()
    mutants, places, drawn = _drawn(tree, files, words, out)
    print(f"{sum(mutants.values())} mutants at {sum(places.values())} places, {len(drawn)} drawn", file=sys.stderr)
    state, seen = _footprint(tree, list(words.tests), files, out)
    warm_up(seen.modules)
    done = _finished(out / "mutants.jsonl", state, tree)
    todo = [one for one in drawn if one.mutant.id not in done and words.only in one.mutant.id]
    _try_all(todo, tree, scratch, seen, state, out / "mutants.jsonl")
    done = _finished(out / "mutants.jsonl", state, tree)
    rows = [done[one.mutant.id] for one in drawn if one.mutant.id in done]
    text, share = table(rows, mutants, places, _reasons())
    head = f"Commit {commit}, seed {words.seed}, {len(rows)} of {len(drawn)} mutants run, "
    head += f"{sum(row['seconds'] for row in rows) / 60:.0f} min of trials"
    (out / "mutants.md").write_text(f"{head}.\n\n{text}", encoding="utf-8")
    print(f"{out / 'mutants.md'}: {share:.1%} killed, {(time.monotonic() - started) / 60:.0f} min now")
    return 0 if share > 0.8 else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m torture mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="where results and the copy that is mutated go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mutants", type=int, default=300, help="how many to draw")
    parser.add_argument("--only", default="", help="of those drawn, run those whose name holds this")
    parser.add_argument("--sources", nargs="+", default=SOURCES, help="patterns of the files to mutate")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="the tests that may kill")
    return parser


def _commit() -> str:
    different = _git("status", "--porcelain", "--", "src", "tests")
    return _git("rev-parse", "HEAD").strip()[:12] + (" with changes" if different else "")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _copy(tree: Path) -> None:
    """The checkout's files as they are now, to be mutated. What is the same stays, and so does its compiled form."""
    wanted = {name for name in _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0") if name}
    for path in [path for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts]:
        if str(path.relative_to(tree)) not in wanted:
            path.unlink()
    for name in wanted:
        source, copy = ROOT / name, tree / name
        if source.is_file() and not (copy.is_file() and filecmp.cmp(source, copy, shallow=False)):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def _footprint(tree: Path, tests: list[str], files: list[str], out: Path) -> tuple[str, Footprint]:
    """What each file's undisturbed tests run and how long they take, and a name of all that these depend on.

    Kept a file: new tests do not make the old ones run again.
    """
    around = sorted({*tree.glob("src/**/*.py"), *tree.glob("tests/*.py"), *tree.glob("tests/layouts/*.py")})
    shared = _sha256(json.dumps([files, *map(_sha256_of, around)]).encode())
    kept = {
        file: out / "footprints" / f"{_sha256(json.dumps([shared, file, _sha256_of(tree / file)]).encode())}.json"
        for file in _test_files(tree, tests)
    }
    fresh = [file for file, place in kept.items() if not place.exists()]
    if fresh:
        started = time.monotonic()
        made = footprint(tree, fresh, files, out / "scratch")
        (out / "footprints").mkdir(exist_ok=True)
        for file in fresh:
            made.of(file).write(kept[file])
        print(f"the undisturbed tests of {len(fresh)} files took {time.monotonic() - started:.0f} s", file=sys.stderr)
    seen = joined([Footprint.read(place) for place in kept.values()])
    print(f"{len(seen.seconds)} tests, of which unfit: {len(seen.unfit)} {seen.unfit}", file=sys.stderr)
    return _sha256(json.dumps([place.name for place in kept.values()]).encode()), seen


def _test_files(tree: Path, tests: list[str]) -> list[str]:
    """The files that hold tests, or examples, in what was named."""
    found = []
    for name in tests:
        path = tree / name
        found += [path] if path.is_file() else sorted(path.rglob("test_*.py" if name.startswith("tests") else "*.py"))
    return [str(path.relative_to(tree)) for path in found]


def _drawn(
    tree: Path, files: list[str], words: argparse.Namespace, out: Path
) -> tuple[dict[str, int], dict[str, int], list[Drawn]]:
    """The sample, kept for runs on the same files: to find all mutants takes a minute."""
    known = [words.seed, words.mutants, *((file, _sha256_of(tree / file)) for file in files)]
    kept = out / f"drawn-{_sha256(json.dumps(known).encode())}.json"
    if not kept.exists():
        mutants, places, drawn = draw(tree, files, words.mutants, words.seed)
        kept.write_text(json.dumps([mutants, places, [asdict(one) for one in drawn]]), encoding="utf-8")
    mutants, places, rows = json.loads(kept.read_text(encoding="utf-8"))
    return mutants, places, [Drawn(**{**row, "mutant": Mutant(**row["mutant"])}) for row in rows]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _sha256_of(path: Path) -> str:
    return _sha256(path.read_bytes()) if path.is_file() else ""


def _finished(path: Path, state: str, tree: Path) -> dict[str, dict[str, Any]]:
    """The mutants tried before whose outcome still holds."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    done = {}
    for row in (json.loads(line) for line in lines if line.endswith("}")):  # the last may be cut short
        same = row["file_sha256"] == _sha256_of(tree / row["file"])
        killed = row["outcome"] != "survived" and row["by_sha256"] == _sha256_of(tree / _file(row["by"]))
        if same and (killed or (row["state"] == state and row["id"] not in done)):
            done[row["id"]] = row
    return done


def _try_all(todo: list[Drawn], tree: Path, scratch: Path, seen: Footprint, state: str, results: Path) -> None:
    """Mutants within functions in forks of a process that knows the tests, the others each with a fresh import."""

    def trial(one: Drawn, run: Run) -> None:
        row = _try(one, tree, scratch, seen, state, run)
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    trials: list[tuple[Exchange, Path, Trial]] = []
    for one in todo:
        path = tree / one.mutant.file
        exchange = Exchange(path, path.read_text(encoding="utf-8"), one.text)
        if exchange.possible:
            trials.append((exchange, path, partial(trial, one)))
    sys.dont_write_bytecode = True
    files = sorted({_file(test) for test in seen.seconds})
    if trials:
        control = _fastest(set(seen.seconds), seen)
        ended = serve(tree, files, scratch, control, trials, MOST_WAITED_SECONDS)
        if ended.code != 0:
            raise RuntimeError(f"expected the tests to be collected and tried, got {ended}; see {scratch}/server.log")
    done = _finished(results, state, tree)
    for one in todo:
        if one.mutant.id not in done:
            trial(one, lambda tests, most: run_chosen(tree, tests, scratch, most, MOST_WAITED_SECONDS))


def _try(one: Drawn, tree: Path, scratch: Path, seen: Footprint, state: str, run: Run) -> dict[str, Any]:
    """One mutant: the tests that run its line, then those of its file, as what a line gives may be kept."""
    place = tree / one.mutant.file
    original = place.read_text(encoding="utf-8")
    rounds = _rounds(one, original, seen)
    # Also in its place, for the processes that tests start.
    place.write_text(one.text, encoding="utf-8")
    for compiled in (place.parent / "__pycache__").glob(f"{place.stem}.*.pyc"):
        compiled.unlink()
    seconds, outcome, by = 0.0, "survived", ""
    try:
        for tests in rounds:
            if tests and outcome == "survived":
                most = SECONDS_TO_START + TIMES_UNDISTURBED * sum(seen.seconds[test] for test in tests)
                ended = run(tests, most)
                seconds += ended.seconds
                outcome = _outcome(ended, scratch)
                by = (scratch / "failed").read_text(encoding="utf-8") if (scratch / "failed").exists() else ""
    finally:
        place.write_text(original, encoding="utf-8")
    print(f"{outcome} {seconds:.1f} s {one.mutant.id}", file=sys.stderr, flush=True)
    return {
        "state": state,
        "id": one.mutant.id,
        "file": one.mutant.file,
        "line": one.mutant.start[0],
        "operator": one.mutant.operator,
        "before": one.before,
        "after": one.after,
        "outcome": outcome,
        "by": by,
        "by_sha256": _sha256_of(tree / _file(by)),
        "file_sha256": _sha256(original.encode()),
        "tests": sum(map(len, rounds)),
        "seconds": round(seconds, 2),
    }


def _rounds(one: Drawn, text: str, seen: Footprint) -> tuple[list[str], list[str], list[str]]:
    """The tests of the line in the one file that has most of them, the others of the line, those of the file."""
    by_line = seen.lines[one.mutant.file]
    everywhere = {test for who in by_line.values() for test in who}
    there = {test for line in lines_run_with(text, one.mutant.start[0]) for test in by_line.get(line, ())}
    if not there:  # a constant: tests may look at it without running a line of its file
        beside = {_file(test) for test in everywhere}
        everywhere = {test for test in seen.seconds if _file(test) in beside}
    own = f"test_{Path(one.mutant.file).stem}.py"
    most = max({_file(test) for test in there} or {""}, key=lambda file: (file.endswith(f"/{own}"), _num(there, file)))
    first = {test for test in there if _file(test) == most}
    return _fastest(first, seen), _fastest(there - first, seen), _fastest(everywhere - there, seen)


def _num(tests: set[str], file: str) -> int:
    return sum(_file(test) == file for test in tests)


def _fastest(tests: set[str], seen: Footprint) -> list[str]:
    """The fastest tests up to the time allowed, a file's together, so that what a file's tests share is made once."""
    fit = sorted((seen.seconds[test], test) for test in tests if test not in seen.unfit)
    chosen: list[tuple[float, str]] = []
    total = 0.0
    for seconds, test in fit:
        total += seconds
        if total > MOST_SECONDS_A_ROUND:
            break
        chosen.append((seconds, test))
    by_file: dict[str, list[float]] = {}
    for seconds, test in chosen:
        by_file.setdefault(test.split("::")[0], []).append(seconds)
    mean = {file: sum(values) / len(values) for file, values in by_file.items()}
    return [test for _, test in sorted(chosen, key=lambda item: (mean[_file(item[1])], _file(item[1]), item[0]))]


def _file(test: str) -> str:
    return test.split("::")[0]


def _outcome(ended: Ended, scratch: Path) -> str:
    if ended.code is None or -ended.code == signal.SIGXCPU:
        return "killed: time-out"
    if ended.code < 0:
        return f"killed: signal {-ended.code}"
    known = {0: "survived", 1: "killed", 2: "killed: does not import"}
    if ended.code not in known:
        raise RuntimeError(f"expected pytest to end with 0, 1 or 2, got {ended.code}; see {scratch / 'log'}")
    return known[ended.code]


def _reasons() -> Sequence[dict[str, str]]:
    """What we found on looking at survivors: file, line before, line after, why."""
    found: list[dict[str, str]] = json.loads((ROOT / "torture" / "survivors.json").read_text(encoding="utf-8"))
    return found
