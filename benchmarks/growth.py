"""How time and memory grow: with the number of clips, the batch, the map's size and the number of processes.

    python benchmarks/growth.py [--quick] [--only NAME ...] [--film FILM] [--plot docs/images/growth.png]

Each figure comes from a process of its own: seconds of the work alone (of short work the median of five times), and
how far the process's memory rose meanwhile above what its inputs take. A line a case: the exponents of time and memory,
fitted over all sizes and between the two largest, where 1 is linear and 0 does not grow. What is less than 20 ms or
8 MiB is noise and counts as so much; "-" stands where nothing is more. What grows faster than the bar, by 0.15, is
marked; exit 1 where anything is. Real media is decoded for 1,000 clips at most and projected from there.

Clips are made: maps and boxes by seed, files of no content where only names are read, and for decoding frames of 640 x
360 and ten seconds of sound from FILM (what `soundspot samples film` makes, if none).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from growth_cases import CASES, Case

CORES = 2
LEAST_SECONDS, LEAST_MIB = 0.02, 8.0
SLACK = 0.15
REPEATED_BELOW_SECONDS = 0.5
REPEATS = 5


@dataclass(frozen=True)
class Point:
    """What one size took."""

    size: int
    seconds: float
    mib: float


@dataclass(frozen=True)
class Growth:
    """A case at all its sizes."""

    case: Case
    points: list[Point]

    def exponents(self, what: str) -> tuple[float, float] | None:
        """Over all sizes, and between the two largest; None where the figures are too small to say."""
        least = LEAST_SECONDS if what == "seconds" else LEAST_MIB
        values = [max(getattr(point, what), least) for point in self.points]
        if max(values) == least:
            return None
        sizes, values = np.log([point.size for point in self.points]), np.log(values)
        return float(np.polyfit(sizes, values, 1)[0]), float(np.diff(values)[-1] / np.diff(sizes)[-1])

    def grows_too_fast(self) -> bool:
        """Whether time or memory does, at the large end, where what is constant matters least."""
        bars = (("seconds", self.case.bar), ("mib", self.case.memory_bar))
        found = [(self.exponents(what), bar) for what, bar in bars]
        return any(exponents is not None and min(exponents) > bar + SLACK for exponents, bar in found)


def peak_mib(anew: bool = False) -> float:
    """MiB that this process held at most since the peak was last taken `anew`."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("expected VmHWM in /proc/self/status; this benchmark needs Linux")


def measure(case: Case, size: int, film: Path | None) -> Point:
    """Time and memory of one size, in this process."""
    with tempfile.TemporaryDirectory() as name:
        work = case.prepare(size, Path(name), film)
        gc.collect()
        before = peak_mib(anew=True)
        seconds, given = timed(work)
        rose = peak_mib() - before
        if isinstance(given, dict):  # processes of its own, which measured themselves
            return Point(size, given["seconds"], given["mib"])
        if case.repeat and seconds < REPEATED_BELOW_SECONDS:
            seconds = statistics.median([seconds, *(timed(work)[0] for _ in range(REPEATS - 1))])
    return Point(size, seconds, rose)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = perf_counter()
    given = work()
    return perf_counter() - began, given


def in_a_process(case: Case, size: int, film: Path | None) -> Point:
    words = [sys.executable, __file__, "--one", case.name, str(size), *([] if film is None else ["--film", str(film)])]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return Point(**json.loads(done.stdout.splitlines()[-1]))


def line(growth: Growth) -> str:
    """A row of the table."""
    sizes = " ".join(f"{point.seconds:9.3f}" for point in growth.points)
    held = " ".join(f"{point.mib:7.1f}" for point in growth.points)
    slopes = exponent_text(growth, "seconds"), exponent_text(growth, "mib")
    text = f"{growth.case.name:34} {sizes} s  {slopes[0]}  {held} MiB  {slopes[1]}"
    last = growth.points[-1]
    if growth.case.projected_to:
        whole = last.seconds * growth.case.projected_to / last.size
        text += f"  ({growth.case.projected_to:,} clips: {whole / 60:.0f} minutes of one process)"
    return text + ("  GROWS TOO FAST" if growth.grows_too_fast() else "")


def exponent_text(growth: Growth, what: str) -> str:
    found = growth.exponents(what)
    return "   -    -" if found is None else f"{found[0]:4.2f} {found[1]:4.2f}"


def print_table(found: Sequence[Growth]) -> None:
    for axis in dict.fromkeys(growth.case.axis for growth in found):
        print(f"\nagainst {axis} (the bar is 1 for time and memory, where no other is named)")
        for growth in found:
            if growth.case.axis == axis:
                sizes = " ".join(f"{point.size:9,}" for point in growth.points)
                print(f"{'':34} {sizes}{growth.case.bar_text()}")
                print(line(growth))


def draw(found: Sequence[Growth], path: Path) -> None:
    """Time above, memory below, a column for what grows; the dashed line is linear growth."""
    import matplotlib.pyplot as plt

    axes_names = list(dict.fromkeys(growth.case.axis for growth in found))
    figure, grid = plt.subplots(
        2, len(axes_names), figsize=(4.1 * len(axes_names), 8.2), sharex="col", layout="constrained", squeeze=False
    )
    for column, name in enumerate(axes_names):
        chosen = [growth for growth in found if growth.case.axis == name]
        for row, (what, unit, least) in enumerate((("seconds", "seconds", 0.0), ("mib", "MiB", LEAST_MIB))):
            panel(grid[row][column], chosen, what, least)
            grid[row][0].set_ylabel(unit)
        grid[0][column].set_title(f"against {name}", loc="left", fontsize=10)
        grid[1][column].set_xlabel(name)
        handles, labels = grid[0][column].get_legend_handles_labels()
        grid[1][column].legend(
            handles, labels, loc="upper left", bbox_to_anchor=(-0.02, -0.2), fontsize=8, frameon=False
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


SHOWN_FROM = {"seconds": 1e-3, "mib": 1.0}
"""What is less is drawn there."""
COLOURS = ("#0b62a4", "#d1495b", "#2a9d55", "#8d5fb8", "#c98a00", "#3bb0c9", "#6b4f3a", "#e377a2", "#707070", "#9aa832")


def panel(axes: Any, chosen: Sequence[Growth], what: str, least: float) -> None:
    """One figure, both axes logarithmic; figures that say nothing are left out."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set(xscale="log", yscale="log")
    highest: list[tuple[float, float, float]] = []
    for growth, colour in zip(chosen, COLOURS, strict=False):
        sizes = [point.size for point in growth.points]
        values = [getattr(point, what) for point in growth.points]
        if max(values) < least:
            axes.plot([], [], color=colour, marker="o", label=growth.case.name)
            continue
        axes.plot(
            sizes, np.maximum(values, SHOWN_FROM[what]), color=colour, marker="o", ms=4, lw=1.4, label=growth.case.name
        )
        highest.append((sizes[0], sizes[-1], max(values)))
    if not highest:
        axes.text(0.5, 0.5, f"all below {least:g}", transform=axes.transAxes, ha="center", color="#666666")
        return
    first, last, top = min(each[0] for each in highest), max(each[1] for each in highest), max(h[2] for h in highest)
    axes.plot([first, last], [1.6 * top * first / last, 1.6 * top], color="#888888", ls="--", lw=1, label="linear")
    ticks = sorted({point.size for growth in chosen for point in growth.points})
    axes.set_xticks(ticks, [f"{tick // 1000}k" if tick % 1000 == 0 else str(tick) for tick in ticks], fontsize=9)
    low, high = axes.get_ylim()
    steps = (1, 1.5, 2, 3, 5, 7) if high / low < 10 else (1, 2, 5) if high / low < 1e3 else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=steps))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()
    axes.grid(color="#e4e4e4", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: that it works, not how things grow")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of cases, or parts of them")
    parser.add_argument("--film", type=Path)
    parser.add_argument("--plot", type=Path, help="a picture to draw (extra `plot`)")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "SIZE"), help="measure in this process and print JSON")
    given = parser.parse_args()
    cases = {case.name: case for case in CASES if case.needs is None or find_spec(case.needs) is not None}
    if given.one:
        point = measure(cases[given.one[0]], int(given.one[1]), given.film)
        print(json.dumps(vars(point)))
        return
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(len(cores))
    print(
        f"{len(cores)} cores, {platform.machine()}, Python {sys.version.split()[0]}, load"
        f" {os.getloadavg()[0]:.1f} before"
    )
    if given.film is None:
        from real_media import default_film

        given.film = default_film()
    chosen = [case for case in cases.values() if not given.only or any(part in case.name for part in given.only)]
    began, found = perf_counter(), []
    for case in chosen:
        sizes = case.quick if given.quick else case.sizes
        found.append(Growth(case, [in_a_process(case, size, given.film) for size in sizes]))
        print(f"{perf_counter() - began:4.0f} s: {case.name}", file=sys.stderr, flush=True)
    print_table(found)
    print(f"\n{perf_counter() - began:.0f} s in all")
    if given.plot is not None:
        draw(found, given.plot)
        print(given.plot)
    if any(growth.grows_too_fast() for growth in found) and not given.quick:
        sys.exit(1)


if __name__ == "__main__":
    main()
