"""Lines of a table: our results with their intervals, beside floors, ceilings and what papers print."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from soundspot.benchmarks.published import Published, published
from soundspot.benchmarks.result import Result, Value

HEADLINES: dict[str, str] = {
    "ciou@0.5": "cIoU",
    "ciou@0.3": "cIoU@.3",
    "auc": "AUC",
    "ciou_adaptive@0.5": "cIoU adap.",
    "auc_adaptive": "AUC adap.",
    "pointing": "pointing",
    "iiou@0.5": "IIoU",
    "iauc": "IAUC",
    "iiou_adaptive@0.5": "IIoU adap.",
    "iauc_adaptive": "IAUC adap.",
    "miou": "mIoU",
    "fscore": "F",
    "miou_adaptive": "mIoU adap.",
    "fscore_adaptive": "F adap.",
    "miou_dataset": "mIoU (set)",
    "fscore_dataset": "F (set)",
    "jf_dataset": "J&F (set)",
    "map": "mAP",
    "single_iou@0.5": "single IoU",
    "class_ciou@0.3": "class cIoU@.3",
    "class_ciou@0.5": "class cIoU@.5",
    "class_auc": "class AUC",
    "class_ap": "class AP",
    "nsa": "NSA",
    "ap@0.5": "AP",
    "max_f1@0.5": "max-F1",
    "ap_voc@0.5": "AP (VOC)",
    "max_f1_voc@0.5": "max-F1 (VOC)",
    "locacc@0.5": "LocAcc",
    "max_f1@0.5/real": "max-F1 real",
    "max_f1@0.5/other_class": "max-F1 easy",
    "max_f1@0.5/same_class": "max-F1 hard",
    "auroc/all": "AUROC",
    "auroc/silent": "AUROC silent",
    "auroc/noise": "AUROC noise",
    "auroc/offscreen": "AUROC off-screen",
    "false_area/silent": "area, silent",
    "false_area/noise": "area, noise",
    "false_area/offscreen": "area, off-screen",
    "f_placed_quiet": "placed and quiet",
    "true_negative_rate": "true negatives",
    "recall@1/sound_to_image": "R@1 s→i",
    "recall@5/sound_to_image": "R@5 s→i",
    "recall@10/sound_to_image": "R@10 s→i",
    "recall@1/image_to_sound": "R@1 i→s",
    "recall@5/image_to_sound": "R@5 i→s",
    "recall@10/image_to_sound": "R@10 i→s",
    "alignment": "alignment",
    "nmi": "NMI",
    "multi_precision": "precision",
    "multi_recall": "recall",
    "multi_map": "class mAP",
}
"""The metrics of the tables, in percent, by column title; the JSON holds all."""

FIXED = ("", "name", "protocol", "clips", "leaks", "weights")
"""Titles of the columns before the metrics'."""


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    kind: str
    """result, floor, ceiling or published."""
    name: str
    protocol: str
    clips: str
    leaks: str = ""
    """Test clips in the training list, where that was looked at."""
    weights: str = ""
    cells: dict[str, str] = field(default_factory=dict)
    note: str = ""
    origin: str = ""
    """Of a printed row: where it stands and, unless it was read in the paper, how far to trust it."""

    @property
    def title(self) -> str:
        """The name, with where it stands."""
        return f"{self.name} ({self.origin})" if self.origin else self.name

    def texts(self, columns: Sequence[str]) -> list[str]:
        """All cells in order."""
        fixed = [self.kind, self.title, self.protocol, self.clips, self.leaks, self.weights]
        return [*fixed, *(self.cells.get(column, "") for column in columns)]


def rows(results: Sequence[Result], *, with_published: bool = True, ablations: bool = False) -> list[Row]:
    """Results of one benchmark, each followed by its floors and ceilings; then the published rows that say as much."""
    lines: list[Row] = []
    shown: set[tuple[str, str, int]] = set()
    for result in results:
        weights = str(result.provenance["weights_sha256"])[:12]
        cells = {key: _with_interval(value) for key, value in result.summary.items()}
        leaks = _leaks(result.provenance.get("leaks", {}))
        lines.append(Row("result", result.name, result.protocol, result.clips, leaks, weights, cells))
        for name, metrics in result.beside.items():
            key = (name, result.protocol, result.provenance["clips_listed"])
            if key not in shown:
                shown.add(key)
                kind = "ceiling" if name.startswith("oracle") else "floor"
                known = {metric: percent(value) for metric, value in metrics.items() if not math.isnan(value)}
                listed = str(result.provenance["clips_listed"])
                lines.append(Row(kind, name, result.protocol, listed, weights="none", cells=known))
    if with_published:
        measured = {key for result in results for key in result.summary if key in HEADLINES}
        for benchmark in dict.fromkeys(result.benchmark for result in results):
            lines += [
                _published(row) for row in published(benchmark, ablations=ablations) if measured & row.metrics.keys()
            ]
    return lines


def _published(row: Published) -> Row:
    """A printed row."""
    parts = [row.source, row.table, f"trained on {row.trained_on}" if row.trained_on else ""]
    parts.append("" if row.trust == "paper" else row.trust)
    known = {key: percent(value) for key, value in row.metrics.items() if key in HEADLINES}
    origin = ", ".join(part for part in parts if part)
    return Row("published", row.method, row.protocol, row.clips, cells=known, note=row.note, origin=origin)


def _leaks(leaks: Mapping[str, int]) -> str:
    return ", ".join(f"{count} in {name}" for name, count in leaks.items())


def columns_of(lines: Sequence[Row]) -> list[str]:
    """The headline metrics that any line has which is not a printed one."""
    own = [line for line in lines if line.kind != "published"] or lines
    return [key for key in HEADLINES if any(key in line.cells for line in own)]


def notes(results: Sequence[Result]) -> list[str]:
    """What stands below a table: rules, clips, intervals, versions, defects; a line each."""
    lines: dict[str, None] = {}
    for result in results:
        known = result.provenance
        versions = ", ".join(f"{package} {version}" for package, version in known["versions"].items())
        source = f" ({known['protocol']['source']})" if "protocol" in known else ""
        lines[f"{result.protocol}: {known['protocol_rules']}{source}"] = None
        lines[f"{result.name}: {result.clips} clips used; weights {known['weights_sha256']}; {versions}"] = None
        lines.update(dict.fromkeys(_lost(result)))
        lines[f"intervals: {known['interval']}"] = None
    return list(lines)


def _lost(result: Result) -> list[str]:
    """Clips that are missing, lack a truth, or have a defective one: none is silent."""
    known = result.provenance
    lines = []
    for key, what in {
        "clips_missing": f"missing ({known['missing_rule']})",
        "clips_without_truth": "without truth",
    }.items():
        names = [f"{clip_id} ({reason})" for clip_id, reason in known.get(key, {}).items()]
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            lines.append(f"{result.name}: {len(names)} clips {what}: {', '.join(names[:3])}{more}")
    if known.get("clips_not_in_benchmark"):
        lines.append(f"{result.name}: {known['clips_not_in_benchmark']} predictions are of clips not in the benchmark")
    if known.get("clip_list_negatives"):
        lines.append(f"{result.name}: {known['clip_list_negatives']} negatives are of listed clips")
    if known.get("defects"):
        clips = len({defect["clip_id"] for defect in known["defects"]})
        lines.append(f"truth: {len(known['defects'])} defects in {clips} clips, named in the JSON")
    return lines


def by_benchmark(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Numbers of different benchmarks share no table."""
    tables: dict[str, list[Result]] = {}
    for result in results:
        tables.setdefault(result.benchmark, []).append(result)
    return tables


def percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _with_interval(value: Value) -> str:
    if math.isnan(value.value):
        return "–"
    if math.isnan(value.low):
        return percent(value.value)
    return f"{percent(value.value)} [{100 * value.low:.1f}, {100 * value.high:.1f}]"
