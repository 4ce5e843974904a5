"""From media to cIoU: `predict` and `score` against the papers' way, with equal maps and equal numbers.

    python benchmarks/predict_score.py [--clips 256] [--size 640x360] [--method ez_vsl|slavc] [--rounds 3]

The clips are cut from a real film, their boxes made; the method has random weights (or those of --weights, its own
file). In each round, one after the other, in this process, which also makes the maps of both:

* ours: `predict` to a file (batches, clips read by processes ahead), the file read, `score` under the method's
  protocol. Without intervals, floors and ceilings, which the papers do not compute; how long those take stands apart;
* the papers': one clip at a time, loaded in full size with SciPy's spectrogram by as many processes, one forward pass
  each, its map enlarged, sorted and compared in NumPy (SLAVC's also gets AP and F1 by subsets).

Both use the same cores and threads; medians of the rounds. Then both ways without the network, since on a CPU it takes
most of the time of either: reading alone, and from maps to numbers alone. Last, by how much the two differ.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from papers_way import PapersClips, PerItemEzVsl
from real_media import frames_and_sounds
from scoring import PerItem
from torch.utils.data import DataLoader

from soundspot.benchmarks import Result, score
from soundspot.data.loader import batches
from soundspot.data.workers import choose_workers
from soundspot.methods import build
from soundspot.methods.base import Method
from soundspot.predict import predict
from soundspot.predictions import Predictions
from soundspot.types import Batch, Clip, Target
from soundspot.weights import load

CORES = 2
PROTOCOL_OF = {"ez_vsl": "ezvsl", "slavc": "slavc"}


@dataclass
class Work:
    """What both ways are given."""

    folder: Path
    clips: list[Clip]
    targets: list[Target]
    method: Method
    protocol: str
    batch_size: int
    workers: int
    device: str


@dataclass
class Took:
    """Seconds of each part, round by round."""

    parts: dict[str, list[float]] = field(default_factory=dict)

    def add(self, part: str, since: float) -> float:
        """Note a part that began at `since`; when it ended."""
        now = perf_counter()
        self.parts.setdefault(part, []).append(now - since)
        return now

    def median(self, part: str) -> float:
        return float(np.median(self.parts[part]))

    def whole(self) -> float:
        """The median of the rounds' sums."""
        return float(np.median(np.sum(list(self.parts.values()), axis=0)))

    def __str__(self) -> str:
        return ", ".join(f"{part} {self.median(part):.2f}" for part in self.parts)


def made_targets(ids: list[str]) -> list[Target]:
    """A box each, which follows from the clip's number."""
    targets = []
    for number, name in enumerate(ids):
        generator = np.random.default_rng([number, 1])
        width, height = generator.uniform(0.2, 0.9, 2)
        left, top = generator.uniform(0, 1 - width), generator.uniform(0, 1 - height)
        targets.append(Target(name, boxes=((left, top, left + width, top + height),)))
    return targets


def ours(work: Work, took: Took, out: Path) -> Result:
    """Media to numbers by way of a predictions file."""
    began = perf_counter()
    predict(
        work.method,
        work.clips,
        batch_size=work.batch_size,
        device=work.device,
        num_workers=work.workers,
        path=out,
        progress=False,
    )
    began = took.add("predict", began)
    result = score(
        Predictions.load(out), work.targets, work.protocol, intervals=False, beside=False, device=work.device
    )
    took.add("score", began)
    out.unlink()
    return result


def theirs(work: Work, took: Took) -> PerItem | PerItemEzVsl:
    """Media to numbers, a clip at a time."""
    scored: PerItem | PerItemEzVsl = PerItem() if work.protocol == "slavc" else PerItemEzVsl()
    began = perf_counter()
    scoring = 0.0
    clips = PapersClips(work.folder, train=False)
    work.method.eval().to(work.device)
    for (image, audio), name, target in zip(
        DataLoader(clips, batch_size=1, num_workers=work.workers), clips.ids, work.targets, strict=True
    ):
        batch = Batch(image, audio, (name,)).to(work.device)
        with torch.no_grad():
            scores = work.method.localize(batch)[0].cpu()
        since = perf_counter()
        if isinstance(scored, PerItem):
            scored.add(scores.numpy(), target)
        else:
            scored.add(name, image[0], scores, target.boxes)
        scoring += perf_counter() - since
    since = perf_counter()
    scored.statistics()
    now = perf_counter()
    scoring += now - since
    took.parts.setdefault("load and network", []).append(now - began - scoring)
    took.parts.setdefault("score", []).append(scoring)
    return scored


def reading(work: Work, rounds: int) -> tuple[float, float]:
    """Clips a second of each way of reading, without a network."""
    mine, papers = Took(), Took()
    for _ in range(rounds):
        began = perf_counter()
        for _ in batches(
            work.clips, work.method.inputs, batch_size=work.batch_size, device=work.device, num_workers=work.workers
        ):
            pass
        mine.add("read", began)
        began = perf_counter()
        for image, audio in DataLoader(PapersClips(work.folder, train=False), batch_size=1, num_workers=work.workers):
            image.to(work.device), audio.to(work.device)
        papers.add("read", began)
    return len(work.clips) / mine.whole(), len(work.clips) / papers.whole()


def overlaps_of(scored: PerItem | PerItemEzVsl) -> list[float]:
    """A clip's cIoU each."""
    return scored.overlaps if isinstance(scored, PerItem) else scored.overlaps["av"]


def differences(result: Result, scored: PerItem | PerItemEzVsl) -> tuple[float, float]:
    """The largest of a clip's cIoU, and that of the share of clips of 0.5 and more."""
    mine = np.array([record["ciou"] for record in result.records], dtype=float)
    papers = np.array(overlaps_of(scored))
    return float(np.abs(mine - papers).max()), float(abs((mine >= 0.5).mean() - (papers >= 0.5).mean()))


def asked(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=256)
    parser.add_argument("--size", default="640x360", help="of the frames on disk")
    parser.add_argument("--film", type=Path, help="that the clips are cut from; what `samples film` makes, if none")
    parser.add_argument("--method", choices=PROTOCOL_OF, default="ez_vsl")
    parser.add_argument("--weights", type=Path, help="a weights file of that method")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, help="of both ways; as many as `soundspot predict` takes, if none")
    parser.add_argument("--cores", type=int, default=CORES)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(words)


def prepare(given: argparse.Namespace, folder: Path) -> Work:
    """Clips on disk, truths, and the method."""
    width, height = map(int, given.size.split("x"))
    ids = frames_and_sounds(folder, given.film, given.clips, width, height)
    clips = [
        Clip(name, image=folder / "frames" / f"{name}.jpg", audio=folder / "audio" / f"{name}.wav") for name in ids
    ]
    torch.manual_seed(0)
    method = build(given.method) if given.weights is None else load(given.weights, device=given.device)
    workers = given.workers
    if workers is None:
        workers = choose_workers(method.inputs, len(clips), given.batch_size)
    return Work(
        folder, clips, made_targets(ids), method, PROTOCOL_OF[given.method], given.batch_size, workers, given.device
    )


def main() -> None:
    given = asked()
    cores = sorted(os.sched_getaffinity(0))[: given.cores]
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))
    where = torch.cuda.get_device_name() if given.device.startswith("cuda") else platform.machine()
    print(
        f"{len(cores)} cores, {where}, torch {torch.__version__}, Python {sys.version.split()[0]}, load"
        f" {os.getloadavg()[0]:.1f} before"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work = prepare(given, folder)
        print(
            f"{len(work.clips)} clips of {given.size}, {given.method}, batch {work.batch_size}, {work.workers} workers"
        )
        mine, papers = Took(), Took()
        for number in range(given.rounds):
            result = ours(work, mine, folder / f"{number}.safetensors")
            scored = theirs(work, papers)
        count = len(work.clips)
        print(f"ours: {mine.whole():.2f} s ({mine}), {count / mine.whole():.1f} clips a second")
        print(f"papers': {papers.whole():.2f} s ({papers}), {count / papers.whole():.1f} clips a second")
        print(f"predict and score: {papers.whole() / mine.whole():.2f} times as fast", flush=True)
        read = reading(work, given.rounds)
        print(f"reading alone: ours {read[0]:.0f} clips a second, papers' {read[1]:.0f}: {read[0] / read[1]:.2f} times")
        ratio = papers.median("score") / mine.median("score")
        print(f"maps to numbers alone: {ratio:.1f} times as fast")
        worst, share = differences(result, scored)
        print(f"largest difference of a clip's cIoU {worst:.1e}, of the share at 0.5 {share:.1e}")


if __name__ == "__main__":
    main()
