"""The same maps under every protocol: how much of a number is the scoring code."""

from __future__ import annotations

from collections.abc import Sequence

from soundspot.benchmarks.protocols import PROTOCOLS, Protocol
from soundspot.benchmarks.report.classes import left_out, remark
from soundspot.benchmarks.report.evidence import Evidence, Section
from soundspot.benchmarks.report.rows import percent
from soundspot.benchmarks.report.tables import html_table, markdown_table
from soundspot.benchmarks.score import score
from soundspot.predictions import Predictions
from soundspot.types import Target

COLUMNS = {"auc": "AUC", "auc_adaptive": "AUC adap.", "pointing": "pointing", "ap": "AP", "max_f1": "max-F1"}
ABOUT = (
    "The same maps of the same clips, each time by another paper's rules, against boxes or masks as the column truth"
    " says. cIoU at the protocol's own first threshold."
)


def every_protocol(evidence: Evidence) -> Section | None:
    """A line a method and protocol; a protocol that a method's maps do not fit is left out.

    So is a method that tells classes apart, with a word on it.
    """
    lines = []
    classed = [name for name, predictions in evidence.predictions.items() if predictions.tells_classes]
    for name, predictions in evidence.predictions.items():
        if name in classed:
            continue
        for rules in PROTOCOLS.values():
            if fits(rules, predictions, evidence):
                lines.append(_line(name, predictions, rules, evidence))
    if not lines:
        return Section("Every protocol", remark(classed), left_out(classed)) if classed else None
    titles = ("method", "protocol", "truth", "at", "cIoU", "cIoU adap.", *COLUMNS.values())
    html = f"<p>{ABOUT}</p>{html_table(titles, lines)}{remark(classed)}"
    text = f"{ABOUT}\n\n{markdown_table(titles, lines)}"
    return Section("Every protocol", html, f"{text}\n\n{left_out(classed)}".rstrip())


def fits(rules: Protocol, predictions: Predictions, evidence: Evidence) -> bool:
    """Whether maps and truths have what the protocol needs: a score range, masks."""
    if rules.stretch == "range" and predictions.score_range is None:
        return False
    return "segmentation" not in rules.forms or any(target.mask is not None for target in evidence.targets)


def truth_of(rules: Protocol, targets: Sequence[Target]) -> str:
    """What the protocol takes of these clips: boxes, masks, or both where some have only the other."""
    visible = [target for target in targets if target.kind == "visible"]
    masked = {target.mask is not None and (rules.truth == "mask" or not target.boxes) for target in visible}
    return " and ".join(word for word, is_mask in (("boxes", False), ("masks", True)) if is_mask in masked)


def _line(name: str, predictions: Predictions, rules: Protocol, evidence: Evidence) -> list[str]:
    summary = score(predictions, evidence.targets, rules, intervals=False, beside=False).summary
    at = f"@{rules.thresholds[0]:g}"
    cells = [name, rules.name, truth_of(rules, evidence.targets), f"{rules.thresholds[0]:g}"]
    for key in (f"ciou{at}", f"ciou_adaptive{at}", *COLUMNS):
        value = summary.get(key) or summary.get(f"{key}{at}")
        cells.append("" if value is None or value.value != value.value else percent(value.value))
    return cells
