"""How long `soundspot --help` takes once bytecode exists, beside `python -c pass`: best of five, with their ratio."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

LIMIT_SECONDS = 0.3


def best_of_five(command: list[str]) -> float:
    """Seconds of the fastest of five runs, after one that is not counted."""
    times = []
    for _ in range(6):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def main() -> int:
    """Print both and their ratio; exit 1 above the limit."""
    ours = best_of_five([str(Path(sys.executable).with_name("soundspot")), "--help"])
    bare = best_of_five([sys.executable, "-c", "pass"])
    print(
        f"soundspot --help {ours:.3f} s, python -c pass {bare:.3f} s, ratio {ours / bare:.1f}, limit {LIMIT_SECONDS} s"
    )
    return int(ours >= LIMIT_SECONDS)


if __name__ == "__main__":
    raise SystemExit(main())
