"""What `growth.py` measures: each case prepares its inputs for a size and gives the work to be timed."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

Work = Callable[[], Any]
Prepare = Callable[[int, Path, "Path | None"], Work]

N = (1_000, 10_000, 100_000)
FEW = (300, 1_000, 3_000)
BATCH, BATCH_QUICK = (8, 16, 32, 64, 128), (2, 4)
PAIRS, PAIRS_QUICK = (64, 128, 256, 512), (32, 64)
CELLS, CELLS_QUICK = (49, 196, 784), (49, 196)
"""Maps of 7 x 7, 14 x 14 and 28 x 28."""
PART_CLIPS = 1_000
"""That each part of a predictions file holds, so that the number of parts grows as well."""
SHARD_CLIPS = 1_000
STEP_CLIPS = 8
"""A process."""


@dataclass(frozen=True)
class Case:
    """Something that is done to so many clips, so large a batch or map, or by so many processes."""

    name: str
    axis: str
    prepare: Prepare
    sizes: tuple[int, ...] = N
    quick: tuple[int, ...] = FEW
    bar: float = 1.0
    """The exponent of time that is as it should be."""
    memory_bar: float = 1.0
    projected_to: int | None = None
    repeat: bool = True
    """Whether the work may be done again, to time it better."""
    needs: str | None = None
    """A module without which the case is left out."""

    def bar_text(self) -> str:
        return "" if (self.bar, self.memory_bar) == (1.0, 1.0) else f"   bars {self.bar:g}, {self.memory_bar:g}"


def names_of(count: int) -> list[str]:
    """Ids as VGGSound has them: eleven characters and a start."""
    return [f"v{number:010d}_{number % 400:06d}" for number in range(count)]


def finding(count: int, folder: Path, film: Path | None) -> Work:
    """A folder of frames/ and audio/ and a list of ids, with a test list to be kept out."""
    from soundspot.train.clips import find_clips
    from soundspot.train.recipe import DataSpec, Recipe

    names = names_of(count)
    for place, ending in (("frames", "jpg"), ("audio", "wav")):
        (folder / place).mkdir()
        for name in names:
            (folder / place / f"{name}.{ending}").touch()
    (folder / "ids.txt").write_text("\n".join(names))
    (folder / "test.txt").write_text("\n".join(names[:: max(1, count // 500)]))
    data = DataSpec("vggsound", ids="ids.txt", test_ids=("test.txt",))
    recipe = Recipe("growth", "ez_vsl", data=data, on_leak="drop", validation_fraction=0.05)
    return lambda: find_clips(recipe, folder)


def reading_scenes(count: int, folder: Path, film: Path | None) -> Work:
    """soundspot's own listing; all rows share one picture and sound, as only their names are looked at."""
    from soundspot.data.folder import LISTING, read_folder

    (folder / "a.jpg").touch()
    (folder / "a.wav").touch()
    rows = (
        {"id": name, "image": "a.jpg", "audio": "a.wav", "boxes": [[0.1, 0.2, 0.5, 0.9]]} for name in names_of(count)
    )
    (folder / LISTING).write_text("\n".join(map(json.dumps, rows)))
    return lambda: read_folder(folder)


def planning(count: int, folder: Path, film: Path | None) -> Work:
    from soundspot.data.training import Plan

    plan = Plan(count, 128, rank=1, num_ranks=2)
    return lambda: plan.steps(3)


def indexing(count: int, folder: Path, film: Path | None) -> Work:
    """Open a pack: its list of shards and their indices, a row a clip; the shards themselves are empty."""
    from dataclasses import asdict

    from soundspot.data import shards
    from soundspot.types import Inputs

    names, listed = names_of(count), []
    moment = {"jpg": [512, 19000, 7], "npy": [20480, 96128, 9]}
    for start in range(0, count, SHARD_CLIPS):
        shard = folder / f"shard-{start // SHARD_CLIPS:06d}.tar"
        shard.touch()
        rows = (
            {"id": name, "sample_rate": 16000, "labels": ["dog"], "moments": [moment]}
            for name in names[start : start + SHARD_CLIPS]
        )
        head = {"sha256": "", "bytes": 0, "asked": ""}
        shards.index_of(shard).write_text("".join(json.dumps(row) + "\n" for row in (head, *rows)))
        listed.append({"file": shard.name, "bytes": 0})
    contents = asdict(shards.Contents.of(Inputs(), ()))
    facts = {"format": shards.FORMAT, "contents": contents, "data": {}, "without_media": [], "shards": listed}
    (folder / shards.PACK).write_text(json.dumps(facts))
    return lambda: shards.Packed.at(folder)


def made_maps(count: int, side: int = 7) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.2, (count, side, side)).astype(np.float32)


def write_parts(path: Path, names: list[str], maps: np.ndarray, *, resume: bool = False) -> Any:
    """A writer that has put all maps into parts."""
    from soundspot.predictions import PredictionsWriter

    writer = PredictionsWriter(path, {"method": "made"}, resume=resume, ids=set(names))
    for start in range(0, len(names), PART_CLIPS):
        writer.add(names[start : start + PART_CLIPS], maps[start : start + PART_CLIPS])
        writer.flush()
    return writer


def writing(count: int, folder: Path, film: Path | None) -> Work:
    """Predictions in parts, merged at the end."""
    names, maps = names_of(count), made_maps(count)
    return lambda: write_parts(folder / "p.safetensors", names, maps).close()


def resuming(count: int, folder: Path, film: Path | None) -> Work:
    """Take up the parts that an interrupted run left."""
    from soundspot.predictions import PredictionsWriter

    names = names_of(count)
    write_parts(folder / "p.safetensors", names, made_maps(count))
    return lambda: PredictionsWriter(folder / "p.safetensors", {"method": "made"}, resume=True, ids=set(names))


def loading(count: int, folder: Path, film: Path | None) -> Work:
    """Read a predictions file and look at every map."""
    from soundspot.predictions import Predictions

    write_parts(folder / "p.safetensors", names_of(count), made_maps(count)).close()
    return lambda: sum(float(scores[0, 0]) for scores in Predictions.load(folder / "p.safetensors").maps.values())


def scoring(count: int, folder: Path, film: Path | None, *, side: int = 7, intervals: bool = True) -> Work:
    """All maps under EZ-VSL's protocol, with intervals."""
    from soundspot.benchmarks import score
    from soundspot.predictions import Predictions
    from soundspot.types import Target

    names = names_of(count)
    corners = np.random.default_rng(1).uniform(0, 0.5, (count, 2)).tolist()
    targets = [Target(name, boxes=((x, y, x + 0.4, y + 0.5),)) for name, (x, y) in zip(names, corners, strict=True)]
    predictions = Predictions(dict(zip(names, made_maps(count, side), strict=True)), {}, {"method": "made"})
    return lambda: score(predictions, targets, "ezvsl", intervals=intervals, beside=False)


def reading_media(count: int, folder: Path, film: Path | None) -> Work:
    """Frames and sounds from disk to batches, in one process."""
    from real_media import frames_and_sounds

    from soundspot.data.loader import batches
    from soundspot.types import Clip, Inputs

    names = frames_and_sounds(folder, film, count, 640, 360)
    clips = [Clip(name, image=folder / f"frames/{name}.jpg", audio=folder / f"audio/{name}.wav") for name in names]

    def work() -> None:
        for _ in batches(clips, Inputs(), batch_size=32):
            pass

    return work


def made_batch(size: int) -> Any:
    import torch

    from soundspot.types import Batch

    generator = torch.Generator().manual_seed(0)
    return Batch(
        image=torch.randn(size, 3, 224, 224, generator=generator),
        audio=torch.randn(size, 1, 257, 200, generator=generator),
        clip_ids=tuple(map(str, range(size))),
    )


def stepping(size: int, folder: Path, film: Path | None) -> Work:
    """Forward and backward of EZ-VSL at 224 x 224."""
    import torch

    from soundspot.methods import build

    torch.manual_seed(0)
    method = build("ez_vsl").train()
    step(method, made_batch(2))
    batch = made_batch(size)
    return lambda: step(method, batch)


def step(method: Any, batch: Any) -> None:
    import torch

    method.zero_grad(set_to_none=True)
    torch.stack(list(method.loss(batch).values())).sum().backward()


def predicting(size: int, folder: Path, film: Path | None) -> Work:
    """EZ-VSL's maps of a batch."""
    import torch

    from soundspot.methods import build

    method, batch = build("ez_vsl").eval(), made_batch(size)

    def work() -> None:
        with torch.no_grad():
            method.localize(batch)

    return work


def pairing(batch: int, side: int) -> Work:
    """Every picture with every sound: EZ-VSL's loss after its towers, forward and backward."""
    import torch

    from soundspot import ops

    generator = torch.Generator().manual_seed(0)
    cells = torch.randn(batch, 512, side, side, generator=generator).requires_grad_()
    sounds = ops.unit(torch.randn(batch, 512, generator=generator)).requires_grad_()

    def work() -> None:
        pairs = ops.pooled_similarity(ops.unit(cells), sounds, ops.max_pool)
        ops.symmetric_info_nce(pairs / 0.03).backward()

    return work


def side_of(num_cells: int) -> int:
    return round(num_cells**0.5)


def training_together(count: int, folder: Path, film: Path | None) -> Work:
    """`count` processes, each with its own clips and one thread, every sound a negative for every picture.

    Each does as much as one alone did, so an exponent of 0 is perfect; at 1 the others would be for nothing.
    """
    import torch.multiprocessing as processes

    def work() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as name:
            processes.spawn(one_of_many, (count, Path(name)), nprocs=count)
            told = [json.loads(path.read_text()) for path in Path(name).glob("*.json")]
        return {key: max(each[key] for each in told) for key in ("seconds", "mib")}

    return work


def one_of_many(rank: int, count: int, folder: Path) -> None:
    """A process: two steps to warm up, three that count."""
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    from soundspot.methods import build

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=count)
    torch.manual_seed(0)

    class Loss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.method = build("ez_vsl").train()

        def forward(self, batch: Any) -> torch.Tensor:
            return torch.stack(list(self.method.loss(batch).values())).sum()

    loss, batch = DistributedDataParallel(Loss()), made_batch(STEP_CLIPS)
    from growth import peak_mib

    before, seconds = peak_mib(anew=True), []
    for _ in range(5):
        dist.barrier()
        began = perf_counter()
        loss(batch).backward()
        seconds.append(perf_counter() - began)
    told = {"seconds": float(np.median(seconds[2:])), "mib": peak_mib() - before}
    (folder / f"{rank}.json").write_text(json.dumps(told))
    dist.destroy_process_group()


def _at_side(prepare: Callable[..., Work], count: int) -> Prepare:
    return lambda cells, folder, film: prepare(count, folder, film, side=side_of(cells))


def _written_at_side(cells: int, folder: Path, film: Path | None) -> Work:
    names, maps = names_of(2_000), made_maps(2_000, side_of(cells))
    return lambda: write_parts(folder / "p.safetensors", names, maps).close()


CASES: tuple[Case, ...] = (
    Case("find clips in a folder by a list", "clips", finding),
    Case("read a listing of scenes", "clips", reading_scenes),
    Case("plan an epoch", "clips", planning),
    Case("open a pack's index", "clips", indexing, needs="soundspot.data.shards"),
    Case("write and merge predictions", "clips", writing, repeat=False),
    Case("resume from parts", "clips", resuming),
    Case("load predictions", "clips", loading),
    Case("score", "clips", scoring, repeat=False),
    Case("read media (640x360)", "clips", reading_media, (250, 500, 1_000), (20, 40), projected_to=100_000),
    Case("maps of a batch", "batch", predicting, BATCH, BATCH_QUICK),
    Case("training step", "batch", stepping, BATCH, BATCH_QUICK, repeat=False),
    Case("all pairs of a batch, 7x7", "batch", lambda b, _, __: pairing(b, 7), PAIRS, PAIRS_QUICK, bar=2.0),
    Case("all pairs of 64, by cells", "cells of a map", lambda c, _, __: pairing(64, side_of(c)), CELLS, CELLS_QUICK),
    Case("score 2,000 maps", "cells of a map", _at_side(scoring, 2_000), CELLS, CELLS_QUICK, repeat=False),
    Case("write 2,000 maps", "cells of a map", _written_at_side, CELLS, CELLS_QUICK, repeat=False),
    Case("training step, 8 clips each", "processes", training_together, (1, 2), (1, 2)),
)
