"""Methods that tell classes apart: pictures in colours with a key, curves, and a word where they do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from soundspot.benchmarks.report.evidence import Evidence, Section
from soundspot.benchmarks.report.svg import Line, histogram, line_chart
from soundspot.benchmarks.result import Result
from soundspot.localize.classes import Layer
from soundspot.localize.draw_classes import Palette
from soundspot.metrics.overlap import AUC_THRESHOLDS

MOST_SHOWN = 6
"""Classes in one picture."""
SHOWN_FROM = 0.5
"""A class is shown that reaches this share of the way from what is usual in the maps to the highest of them."""


def is_classed(result: Result) -> bool:
    """Whether its maps are by class, so that its records hold no overlaps of one map."""
    named = "classes" in result.provenance.get("predictions", {})
    return named and all(record.get("ciou") is None for record in result.records)


def left_out(names: Sequence[str]) -> str:
    """Why these results are not here; nothing of none."""
    if not names:
        return ""
    which = f"{', '.join(names)}: not here, for this takes one map a clip and these are a map a class;"
    return f"{which} predict again with --set output=one where the method has that option."


def remark(names: Sequence[str]) -> str:
    """The same for the page."""
    return f'<p class="faint">{escape(left_out(names))}</p>' if names else ""


class Key:
    """A colour a class, the same in all pictures of a benchmark, whichever method drew them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.numbers = {name: number for number, name in enumerate(names)}
        self.palette = Palette(self.numbers.values())

    @classmethod
    def of(cls, evidence: Evidence) -> Key | None:
        """Of all classes of truths and methods; None where no method tells classes apart."""
        classed = [each for each in evidence.predictions.values() if each.tells_classes]
        if not classed:
            return None
        truths = sorted({label for target in evidence.targets for label in target.box_labels})
        others = [name for predictions in classed for name in predictions.class_names]
        return cls(list(dict.fromkeys([*truths, *others])))

    def layers(self, maps: npt.NDArray[np.float32], classes: Sequence[str]) -> list[Layer]:
        """(K, h, w) maps of `classes` -> what to draw: all put on 0..1 together, from their median to their highest.

        The strongest classes first; on a softmax over classes the median stands for none of them.
        """
        low, high = float(np.median(maps)), float(maps.max())
        heats = np.clip((maps - low) / max(high - low, 1e-12), 0, 1).astype(np.float32)
        peaks = heats.max(axis=(1, 2))
        shown = [int(place) for place in np.argsort(-peaks, kind="stable")[:MOST_SHOWN] if peaks[place] >= SHOWN_FROM]
        return [Layer(self.numbers[classes[place]], classes[place], heats[place]) for place in shown]

    def html(self, names: Sequence[str]) -> str:
        """A legend of these classes."""
        return "".join(
            f'<span class="key"><i style="background:rgb{self.palette[self.numbers[name]]}"></i>{escape(name)}</span> '
            for name in names
        )


def class_curves(evidence: Evidence) -> Section | None:
    """Success over an image's mean overlap of its sounding classes, and how still its silent classes stay."""
    known = {name: values for name, values in evidence.class_values.items() if not np.isnan(values[0]).all()}
    if not known:
        return None
    lines, silent = [], []
    for name, (overlaps, shares) in known.items():
        measured = overlaps[~np.isnan(overlaps)]
        rates = [float((measured >= step).mean()) for step in AUC_THRESHOLDS]
        lines.append(Line(name, AUC_THRESHOLDS.tolist(), rates))
        if not np.isnan(shares).all():
            silent.append((name, shares))
    charts = [
        line_chart(lines, title="Success over overlap, by class", x_title="mean overlap of sounding classes",
                   y_title="share of images", x_range=(0, 1), y_range=(0, 1))
    ]  # fmt: skip
    if silent:
        charts.append(
            histogram(silent, title="Silence of silent classes", x_title="share of silent pixels", x_range=(0, 1))
        )
    return Section(
        "Classes", '<div class="figures">' + "".join(f"<figure>{chart}</figure>" for chart in charts) + "</div>"
    )
