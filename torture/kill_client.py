"""What the tests hold of the warm process that forks the verbs: see kill_server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

PART_BYTES = 128
"""Of predictions, in the place of 64 MiB: so that small ones come in several parts too."""
MOST_SECONDS = 300.0
"""For a run that nobody kills."""
REPO = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Ended:
    """How a run of a verb ended."""

    code: int
    pid: int
    seconds: float
    operations: int
    said: str

    @property
    def killed(self) -> bool:
        """With -9."""
        return self.code == -signal.SIGKILL


class Server:
    """The warm process, from its start to its end."""

    def __init__(self, *before: str) -> None:
        self.before = before
        """The words of a command that runs it."""

    def __enter__(self) -> Server:
        here = {"PYTHONPATH": os.pathsep.join([str(REPO / "src"), str(REPO), os.environ.get("PYTHONPATH", "")])}
        self.process = subprocess.Popen(
            [*self.before, sys.executable, "-m", "torture.kill_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **here, "OMP_NUM_THREADS": "1"},
            cwd=REPO,
        )
        assert self.process.stdout is not None
        if not self.process.stdout.readline():
            raise RuntimeError("expected the warm process to be ready, got its end; its words are above")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(MOST_SECONDS)

    def run(
        self,
        words: list[str],
        folder: Path,
        *,
        processes: bool,
        seconds: float | None = None,
        operation: int | None = None,
        signal: int = signal.SIGKILL,
        to: str = "group",
        deadly: str = "",
        quiet_seconds: float = 900.0,
    ) -> Ended:
        """Run `soundspot` with these words in `folder`, killed after some seconds, or sent a signal at an operation.

        `processes`: those that the verb starts are started anew, as for any user; else forked from the warm one.
        """
        log = folder.with_suffix(".log")
        start = log.stat().st_size if log.exists() else 0
        asked = {
            "words": words,
            "folder": str(folder),
            "log": str(log),
            "tally": str(folder.with_suffix(".operations")),
            "seconds": seconds,
            "operation": operation,
            "signal": int(signal),
            "to": to,
            "deadly": deadly,
            "quiet_seconds": quiet_seconds,
            "forked": not processes,
            "most_seconds": MOST_SECONDS,
            "part_bytes": PART_BYTES,
        }
        return Ended(**self._answer(asked), said=log.read_bytes()[start:].decode(errors="replace"))

    def other(self, *command: str) -> None:
        """Run another program where the verbs run."""
        done = self._answer({"command": command})
        if done["code"]:
            raise RuntimeError(f"expected {' '.join(command)} to end well, got {done['code']}: {done['said']}")

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer
