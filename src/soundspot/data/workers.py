"""Processes that read clips beside the one that computes: how many, where nobody says, and how each begins."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from soundspot.types import Inputs, UserError

MOST_WORKERS = 8
BATCHES_AHEAD = 2
"""That each has ready at most (torch's prefetch_factor)."""
SHARED_MEMORY = Path("/dev/shm")  # nosec B108 # only asked how large it is
"""Through which batches come on Linux; containers often have 64 MB of it."""
HIGHEST_USUAL_RATE = 48000
"""Hz, for sound that keeps its file's own rate."""


def choose_workers(inputs: Inputs, num_clips: int, batch_size: int) -> int:
    """One a core that this process may use, at most 8 and one a batch; fewer where shared memory is short.

    0, which reads in this process, for a single batch: there is nothing to read while it is computed.
    """
    num_batches = -(-num_clips // batch_size)
    if num_batches < 2:
        return 0
    return min(usable_cores(), MOST_WORKERS, num_batches, _that_fit(batch_size * clip_bytes(inputs)))


def usable_cores() -> int:
    """Of this machine's cores, those that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def clip_bytes(inputs: Inputs) -> int:
    """What one clip takes on its way, about."""
    pixels = inputs.image_size**2
    frames = 1 + inputs.num_frames * ("frames" in inputs.views)
    flow = 8 * pixels * ("flow" in inputs.views)
    return 3 * pixels * frames + flow + 4 * int(inputs.seconds * (inputs.sample_rate or HIGHEST_USUAL_RATE))


def _that_fit(batch_bytes: int) -> int:
    """Workers whose batches fill at most half of the shared memory that is free."""
    if not SHARED_MEMORY.is_dir():
        return MOST_WORKERS
    there = os.statvfs(SHARED_MEMORY)
    # one more batch a worker is in the making
    return int(there.f_bavail * there.f_frsize / 2 / (batch_bytes * (BATCHES_AHEAD + 1)))


@contextmanager
def telling_of_dead_workers() -> Iterator[None]:
    """UserError in the place of torch's own, which comes up wherever this process stands when a worker was killed.

    Or of a line that broke: a batch is fetched from the worker that made it.
    """
    try:
        yield
    except RuntimeError as error:
        said = re.match(r"DataLoader worker \(pid.*", str(error))
        if said is None:
            raise
        raise _gone(said[0].rstrip(" .")) from error
    except (ConnectionResetError, ConnectionRefusedError, EOFError) as error:
        raise _gone("one that was killed") from error


def _gone(what: str) -> UserError:
    return UserError(
        f"expected the processes that read clips to last, got '{what}'; if memory ran out, ask for fewer of them; then"
        " resume"
    )


def begin_worker(number: int) -> None:
    """What a worker does first, forked as it is from a process whose other threads it did not get.

    Whatever the parent left for the garbage collector stays untouched: an ONNX session or a decoder among it would wait
    for its threads to end, for ever. OpenCV would wait for its own in the same way, so it is told to use none.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the one that computes answers, and ends them
    sys.excepthook = _tell
    gc.freeze()
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(0)


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A traceback, but not of a thread that was handing over a batch when the one that computes was stopped."""
    if not issubclass(kind, (ConnectionError, EOFError)):
        sys.__excepthook__(kind, error, trace)
