"""A process that runs one command after another as the command line would, and says of each how it ended.

It imports and loads once what every command needs. Jobs come on stdin and answers go to the first stdout, a JSON object
a line; what a command prints goes to files.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

MIB = 2**20


def memory(name: str, process: int | str = "self") -> int:
    """Bytes that /proc says of a process: VmRSS now, VmHWM at most."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    """Warm up, say so, then work until stdin ends."""
    weights = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    printed = Path(f"/tmp/torture-{os.getpid()}.out"), Path(f"/tmp/torture-{os.getpid()}.err")
    held = warm_up(weights)
    base = memory("VmRSS")
    print(json.dumps({"ready": True, "base_bytes": base}), file=answers, flush=True)
    try:
        for line in sys.stdin:
            answer = run(json.loads(line), printed)
            print(json.dumps(answer), file=answers, flush=True)
    finally:
        del held
        for path in printed:
            path.unlink(missing_ok=True)


def warm_up(weights: list[str]) -> list[Any]:
    """All imports that the commands make, and the weights they load, so that neither counts for a file."""
    import torch

    from soundspot.weights import find_weights, load

    torch.set_num_threads(1)
    return [load(find_weights(each), device="cpu") for each in weights]


def run(job: dict[str, Any], printed: tuple[Path, Path]) -> dict[str, Any]:
    """The real entry point with these words, in this folder."""
    from soundspot.cli import main as entry

    sys.argv = ["soundspot", *job["words"]]
    os.chdir(job["folder"])
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    began = time.monotonic()
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    files = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600) for path in printed]
    fault = ""
    code: int | None
    try:
        os.dup2(files[0], 1)
        os.dup2(files[1], 2)
        try:
            entry()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except BaseException:  # noqa: BLE001  # a traceback is what is looked for
            code, fault = None, traceback.format_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        for number, old in enumerate(kept, 1):
            os.dup2(old, number)
            os.close(old)
        for file in files:
            os.close(file)
    out, err = (path.read_bytes().decode("utf-8", "replace") for path in printed)
    seconds = time.monotonic() - began
    return {"code": code, "out": out, "err": err, "fault": fault, "seconds": seconds, "peak_bytes": memory("VmHWM")}


if __name__ == "__main__":
    main()
