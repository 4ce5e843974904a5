"""A process that has imported all that the verbs need, and forks one that runs a verb, so that a kill costs little.

It reads a JSON object a line and answers with one. The forked process leads a group of its own, which is killed as a
whole: at a moment, or before the n-th time that any of its processes changes something on the disk.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

COUNTED = "TORTURE_OPERATIONS"
"""In the environment: a file that grows by a byte before each change of the disk, whichever process makes it."""
KILLED_AT = "TORTURE_KILLED_AT"
"""In the environment: before which of these changes the signal is sent; 0 for none."""
SIGNAL = "TORTURE_SIGNAL"
"""In the environment: its number, and "group", "leader" or "others" than that, which of them get it."""
DEADLY = "TORTURE_DEADLY"
"""In the environment: "kills" or "hangs" and a text: so ends a process that the leader has started, and not the leader
itself, before a change whose path holds the text."""
CHANGES = frozenset({"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "fcntl.flock", "shutil.rmtree"})
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
FAILED = 70
"""Exit code where the verb ended with a traceback."""
ELSEWHERE = ("/dev/", "/proc/", "/sys/", "/tmp/")


def count_changes() -> None:
    """Count what this process changes on the disk, and kill its group where that is wanted."""
    if not os.environ.get(COUNTED):
        return
    tally = os.open(os.environ[COUNTED], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    last = int(os.environ[KILLED_AT])
    number, to = os.environ[SIGNAL].split()
    how, _, deadly = os.environ[DEADLY].partition(" ")

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if not _is_change(event, given):
            return
        os.write(tally, b".")
        if os.fstat(tally).st_size == last:
            for pid in _meant(to):
                os.kill(pid, int(number))
        if deadly and deadly in str(given) and os.getpid() != os.getpgrp():
            time.sleep(3600 if how == "hangs" else 0)
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _meant(to: str) -> list[int]:
    """Whom `os.kill` is to be given: 0 is the group."""
    if to != "others":
        return [0 if to == "group" else os.getpgrp()]
    found = [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat")]
    return [pid for pid in found if pid != os.getpgrp() and _group_of(pid) == os.getpgrp()]


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:  # it ended meanwhile
        return 0


def _is_change(event: str, given: tuple[Any, ...]) -> bool:
    if event == "open":
        path, _, flags = given
        return bool(flags & WRITING) and not str(path).startswith(ELSEWHERE) and not isinstance(path, int)
    return event in CHANGES


def warm() -> None:
    """Import what the verbs import when they run."""
    import torch

    import soundspot.cli
    import soundspot.data.pack
    import soundspot.localize.exports.parquet
    import soundspot.localize.folder
    import soundspot.methods.ez_vsl
    import soundspot.predict
    import soundspot.train.loop
    import soundspot.train.packing  # noqa: F401

    torch.set_num_threads(1)
    threads = len(list(Path("/proc/self/task").glob("*")))
    assert threads <= 1, f"a process with {threads} threads must not be forked"


def run_verb(asked: dict[str, Any]) -> None:
    """In the forked process: never returns."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job would ignore
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, to in ((0, nothing), (1, log), (2, log)):
        os.dup2(to, number)
    os.chdir(asked["folder"])
    os.environ[COUNTED], os.environ[KILLED_AT] = asked["tally"], str(asked["operation"] or 0)
    os.environ[SIGNAL] = f"{asked['signal']} {asked['to']}"
    os.environ[DEADLY] = asked["deadly"]
    count_changes()
    from soundspot import predictions
    from soundspot.cli import main
    from soundspot.localize import folder

    predictions._PART_BYTES = asked["part_bytes"]
    folder.QUIET_SECONDS = asked["quiet_seconds"]
    sys.argv = ["soundspot", *asked["words"]]
    if asked["forked"]:
        _fork_processes()
    code = FAILED
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        if code == FAILED:
            traceback.print_exc()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _fork_processes() -> None:
    """Fork the verb's own processes from this one, which is safe as it has one thread, and spares them the imports."""
    context = multiprocessing.get_context
    multiprocessing.get_context = lambda method=None: context("fork")  # type: ignore[assignment]


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Run the verb, kill it where that is asked for, and tell how it ended."""
    Path(asked["tally"]).unlink(missing_ok=True)
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        run_verb(asked)
    with suppress(PermissionError, ProcessLookupError):  # it did so itself, or has ended already
        os.setpgid(pid, pid)
    limit = asked["seconds"] if asked["seconds"] is not None else asked["most_seconds"]
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() - began >= limit:
            os.killpg(pid, signal.SIGKILL)  # which exists, as its leader has not been waited for
            limit = float("inf")
        time.sleep(0.001)
    seconds = time.monotonic() - began
    _, status = os.waitpid(pid, 0)
    operations = Path(asked["tally"]).stat().st_size if Path(asked["tally"]).exists() else 0
    code = os.waitstatus_to_exitcode(status)
    return {"code": code, "pid": pid, "seconds": seconds, "operations": operations}


def other(command: list[str]) -> dict[str, Any]:
    """Another program, run where this process sees it: its name space may be its own."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"code": done.returncode, "said": done.stdout + done.stderr}


def main() -> None:
    """Answer until there is nothing more to read."""
    warm()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(answer(asked) if "words" in asked else other(asked["command"])), flush=True)


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__":  # a process that the verb has started imports this file too
    count_changes()
