"""Masks against masks: mIoU and F-score as AVSBench's code has them, film by film, and over a data set as CAVP's does.

Frames are counted once (`frame_counts`) into a few numbers each; chunks join (`join`) into what the whole would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from soundspot.metrics.overlap import by_film, count_true

Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.floating]
Classes = Literal["both", "foreground"]
"""Of which classes the mean is taken: CAVP's code takes background and foreground both."""

LEVELS: npt.NDArray[np.float32] = np.linspace(0, 1 - 1e-10, 255, dtype=np.float32)
"""The thresholds of AVSBench's F-score; in its float32 the last is 1."""

BETA2 = 0.3
"""How much recall weighs against precision: beta squared (AVSBench, arXiv 2207.05042)."""

FRAMES_A_FILM = 5
"""AVSBench's test loop takes films of five frames one by one, and the maximum over thresholds inside each."""


@dataclass(frozen=True)
class FrameCounts:
    """What scoring needs of N frames, in pixels: T thresholds, and one decided mask a frame."""

    claims: Counts
    """(N, T) at or above each of LEVELS."""
    hits: Counts
    """(N, T) of those, true ones."""
    decided: Counts
    """(N,) in the decided mask."""
    inside: Counts
    """(N,) of those, true ones."""
    area: Counts
    """(N,) true."""
    pixels: Counts
    """(N,) of the whole frame."""


def frame_counts(
    scores: Scores, truth: npt.NDArray, decided: Bools | None = None, *, level: float = 0.5
) -> FrameCounts:
    """(N, P) scores 0..1, (N, P) truth (true where above 0) -> counts.

    `decided` is the mask for IoU: by default scores strictly above `level`, as AVSBench's code has it; for the adaptive
    form `top_exactly(scores, area)`, for SSLalign's the top half. Scores are probabilities (AVSBench: the sigmoid of
    logits): the sigmoid of a map that is 0..1 already is at least .5 everywhere. To put a mask in the place of
    scores, as SSLalign does, give it as 0 and 1.
    """
    true = truth > 0
    chosen = scores > level if decided is None else decided
    misses, hits = _at_or_above(scores, true)
    return FrameCounts(
        claims=misses + hits,
        hits=hits,
        decided=count_true(chosen),
        inside=count_true(chosen & true),
        area=count_true(true),
        pixels=np.full(len(true), true.shape[1], dtype=np.int64),
    )


def _at_or_above(scores: Scores, true: Bools) -> tuple[Counts, Counts]:
    """(N, P), (N, P) -> (N, T) twice: false and true pixels at or above each of LEVELS."""
    frames, width = len(scores), len(LEVELS) + 1
    reached = np.searchsorted(LEVELS, np.asarray(scores, dtype=np.float32), side="right")  # how many levels a pixel has
    reached += width * np.arange(frames)[:, None]
    places = 2 * reached + true
    exactly = np.bincount(places.ravel(), minlength=2 * width * frames).reshape(frames, width, 2)
    ascending = exactly[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    return ascending[..., 0], ascending[..., 1]


def join(parts: Sequence[FrameCounts]) -> FrameCounts:
    """The counts of all frames, in order; each frame stays apart, so any grouping by film or chunk is still open."""
    names = FrameCounts.__dataclass_fields__
    return FrameCounts(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def frame_iou(counts: FrameCounts) -> Floats:
    """(N,): intersection over union; a frame without truth scores the share of it that is left unclaimed."""
    union = counts.decided + counts.area - counts.inside
    empty = counts.area == 0
    overlap = np.divide(counts.inside, union, out=np.zeros(len(union)), where=~empty)
    return np.where(empty, 1 - counts.decided / counts.pixels, overlap)


def miou(counts: FrameCounts, films: Sequence[str] | None = None) -> float:
    """Mean over frames, or over `films` of their frames' mean; NaN of none."""
    return _mean(frame_iou(counts) if films is None else by_film(frame_iou(counts), films))


def frame_fscore(counts: FrameCounts) -> Floats:
    """(N,): F of the decided mask by itself; NaN for a frame without truth, which has none."""
    values = _fscore(counts.inside, counts.decided, counts.area)
    return np.where(counts.area > 0, values, np.nan)


def fscore_curve(counts: FrameCounts) -> Floats:
    """(T,): mean over frames that have truth of F at each of LEVELS; zeros where none has."""
    seen = counts.area > 0
    if not seen.any():
        return np.zeros(len(LEVELS))
    return _fscore(counts.hits[seen], counts.claims[seen], counts.area[seen, None]).mean(axis=0)


def fscore(counts: FrameCounts, *, chunk: int | None = FRAMES_A_FILM, films: Sequence[str] | None = None) -> float:
    """F-score: the mean over chunks of the highest point of the chunk's curve; NaN of none.

    Chunks are `chunk` frames each in their order, as AVSBench's test code takes them (so the value depends on it), or
    `films`; with neither (None) one curve for all. A chunk without any truth counts 0, as it does there.
    """
    frames = len(counts.area)
    if films is not None:
        names = np.array(films)
        parts = [np.flatnonzero(names == name) for name in dict.fromkeys(films)]
    else:
        step = chunk or max(frames, 1)
        parts = [np.arange(start, min(start + step, frames)) for start in range(0, frames, step)]
    return _mean([fscore_curve(_taken(counts, rows)).max() for rows in parts])


def _taken(counts: FrameCounts, rows: npt.NDArray[np.intp]) -> FrameCounts:
    return FrameCounts(**{name: getattr(counts, name)[rows] for name in FrameCounts.__dataclass_fields__})


def miou_dataset(counts: FrameCounts, classes: Classes = "both") -> float:
    """One intersection and one union over all pixels of all frames; NaN of no frame.

    CAVP (arXiv 2304.02970), evaluation code: mean over background and foreground. Not comparable with `miou`.
    """
    hits, wrong, missed = _pooled(counts)
    values = np.divide(hits, hits + wrong + missed, out=np.zeros(2), where=hits + wrong + missed > 0)
    return _mean(_of(values, classes) if len(counts.area) else [])


def fscore_dataset(counts: FrameCounts, classes: Classes = "both") -> float:
    """F of the decided masks from precision and recall over all pixels of all frames, as CAVP's code has it.

    A class that is neither true nor claimed anywhere is left out; NaN of none.
    """
    hits, wrong, missed = _pooled(counts)
    whole = (1 + BETA2) * hits + BETA2 * missed + wrong
    values = np.divide((1 + BETA2) * hits, whole, out=np.full(2, np.nan), where=whole > 0)
    chosen = _of(values, classes)
    return _mean(chosen[~np.isnan(chosen)])


def fscore_dataset_max(counts: FrameCounts) -> float:
    """The highest F over LEVELS of precision and recall over all pixels of all frames; NaN of none. Ours."""
    if not len(counts.area):
        return float("nan")
    return float(_fscore(counts.hits.sum(axis=0), counts.claims.sum(axis=0), counts.area.sum()).max())


def _pooled(counts: FrameCounts) -> tuple[Floats, Floats, Floats]:
    """Pixels over all frames, (2,) each for background and foreground: hits, wrong claims, missed."""
    inside, wrong = counts.inside.sum(), (counts.decided - counts.inside).sum()
    missed = (counts.area - counts.inside).sum()
    rest = counts.pixels.sum() - inside - wrong - missed
    return np.array([rest, inside], float), np.array([missed, wrong], float), np.array([wrong, missed], float)


def _of(values: Floats, classes: Classes) -> Floats:
    return values if classes == "both" else values[1:]


def _fscore(hits: npt.NDArray, claims: npt.NDArray, area: npt.NDArray) -> Floats:
    """(1 + b2) P R / (b2 P + R) with P = hits / claims and R = hits / area, without its cases of 0 / 0: those are 0."""
    whole = BETA2 * area + claims
    return np.divide((1 + BETA2) * hits, whole, out=np.zeros(np.shape(whole)), where=whole > 0)


def _mean(values: npt.ArrayLike) -> float:
    numbers = np.asarray(values, dtype=np.float64)
    return float(numbers.mean()) if numbers.size else float("nan")
