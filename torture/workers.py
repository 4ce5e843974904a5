"""The other side of a worker: hand it a job, watch its time and memory, end it where it does not end, start it anew."""

from __future__ import annotations

import json
import os
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torture.worker import MIB, memory

LIMIT_SECONDS = 60.0
"""For one command over one file."""
LIMIT_MIB = 1024
"""Above what imports and weights take."""
ENDED_MIB = 4096
"""From here on a worker is ended before it takes the machine down."""
START_SECONDS = 300.0
LOOK_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class Ended:
    """How a command ended: an exit code, or what stopped it."""

    code: int | None
    out: str
    err: str
    fault: str
    """A traceback, or "" ; or what became of the process."""
    seconds: float
    peak_mib: float
    """Above the worker's own, its children counted in."""


class Worker:
    """One process, begun when it is first needed; after the words `inside` of a shell, in a namespace of its own."""

    def __init__(self, weights: Sequence[str], inside: str = "") -> None:
        self.weights, self.inside = list(weights), inside
        self.process: subprocess.Popen[str] | None = None
        self.base_bytes = 0

    def run(self, words: Sequence[str], folder: Path) -> Ended:
        """A command to its end, or to the end of its time."""
        process = self.process or self._start()
        assert process.stdin is not None
        process.stdin.write(json.dumps({"words": list(words), "folder": str(folder)}) + "\n")
        process.stdin.flush()
        began = time.monotonic()
        children = 0
        for children in self._watch(process, began + LIMIT_SECONDS):
            if memory_or_0(process.pid) + children - self.base_bytes > ENDED_MIB * MIB:
                return self._lost(began, f"ended at {ENDED_MIB} MiB")
        answer = self._answer(process)
        if answer is None:
            late = time.monotonic() - began >= LIMIT_SECONDS
            if not late:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(5.0)  # its line ends a moment before it does
            return self._lost(began, f"no end after {LIMIT_SECONDS:.0f} s" if late else "the process came to an end")
        peak = (answer.pop("peak_bytes") + self._children_peak - self.base_bytes) / MIB
        return Ended(**answer, peak_mib=max(0.0, peak))

    def close(self) -> None:
        """End the process."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.process = None

    def _start(self) -> subprocess.Popen[str]:
        line = [sys.executable, "-m", "torture.worker", *self.weights]
        if self.inside:
            line = ["unshare", "-Urm", "sh", "-c", f"{self.inside} && exec {shlex.join(line)}"]
        root = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self.process = process
        for _ in self._watch(process, time.monotonic() + START_SECONDS):
            pass
        answer = self._answer(process)
        if answer is None:
            self.close()
            raise RuntimeError("a worker did not start")
        self.base_bytes = answer["base_bytes"]
        return process

    def _watch(self, process: subprocess.Popen[str], until: float) -> Iterator[int]:
        """The bytes that its children take, again and again, until it says something, ends, or the time is over."""
        self._children_peak = 0
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            self._said = False
            while time.monotonic() < until:
                if selector.select(LOOK_EVERY_SECONDS):
                    self._said = True
                    return
                now = sum(memory_or_0(child) for child in children_of(process.pid))
                self._children_peak = max(self._children_peak, now)
                yield now

    def _answer(self, process: subprocess.Popen[str]) -> dict[str, Any] | None:
        assert process.stdout is not None
        line = process.stdout.readline() if self._said else ""
        return json.loads(line) if line else None

    def _lost(self, began: float, why: str) -> Ended:
        process = self.process
        peak = 0.0 if process is None else max(0.0, (memory_or_0(process.pid) - self.base_bytes) / MIB)
        code = None if process is None else process.poll()
        self.close()
        told = f"{why} (by signal {-code})" if code is not None and code < 0 else why
        return Ended(None, "", "", told, time.monotonic() - began, peak)


def memory_or_0(process: int) -> int:
    """Its VmHWM, if it is still there."""
    try:
        return memory("VmHWM", process)
    except OSError:
        return 0


def children_of(process: int) -> list[int]:
    """All processes below it."""
    found = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            direct = [int(child) for child in task.read_text().split()]
        except OSError:
            continue
        found += [each for child in direct for each in (child, *children_of(child))]
    return found
