"""Which of two methods is better on the same clips, and how likely that is chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from soundspot.benchmarks.report.evidence import Evidence, Section
from soundspot.benchmarks.report.tables import html_table, markdown_table
from soundspot.benchmarks.result import Record, Result
from soundspot.metrics.paired import Difference, compare

TITLES = ("first", "second", "measure", "difference", "95 %", "p", "first better", "second better", "of")
ABOUT = (
    "First minus second on the clips that both have, in percentage points. p: permutation test, signs flipped at random"
    " clip by clip (frames of a film and clips of a picture together); of several pairs some will be small by chance."
)


def paired(results: Sequence[Result], evidence: Evidence | None = None) -> Section | None:
    """Every pair of results of one protocol; nothing where there are no two with records.

    With `evidence` of a protocol of classes, also by an image's mean overlap of its sounding classes.
    """
    lines = []
    placed = [result for result in results if result.records and "ciou" in result.records[0]]
    for first, second in combinations(placed, 2):
        if first.protocol == second.protocol and first.benchmark == second.benchmark:
            found = differences(first, second) | (_of_classes(first, second, evidence) if evidence else {})
            lines += [_line(first, second, what, each) for what, each in found.items()]
    if not lines:
        return None
    html = f"<p>{ABOUT}</p>{html_table(TITLES, lines)}"
    return Section("Pairs", html, f"{ABOUT}\n\n{markdown_table(TITLES, lines)}")


def differences(first: Result, second: Result) -> dict[str, Difference]:
    """By what is compared: successes by the protocol's area and the true one, overlaps, pointing."""
    threshold = float(first.provenance["protocol"]["thresholds"][0])
    by_id = {record["clip_id"]: record for record in second.records}
    shared = [
        (record, by_id[record["clip_id"]])
        for record in first.records
        if _scored(record) and _scored(by_id.get(record["clip_id"], {}))
    ]
    if not shared:
        return {}
    units = [str(one.get("unit") or one["clip_id"]) for one, _ in shared]
    found = {}
    for title, column, at in (
        (f"cIoU@{threshold:g}", "ciou", threshold),
        (f"cIoU adap.@{threshold:g}", "ciou_adaptive", threshold),
        ("overlap", "ciou", None),
        ("pointing", "pointing", None),
    ):
        values = np.array([[float(record[column] or 0) for record in pair] for pair in shared])
        if at is not None:
            values = (values >= at).astype(np.float64)
        found[title] = compare(values[:, 0], values[:, 1], units)
    return found


def _of_classes(first: Result, second: Result, evidence: Evidence) -> dict[str, Difference]:
    """By the class overlaps of images in which both have one."""
    known = evidence.class_values
    if not {first.name, second.name} <= known.keys():
        return {}
    values = np.stack([known[result.name][0] for result in (first, second)], axis=1)
    units = {str(record["clip_id"]): str(record.get("unit") or record["clip_id"]) for record in first.records}
    shared = ~np.isnan(values).any(axis=1) & np.array([target.clip_id in units for target in evidence.targets])
    if not shared.any():
        return {}
    drawn = [units[target.clip_id] for target, kept in zip(evidence.targets, shared, strict=True) if kept]
    both = values[shared]
    threshold = float(first.provenance["protocol"]["thresholds"][0])
    reached = (both >= threshold).astype(np.float64)
    return {
        f"class cIoU@{threshold:g}": compare(reached[:, 0], reached[:, 1], drawn),
        "class overlap": compare(both[:, 0], both[:, 1], drawn),
    }


def _scored(record: Mapping[str, object] | Record) -> bool:
    return record.get("status") == "scored" and record.get("kind") == "visible" and record.get("ciou") is not None


def _line(first: Result, second: Result, what: str, found: Difference) -> list[str]:
    span = f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    counts = [str(found.first_better), str(found.second_better), str(found.units)]
    return [first.name, second.name, what, f"{100 * found.mean:+.2f}", span, f"{found.p_value:.2g}", *counts]
