"""The delay of `soundspot live`, end to end: from a picture's being written to a pipe to its line.

    python benchmarks/live_delay.py [--film FILM] [--weights default] [--every 0.5] [--warm 15]

A real process; the film is played into it as MPEG-TS at its own speed, once what it imports is there. Prints the stated
delay, the median and the 95th percentile of what was measured outside and of what the lines say, and what was left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from live_feed import feed, written_at


def main() -> None:
    """Play, listen, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--film", type=Path)
    parser.add_argument("--weights", default="default")
    parser.add_argument("--every", default="0.5")
    parser.add_argument("--warm", type=float, default=15.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        film = given.film or _sample(Path(folder))
        words = ["live", "-", "--weights", given.weights, "--every", given.every]
        line = [sys.executable, "-c", "from soundspot.cli import main; main()", *words]
        running = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert running.stdin is not None
        assert running.stdout is not None
        lines: list[tuple[float, dict]] = []
        source = running.stdout
        reader = threading.Thread(target=lambda: lines.extend((time.monotonic(), json.loads(row)) for row in source))
        reader.start()
        time.sleep(given.warm)
        written = feed(film, running.stdin)
        running.stdin.close()
        running.wait()
        reader.join()
    outside = [came - written_at(written.pictures, row["time_seconds"]) for came, row in lines]
    inside = [row["delay_seconds"] for _, row in lines]
    print(f"stated {lines[0][1]['stated_delay_seconds']:.2f} s; {len(lines)} lines, {lines[-1][1]['dropped']} left out")
    for name, values in (("measured outside", outside), ("as the lines say", inside)):
        middle, most = np.percentile(values, [50, 95])
        print(f"{name}: median {middle:.2f} s, 95 of 100 within {most:.2f} s")


def _sample(folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-c", "from soundspot.cli import main; main()", "samples", "film", "--root", str(folder)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return folder / "film.mp4"


if __name__ == "__main__":
    main()
