"""What a film costs, to reckon what ten million cost: CPU seconds, bytes and memory of localizing and of packing it.

    python benchmarks/scale.py FILMS [--most 18] [--cluster auto|ADDRESS]

FILMS is a folder of films. By one process with one thread, as a worker of a cluster has: the default localizer without
an overlay film, two looks a second, and a pack of what EZ-VSL trains on (one moment of a film). Figures: CPU seconds,
which mind a busy machine less than the clock, as medians and totals over the films, and as so much for ten seconds.
With --cluster also the clock's ratio of `soundspot localize --cluster` to a plain loop over the same films; a machine
that does other things makes it worthless.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import torch

from soundspot.cluster.film_shards import Job, Written
from soundspot.cluster.films import begin_looking
from soundspot.cluster.jobs import Workers
from soundspot.cluster.localizing import localize_corpus
from soundspot.cluster.manifest import Film, films_of
from soundspot.data.pack import Form, pack
from soundspot.localize.localizer import Localizer
from soundspot.localize.run import Wanted
from soundspot.localize.source import SoundWindows, open_source
from soundspot.media.video import probe
from soundspot.recipes import recipe
from soundspot.train.start import start_method
from soundspot.types import Clip

EVERY_SECONDS = 0.5


def cpu(act: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of all threads, and what it gives."""
    start = process_time()
    found = act()
    return process_time() - start, found


def stages(localizer: Localizer, path: Path) -> dict[str, float]:
    """CPU seconds of a film's stages: decoding its pictures, listening, and looking, which is the rest of it all."""
    source = open_source(path)

    def listen() -> None:
        seconds = localizer.method.inputs.seconds
        windows = SoundWindows(source.sound_path, localizer.sample_rate, seconds, stereo=source.sound_channels > 1)
        for number in range(int(source.seconds / EVERY_SECONDS)):
            windows.around(number * EVERY_SECONDS)

    decoded, _ = cpu(lambda: [None for _ in source.frames(1 / EVERY_SECONDS)])
    listened, _ = cpu(listen)
    whole, timeline = cpu(lambda: localizer.source(source, every_seconds=EVERY_SECONDS))
    return {"decode": decoded, "listen": listened, "look": whole - decoded - listened, "looks": float(len(timeline))}


def written_bytes(work: Any, paths: list[Path], wanted: Wanted) -> tuple[float, int]:
    """CPU seconds and bytes of the tables of all films together, without looking at them."""
    found = [work(Film(path.name, str(path)), lambda: None) for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        written = Written(Path(folder), Job("", "", len(paths), wanted, 0.0))

        def write() -> None:
            with written:
                for each in found:
                    written.add(each)

        seconds, _ = cpu(write)
        return seconds, sum(path.stat().st_size for path in written.paths)


def packed(paths: list[Path], quality: int = 85) -> tuple[float, int]:
    """CPU seconds and bytes of a pack of the films."""
    inputs = start_method(recipe("ez_vsl_flickr_10k"), None).method.inputs
    pairs = [(Clip(path.name, video=path), None) for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        form = Form(quality=quality, moments=1)
        seconds, done = cpu(lambda: pack(pairs, inputs, Path(folder) / "pack", form=form, jobs=1))
        return seconds, done.num_bytes


def overhead(folder: Path, work: Any, wanted: Wanted, cluster: str) -> float:
    """The clock's ratio: by the cluster, with its start and one worker, to a plain loop in a process that has begun."""
    start = perf_counter()
    for film in films_of(str(folder), "/nowhere"):
        work(film, lambda: None)
    plain = perf_counter() - start
    with tempfile.TemporaryDirectory() as out:
        start = perf_counter()
        localize_corpus(str(folder), out, wanted, Workers(cluster, jobs=1))
        return (perf_counter() - start) / plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path)
    parser.add_argument("--most", type=int, default=1000)
    parser.add_argument("--cluster")
    words = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted(words.films.glob("*.mp4"))[: words.most]
    seconds = sum(probe(path).duration_seconds for path in paths)
    begin, localizer = cpu(lambda: Localizer.from_pretrained())
    rows = [stages(localizer, path) for path in paths]
    per_ten = 10 / seconds
    sizes = [path.stat().st_size for path in paths]
    print(f"{len(paths)} films, {seconds:.0f} s, {sum(sizes) / 2**20:.1f} MiB; start {begin:.1f} CPU s")
    print(f"bytes of a film: median {statistics.median(sizes):,.0f}, for 10 s {sum(sizes) * per_ten:,.0f}")
    for name in ("decode", "listen", "look"):
        each = [row[name] for row in rows]
        print(f"{name}: median {statistics.median(each):.2f} CPU s a film, for 10 s {sum(each) * per_ten:.2f}")
    print(f"looks for 10 s: {sum(row['looks'] for row in rows) * per_ten:.1f}")
    wanted = Wanted(with_film=False)
    work = begin_looking(wanted, 1)
    write, size = written_bytes(work, paths, wanted)
    print(f"write: {write * per_ten:.4f} CPU s for 10 s, {size * per_ten:,.0f} bytes (of one shard)")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    pack_seconds, pack_bytes = packed(paths)
    print(f"pack: {pack_seconds / len(paths):.2f} CPU s and {pack_bytes / len(paths):,.0f} bytes a film")
    if words.cluster is not None:
        print(f"cluster: {overhead(words.films, partial(work), wanted, words.cluster):.2f} times the plain loop")


if __name__ == "__main__":
    main()
