"""How fast `soundspot localize` goes through a film: against real time, and against looking frame by frame.

    python benchmarks/localize_film.py FILM [--minutes 10] [--memory 1 10 60] [--peer-seconds 30]

FILM is any film with sound, such as `samples film` makes (640 x 360); it is looped, without encoding it anew, to the
lengths asked for. The whole command runs in a process of its own, on two cores where there are more:

* without the overlay and with it, start-up included; the start-up stands beside it (the command on one look);
* the peak of its memory at the lengths of --memory, without the overlay, at a look every --memory-every seconds;
* the frame-by-frame way over the first --peer-seconds: for each look the film is opened, sought and decoded, the sound
  is opened and its window decoded, and one picture at a time passes the unchanged encoders (batch 1). Beside it the
  command's own time for a look, start-up taken off both.

CPU seconds stand beside wall seconds: on a machine that does other things the former say more.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import av
import torch

from soundspot.data.loader import Stack, fit_picture
from soundspot.localize.localizer import Localizer
from soundspot.localize.source import EVERY_SECONDS
from soundspot.media.audio import fit_window
from soundspot.media.video import probe, read_frame, read_waveform
from soundspot.methods.spot import Spot
from soundspot.types import Clip

CORES = 2


@dataclass(frozen=True)
class Cost:
    """Of a run."""

    seconds: float
    cpu_seconds: float
    peak_gib: float = 0.0


def loop(film: Path, out: Path, minutes: float) -> None:
    """Write the film again and again, packet by packet, until it is so long."""
    with av.open(str(out), "w") as target:
        with av.open(str(film)) as source:
            streams = {
                stream.index: target.add_stream_from_template(stream)
                for stream in (source.streams.video[0], source.streams.audio[0])
            }
            length = source.duration / av.time_base
        latest: dict[int, int] = {}
        for turn in range(max(1, round(minutes * 60 / length))):
            with av.open(str(film)) as source:
                for packet in source.demux(source.streams.video[0], source.streams.audio[0]):
                    if packet.dts is None:
                        continue
                    shift = round(turn * length / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    if packet.dts <= latest.get(packet.stream.index, packet.dts - 1):
                        continue  # a track that is a little longer than the film
                    latest[packet.stream.index] = packet.dts
                    packet.stream = streams[packet.stream.index]
                    target.mux(packet)


def command(film: Path, out: Path, *options: str) -> Cost:
    """The whole command in a process of its own."""
    words = ["localize", str(film), "--out", str(out), *options]
    start = perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", "from soundspot.cli import main; main()", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)}: {said.decode()}")
    return Cost(perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20)


def frame_by_frame(film: Path, seconds: float) -> tuple[Cost, int]:
    """What a loop over times costs that opens everything anew and encodes one picture at a time; and how many looks."""
    localizer = Localizer.from_pretrained()
    spot = localizer.method
    assert isinstance(spot, Spot)
    spot.compiles = False
    times = [number * EVERY_SECONDS for number in range(int(seconds / EVERY_SECONDS))]
    _look(spot, film, 0.0)
    start, cpu = perf_counter(), process_time()
    for time in times:
        _look(spot, film, time)
    return Cost(perf_counter() - start, process_time() - cpu), len(times)


@torch.no_grad()
def _look(spot: Spot, film: Path, time: float) -> None:
    rate, length = spot.inputs.sample_rate or 16000, spot.inputs.seconds
    picture = fit_picture(read_frame(film, time), spot.inputs)
    sound = read_waveform(
        film, start_seconds=max(0.0, time - length / 2), duration_seconds=length, sample_rate=rate
    ).samples[0]
    batch = Stack(
        images=torch.from_numpy(picture)[None],
        samples=torch.from_numpy(fit_window(sound, rate, length, "first"))[None],
        sample_rate=rate,
        clips=(Clip("one"),),
    ).to_batch(spot.inputs, "cpu")
    spot.localize(batch)
    spot.hear(batch)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--memory", type=float, nargs="*", default=[1.0, 10.0, 60.0])
    parser.add_argument("--memory-every", type=float, default=EVERY_SECONDS)
    parser.add_argument("--peer-seconds", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=CORES)
    parser.add_argument("--skip-overlay", action="store_true", help="do not measure it")
    given = parser.parse_args(words)
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    torch.set_num_threads(given.threads)
    load = os.getloadavg()[0]
    print(f"{len(cores)} cores, {given.threads} threads, torch {torch.__version__}, load {load:.1f} before")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        film = root / "film.mp4"
        loop(given.film, film, given.minutes)
        info = probe(film)
        print(f"{info.duration_seconds:.0f} s of {info.width} x {info.height}, {info.frames_per_second:g} a second")
        begin = command(film, root / "one", "--no-film", "--end", str(EVERY_SECONDS))
        print(f"start-up and one look: {begin.seconds:.1f} s ({begin.cpu_seconds:.1f} CPU)")
        kinds = [("without the overlay", ["--no-film"]), ("with the overlay", [])][: 1 if given.skip_overlay else 2]
        costs = [command(film, root / "out", *options) for _, options in kinds]
        for (name, _), cost in zip(kinds, costs, strict=True):
            print(
                f"{name}: {cost.seconds:.1f} s ({cost.cpu_seconds:.1f} CPU), {info.duration_seconds / cost.seconds:.1f}"
                f" x real time; by CPU time over {len(cores)} cores at most"
                f" {len(cores) * info.duration_seconds / cost.cpu_seconds:.1f} x; peak {cost.peak_gib:.2f} GiB"
            )
        looks = round(info.duration_seconds / EVERY_SECONDS)
        ours = Cost((costs[0].seconds - begin.seconds) / looks, (costs[0].cpu_seconds - begin.cpu_seconds) / looks)
        made, peer_looks = frame_by_frame(film, min(given.peer_seconds, info.duration_seconds))
        peer = Cost(made.seconds / peer_looks, made.cpu_seconds / peer_looks)
        print(f"a look: {ours.seconds:.3f} s ({ours.cpu_seconds:.3f} CPU)")
        ratios = peer.seconds / ours.seconds, peer.cpu_seconds / ours.cpu_seconds
        print(f"frame by frame: {peer.seconds:.3f} s ({peer.cpu_seconds:.3f} CPU)")
        print(f"so many times ours: {ratios[0]:.1f} by the clock, {ratios[1]:.1f} by CPU time")
        for minutes in given.memory:
            loop(given.film, film, minutes)
            cost = command(film, root / f"m{minutes:g}", "--no-film", "--every", str(given.memory_every))
            print(f"{minutes:g} minutes, a look every {given.memory_every:g} s: peak {cost.peak_gib:.3f} GiB")


if __name__ == "__main__":
    main()
