"""A process that works on one thing after another, so that what brings it down or stops it takes nothing else along."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from soundspot.types import UserError

Alive = Callable[[], None]
"""Called by work that goes on for long, to say so."""
Work = Callable[[Any, Alive], Any]
Begin = Callable[[], Work]
"""Makes what the process works with, once; a function of a module, or a partial one."""
TRIES = 2
"""A process may be ended by somebody else: only what ends two in a row is taken to be the reason."""
START_SECONDS = 900.0
SIGN_SECONDS = 1.0
"""No more than one sign of life in so long."""


class Lost(RuntimeError):
    """Nothing came of a piece of work: the process that did it died over it, or stood still."""


class _Ended(RuntimeError):
    """The process is no more; how it ended."""


class Child:
    """Runs the work that `begin` gives in a process of its own, which is started when it is needed."""

    def __init__(self, begin: Begin, patience_seconds: float) -> None:
        self._begin, self._patience = begin, patience_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None

    def do(self, item: Any) -> Any:
        """What the work gives. Raises Lost where it gives nothing, UserError where it cannot begin."""
        for number in range(TRIES):
            try:
                return self._ask(item)
            except _Ended as ended:
                reason = f"expected a file that can be read, got one over which the process died twice ({ended})"
                if number + 1 == TRIES:
                    raise Lost(f"{reason}; look at it alone") from None
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the process, if there is one."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._line = None

    def _ask(self, item: Any) -> Any:
        line = self._line or self._start()
        try:
            line.send(item)
            return self._answer(line, self._patience)
        except (EOFError, ConnectionError):
            raise _Ended(self._end()) from None
        except TimeoutError:
            self.close()
            raise Lost(
                f"expected a file that can be read, got one over which nothing moved for {self._patience:g} s;"
                " look at it alone"
            ) from None

    def _answer(self, line: Connection, patience_seconds: float) -> Any:
        while True:
            if not line.poll(patience_seconds):
                raise TimeoutError
            kind, value = line.recv()
            if kind == "done":
                return value
            if kind == "refused":
                self.close()
                raise UserError(value)

    def _start(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # nosec B603 # words of ours alone
                [sys.executable, "-m", "soundspot.cluster.child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        line = self._line = Connection(ours.detach())
        try:
            line.send(self._begin)
            self._answer(line, START_SECONDS)
        except (EOFError, ConnectionError):
            raise RuntimeError(f"a process could not begin to work: {self._end()}") from None
        return line

    def _end(self) -> str:
        """How the process ended, now that its line is cut."""
        assert self._process is not None
        code = self._process.wait()
        self.close()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _serve(line: Connection) -> None:
    """What the process does: begin, then one item after another until nobody asks."""
    try:
        work = line.recv()()
    except UserError as error:
        line.send(("refused", str(error)))
        return
    line.send(("done", None))
    told = [time.monotonic()]

    def alive() -> None:
        if time.monotonic() - told[0] > SIGN_SECONDS:
            told[0] = time.monotonic()
            line.send(("alive", None))

    while True:
        try:
            item = line.recv()
        except EOFError:
            return
        line.send(("done", work(item, alive)))


def _end_with(parent: int) -> None:
    """Be no more when the process that started this one is not: a decoder that stands still would stay for good."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _serve(Connection(int(sys.argv[1])))
