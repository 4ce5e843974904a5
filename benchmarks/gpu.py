"""Training on a GPU: samples a second, share of the peak, idle share and where the time goes, from made clips.

    python benchmarks/gpu.py --out OUT [--minutes 9] [--only slavc ssl_align shards epoch grid] [--device cuda]

Needs no media: pictures (246 x 437, noise of natural spectrum) and sounds (3 s at 16 kHz) of real size are made on the
machine. Everything runs through what training runs through: Resident or packed shards, the loader, Stepper with
autocast=measured and compile=auto. Parts, in this order, each left out and named where no time is left:

* slavc: resident data, 7 x 7, --batch; with the profiler's table in OUT/profile_slavc.txt;
* epoch: 144,000 made clips resident, one epoch of SLAVC at twice --batch, really run; 20 epochs projected from it;
* ssl_align: nine pairs of views, augmented on the device, half of --batch; with its profile;
* shards: SLAVC from WebDataset shards, made here, by --workers loader processes;
* grid: SLAVC and EZ-VSL at batches of 128 to 1024, maps of 7 x 7 and 14 x 14.

FLOPs are counted by torch's counter in an eager step; the peak is the card's published one (--peak), beside what a
large bfloat16 product reaches here. Writes OUT/gpu.json after every row, and OUT/gpu.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from soundspot.data.decoding import Pair
from soundspot.data.loader import Stack
from soundspot.data.pack import pack
from soundspot.data.resident import Resident
from soundspot.data.shards import Packed
from soundspot.data.training import Plan, TrainingSet, training_batches
from soundspot.media.audio import write_wav
from soundspot.media.image import write_image
from soundspot.train.distributed import Ranks
from soundspot.train.recipe import Recipe
from soundspot.train.speed import quickest_kernels
from soundspot.train.start import start_method
from soundspot.train.steps import Stepper
from soundspot.types import Clip, Inputs

HEIGHT, WIDTH = 246, 437
SECONDS, RATE = 3.0, 16000
PEAK = 989e12
"""Of an H200, dense bfloat16, FLOP/s (its data sheet)."""
EPOCH = 144_000
PARTS = ("slavc", "epoch", "ssl_align", "shards", "grid")
TOWERS: dict[str, Any] = {"sample_rate": RATE, "seconds": SECONDS}


@dataclass
class Row:
    """One measurement."""

    what: str
    method: str
    batch: int
    map_side: int
    samples_per_second: float
    step_milliseconds: float
    first_step_seconds: float
    gigaflop_per_sample: float
    share_of_peak: float
    idle_share: float | None
    memory_gib: float
    speed: dict[str, Any]


class MadeSet(TrainingSet):
    """Clips of which none has a file; those that look or sound alike are the next ones."""

    def __init__(self, count: int, inputs: Inputs, *, neighbours: bool) -> None:
        pairs: list[Pair] = [(Clip(f"made{number:06d}"), None) for number in range(count)]
        super().__init__(pairs, inputs, seed=0)
        self.sample_rate = RATE
        if neighbours:
            self.neighbours = self  # type: ignore[assignment]
            self.index = {clip.id: number for number, (clip, _) in enumerate(pairs)}

    def drawn(self, modality: str, clip_id: str, number: float) -> str:
        """As of mined neighbours."""
        return self.pairs[(self.index[clip_id] + 1 + int(number * 10)) % len(self.pairs)][0].id


class MadeResident(Resident):
    """Noise in the place of what would be read."""

    def _read(self, num_workers: int, share: float) -> tuple[np.ndarray, np.ndarray]:
        count = len(self.training.pairs)
        self.row = {number: number for number in range(count)}
        self.sample_rate = RATE
        self._pixels.room(count * HEIGHT * WIDTH, (3,), torch.uint8)
        self._samples.room(count, (int(SECONDS * RATE),), torch.int16)
        for growing in (self._pixels, self._samples):
            assert growing.held is not None
            growing.used = len(growing.held)
        for rows in self._pixels.held.split(2**28):  # a draw of the whole set would need as much again
            rows.random_(0, 256)
        for rows in self._samples.held.split(2**14):
            rows.random_(-3000, 3000)
        return np.tile([HEIGHT, WIDTH], (count, 1)), np.arange(count, dtype=np.int64) * HEIGHT * WIDTH


def recipe_of(method: str, batch: int, options: dict[str, Any]) -> Recipe:
    """As the papers' recipes compute."""
    return Recipe(
        method, method, options={**TOWERS, **options}, batch_size=batch, autocast="measured", compile="auto",
        learning_rate=1e-4,
    )  # fmt: skip


def stepper_of(recipe: Recipe, device: torch.device) -> Stepper:
    method = start_method(recipe, None).method.to(device).train()
    stepper = Stepper(recipe, method, method.inputs, Ranks(device=device))
    stepper.settle(None)
    return stepper


def gigaflop(recipe: Recipe, device: torch.device, clips: int = 8) -> float:
    """Of one sample's training step, counted in an eager one."""
    method = start_method(recipe, None).method.to(device).train()
    made = MadeResident(MadeSet(16, method.inputs, neighbours="neighbour" in method.needs), device, 0)
    stacks, _ = made.fetch([(0, number) for number in range(clips)])
    batch = stacks[0].to_batch(method.inputs, device)
    with FlopCounterMode(display=False) as counter:
        torch.stack([term.float() for term in method.loss(batch).values()]).sum().backward()
    return counter.get_total_flops() / clips / 1e9


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(
    stepper: Stepper, stacks: Iterator[Stack], device: torch.device, steps: int, repeats: int
) -> tuple[float, float]:
    """Seconds of the first step, and the median over `repeats` of a step's; `steps` are timed together, unwaited."""
    began = perf_counter()
    stepper.step([next(stacks)], 1e-4)
    wait(device)
    first = perf_counter() - began
    for _ in range(3):
        stepper.step([next(stacks)], 1e-4)
    seconds = []
    for _ in range(repeats):
        wait(device)
        began = perf_counter()
        for _ in range(steps):
            stepper.step([next(stacks)], 1e-4)
        wait(device)
        seconds.append((perf_counter() - began) / steps)
    return first, statistics.median(seconds)


def idle_share(stepper: Stepper, stacks: Iterator[Stack], device: torch.device, table: Path | None) -> float | None:
    """Share of the wall time of some steps in which no kernel ran; the profiler's table of them to `table`."""
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    wait(device)
    began = perf_counter()
    with profile(activities=activities) as found:
        for _ in range(8):
            stepper.step([next(stacks)], 1e-4)
        wait(device)
    wall = perf_counter() - began
    if table is not None:
        by = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
        table.write_text(found.key_averages().table(sort_by=by, row_limit=40))
    if device.type != "cuda":
        return None
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in found.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    busy, reached = 0.0, 0.0
    for start, end in spans:
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return 1 - busy / 1e6 / wall


class Bench:
    """All parts, as far as the time goes."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.device = given, torch.device(given.device)
        self.until = perf_counter() + 60 * given.minutes
        self.rows: list[Row] = []
        self.notes: list[str] = []
        self.facts = {
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else platform.machine(),
            "torch": torch.__version__,
            "peak": given.peak,
            "product_flops": product_speed(self.device),
        }

    def measure(
        self,
        what: str,
        recipe: Recipe,
        stacks: Callable[[Stepper], Iterator[Stack]],
        *,
        steps: int,
        table: str | None = None,
    ) -> None:
        """One row, unless the time is over."""
        if perf_counter() > self.until:
            self.notes.append(f"not run, no time left: {what}, {recipe.method}, batch {recipe.batch_size}")
            return
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        count = gigaflop(recipe, self.device)
        stepper = stepper_of(recipe, self.device)
        coming = stacks(stepper)
        first, second = timed(stepper, coming, self.device, steps, self.given.repeats)
        idle = idle_share(stepper, coming, self.device, self.given.out / table if table else None)
        rate = recipe.batch_size / second
        memory = torch.cuda.max_memory_allocated() / 2**30 if self.device.type == "cuda" else 0.0
        side = 224 // int(recipe.options.get("output_stride", 16 if recipe.method == "ssl_align" else 32))
        share = rate * count * 1e9 / self.given.peak
        self.rows.append(
            Row(what, recipe.method, recipe.batch_size, side, rate, 1000 * second, first, count, share, idle, memory,
                asdict(stepper.speed))
        )  # fmt: skip
        self.write()

    def resident(self, count: int) -> Callable[[Stepper], Iterator[Stack]]:
        """Batches from `count` resident clips, for as many epochs as are asked for."""

        def stacks(stepper: Stepper) -> Iterator[Stack]:
            method = stepper.method
            made = MadeSet(count, stepper.inputs, neighbours="neighbour" in method.needs)  # type: ignore[operator]
            held = MadeResident(made, self.device, 0)
            for found, _ in held.batches(Plan(count, stepper.recipe.batch_size), 10**6, 0, 0):
                yield found[0]

        return stacks

    def slavc(self) -> None:
        recipe = recipe_of("slavc", self.given.batch, {})
        self.measure("resident", recipe, self.resident(self.given.clips), steps=20, table="profile_slavc.txt")

    def ssl_align(self) -> None:
        recipe = recipe_of("ssl_align", self.given.batch // 2, {})
        self.measure("resident", recipe, self.resident(self.given.clips), steps=10, table="profile_ssl_align.txt")

    def epoch(self) -> None:
        """One epoch of 144,000 resident clips, by the clock, the first step's compiling apart."""
        if perf_counter() > self.until:
            self.notes.append("not run, no time left: the epoch")
            return
        size = 2 * self.given.batch
        stepper = stepper_of(recipe_of("slavc", size, {}), self.device)
        coming = self.resident(self.given.epoch_clips)(stepper)
        began = perf_counter()
        stepper.step([next(coming)], 1e-4)
        wait(self.device)
        first = perf_counter() - began
        steps = self.given.epoch_clips // size
        began = perf_counter()
        for _ in range(steps):
            stepper.step([next(coming)], 1e-4)
        wait(self.device)
        seconds = perf_counter() - began
        self.notes.append(
            f"one epoch of {steps * size} made clips, SLAVC, batch {size}: {seconds:.1f} s"
            f" ({steps * size / seconds:.0f} samples/s); {first:.0f} s before it for the set and the first step;"
            f" 20 epochs projected: {20 * seconds / 60:.1f} min"
        )
        self.write()

    def shards(self) -> None:
        folder = self.given.out / "made"
        pairs = made_files(folder, self.given.shard_clips)

        def stacks(stepper: Stepper) -> Iterator[Stack]:
            pack(pairs, stepper.inputs, folder / "packed", jobs=self.given.workers)
            training = TrainingSet(pairs, stepper.inputs, seed=0, packed=Packed.at(folder / "packed"))
            plan = Plan(len(pairs), stepper.recipe.batch_size)
            pinned = self.device.type == "cuda"
            read = training_batches(training, plan, epochs=10**6, num_workers=self.given.workers, pin_memory=pinned)
            for found, _ in read:
                yield found[0]

        recipe = recipe_of("slavc", self.given.batch, {})
        self.measure(f"shards, {self.given.workers} workers", recipe, stacks, steps=40)

    def grid(self) -> None:
        for stride in (32, 16):
            for batch in self.given.batches:
                for method in ("slavc", "ez_vsl"):
                    recipe = recipe_of(method, batch, {"output_stride": stride})
                    self.measure("resident", recipe, self.resident(self.given.clips), steps=10)

    def write(self) -> None:
        rows = [asdict(row) for row in self.rows]
        text = json.dumps({"facts": self.facts, "rows": rows, "notes": self.notes}, indent=1)
        (self.given.out / "gpu.json").write_text(text)
        (self.given.out / "gpu.md").write_text(markdown(self.facts, self.rows, self.notes))


def product_speed(device: torch.device, size: int = 8192) -> float:
    """FLOP/s of a square bfloat16 product."""
    if device.type != "cuda":
        return 0.0
    left = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    for _ in range(3):
        left @ left
    wait(device)
    began = perf_counter()
    for _ in range(20):
        left @ left
    wait(device)
    return 20 * 2 * size**3 / (perf_counter() - began)


def made_files(folder: Path, count: int) -> list[Pair]:
    """JPEG-like pictures and WAV sounds of real size."""
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    (folder / "audio").mkdir(exist_ok=True)
    pairs: list[Pair] = []
    generator = torch.Generator().manual_seed(0)
    for number in range(count):
        picture, sound = folder / f"frames/{number}.jpg", folder / f"audio/{number}.wav"
        if number < 256:
            write_image(picture, natural_noise(generator))
            samples = 0.1 * torch.randn(1, int(SECONDS * RATE), generator=generator)
            write_wav(sound, samples.numpy(), RATE)
        else:  # a copy: what decoding costs does not depend on who has seen the picture before
            for path, of in ((picture, f"frames/{number % 256}.jpg"), (sound, f"audio/{number % 256}.wav")):
                if not path.exists():
                    path.hardlink_to(folder / of)
        pairs.append((Clip(f"made{number:06d}", image=picture, audio=sound), None))
    return pairs


def natural_noise(generator: torch.Generator) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) bytes: noise of every scale, as strong as it is coarse, as photographs have it."""
    total = torch.zeros(1, 3, HEIGHT, WIDTH)
    for scale in (2, 4, 8, 16, 32, 64, 128):
        noise = torch.randn(1, 3, HEIGHT // scale + 2, WIDTH // scale + 2, generator=generator)
        total += scale**0.8 * F.interpolate(noise, (HEIGHT, WIDTH), mode="bilinear")
    scaled = (total / total.std() * 50 + 128).clamp(0, 255).byte()
    return scaled[0].permute(1, 2, 0).contiguous().numpy()


COLUMNS = (
    *("data", "method", "batch", "map", "samples/s", "ms a step"),
    *("GFLOP a sample", "of peak", "GPU idle", "GiB", "computed"),
)


def markdown(facts: dict[str, Any], rows: Sequence[Row], notes: Sequence[str]) -> str:
    """A table of all rows."""
    peak, reached = (facts[name] / 1e12 for name in ("peak", "product_flops"))
    lines = [
        f"{facts['device']}, torch {facts['torch']}; published peak {peak:.0f} TFLOP/s,",
        f"a large bfloat16 product reaches {reached:.0f}.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|---" * len(COLUMNS) + "|",
    ]
    return "\n".join([*lines, *map(_line, rows), "", *(f"* {note}" for note in notes)]) + "\n"


def _line(row: Row) -> str:
    cells = (
        row.what,
        row.method,
        row.batch,
        f"{row.map_side} x {row.map_side}",
        f"{row.samples_per_second:.0f}",
        f"{row.step_milliseconds:.1f}",
        f"{row.gigaflop_per_sample:.1f}",
        f"{100 * row.share_of_peak:.1f} %",
        "" if row.idle_share is None else f"{100 * row.idle_share:.0f} %",
        f"{row.memory_gib:.1f}",
        ", ".join(f"{name} {value}" for name, value in row.speed.items()),
    )
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--peak", type=float, default=PEAK)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clips", type=int, default=8192, help="resident, but for the epoch")
    parser.add_argument("--epoch-clips", type=int, default=EPOCH)
    parser.add_argument("--shard-clips", type=int, default=8192)
    parser.add_argument("--workers", type=int, default=14)
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 256, 512, 1024])
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with quickest_kernels(torch.device(given.device)):
        bench = Bench(given)
        for part in given.only:
            getattr(bench, part)()
    bench.write()
    print((given.out / "gpu.md").read_text())


if __name__ == "__main__":
    main()
