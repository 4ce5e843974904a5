"""`python -m fuzz TARGET|all --minutes N [--out FOLDER]`: coverage-guided fuzzing by hand, a process a target."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzz.aim import Aim

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # small trees of every data set are written by the tests' layouts
GROUPS = ("annotations", "texts", "containers")
"""Modules of this package, in the order of how long their imports take: those after a target's own are left out."""
MOST_CHARACTERS = 65_536
"""Of an input: readers see some kilobytes at a time, deep nesting included."""
MEMORY_MB = 4096
SLOWEST_SECONDS = 30
SPOIL_SHARE = 0.7
"""Of the inputs, how many are spoilt as valid files are; libFuzzer changes the bytes of the others."""


def main() -> int:
    """0: nothing was found; 1: something was, and lies in the folder."""
    words = argparse.ArgumentParser("fuzz", description=__doc__)
    words.add_argument("target", help="A name of fuzz.targets.TARGETS, or all.")
    words.add_argument("--minutes", type=float, default=5.0, help="For each target.")
    words.add_argument("--out", type=Path, default=ROOT / "fuzz-out", help="Where inputs that do harm are put.")
    words.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.here:  # before anything of soundspot is imported, so that atheris can count what is reached
        _run(given.target, given.minutes, given.out)
    names = _names(given.target)
    found = [name for name in names if _in_process(name, given.minutes, given.out)]
    print(f"{len(names)} targets, {len(found)} with findings{': ' + ', '.join(found) if found else ''}")
    return 1 if found else 0


def _names(target: str) -> list[str]:
    from fuzz.targets import TARGETS
    from soundspot.lookup import find
    from soundspot.types import UserError

    if target == "all":
        return list(TARGETS)
    try:
        find(TARGETS, target, "target")
    except UserError as error:
        raise SystemExit(f"fuzz: {error}") from None
    return [target]


def _in_process(name: str, minutes: float, out: Path) -> bool:
    """Whether something was found; libFuzzer ends a process on its first finding."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.txt"
    words = [sys.executable, "-m", "fuzz", name, "--minutes", str(minutes), "--out", str(out), "--here"]
    began = time.monotonic()
    with log.open("w") as file:
        ended = subprocess.run(words, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False)
    lines = log.read_text(errors="replace").splitlines()
    if any("No module named 'atheris'" in line for line in lines):
        raise SystemExit("fuzz: expected the package atheris, got none; install the extra: pip install -e '.[fuzz]'")
    done = [line for line in lines if line.startswith("stat::number_of_executed_units")]
    count = done[-1].split()[-1] if done else "?"
    how = "FOUND" if ended.returncode else "fine"
    print(f"{name}: {count} executions in {time.monotonic() - began:.0f} s, {how}", flush=True)
    for line in (line for line in lines if ended.returncode and "Finding" in line):
        print(f"    {line[:300]}", flush=True)
    return ended.returncode != 0


def _run(name: str, minutes: float, out: Path) -> None:
    """Fuzz in this process, which ends here."""
    import atheris

    with atheris.instrument_imports(include=["soundspot", "json", "csv", "numpy.lib"]):
        groups = (import_module(f"fuzz.{group}").AIMS for group in GROUPS)
        aim: Aim = next(aims[name] for aims in groups if name in aims)
    from fuzz.mutations import MUTATIONS, spoilt

    names = list(MUTATIONS)
    examples = list(aim.examples())
    seeds = out / name / "seeds"
    seeds.mkdir(exist_ok=True)
    for number, example in enumerate(examples):
        (seeds / f"{number}").write_bytes(example)

    def change(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() > SPOIL_SHARE:
            return bytes(atheris.Mutate(data, most))
        ways = [(random.choice(names), random.randrange(2**32)) for _ in range(random.choice((1, 1, 2, 3)))]
        return spoilt(random.choice((data, random.choice(examples))), ways)[:most]

    options = {
        "max_total_time": round(60 * minutes), "max_len": MOST_CHARACTERS, "timeout": SLOWEST_SECONDS,
        "rss_limit_mb": MEMORY_MB, "artifact_prefix": f"{out / name}/", "print_final_stats": 1,
    }  # fmt: skip
    words = [sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(seeds)]

    def take(data: bytes) -> None:
        aim(data)

    atheris.Setup(words, take, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    raise SystemExit(main())
