"""A training step with its loader: ours against a plain eager float32 step on the papers' way of loading.

    python benchmarks/train_step.py [--rounds 3] [--methods ez_vsl slavc ssl_align] [--from-files]

Clips of real size are cut from a film (`real_media.py`). Every measurement runs in a process of its own, ours and
theirs in turn; the medians of the steps after the first ones count. The recipes' own sizes: ResNet-18 twice from random
weights, pictures of 224, batches of 16 (SSLalign: its three views; the peer gets noise for its neighbours' and
augmented views, which costs it nothing to load).

ours: `soundspot`'s packed training set (--from-files: not packed), loader, Stepper with compile=auto and freed memory
kept; once in float32 and once in bfloat16, which on a CPU nobody gets who does not ask for it. plain:
`papers_way.PapersClips`, eager, float32, Adam one parameter after the other. Compiling is timed apart. At the end an
epoch on features kept of frozen encoders against one that passes them anew.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, pairwise, repeat
from pathlib import Path
from time import perf_counter

METHODS = ("ez_vsl", "slavc", "ssl_align")
WAYS = {"plain": "", "ours, float32": "off", "ours, bfloat16": "bfloat16"}
"""By name, the precision of ours."""
WARM_UP = 2
"""Steps that do not count: the first compiles, the second finds its memory."""
WORKERS = 2
CACHES = {"passed anew": "off", "features kept": "features"}
"""Trainings on frozen encoders, and the recipe's `cache`."""
NEAR = "near"
"""Folder of neighbours in the media's."""


@dataclass(frozen=True)
class Timing:
    """Of one process."""

    seconds: list[float]
    """Of each step that counts, loading included."""
    first: float
    """Seconds of the first step, where compiling happens."""
    speed: dict[str, object]


def timed(step: Callable[[], None], num_steps: int) -> tuple[float, list[float]]:
    """Seconds of the first step, and of `num_steps` after the warm-up."""
    seconds = []
    for _ in range(WARM_UP + num_steps):
        began = perf_counter()
        step()
        seconds.append(perf_counter() - began)
    return seconds[0], seconds[WARM_UP:]


def ours(given: argparse.Namespace, autocast: str) -> Timing:
    """The real training set, loader and Stepper."""
    from soundspot.train.allocation import keep_freed_memory

    keep_freed_memory()
    import torch

    from soundspot.data.shards import Packed
    from soundspot.data.training import Plan, TrainingSet, training_batches
    from soundspot.train.clips import find_clips, find_neighbours
    from soundspot.train.distributed import Ranks
    from soundspot.train.recipe import DataSpec, Recipe
    from soundspot.train.start import start_method
    from soundspot.train.steps import Stepper

    torch.set_num_threads(given.threads)
    recipe = Recipe(
        "step",
        given.method,
        options={"image_size": given.size, **_options(given)},
        data=DataSpec("flickr", neighbours=NEAR),
        batch_size=given.batch,
        compile=given.compile,
        autocast=autocast,  # type: ignore[arg-type]
        num_workers=WORKERS,
    )
    found = find_clips(recipe, given.media)
    method = start_method(recipe, None).method.train()
    stepper = Stepper(recipe, method, method.inputs, Ranks())
    stepper.settle(None)
    neighbours = find_neighbours(recipe, found) if "neighbour" in method.needs else None
    shards = given.media / f"packed_{given.method}"
    packed = Packed.at(shards) if shards.is_dir() else None
    training = TrainingSet(found.training, method.inputs, seed=0, neighbours=neighbours, packed=packed)
    training.settle_sample_rate()
    plan = Plan(len(found.training), given.batch)
    batches = iter(training_batches(training, plan, epochs=1000, num_workers=WORKERS))

    def step() -> None:
        stacks, missing = next(batches)
        assert not missing
        stepper.step(stacks, recipe.learning_rate)

    first, seconds = timed(step, given.steps)
    return Timing(seconds, first, vars(stepper.speed))


def plain(given: argparse.Namespace) -> Timing:
    """The papers' loader, and an eager step in float32."""
    import torch
    from papers_way import HOP_EZ_VSL, HOP_SSL_ALIGN, PapersClips
    from torch.utils.data import DataLoader

    from soundspot.methods import build
    from soundspot.types import NUM_DRAWS, Batch

    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    method = build(given.method, image_size=given.size, **_options(given)).train()
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-4, foreach=False)
    hop = HOP_SSL_ALIGN if given.method == "ssl_align" else HOP_EZ_VSL
    clips = PapersClips(given.media, given.size, hop=hop)
    loader = DataLoader(clips, batch_size=given.batch, shuffle=True, drop_last=True, num_workers=WORKERS)
    batches = chain.from_iterable(repeat(loader))

    def step() -> None:
        image, audio = next(batches)
        extra = {"image_neighbour": torch.randn_like(image), "audio_neighbour": torch.randn_like(audio)}
        names = tuple(map(str, range(len(image))))
        batch = Batch(image=image, audio=audio, clip_ids=names, extra=extra, draws=torch.rand(len(image), NUM_DRAWS))
        optimizer.zero_grad()
        torch.stack(list(method.loss(batch).values())).sum().backward()
        optimizer.step()
        method.after_step()

    first, seconds = timed(step, given.steps)
    return Timing(seconds, first, {})


def _options(given: argparse.Namespace) -> dict[str, str]:
    return {"image_backbone": given.backbone, "audio_backbone": given.backbone}


def mine_neighbours(folder: Path) -> None:
    """Neighbours for SSLalign, by random vectors: which they are makes no difference to the time."""
    import numpy as np

    from soundspot.data.mining import MODALITIES, mine

    names = sorted(path.stem for path in (folder / "frames").glob("*.jpg"))
    vectors = np.random.default_rng(0).normal(size=(len(names), 8)).astype(np.float32)
    (folder / NEAR).mkdir()
    for modality in MODALITIES:
        mine(vectors, names, folder / NEAR, modality, k=4)


def pack_clips(given: argparse.Namespace, method: str) -> None:
    """Shards of the media, as the method reads it."""
    from soundspot.data.pack import pack
    from soundspot.methods import build
    from soundspot.train.clips import listed_clips
    from soundspot.train.recipe import DataSpec

    pairs, _, _ = listed_clips(DataSpec("flickr"), given.media)
    pack(pairs, build(method, image_size=given.size, **_options(given)).inputs, given.media / f"packed_{method}")


def features(given: argparse.Namespace, cache: str) -> Timing:
    """Seconds of the steps of a later epoch, with frozen encoders; what stands between epochs is left out."""
    from soundspot.train.allocation import keep_freed_memory

    keep_freed_memory()
    import torch

    from soundspot.train.loop import train
    from soundspot.train.recipe import DataSpec, Recipe

    torch.set_num_threads(given.threads)
    recipe = Recipe(
        "frozen",
        "ez_vsl",
        options={"image_size": given.size, "trainable": "heads", "trainable_audio": "heads", **_options(given)},
        data=DataSpec("flickr"),
        epochs=2,
        batch_size=given.batch,
        cache=cache,  # type: ignore[arg-type]
        num_workers=WORKERS,
        log_steps=1,
    )
    with tempfile.TemporaryDirectory() as out:
        made = train(recipe, root=given.media, out=Path(out), progress=False)
        rows = [json.loads(line) for line in made.metrics.read_text().splitlines()]
    later = [row["seconds"] for row in rows if row["kind"] == "step" and row["epoch"] == 2]
    return Timing([after - before for before, after in pairwise(later)], 0.0, {})


def precisions(given: argparse.Namespace) -> None:
    """What autocast=measured sees here."""
    import torch

    from soundspot.train.speed import measure

    torch.set_num_threads(given.threads)
    for (half, channels_last), seconds in measure(torch.device("cpu")).items():
        kind = ("bfloat16" if half else "float32") + (", channels last" if channels_last else "")
        print(f"two convolutions, {kind}: {1000 * seconds:.1f} ms")


def one(given: argparse.Namespace) -> Timing:
    """What this process was asked to measure."""
    if given.one in CACHES:
        return features(given, CACHES[given.one])
    return ours(given, WAYS[given.one]) if WAYS[given.one] else plain(given)


def elsewhere(given: argparse.Namespace, what: str, method: str = "ez_vsl") -> Timing:
    """The same in a process of its own."""
    words = [sys.executable, __file__, "--one", what, "--method", method, "--media", str(given.media)]
    for name in ("batch", "size", "steps", "threads", "backbone", "compile"):
        words += [f"--{name}", str(getattr(given, name))]
    environment = {**os.environ, "OMP_NUM_THREADS": str(given.threads)}
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{what} of {method}: {done.stderr[-3000:]}")
    return Timing(**json.loads(done.stdout.splitlines()[-1]))


def compare(given: argparse.Namespace, method: str) -> None:
    """All ways of one method, in turn."""
    runs: dict[str, list[Timing]] = {name: [] for name in WAYS}
    for _ in range(given.rounds):
        for name, done in runs.items():
            done.append(elsewhere(given, name, method))
    medians = {name: statistics.median(second for run in done for second in run.seconds) for name, done in runs.items()}
    for name, done in runs.items():
        compiled = done[0].speed.get("compile")
        first = f"; first step {', '.join(f'{run.first:.0f}' for run in done)} s" if compiled else ""
        print(
            f"{method}, {name}: {medians[name]:.3f} s a step, {given.batch / medians[name]:.2f} samples/s,"
            f" {medians['plain'] / medians[name]:.2f} times the plain step"
            f"{f'; {done[-1].speed}' if done[-1].speed else ''}{first}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6, help="steps that count, of a process")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clips", type=int, default=320)
    parser.add_argument("--film", type=Path, help="cut the clips from this one")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--compile", default="auto", choices=("off", "on", "auto"))
    parser.add_argument("--from-files", action="store_true", help="ours reads the same files, and no shards")
    parser.add_argument("--media", type=Path, help="clips that real_media.py made; default: made now")
    parser.add_argument("--one", choices=[*WAYS, *CACHES], help="measure in this process and print JSON")
    parser.add_argument("--method", default="ez_vsl", choices=METHODS, help="of --one")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(vars(one(given))))
        return
    with tempfile.TemporaryDirectory() as folder:
        if given.media is None:
            from real_media import frames_and_sounds

            given.media = Path(folder)
            frames_and_sounds(given.media, given.film, given.clips, 640, 360)
        if not (given.media / NEAR).exists():
            mine_neighbours(given.media)
        for method in [] if given.from_files else given.methods:
            pack_clips(given, method)
        report(given)


def report(given: argparse.Namespace) -> None:
    """Measure all and print it."""
    import torch

    print(
        f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {given.threads} threads,"
        f" torch {torch.__version__}, load {os.getloadavg()[0]:.1f} before; batches of {given.batch}",
        flush=True,
    )
    precisions(given)
    for method in given.methods:
        compare(given, method)
    medians = {}
    for name in CACHES:
        medians[name] = statistics.median(elsewhere(given, name).seconds)
        print(f"frozen encoders, {name}: {medians[name]:.4f} s a step of a later epoch")
    print(f"features kept: {medians['passed anew'] / medians['features kept']:.0f} times as fast")


if __name__ == "__main__":
    main()
