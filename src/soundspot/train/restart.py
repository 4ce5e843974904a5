"""What a run does when `torchrun`'s agent starts its processes anew, after one of them died."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from soundspot.misread import parse_json
from soundspot.train import checkpoint
from soundspot.train.distributed import restarts
from soundspot.train.report import write_json
from soundspot.types import UserError

MARK = "launch.json"
"""In the run's folder: which launch it belongs to."""


def goes_on(out: Path, *, resume: bool, first: bool) -> bool:
    """Whether a run has to go on from a checkpoint in `out`: as asked for, or since its launch left one there.

    A launch knows its own run by a mark that its first attempt leaves: the agent also starts anew what was refused.
    Raises UserError, on the first rank, where a run lies there that is not this launch's.
    """
    if resume:
        return True
    there = any((out / name).exists() for name in (checkpoint.CURRENT, checkpoint.PREVIOUS))
    if there and restarts() and _marked(out) == _launch():
        return True
    if there and first:
        raise UserError(f"expected an empty folder, got {out} with a run in it; resume it, or choose another out")
    if first and _launch():
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / MARK, {"launch": _launch()})
    return False


def note(step: int) -> list[str]:
    """For the summary: that there were restarts, and from which step the last one went on; nothing without any."""
    count = restarts()
    return [f"started anew by torchrun's agent {count} times, the last time from step {step}"] if count else []


def _launch() -> str:
    """What all attempts of one launch have in common, and another launch has not; "" without `torchrun`.

    The rendezvous' id; where it has none, the agent that started this process: the first rank keeps its own then.
    """
    name = os.environ.get("TORCHELASTIC_RUN_ID", "")
    return f"{socket.gethostname()}/{os.getppid()}" if name == "none" else name


def _marked(out: Path) -> str | None:
    try:
        return str(parse_json((out / MARK).read_bytes())["launch"])
    except (FileNotFoundError, LookupError, TypeError, ValueError):
        return None
