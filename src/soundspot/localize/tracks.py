"""Tracks: the same region from look to look keeps its number, until a cut or until it has been gone too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from soundspot.types import Box

LEAST_OVERLAP = 0.25
"""Intersection over union from which two boxes are the same region."""
GONE_SECONDS = 1.5
"""A region that was not found for longer has ended."""


@dataclass
class _Track:
    number: int
    label: str
    box: Box
    seen_seconds: float

    def likeness(self, box: Box, label: str) -> float:
        """Overlap with a box of the same label; 0 with one of another."""
        return overlap(self.box, box) if self.label == label else 0.0


class Tracker:
    """Gives regions their numbers, from 1 on, each number once in a film."""

    def __init__(self) -> None:
        self._open: list[_Track] = []
        self._shot = 0
        self._given = 0

    def numbers(self, time_seconds: float, shot: int, boxes: Sequence[Box], labels: Sequence[str]) -> tuple[int, ...]:
        """The number of each box at a time; the times rise. Only boxes of one label are one region."""
        if shot != self._shot:
            self._open, self._shot = [], shot
        self._open = [track for track in self._open if time_seconds - track.seen_seconds <= GONE_SECONDS]
        found: dict[int, _Track] = {}
        if boxes and self._open:
            now = list(zip(boxes, labels, strict=True))
            overlaps = np.array([[track.likeness(box, label) for box, label in now] for track in self._open])
            for old, new in zip(*linear_sum_assignment(-overlaps), strict=True):
                if overlaps[old, new] >= LEAST_OVERLAP:
                    found[int(new)] = self._open[old]
        for place, (box, label) in enumerate(zip(boxes, labels, strict=True)):
            if place not in found:
                self._given += 1
                found[place] = _Track(self._given, label, box, time_seconds)
                self._open.append(found[place])
            found[place].box, found[place].seen_seconds = box, time_seconds
        return tuple(found[place].number for place in range(len(boxes)))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes.

    >>> overlap((0, 0, 0.5, 1), (0.25, 0, 0.75, 1))
    0.3333333333333333
    """
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared)
