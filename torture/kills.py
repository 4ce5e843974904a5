"""Kill -9 at seeded moments: what is run again finishes, and gives what an undisturbed run gives."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from torture.kill_client import REPO, Ended, Server
from torture.kill_verbs import IN_PROCESSES, VERBS, Verb, make_inputs

MOST_KILLS = 3
"""Of one run and its reruns."""
NO_CHECKPOINT = "train without resume"


@dataclass(frozen=True)
class Kill:
    """When: after a share of the undisturbed run's seconds, or of its changes of the disk."""

    share: float
    by: str
    """seconds or operations."""


@dataclass
class Trial:
    """A run that was killed, its reruns, and what is wrong with what it came to."""

    verb: str
    number: int
    processes: bool
    kills: list[Kill] = field(default_factory=list)
    """Those that hit."""
    at: list[float] = field(default_factory=list)
    """Of each, the share of the undisturbed run's seconds that had passed."""
    runs: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Undisturbed:
    """What a verb does when nobody kills it."""

    seconds: float
    operations: int
    results: dict[str, str]


def undisturbed(server: Server, verb: Verb, inputs: Path, folder: Path, processes: bool) -> Undisturbed:
    """Run it to its end."""
    folder.mkdir(parents=True)
    ended = server.run(verb.words(inputs), folder, processes=processes)
    if ended.code:
        raise RuntimeError(f"{folder.name}: expected the undisturbed run to end well, got {ended.code}: {ended.said}")
    return Undisturbed(ended.seconds, ended.operations, verb.results(folder))


def plan(seed: int, verb: str, number: int, of: int) -> list[Kill]:
    """The kills of a verb's trial: the first ones of all trials lie evenly over the whole run, to its very end."""
    generator = np.random.default_rng([seed, sorted(VERBS).index(verb), number])
    count = int(generator.integers(1, MOST_KILLS + 1))
    by = ["seconds", "operations"]
    first = Kill((number % of + float(generator.random())) / of, by[number % 2])
    return [first, *(Kill(float(generator.random()), by[int(generator.integers(2))]) for _ in range(count - 1))]


def one_trial(
    server: Server, trial: Trial, verb: Verb, kills: list[Kill], known: Undisturbed, inputs: Path, folder: Path
) -> Trial:
    """Kill, run again, kill again, at last leave alone; then compare."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    words, finished = verb.words(inputs), False
    for kill in kills:
        ended = _run(server, verb, words, inputs, folder, kill, known, trial.processes)
        trial.runs += 1
        words = [*verb.words(inputs), *verb.again]
        if not ended.killed:
            finished = True
            break
        trial.kills.append(kill)
        trial.at.append(min(1.0, ended.seconds / known.seconds))
    if not finished:
        ended = _run(server, verb, words, inputs, folder, None, known, trial.processes)
        trial.runs += 1
    if ended.code:
        trial.wrong.append(f"ended with {ended.code}: {ended.said[-500:]}")
    else:
        results = verb.results(folder)
        names = sorted(results.keys() | known.results.keys())
        trial.wrong += [name for name in names if results.get(name) != known.results.get(name)]
    if not trial.wrong:
        shutil.rmtree(folder)
    return trial


def _run(
    server: Server,
    verb: Verb,
    words: list[str],
    inputs: Path,
    folder: Path,
    kill: Kill | None,
    known: Undisturbed,
    processes: bool,
) -> Ended:
    when: dict[str, Any] = {"processes": processes}
    if kill is not None and kill.by == "seconds":
        when["seconds"] = kill.share * known.seconds
    elif kill is not None:
        when["operation"] = 1 + int(kill.share * known.operations)
    ended = server.run(words, folder, **when)
    if not ended.killed and ended.code == 2 and NO_CHECKPOINT in ended.said:
        ended = server.run(verb.words(inputs), folder, **when)
    return ended


def trials(seed: int, kills: int, out: Path, done: list[Trial]) -> Iterator[Trial]:
    """As many as give so many kills, a fourth of them of each verb; those of `done` are not done again."""
    inputs = out / "inputs"
    if not (inputs / "tiny.safetensors").exists():
        inputs.mkdir(parents=True, exist_ok=True)
        make_inputs(inputs)
    with Server() as server:
        for name in VERBS:
            wanted = kills // len(VERBS)
            before = [trial for trial in done if trial.verb == name]
            hits, number = sum(len(trial.kills) for trial in before), len(before)
            known: dict[bool, Undisturbed] = {}
            while hits < wanted:
                processes = number % 4 == 3 and name in IN_PROCESSES
                verb = (IN_PROCESSES if processes else VERBS)[name]
                if processes not in known:
                    folder = out / f"{name}-undisturbed-{'several' if processes else 'one'}"
                    shutil.rmtree(folder, ignore_errors=True)
                    known[processes] = undisturbed(server, verb, inputs, folder, processes)
                chosen = plan(seed, name, number, max(1, round(wanted / 2)))[: wanted - hits]
                trial = Trial(name, number, processes)
                yield one_trial(server, trial, verb, chosen, known[processes], inputs, out / f"{name}-{number:03d}")
                hits, number = hits + len(trial.kills), number + 1


def commit() -> str:
    """Of the code that is tried, and whether it was changed since."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        cwd=REPO, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return said.stdout.strip() or "unknown"


def table(found: list[Trial], seed: int, of: str) -> str:
    """The results in Markdown."""
    seconds = sum(trial.seconds for trial in found)
    count = sum(len(trial.kills) for trial in found)
    lines = [
        "# Kill -9 at random moments",
        "",
        f"`python -m torture kills --seed {seed} --kills {count}` at commit `{of}`, in {seconds / 60:.0f} minutes.",
        "",
        "| verb | kills | by time | at a change of the disk | in each tenth of the undisturbed run | runs | lost or"
        " different |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for name in VERBS:
        mine = [trial for trial in found if trial.verb == name]
        kills = [kill for trial in mine for kill in trial.kills]
        shares = sorted(share for trial in mine for share in trial.at)
        tenths = [sum(int(min(share, 0.999) * 10) == tenth for share in shares) for tenth in range(10)]
        by = [sum(kill.by == way for kill in kills) for way in ("seconds", "operations")]
        lines.append(
            f"| {name} | {len(kills)} | {by[0]} | {by[1]} | {' '.join(map(str, tenths))} |"
            f" {sum(trial.runs for trial in mine)} | {sum(bool(trial.wrong) for trial in mine)} |"
        )
    lines += [""]
    for trial in found:
        lines += [f"- {trial.verb} {trial.number}: {wrong}" for wrong in trial.wrong]
    return "\n".join(lines) + "\n"


def _kept(journal: Path, key: dict[str, Any]) -> list[Trial]:
    """What an earlier call of the same commit, seed and number has found."""
    if not journal.exists():
        return []
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    mine = [row["trial"] for row in rows if {name: row[name] for name in key} == key]
    return [Trial(**{**row, "kills": [Kill(**kill) for kill in row["kills"]]}) for row in mine]


def main(argv: list[str] | None = None) -> int:
    """Kill and compare; the table goes to `kills.md` in the folder. 1 if anything was lost or different."""
    words = argparse.ArgumentParser("python -m torture kills", description=__doc__)
    words.add_argument("--out", type=Path, default=None, help="Folder for the runs; what is done in it is kept.")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--kills", type=int, default=100)
    chosen = words.parse_args(argv)
    if chosen.out is None:
        chosen.out = Path(tempfile.mkdtemp(prefix="kills-"))
    chosen.out.mkdir(parents=True, exist_ok=True)
    out, key = chosen.out.resolve(), {"commit": commit(), "seed": chosen.seed, "kills": chosen.kills}
    journal = out / "kills.jsonl"
    found = _kept(journal, key)
    began = time.monotonic()
    for trial in trials(chosen.seed, chosen.kills, out, list(found)):
        trial.seconds = time.monotonic() - began
        began = time.monotonic()
        found.append(trial)
        row = {**key, "trial": asdict(trial)}
        with journal.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(trial.verb, trial.number, [round(share, 2) for share in trial.at], trial.wrong or "equal", flush=True)
    text = table(found, chosen.seed, str(key["commit"]))
    (out / "kills.md").write_text(text)
    print(text)
    return int(any(trial.wrong for trial in found))


if __name__ == "__main__":
    sys.exit(main())
