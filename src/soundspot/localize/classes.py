"""Several sounds at once: of each class whether it is heard, whether it is in view, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from soundspot.localize.regions import boxes_of
from soundspot.misread import parse_json
from soundspot.types import Box, UserError

Heat = npt.NDArray[np.float32]
ClassVerdict = Literal["sounding", "silent", "off-screen", "absent"]
"""Heard and in view; in view alone; heard alone; neither."""


@dataclass(frozen=True)
class ClassThresholds:
    """From which probability on a class counts as heard, and from which on as in view; both between 0 and 1."""

    heard: float = 0.5
    seen: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.heard < 1 and 0 < self.seen < 1):
            raise UserError(f"expected class thresholds between 0 and 1, got {self.heard} and {self.seen}; change them")

    @classmethod
    def of(cls, header: Mapping[str, str]) -> ClassThresholds:
        """Those of a weights' header; one half each where it states none. UserError where they can't be read."""
        text = header.get("class_thresholds", "{}")
        refused = UserError(
            f'expected class_thresholds such as {{"heard": 0.5, "seen": 0.5}} in the weights\' header, got {text};'
            " mend it"
        )
        try:
            given = {name: float(value) for name, value in parse_json(text).items()}
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            raise refused from error
        if not given.keys() <= {"heard", "seen"}:
            raise refused
        return cls(**given)


@dataclass(frozen=True, slots=True)
class ClassMoment:
    """One class at one time step."""

    name: str
    heard: float
    """Probability that it is in the sound; 0 in silence."""
    seen: float
    """How surely one is in view: the highest place of where it is seen."""
    verdict: ClassVerdict
    heat: Heat
    """(h, w) in 0..1, one half where the verdict turns: where it sounds, or where it is silent; else 0."""
    boxes: tuple[Box, ...] = ()
    """Of the heat, hottest first."""

    def row(self) -> dict[str, Any]:
        """The class as plain values."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "heard": round(self.heard, 4),
            "seen": round(self.seen, 4),
            "boxes": [[round(v, 4) for v in box] for box in self.boxes],
        }


@dataclass(frozen=True)
class Layer:
    """What is drawn of one class over a frame."""

    number: int
    """Of the class among all classes of its method: it decides the colour."""
    name: str
    heat: Heat
    silent: bool = False


def judge(
    names: Sequence[str],
    maps: npt.NDArray[np.floating],
    heard: npt.NDArray[np.floating],
    seen: npt.NDArray[np.floating],
    thresholds: ClassThresholds,
) -> tuple[ClassMoment, ...]:
    """Maps (K, h, w), probabilities (K,), where each class is in view (K, h, w) -> one moment a class.

    A sounding class's heat is its map from what is usual among all classes and places (on a softmax over classes: what
    stands for none of them) up to its own highest place. A silent one's is where it is in view.
    """
    sure = _sounding(heard, seen.max(axis=(1, 2)), thresholds)
    nowhere = np.broadcast_to(np.float32(0), maps.shape[1:])  # no memory for the many classes that are absent
    found = []
    for number, name in enumerate(names):
        most = float(seen[number].max())
        verdict = _verdict(float(heard[number]) >= thresholds.heard, most >= thresholds.seen)
        heat = nowhere
        if verdict == "sounding":
            heat = (above_usual(maps, number) * sure[number]).astype(np.float32)
        elif verdict == "silent":
            heat = _about_half(seen[number], thresholds.seen).astype(np.float32)
        boxes = boxes_of(heat) if heat is not nowhere and heat.max() > 0 else ()
        found.append(ClassMoment(name, float(heard[number]), most, verdict, heat, boxes))
    return tuple(found)


def above_usual(maps: npt.NDArray[np.floating], number: int) -> npt.NDArray[np.floating]:
    """(K, h, w) -> (h, w): a class's map put on 0..1, from the median of all maps to its own highest value.

    A class that is nowhere above the median is put on 0..1 from its own lowest value. A flat map is 0.
    """
    own = maps[number]
    low, high = float(np.median(maps)), float(own.max())
    if high <= low:
        low = float(own.min())
    return np.clip((own - low) / max(high - low, 1e-12), 0, 1)


def _verdict(heard: bool, seen: bool) -> ClassVerdict:
    if heard:
        return "sounding" if seen else "off-screen"
    return "silent" if seen else "absent"


def _sounding(
    heard: npt.NDArray[np.floating], seen: npt.NDArray[np.floating], thresholds: ClassThresholds
) -> npt.NDArray[np.float64]:
    """(K,), (K,) -> (K,): how surely each class is heard as well as in view, one half where the verdict turns."""
    return np.minimum(_about_half(heard, thresholds.heard), _about_half(seen, thresholds.seen))


def _about_half(values: npt.NDArray[np.floating], threshold: float) -> npt.NDArray[np.float64]:
    """Probabilities bent straight so that the threshold lies at one half."""
    return np.interp(values, (0.0, threshold, 1.0), (0.0, 0.5, 1.0))


def in_view(classes: Sequence[ClassMoment], thresholds: ClassThresholds) -> float:
    """The probability that something sounds and is in view: at least one half where a class's verdict says so."""
    heard, seen = np.array([(each.heard, each.seen) for each in classes]).T
    return float(_sounding(heard, seen, thresholds).max())


def names_of(classes: Sequence[ClassMoment], *verdicts: ClassVerdict) -> list[str]:
    """The classes of these verdicts, in order."""
    return [each.name for each in classes if each.verdict in verdicts]


def told(classes: Sequence[ClassMoment]) -> str:
    """What sounds off screen and in view, as a line of text: first what a picture can't show, should a line be cut."""
    sounding = [f"{each.name} {each.heard:.0%}" for each in classes if each.verdict == "sounding"]
    away = names_of(classes, "off-screen")
    parts = [f"off screen: {', '.join(away)}"] if away else []
    parts += [f"sounding: {', '.join(sounding)}"] if sounding else []
    return "   ".join(parts) or "nothing that is known sounds"


def blended(before: Sequence[ClassMoment], after: Sequence[ClassMoment], part: float) -> list[Layer]:
    """What to draw `part` of the way from one moment to the next: a class that falls silent fades from one to other."""
    layers = []
    for number, (one, other) in enumerate(zip(before, after, strict=True)):
        for verdict in ("silent", "sounding"):
            shares = [(1 - part, one), (part, other)]
            heats = [np.float32(share) * each.heat for share, each in shares if share > 0 and each.verdict == verdict]
            if heats:
                layers.append(Layer(number, one.name, np.sum(heats, axis=0), verdict == "silent"))
    return layers
