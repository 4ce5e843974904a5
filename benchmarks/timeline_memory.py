"""Peak memory of a timeline against the film's length: a process a film, above what imports and weights take.

    python benchmarks/timeline_memory.py [--weights default|tiny] [--minutes 1 10 60 120] [--every 0.5] [--size 640x360]

The films are made: a moving pattern and a changing tone. `tiny` is a method of a few numbers, so that what is measured
is the film's way through; it has a coarser map than the default, which the figures for `default` show beside it.
Prints a line a length: peak above the baseline, and the time it took. Exit 1 if two hours took more than LIMIT.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIMIT_BYTES = 1.5e9
FRAMES_PER_SECOND = 5
RATE = 16000


def make(path: Path, minutes: float, width: int, height: int) -> Path:
    """A film of so many minutes, written as it is made."""
    import numpy as np

    from soundspot.media.video import FilmWriter

    ground = np.random.default_rng(0).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    ground = ground.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    at = np.arange(RATE) / RATE
    with FilmWriter(path, width=width, height=height, frames_per_second=FRAMES_PER_SECOND, sample_rate=RATE) as writer:
        for second in range(round(60 * minutes)):
            for part in range(FRAMES_PER_SECOND):
                writer.write_frame(np.roll(ground, 4 * (second * FRAMES_PER_SECOND + part), axis=1))
            writer.write_sound((0.3 * np.sin(2 * np.pi * (200 + second % 50 * 60) * at))[None].astype(np.float32))
    return path


def tiny() -> Any:
    """A localizer of a method without weights to speak of."""
    import torch
    import torch.nn.functional as F

    from soundspot.localize.localizer import Localizer
    from soundspot.localize.timeline import Calibration
    from soundspot.methods.base import Method
    from soundspot.types import Inputs

    class Bright(Method):
        """Bright places where it is loud."""

        def __init__(self) -> None:
            super().__init__()
            self.inputs = Inputs(image_size=64, sample_rate=RATE, seconds=1.0, spectrogram="logmel")
            self.gain = torch.nn.Parameter(torch.ones(()))

        def localize(self, batch: Any) -> Any:
            return self.gain * F.adaptive_avg_pool2d(batch.image.mean(dim=1, keepdim=True), 8)[:, 0]

    return Localizer(Bright(), Calibration(4.0, -2.0))


def peak_bytes() -> int:
    """Of this process since it began its program (or since `forget_peak`); ru_maxrss would count its parent's too."""
    return 1024 * int(next(line.split()[1] for line in _status() if line.startswith("VmHWM:")))


def _status() -> Iterator[str]:
    yield from Path("/proc/self/status").read_text().splitlines()


def measure(film: Path, weights: str, every: float) -> None:
    """In a process of its own: bytes above the baseline, seconds, moments."""
    import numpy as np

    from soundspot.localize.localizer import Localizer

    localizer = tiny() if weights == "tiny" else Localizer.from_pretrained(weights)
    picture = np.zeros((64, 64, 3), np.uint8)
    localizer(picture, np.zeros(round(localizer.method.inputs.seconds * localizer.sample_rate), np.float32))
    baseline, begin = peak_bytes(), time.perf_counter()
    timeline = localizer.video(film, every_seconds=every)
    shares = timeline.shares()
    assert shares
    last = timeline.moments[len(timeline.moments) - 1]
    assert last.map.size
    print(peak_bytes() - baseline, time.perf_counter() - begin, len(timeline.moments), baseline)


def main() -> int:
    """Print a line a length; exit 1 if the longest of two hours or less takes more than LIMIT_BYTES."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", default="tiny")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 10, 60])
    parser.add_argument("--every", type=float, default=0.5)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--film", type=Path, help="Measure this film alone: what each process runs.")
    given = parser.parse_args()
    if given.film is not None:
        measure(given.film, given.weights, given.every)
        return 0
    width, height = map(int, given.size.split("x"))
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for minutes in given.minutes:
            film = make(Path(folder) / f"{minutes:g}.mp4", minutes, width, height)
            words = ["--film", str(film), "--weights", given.weights, "--every", str(given.every)]
            done = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True)
            above, seconds, moments, base = (float(word) for word in done.stdout.split()[-4:])
            worst = max(worst, above)
            print(
                f"{given.weights}, {minutes:g} min of {given.size}, a look every {given.every:g} s: {moments:.0f}"
                f" moments, peak {above / 1e6:.0f} MB above {base / 1e6:.0f} MB, {seconds:.0f} s"
                f" ({60 * minutes / seconds:.0f} times real time)",
                flush=True,
            )
            film.unlink()
    return int(worst > LIMIT_BYTES)


if __name__ == "__main__":
    raise SystemExit(main())
