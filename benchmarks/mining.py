"""Exact neighbour mining against faiss: exact, and approximate at the recall that would be asked of it.

    python benchmarks/mining.py [--rows 144000] [--dim 512] [--k 1000]

Vectors are clustered, as embeddings are. Prints seconds, peak memory and ratios in one run: ours
(soundspot.data.mining.mine, which also writes the result to disk); faiss's exact search; and faiss's inverted lists,
more and more of them visited until recall reaches 0.95. faiss is timed on a part of the rows, and said to be.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from soundspot.data.mining import mine

WANTED_RECALL = 0.95
PART = 4096
"""Rows on which faiss is timed; its time grows with their number."""


def clustered(rows: int, dim: int, seed: int = 0) -> np.ndarray:
    """Unit vectors around as many centres as a data set has classes, of unequal sizes and widths."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(300, dim)).astype(np.float32)
    which = rng.choice(300, size=rows, p=rng.dirichlet(np.full(300, 0.5)))
    spread = rng.uniform(0.5, 2.0, size=300).astype(np.float32)
    vectors = centres[which] + spread[which, None] * rng.normal(size=(rows, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), truth.tolist(), strict=True)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("--rows", 144_000), ("--dim", 512), ("--k", 1000)):
        parser.add_argument(name, type=int, default=default)
    given = parser.parse_args()
    vectors = clustered(given.rows, given.dim)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        names = [str(number) for number in range(given.rows)]
        start = time.perf_counter()
        mine(vectors, names, Path(folder), "image", k=given.k)
        ours = time.perf_counter() - start
        truth = np.load(Path(folder) / "image_index.npy")[:PART]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{given.rows} x {given.dim}, k {given.k}, {torch.get_num_threads()} threads")
    print(f"ours, exact, written to disk: {ours:.0f} s, peak {peak / 2**20:.2f} GiB (before: {before / 2**20:.2f})")
    try:
        import faiss
    except ImportError:
        print("faiss is not installed: pip install faiss-cpu for the comparison")
        return
    faiss.omp_set_num_threads(torch.get_num_threads())
    part = vectors[:PART]
    share = given.rows / len(part)
    flat = faiss.IndexFlatIP(given.dim)
    flat.add(vectors)
    seconds, _ = timed(lambda: flat.search(part, given.k + 1)[1])
    whole = seconds * share
    print(f"faiss exact, by {len(part)} rows: {whole:.0f} s for all, {whole / ours:.2f} x ours")
    lists = int(4 * np.sqrt(given.rows))
    start = time.perf_counter()
    index = faiss.index_factory(given.dim, f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:: max(1, given.rows // (40 * lists))])
    index.add(vectors)
    built = time.perf_counter() - start
    visited = 1
    while visited <= lists:
        index.nprobe = visited
        seconds, found = timed(lambda: index.search(part, given.k + 1)[1][:, 1:])
        share_found = recall(found, truth)
        whole = built + seconds * share
        ratio = f"{whole:.0f} s for all, {whole / ours:.2f} x ours"
        print(f"faiss IVF{lists}, {visited} lists: recall {share_found:.3f}, {ratio}")
        if share_found >= WANTED_RECALL:
            verdict = "faster" if whole < ours else "not faster"
            print(f"approximate search at recall {WANTED_RECALL} is {verdict} than the exact one here")
            return
        visited *= 2


if __name__ == "__main__":
    main()
