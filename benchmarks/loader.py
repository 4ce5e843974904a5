"""Clips to training batches, a core: packed, resident and from files, against the papers' way on the same media.

    python benchmarks/loader.py [--film FILM] [--count 256] [--rounds 5] [--workers 0]

All ways give what EZ-VSL trains on: pictures of 224 (shorter side to 246, crop, mirror, normalised) and log
spectrograms (257 x 200) of 3 s at 16 kHz, in batches of 16. The papers' way decodes the whole JPEG, resizes all of it,
reads the whole 10 s WAV and takes SciPy's spectrogram in each item; ours takes the window and one spectrogram a batch.
Without workers everything runs in this process on one thread, so that samples a second are those of one core; the ways
take turns in every round, and medians count. With --workers N they run as in training, in N processes.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter

import torch
from papers_way import PapersClips
from real_media import frames_and_sounds
from torch.utils.data import DataLoader

from soundspot.data.pack import pack
from soundspot.data.resident import Resident
from soundspot.data.shards import Packed
from soundspot.data.training import Plan, TrainingSet, training_batches
from soundspot.methods import build
from soundspot.train.allocation import keep_freed_memory
from soundspot.train.clips import listed_clips
from soundspot.train.recipe import DataSpec

BATCH = 16
SIZES = ((640, 360), (1280, 720))
BARS = {(640, 360): 5.0, (1280, 720): 12.0}
"""How many times the papers' way the packed one must be, a core."""
Pass = Callable[[], Iterable[object]]


def ways_of(folder: Path, count: int, workers: int) -> dict[str, Pass]:
    """What runs once over all clips, by name."""
    inputs = build("ez_vsl").inputs
    pairs, _, _ = listed_clips(DataSpec("vggsound"), folder)
    began = perf_counter()
    written = pack(pairs, inputs, folder / "packed")
    seconds = perf_counter() - began
    size = written.num_bytes / written.clips / 1024
    print(f"  packed in {seconds:.1f} s by as many processes as cores, {size:.0f} KiB a clip")
    files = TrainingSet(pairs, inputs, seed=0)
    packed = TrainingSet(pairs, inputs, seed=0, packed=Packed.at(folder / "packed"))
    for training in (files, packed):
        training.settle_sample_rate()
    plan = Plan(count, BATCH)
    held = Resident(packed, torch.device("cpu"), 0)
    peer = PapersClips(folder)

    def papers() -> Iterable[object]:
        return DataLoader(peer, batch_size=BATCH, shuffle=True, drop_last=True, num_workers=workers)

    def ours(training: TrainingSet) -> Iterator[object]:
        for stacks, _ in training_batches(training, plan, epochs=1, num_workers=workers):
            yield stacks[0].to_batch(inputs, "cpu")

    def resident() -> Iterator[object]:
        for stacks, _ in held.batches(plan, 1, 0, 0):
            yield stacks[0].to_batch(inputs, "cpu")

    return {"papers": papers, "files": lambda: ours(files), "packed": lambda: ours(packed), "resident": resident}


def seconds_of(once: Pass) -> float:
    """A pass over all clips."""
    began = perf_counter()
    for _ in once():
        pass
    return perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--film", type=Path, help="whose frames and sounds the clips are made of; the sample film, if none"
    )
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as `soundspot train` does; the papers' way gains by it too
    where = "one core" if given.workers == 0 else f"{given.workers} workers"
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {where}, {given.count} clips")
    used = given.count // BATCH * BATCH
    for size in SIZES:
        with tempfile.TemporaryDirectory() as held:
            folder = Path(held)
            frames_and_sounds(folder, given.film, given.count, *size)
            print(f"{size[0]} x {size[1]}:")
            ways = ways_of(folder, given.count, given.workers)
            for once in ways.values():
                seconds_of(once)  # files in the page cache, spectrogram windows made
            taken: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(given.rounds):
                for name, once in ways.items():
                    taken[name].append(seconds_of(once))
            rates = {name: used / statistics.median(seconds) for name, seconds in taken.items()}
            for name, rate in rates.items():
                ratio = rate / rates["papers"]
                bar = f" (bar {BARS[size]:g})" if name == "packed" and given.workers == 0 else ""
                speed = f"{rate:7.1f} samples/s, {1000 / rate:6.2f} ms a sample"
                print(f"  {name:9} {speed}, {ratio:5.2f} times the papers' way{bar}")


if __name__ == "__main__":
    main()
