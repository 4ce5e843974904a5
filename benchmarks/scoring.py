"""How fast maps become numbers: ours against the per-item way of the field's evaluation code, with equal results.

    python benchmarks/scoring.py [--items 10316] [--repeats 1]

Made maps and boxes in the sizes of the extended VGG-SS: half of the items have boxes, half are negatives, each has
three maps of 7 x 7 (the method's, the object prior's, both). Four ratios, each taken in this one run:

* all: SLAVC's whole evaluation. The per-item way, as its test code works: a map at a time is enlarged, put on 0..1 and
  sorted in full twice (for the threshold, for the confidence), overlaps are summed in NumPy; then AP by a loop over
  some 200 confidences and F1 by one over eleven, for two overlaps and six subsets, a map kind at a time;
* AP alone: those loops against ours;
* strict: all maps with boxes under our own protocol, with the peak of memory above what was there before.
"""

from __future__ import annotations

import argparse
import itertools
import resource
from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F

from soundspot.benchmarks import PROTOCOLS, score
from soundspot.metrics.detection import average_precision_slavc
from soundspot.metrics.overlap import SIZE_BINS, size_bin
from soundspot.predictions import Predictions
from soundspot.types import Target

GRID, SIDE = 224, 7
KINDS = ("av", "obj", "av_obj")
OVERLAPS = (0.5, 0.75)
SUBSETS = ("all", "visible", *SIZE_BINS)
EVERYTHING = -1000.0


def made(items: int) -> tuple[list[Target], dict[str, Predictions]]:
    """Targets, half with one to three boxes, and three kinds of maps that find some of them."""
    generator = np.random.default_rng(0)
    targets: list[Target] = []
    maps: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in KINDS}
    for number in range(items):
        name, visible = f"clip{number}", number < items // 2
        boxes = []
        for _ in range(1 + (number % 10 == 0) if visible else 0):
            width, height = generator.uniform(0.1, 0.95, 2)
            left, top = generator.uniform(0, 1 - width), generator.uniform(0, 1 - height)
            boxes.append((left, top, left + width, top + height))
        targets.append(Target(name, kind="visible" if visible else "offscreen", boxes=tuple(boxes)))
        for kind in KINDS:
            scores = generator.normal(0, 0.2, (SIDE, SIDE))
            for left, top, right, bottom in boxes:
                cells = slice(int(top * SIDE), int(bottom * SIDE) + 1), slice(int(left * SIDE), int(right * SIDE) + 1)
                scores[cells] += 0.3
            maps[kind][name] = np.clip(scores, -1, 1).astype(np.float32)
    known = {"score_low": "-1", "score_high": "1"}
    return targets, {kind: Predictions(found, {}, known) for kind, found in maps.items()}


class PerItem:
    """One kind of maps, scored an item at a time."""

    def __init__(self) -> None:
        self.overlaps: list[float] = []
        self.confidences: list[float] = []
        self.num_boxes: list[int] = []
        self.areas: list[float] = []

    def add(self, scores: np.ndarray, target: Target) -> None:
        truth = np.zeros((GRID, GRID))
        for box in target.boxes:
            left, top, right, bottom = (np.clip(np.array(box), 0, 1) * GRID).astype(int)
            truth[top:bottom, left:right] = 1
        enlarged = F.interpolate(torch.from_numpy(scores)[None, None], (GRID, GRID), mode="bicubic", align_corners=True)
        large = ((enlarged[0, 0] + 1) / 2).numpy()
        quarter = GRID * GRID // 4
        self.confidences.append(float(np.mean(np.sort(large.flatten())[-quarter:])))
        stretched = (large - large.min()) / (large.max() - large.min())
        claimed = stretched >= np.sort(stretched.flatten())[GRID * GRID // 2]
        inside = np.sum(claimed * truth)
        union = np.sum(truth) + np.sum(claimed * (truth == 0))
        self.overlaps.append(inside / union if union else 0.0)
        self.num_boxes.append(len(target.boxes))
        self.areas.append(truth.sum())

    def statistics(self) -> dict[str, float]:
        """AP, highest F1 and precision of every subset at both overlaps."""
        return {
            f"{what}-{subset}@{overlap}": value
            for overlap in OVERLAPS
            for subset in SUBSETS
            for what, value in self._of(self._rows(subset), overlap).items()
        }

    def _rows(self, subset: str) -> list[int]:
        rows = range(len(self.overlaps))
        if subset == "all":
            return list(rows)
        seen = [row for row in rows if self.num_boxes[row] > 0]
        return seen if subset == "visible" else [row for row in seen if size_bin(self.areas[row]) == subset]

    def _of(self, rows: list[int], overlap: float) -> dict[str, float]:
        f1 = []
        for threshold in sorted(self.confidences[row] for row in rows)[:: max(1, len(rows) // 10)]:
            precision, recall = self._precision_recall(rows, threshold, overlap)
            f1.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
        precision, _ = self._precision_recall(rows, EVERYTHING, overlap)
        return {"AP": self.average_precision(rows, overlap), "F1": max(f1, default=0.0), "Precision": precision}

    def average_precision(self, rows: list[int], overlap: float) -> float:
        steps = sorted((self.confidences[row] for row in rows), reverse=True)[1 :: max(1, len(rows) // 200)]
        points = [self._precision_recall(rows, step, overlap) for step in steps]
        precisions, recalls = [point[0] for point in points], [point[1] for point in points]
        for place in range(len(precisions) - 2, -1, -1):
            precisions[place] = max(precisions[place], precisions[place + 1])
        pairs = zip(precisions[:-1], itertools.pairwise(recalls), strict=True)
        return sum(precision * (after - before) for precision, (before, after) in pairs)

    def _precision_recall(self, rows: list[int], threshold: float, overlap: float) -> tuple[float, float]:
        sure = np.array([self.confidences[row] for row in rows]) >= threshold
        boxes = np.array([self.num_boxes[row] for row in rows]) > 0
        right = np.array([self.overlaps[row] for row in rows]) >= overlap
        true = np.sum(boxes & sure & right)
        false = np.sum(boxes & sure & ~right) + np.sum(~boxes & sure)
        missed = np.sum(boxes & ~sure)
        return (true / (true + false) if true + false else 1.0), (true / (true + missed) if true + missed else 1.0)


def per_item(targets: list[Target], predictions: dict[str, Predictions]) -> dict[str, PerItem]:
    """Every map, an item at a time, and all statistics of each kind."""
    scored = {kind: PerItem() for kind in KINDS}
    for target in targets:
        for kind in KINDS:
            scored[kind].add(predictions[kind].maps[target.clip_id], target)
    return scored


def timed(work: Callable[[], object], repeats: int = 1) -> tuple[float, object]:
    """Median seconds, and what it gave last."""
    seconds, given = [], None
    for _ in range(repeats):
        start = perf_counter()
        given = work()
        seconds.append(perf_counter() - start)
    return float(np.median(seconds)), given


def peak() -> float:
    """GiB that this process held at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=10316)
    parser.add_argument("--repeats", type=int, default=3, help="of ours; the per-item way runs once")
    given = parser.parse_args()
    torch.set_num_threads(1)  # the per-item way enlarges one map at a time: more threads would only cost it
    targets, predictions = made(given.items)
    rules = PROTOCOLS["slavc"]

    before = peak()
    visible = [target for target in targets if target.kind == "visible"]
    strict, _ = timed(lambda: score(predictions["av"], visible, "strict", intervals=True, beside=False), given.repeats)
    print(f"strict, {len(visible)} maps with boxes: {strict:.2f} s, {peak() - before:.2f} GiB above before", flush=True)
    whole, _ = timed(lambda: score(predictions["av"], visible, "strict"), given.repeats)
    print(f"strict, with floors and ceilings beside and all intervals: {whole:.2f} s", flush=True)

    def ours() -> dict[str, dict[str, float]]:
        found = {kind: score(each, targets, rules, intervals=False, beside=False) for kind, each in predictions.items()}
        return {kind: {key: value.value for key, value in result.summary.items()} for kind, result in found.items()}

    quick, values = timed(ours, given.repeats)
    print(f"SLAVC's evaluation, {given.items} items x 3 maps, ours: {quick:.2f} s", flush=True)
    maps, scored = timed(lambda: per_item(targets, predictions))
    numbers, statistics = timed(lambda: {kind: each.statistics() for kind, each in scored.items()})  # type: ignore[attr-defined]
    slow = maps + numbers
    print(f"  per item: {slow:.1f} s (maps {maps:.1f}, statistics {numbers:.1f}): {slow / quick:.1f} times ours")

    one: PerItem = scored["av"]  # type: ignore[index]
    rows = list(range(given.items))
    loop, printed = timed(lambda: one.average_precision(rows, 0.5))
    arrays = (np.array(one.confidences), np.array(one.overlaps) >= 0.5, np.array(one.num_boxes) > 0)
    single, mine = timed(lambda: average_precision_slavc(*arrays), 20)
    print(f"AP alone: {1000 * single:.2f} ms, by the loop {1000 * loop:.0f} ms: {loop / single:.0f} times ours")

    worst = abs(printed - mine)  # type: ignore[operator]
    for kind in KINDS:
        found, wanted = values[kind], statistics[kind]  # type: ignore[index]
        for overlap in OVERLAPS:
            pairs = [
                (f"ap@{overlap:g}", "AP-all"),
                (f"max_f1@{overlap:g}", "F1-all"),
                (f"locacc@{overlap:g}", "Precision-visible"),
            ]
            pairs += [
                (f"{ours}@{overlap:g}/{size}", f"{theirs}-{size}")
                for size in SIZE_BINS
                for ours, theirs in (("ap", "AP"), ("max_f1", "F1"))
            ]
            worst = max([worst, *(abs(found[key] - wanted[f"{name}@{overlap}"]) for key, name in pairs)])
    print(f"largest difference of {2 * len(KINDS) * 11 + 1} numbers: {worst:.1e}")


if __name__ == "__main__":
    main()
