"""A printed number with everything that says what it is worth, and how printed tables become such rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Trust = Literal["paper", "code", "issue", "second hand"]
"""Where it was read: in the paper that measured it, in a repository, in an issue thread, or as somebody's quote."""
Kind = Literal["main", "ablation"]
Cells = tuple[float | None, ...]
"""Neighbouring cells of a line as printed; None is a printed dash."""

CIOU, CIOU_ADAPTIVE, AUC, AUC_ADAPTIVE = "ciou@0.5", "ciou_adaptive@0.5", "auc", "auc_adaptive"
AP, MAX_F1, LOCACC = "ap@0.5", "max_f1@0.5", "locacc@0.5"
MIOU, FSCORE = "miou", "fscore"
CLASS_CIOU, CLASS_AUC, CLASS_AP = "class_ciou@0.3", "class_auc", "class_ap"

METRICS: dict[str, str] = {
    CIOU: "share of clips with cIoU of at least 0.5, half of the picture claimed",
    CIOU_ADAPTIVE: "the same, as much claimed as is true",
    "ciou@0.3": "share of clips with cIoU of at least 0.3",
    AUC: "area under the share of successes over all cIoU thresholds",
    AUC_ADAPTIVE: "the same, as much claimed as is true",
    "iiou@0.5": "share of pictures with every one of their sounds at cIoU of at least 0.5",
    "iiou_adaptive@0.5": "the same, as much claimed as is true",
    "iauc": "area under IIoU over all thresholds",
    "iauc_adaptive": "the same, as much claimed as is true",
    AP: "average precision with clips without a visible source among them",
    MAX_F1: "best F1 over confidences with clips without a visible source among them",
    "max_f1@0.5/real": "the same, negatives chosen by hand",
    "max_f1@0.5/other_class": "the same, negatives of a sound of another class",
    "max_f1@0.5/same_class": "the same, negatives of another clip's sound of the same class",
    LOCACC: "share of clips with a visible source at cIoU of at least 0.5",
    MIOU: "mean overlap of masks, a frame at a time",
    "miou_adaptive": "the same, as much claimed as is true",
    FSCORE: "F-measure of masks with beta squared 0.3",
    "fscore_adaptive": "the same, as much claimed as is true",
    "miou_dataset": "overlap of masks with all frames' pixels in one sum",
    "jf_dataset": "mean of J and F with all frames' pixels in one sum",
    "map": "mean average precision of pixels",
    CLASS_CIOU: "share of clips with class-aware IoU of at least 0.3",
    CLASS_AUC: "area under its curve, or single_iou's, over all thresholds",
    CLASS_AP: "class-aware average precision (CAP)",
    "single_iou@0.5": "share of one-source clips with IoU of at least 0.5",
    "nmi": "normalised mutual information of found and true classes of a mixture's sounds",
    "multi_precision": "precision of the classes named in a mixture",
    "multi_recall": "recall of the classes named in a mixture",
    "multi_map": "mean average precision of the classes named in a mixture",
    **{
        f"recall@{top}/{direction}": f"share of queries whose own pair is among the nearest {top}"
        for top in (1, 5, 10)
        for direction in ("sound_to_image", "image_to_sound")
    },
    "gap": "distance between both modalities' vectors; no share, and lower is better",
    "alignment": "mean cosine of true pairs",
    "true_negative_rate": "share of frames without a visible source in which nothing is claimed",
}
"""Every metric that a published row may hold."""

LOWER_IS_BETTER = frozenset({"gap"})


@dataclass(frozen=True)
class Published:
    """A row of a paper's table."""

    benchmark: str
    method: str
    protocol: str
    """A name of PROTOCOLS; empty: unknown, or the authors' own."""
    source: str
    metrics: dict[str, float]
    """By keys of METRICS, shares of 1; `gap` is a distance."""
    clips: str = ""
    """How many clips it stands on, where known: stated, or the only count of which the printed digits are a share."""
    table: str = ""
    """Where in the source: "table 3", "poster", "README", "note" (known through a note alone)."""
    trust: Trust = "paper"
    kind: Kind = "main"
    trained_on: str = ""
    year: int = 0
    """Of the source, which may be later than the method's."""
    weights_public: bool | None = None
    """Whether anybody can run it: weights that gave the number are public, or there are none; None: not known."""
    comparable: bool = True
    """False: measured by another rule than the metric's name says, as far as is known; no anchor."""
    note: str = ""


@dataclass(frozen=True)
class Source:
    """A paper or a repository, and what holds for all of its tables."""

    name: str
    year: int
    trust: Trust = "paper"
    weights: Mapping[str, bool] = field(default_factory=dict)
    """Whether weights are public, by a method's name before its first comma, plus or bracket."""


@dataclass(frozen=True)
class Columns:
    """Neighbouring columns of a printed table on one benchmark."""

    benchmark: str
    metrics: tuple[str, ...]
    protocol: str = ""
    clips: str = ""
    trained_on: str | None = None
    """Where it is not what the whole table was trained on."""
    suffix: str = ""
    """What these columns add to a method's name."""
    protocols: Mapping[str, str] = field(default_factory=dict)
    """Other protocols, by a method's name before its first comma, plus or bracket."""
    unit: float = 100
    """What is printed for all: 100 for percent, 1 for shares."""
    comparable: bool = True
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A printed line: its method, its cells for each of the table's column groups, and what sets it apart."""

    method: str
    cells: tuple[Cells | None, ...]
    note: str = ""
    trust: Trust | None = None
    protocol: str | None = None
    clips: str | None = None
    trained_on: str | None = None
    weights: bool | Literal["of the source"] | None = "of the source"


def line(
    method: str,
    *cells: Cells | None,
    note: str = "",
    trust: Trust | None = None,
    protocol: str | None = None,
    clips: str | None = None,
    trained_on: str | None = None,
    weights: bool | Literal["of the source"] | None = "of the source",
) -> Line:
    """A printed line; None for column groups in which it has no number."""
    return Line(method, cells, note, trust, protocol, clips, trained_on, weights)


def rows(
    source: Source,
    table: str,
    columns: Sequence[Columns],
    lines: Sequence[Line],
    *,
    kind: Kind = "main",
    trained_on: str = "",
    note: str = "",
) -> list[Published]:
    """A row for each printed line and group of columns with a number in it."""
    found: list[Published] = []
    for printed in lines:
        family = _family(printed.method)
        weights = source.weights.get(family) if kind == "main" else None
        for group, cells in zip(columns, printed.cells, strict=True):
            metrics = _shares(group, cells)
            if not metrics:
                continue
            found.append(
                Published(
                    benchmark=group.benchmark,
                    method=printed.method + group.suffix,
                    protocol=_first(printed.protocol, group.protocols.get(family), group.protocol),
                    source=source.name,
                    metrics=metrics,
                    clips=_first(printed.clips, group.clips),
                    table=table,
                    trust=printed.trust or source.trust,
                    kind=kind,
                    trained_on=_first(printed.trained_on, group.trained_on, trained_on),
                    year=source.year,
                    comparable=group.comparable,
                    weights_public=weights if printed.weights == "of the source" else printed.weights,
                    note="; ".join(part for part in (note, group.note, printed.note) if part),
                )
            )
    return found


def _family(method: str) -> str:
    for mark in (",", " +", " ("):
        method = method.split(mark, 1)[0]
    return method


def _shares(group: Columns, cells: Cells | None) -> dict[str, float]:
    if cells is None:
        return {}
    pairs = zip(group.metrics, cells, strict=True)
    return {metric: round(value / group.unit, 6) for metric, value in pairs if value is not None}


def _first(*given: str | None) -> str:
    return next((value for value in given if value is not None), "")
