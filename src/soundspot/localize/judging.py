"""From what a method says to what we say of it: smoothed within a shot, calibrated, judged, regions numbered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import numpy as np
import numpy.typing as npt

from soundspot.localize.classes import ClassThresholds, in_view, judge
from soundspot.localize.looks import Look
from soundspot.localize.regions import boxes_of
from soundspot.localize.shots import shots_of
from soundspot.localize.timeline import SILENCE_DBFS, Calibration, Moment, Verdict
from soundspot.localize.tracks import Tracker

BESIDE = 0.5
"""The weight of the looks before and after, where the look itself has 1."""
_NOTHING = np.zeros((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class Judge:
    """What turns a method's raw scores into probabilities and verdicts; it belongs to the weights.

    `class_names` of a method that tells classes apart: it is judged class by class by `thresholds`, and `calibration`
    is not asked.
    """

    calibration: Calibration | None = None
    thresholds: ClassThresholds = field(default_factory=ClassThresholds)
    class_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, header: Mapping[str, str], class_names: Sequence[str] = ()) -> Judge:
        """That of a weights' header."""
        return cls(Calibration.of(header), ClassThresholds.of(header), tuple(class_names))

    def as_text(self) -> dict[str, str]:
        """What a timeline says of it, as a weights' header does."""
        if self.class_names:
            return {"class_thresholds": json.dumps(vars(self.thresholds))}
        return {} if self.calibration is None else {"calibration": json.dumps(vars(self.calibration))}

    def moment(self, look: Look) -> Moment:
        """What there is to say of one look."""
        return self._of_classes(look) if look.maps.ndim == 3 else self._of_one_map(look)

    def heat(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(h, w) raw scores -> 0..1: probabilities, or, where there is no calibration, all that can be shown."""
        if self.calibration is not None:
            return self.calibration.probability(scores).astype(np.float32)
        low, high = float(scores.min()), float(scores.max())
        return ((scores - low) / max(high - low, 1e-12)).astype(np.float32)

    def _of_one_map(self, look: Look) -> Moment:
        heat, probability, verdict = self.heat(look.maps), None, None
        if self.calibration is not None:
            probability = float(heat.max())
            verdict = self._verdict(probability, look.level_dbfs)
        if verdict == "silent":
            heat, probability = np.zeros_like(heat), 0.0
        return Moment(
            time_seconds=look.time_seconds,
            map=look.maps,
            heat=heat,
            confidence=float(look.maps.max()),
            probability=probability,
            verdict=verdict,
            level_dbfs=look.level_dbfs,
            balance=None if verdict == "silent" else look.balance,
            tags=() if verdict == "silent" else look.tags,
            boxes=boxes_of(heat) if verdict in ("on-screen", "unsure") else (),
        )

    def _verdict(self, probability: float, level_dbfs: float) -> Verdict:
        assert self.calibration is not None
        return "silent" if level_dbfs < SILENCE_DBFS else self.calibration.verdict(probability)

    def _of_classes(self, look: Look) -> Moment:
        is_silent = look.level_dbfs < SILENCE_DBFS
        heard = np.zeros(len(look.heard)) if is_silent else np.array(look.heard)  # whatever the method made of it
        classes = judge(self.class_names, look.maps, heard, look.seen, self.thresholds)
        sounding = [number for number, each in enumerate(classes) if each.verdict == "sounding"]
        scores = look.maps[sounding or slice(None)].max(axis=0)
        verdict: Verdict = "silent" if is_silent else "on-screen" if sounding else "off-screen"
        return Moment(
            time_seconds=look.time_seconds,
            map=scores,
            heat=np.max([np.zeros_like(scores), *(classes[number].heat for number in sounding)], axis=0),
            confidence=float(scores.max()),
            probability=in_view(classes, self.thresholds),
            verdict=verdict,
            level_dbfs=look.level_dbfs,
            balance=None if is_silent else look.balance,
            tags=() if is_silent else look.tags,
            boxes=tuple(box for number in sounding for box in classes[number].boxes),
            classes=classes,
        )


def smoothed(looks: Sequence[Look], shots: Sequence[int], rows: Sequence[Look], index: int) -> Look:
    """A look with those before and after of its shot mixed in; what is silent neither gives nor takes.

    Maps, and what is heard and in view of classes, are averaged; times, tags and levels stay those of the look itself.
    """
    own = looks[index]
    sounds = [_sounds(rows[place]) for place in range(max(0, index - 1), min(len(rows), index + 2))]
    if not _sounds(own) or sum(sounds) < 2:
        return own
    total, maps, seen, heard = 1.0, own.maps.astype(np.float64), own.seen.astype(np.float64), np.array(own.heard)
    for place in (index - 1, index + 1):
        if 0 <= place < len(rows) and shots[place] == shots[index] and _sounds(rows[place]):
            other = looks[place]
            if other.maps.shape == own.maps.shape:
                maps = maps + BESIDE * other.maps
                seen = seen + BESIDE * other.seen
                heard = heard + BESIDE * np.array(other.heard)
                total += BESIDE
    return replace(
        own,
        maps=(maps / total).astype(np.float32),
        seen=(seen / total).astype(np.float32),
        heard=tuple((heard / total).tolist()),
    )


def _sounds(look: Look) -> bool:
    return look.level_dbfs >= SILENCE_DBFS


class Moments(Sequence[Moment]):
    """The judged moments of all looks. Maps are read and heated when asked for; the rest is in memory."""

    def __init__(self, looks: Sequence[Look], rows: Sequence[Look], judge: Judge, *, smooth: bool = True) -> None:
        self._looks, self._rows, self._judge, self._smooth = looks, rows, judge, smooth
        self._shots = shots_of([row.change for row in rows])
        tracker = Tracker()
        self._known = [self._light(index, tracker) for index in range(len(rows))]

    def _light(self, index: int, tracker: Tracker) -> Moment:
        moment = self._judge.moment(self._look(index))
        labels = moment.box_labels
        tracks = tracker.numbers(moment.time_seconds, self._shots[index], moment.boxes, labels)
        found = replace(moment, tracks=tracks, shot=self._shots[index])
        return found if found.classes else replace(found, map=_NOTHING, heat=_NOTHING)

    def _look(self, index: int) -> Look:
        return smoothed(self._looks, self._shots, self._rows, index) if self._smooth else self._looks[index]

    def __len__(self) -> int:
        return len(self._known)

    def judged_by(self, judge: Judge) -> Moments:
        """The same looks under another judge; no method is asked again."""
        return Moments(self._looks, self._rows, judge, smooth=self._smooth)

    @property
    def known(self) -> Sequence[Moment]:
        """All but map and heat, from memory."""
        return self._known

    @overload
    def __getitem__(self, index: int) -> Moment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Moment, ...]: ...
    def __getitem__(self, index: int | slice) -> Moment | tuple[Moment, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        known = self._known[index]
        if known.classes:
            return known
        scores = self._look(index % len(self)).maps
        heat = np.zeros_like(scores) if known.verdict == "silent" else self._judge.heat(scores)
        return replace(known, map=scores, heat=heat)
