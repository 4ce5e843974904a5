"""A timeline as a figure: how sure, what is said of it, how loud, and what was heard. Needs the extra `plot`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from soundspot.localize.draw import VERDICT_COLOURS
from soundspot.localize.timeline import Timeline
from soundspot.types import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXTRA = "pip install 'soundspot[plot]'"
NUM_TAGS = 6
"""Rows of tags: those told first and most surely over the whole film."""
HEIGHTS = (3.0, 0.5, 1.0, 2.0)
GREY = "#444444"


def figure_of(timeline: Timeline, width_inches: float = 11.0) -> Figure:
    """Four rows over one axis of time: probability with the unsure band, verdicts, waveform, tags."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise UserError(f"expected the package {error.name}, got none; install it: {EXTRA}") from None
    figure, (sure, verdicts, wave, tags) = plt.subplots(
        4, 1, sharex=True, figsize=(width_inches, 5.2), height_ratios=HEIGHTS, layout="constrained"
    )
    edges = _edges(timeline)
    _draw_sure(sure, timeline)
    _draw_verdicts(verdicts, timeline, edges)
    _draw_wave(wave, timeline, edges)
    _draw_tags(tags, timeline, edges)
    sure.set_title(timeline.source.rsplit("/", 1)[-1], loc="left", fontsize=10)
    sure.set_xlim(edges[0], edges[-1])
    tags.set_xlabel("seconds")
    return figure


def _edges(timeline: Timeline) -> np.ndarray:
    """(N + 1,) from when to when each moment stands: half a step about it, and no longer than the film."""
    half = timeline.step_seconds / 2
    times = np.array([moment.time_seconds for moment in timeline.known])
    edges = np.append(times - half, times[-1] + half)
    edges[0] = max(edges[0], 0.0 if timeline.shown is None else timeline.shown.start_seconds)
    return edges


def _draw_sure(axes: Any, timeline: Timeline) -> None:
    times = [moment.time_seconds for moment in timeline.known]
    values = [moment.probability for moment in timeline.known]
    if all(value is None for value in values):
        values = [moment.confidence for moment in timeline.known]
        axes.set_ylabel("highest raw score")
    else:
        axes.set(ylabel="source in view", ylim=(-0.02, 1.02), yticks=[0, 0.5, 1])
        low, high = _unsure_band(timeline)
        colour = _colour("unsure")
        if high > low:
            axes.axhspan(low, high, color=colour, alpha=0.25, lw=0, label=f"unsure: {low:.2f} to {high:.2f}")
            axes.legend(loc="upper right", fontsize=8, frameon=False)
        else:
            axes.axhline(high, color=colour, lw=1)
    axes.plot(times, np.array(values, dtype=float), color=GREY, lw=1.2, marker=".", ms=4)
    for index in range(1, len(times)):
        if timeline.known[index].shot != timeline.known[index - 1].shot:
            axes.axvline((times[index - 1] + times[index]) / 2, color=GREY, lw=0.8, ls=":")


def _unsure_band(timeline: Timeline) -> tuple[float, float]:
    calibration = json.loads(timeline.provenance.get("calibration", "{}"))
    return calibration.get("low", 0.5), calibration.get("high", 0.5)


def _draw_verdicts(axes: Any, timeline: Timeline, edges: np.ndarray) -> None:
    verdicts = [moment.verdict for moment in timeline.known]
    for verdict in dict.fromkeys(verdicts):
        spans = [(edges[i], edges[i + 1] - edges[i]) for i, each in enumerate(verdicts) if each == verdict]
        axes.broken_barh(spans, (0, 1), color=_colour(verdict), lw=0, label=verdict or "relative")
    axes.set(ylim=(0, 1), yticks=[])
    axes.set_ylabel("verdict", rotation=0, ha="right", va="center")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.05), ncols=4, fontsize=8, frameon=False)


def _draw_wave(axes: Any, timeline: Timeline, edges: np.ndarray) -> None:
    peaks = np.array(timeline.wave, dtype=float)
    if peaks.size:
        middle = np.linspace(edges[0], edges[-1], len(peaks) + 1)
        axes.stairs(peaks, middle, baseline=-peaks, fill=True, color="#7a7a7a")
    top = max(float(peaks.max(initial=0.0)) * 1.05, 0.05)
    axes.set(ylim=(-top, top), yticks=[])
    axes.set_ylabel("sound", rotation=0, ha="right", va="center")


def _draw_tags(axes: Any, timeline: Timeline, edges: np.ndarray) -> None:
    sums: dict[str, float] = {}
    for moment in timeline.known:
        for rank, (name, value) in enumerate(moment.tags, start=1):  # exact names come before their families
            sums[name] = sums.get(name, 0.0) + value / rank
    names = sorted(sums, key=lambda name: -sums[name])[:NUM_TAGS]
    grid = np.zeros((max(len(names), 1), len(timeline.known)))
    for column, moment in enumerate(timeline.known):
        for name, value in moment.tags:
            if name in names:
                grid[names.index(name), column] = value
    axes.pcolormesh(edges, np.arange(len(grid) + 1) - 0.5, grid, cmap="Greys", vmin=0, vmax=1)
    labels = [name if len(name) <= 28 else name[:27] + "…" for name in names]
    axes.set_yticks(range(len(names)), labels, fontsize=8)
    axes.invert_yaxis()


def _colour(verdict: Any) -> tuple[float, ...]:
    return tuple(value / 255 for value in VERDICT_COLOURS[verdict])
