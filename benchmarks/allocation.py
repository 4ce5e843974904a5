"""A training step on the CPU with freed memory kept by the process, against the same step as the C library has it.

    python benchmarks/allocation.py [--rounds 3]

Each round runs both in processes of their own, one after the other; the medians of the steps after the first count.
The step: EZ-VSL at 224, two ResNet-18 from random weights, 16 made clips, forward, backward and Adam.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from time import perf_counter

STEPS = 6
CLIPS = 16


def measure(kept: bool) -> dict[str, object]:
    """Seconds a step, page faults and the most memory held, in this process."""
    from soundspot.train.allocation import keep_freed_memory

    if kept:
        keep_freed_memory()
    import torch

    from soundspot.methods import build
    from soundspot.types import Batch

    torch.manual_seed(0)
    method = build("ez_vsl").train()
    optimizer = torch.optim.Adam(method.parameters())
    batch = Batch(
        image=torch.randn(CLIPS, 3, 224, 224),
        audio=torch.randn(CLIPS, 1, 257, 300),
        clip_ids=tuple(map(str, range(CLIPS))),
    )
    seconds = []
    for _ in range(STEPS):
        began = perf_counter()
        optimizer.zero_grad()
        torch.stack(list(method.loss(batch).values())).sum().backward()
        optimizer.step()
        seconds.append(perf_counter() - began)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"seconds": seconds[1:], "faults": used.ru_minflt, "gib": used.ru_maxrss / 2**20, "system": used.ru_stime}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=("kept", "returned"), help="measure in this process and print JSON")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one == "kept")))
        return
    found: dict[str, list[dict]] = {"returned": [], "kept": []}
    for _ in range(given.rounds):
        for name, runs in found.items():
            words = [sys.executable, __file__, "--one", name]
            runs.append(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))
    medians = {}
    for name, runs in found.items():
        medians[name] = statistics.median(second for run in runs for second in run["seconds"])
        last = runs[-1]
        print(
            f"{name}: {medians[name]:.3f} s a step of {CLIPS} clips, {last['faults']:,} page faults,"
            f" {last['system']:.1f} s in the system, {last['gib']:.2f} GiB at most"
        )
    print(f"memory kept: {medians['returned'] / medians['kept']:.2f} times as fast")


if __name__ == "__main__":
    main()
