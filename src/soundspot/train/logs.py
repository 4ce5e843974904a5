"""What a run says while it runs: metrics.jsonl is the truth, TensorBoard and a progress bar stand on top of it."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from soundspot.media.files import naming

METRICS = "metrics.jsonl"


def without_nan(value: Any) -> Any:
    """The same with None for what is not a number: JSON has no word for it."""
    if isinstance(value, Mapping):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Metrics:
    """Appends one JSON line a measurement; numbers go to TensorBoard too, where that is installed."""

    def __init__(self, folder: Path, keep_bytes: int = 0) -> None:
        """Lines after `keep_bytes` are cut off: a resumed run writes them again."""
        self.path = folder / METRICS
        self.file = self.path.open("ab")
        self.file.truncate(min(keep_bytes, self.path.stat().st_size))
        self.board = _tensorboard(folder / "tensorboard")

    def write(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        line = json.dumps({"kind": kind, "step": step, **without_nan(values)}) + "\n"
        with naming(self.path):
            self.file.write(line.encode())
            self.file.flush()
        if self.board is not None:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self.board.add_scalar(f"{kind}/{name}", value, step)

    def position(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size

    def close(self) -> None:
        self.file.close()
        if self.board is not None:
            self.board.close()


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an extra view only: metrics.jsonl has it all
        return None
    return SummaryWriter(str(folder))


class Bar:
    """A progress bar on stderr with the speed in samples a second; silent when not wanted."""

    def __init__(self, what: str, total: int, done: int = 0, shown: bool = True) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )
        self.progress = Progress(*columns, console=Console(file=sys.stderr), disable=not shown)
        self.task = self.progress.add_task(what, total=total, completed=done, note="")

    def __enter__(self) -> Bar:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def advance(self, count: int = 1, note: str | None = None) -> None:
        self.progress.update(self.task, advance=count)
        if note is not None:
            self.progress.update(self.task, note=note)

    def to(self, done: int, total: int) -> None:
        """So many of so many are done, whatever was said before."""
        self.progress.update(self.task, completed=done, total=total)


class Clock:
    """Seconds since the run began, and samples a second lately (since the clock was last read for the log)."""

    def __init__(self) -> None:
        self.began = self.since = time.perf_counter()
        self.samples = 0
        self.last = 0.0

    def count(self, samples: int) -> None:
        self.samples += samples

    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def speed(self) -> float:
        """Of the samples since the last restart, or where there are none yet, what it was before it."""
        return self.samples / max(time.perf_counter() - self.since, 1e-9) if self.samples else self.last

    def restart(self) -> None:
        """Measure the speed from now on."""
        self.last = self.speed()
        self.since, self.samples = time.perf_counter(), 0
