"""The tables of docs/results/samples.md from what samples.py wrote.

python docs/results/samples_table.py PASTE.jsonl STAMPS.jsonl
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

from soundspot.benchmarks.result import Result, Value

COLUMNS = {
    "ciou_adaptive@0.5": "cIoU adap.",
    "pointing": "pointing",
    "iiou_adaptive@0.5": "IIoU adap.",
    "ciou@0.5": "cIoU",
    "auroc/offscreen": "AUROC off-screen",
    "auroc/noise": "AUROC noise",
    "auroc/silent": "AUROC silent",
}
BINS = ("small", "medium", "large", "huge")


def main(files: Sequence[str]) -> None:
    """Print both sets' tables."""
    for file in files:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
        results = [Result.from_json(line) for line in lines]
        name = "paste" if "paste" in Path(file).name else "stamps"
        print(f"### {name}: {results[0].clips} clips\n")
        _table(["", *COLUMNS.values()], [[result.name, *(_cell(result, key) for key in COLUMNS)] for result in results])
        _table(["by size, cIoU adap.", *BINS], list(_by_size(results)))


def _by_size(results: Sequence[Result]) -> list[list[str]]:
    rows = [
        [result.name, *(_cell(result, f"ciou_adaptive@0.5/{size}") for size in BINS)]
        for result in results
        if result.name.endswith(("/all", "/objectness", "/wrong sound")) or result.name == "centre"
    ]
    ceiling = next(r for r in results if r.name.endswith("/all")).beside
    for name, values in ceiling.items():
        if name.startswith("oracle "):
            rows.append([f"{name} (the map's own grid)", *(_percent(values, size) for size in BINS)])
    return rows


def _percent(values: dict[str, float], size: str) -> str:
    value = values.get(f"ciou_adaptive@0.5/{size}", math.nan)
    return "" if math.isnan(value) else f"{100 * value:.1f}"


def _cell(result: Result, key: str) -> str:
    value: Value | None = result.summary.get(key)
    if value is None or math.isnan(value.value):
        return ""
    if math.isnan(value.low):
        return f"{100 * value.value:.1f}"
    return f"{100 * value.value:.1f} [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def _table(titles: list[str], rows: list[list[str]]) -> None:
    for cells in (titles, ["---"] * len(titles), *rows):
        print("| " + " | ".join(cells) + " |")
    print()


if __name__ == "__main__":
    main(sys.argv[1:])
