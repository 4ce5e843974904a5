"""What a video gives: per time step the map, how sure it is, what was heard, and whether its source is in view."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from soundspot.types import Box

Verdict = Literal["on-screen", "off-screen", "silent"]
SILENCE_DBFS = -60.0
"""Sound whose level stays below this counts as silence: 1/1000 of full scale."""


@dataclass(frozen=True)
class Calibration:
    """Turns a raw map's scores into probabilities: sigmoid(scale * score + offset).

    It is fitted on scenes with known truth and travels in the weights' header. Without one the heat is relative: it
    shows where, and says nothing of how sure.
    """

    scale: float
    offset: float

    @classmethod
    def of(cls, header: Mapping[str, str]) -> Calibration | None:
        """The calibration that a weights' header holds, if it does."""
        return cls(**json.loads(header["calibration"])) if "calibration" in header else None

    def probability(self, score: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The probability that the score stands for a visible source."""
        odds = self.scale * np.asarray(score, dtype=np.float64) + self.offset
        return np.asarray(expit(odds))


@dataclass(frozen=True)
class Moment:
    """One time step: `map` holds raw scores (h, w), `heat` the same in 0..1 for eyes."""

    time_seconds: float
    map: npt.NDArray[np.float32]
    heat: npt.NDArray[np.float32]
    confidence: float
    """The highest raw score of the map."""
    probability: float | None
    """That the sound's source is in view; None where the weights hold no calibration."""
    verdict: Verdict | None
    level_dbfs: float
    tags: tuple[tuple[str, float], ...] = ()
    """What was heard, most likely first: (AudioSet class, probability)."""
    boxes: tuple[Box, ...] = ()
    balance: float | None = None
    """Where the sound's power lies: -1 all left, 1 all right; None for mono and for silence."""

    def row(self) -> dict[str, Any]:
        """The moment as plain values, one line of timeline.jsonl."""
        y, x = np.unravel_index(int(np.argmax(self.map)), self.map.shape)
        rows, columns = self.map.shape
        return {
            "time_seconds": round(self.time_seconds, 3),
            "verdict": self.verdict,
            "probability": None if self.probability is None else round(self.probability, 4),
            "confidence": round(self.confidence, 4),
            "level_dbfs": round(self.level_dbfs, 1) if math.isfinite(self.level_dbfs) else None,
            "balance": None if self.balance is None else round(self.balance, 3),
            "peak": [round((float(x) + 0.5) / columns, 4), round((float(y) + 0.5) / rows, 4)],
            "boxes": [[round(v, 4) for v in box] for box in self.boxes],
            "heard": [{"tag": name, "probability": round(value, 4)} for name, value in self.tags],
        }


@dataclass(frozen=True)
class Timeline:
    """The moments of one video or picture, in order, with what made them."""

    source: str
    moments: tuple[Moment, ...]
    step_seconds: float
    provenance: dict[str, str] = field(default_factory=dict)

    def at(self, time_seconds: float) -> Moment:
        """The moment nearest to a time."""
        index = round((time_seconds - self.moments[0].time_seconds) / self.step_seconds)
        return self.moments[min(max(index, 0), len(self.moments) - 1)]

    def heat_at(self, time_seconds: float) -> npt.NDArray[np.float32]:
        """(h, w) heat at any time, blended between the two nearest moments."""
        place = (time_seconds - self.moments[0].time_seconds) / self.step_seconds
        before = min(max(math.floor(place), 0), len(self.moments) - 1)
        after = min(before + 1, len(self.moments) - 1)
        part = np.float32(min(max(place - before, 0.0), 1.0))
        return self.moments[before].heat * (1 - part) + self.moments[after].heat * part

    def stretches(self) -> Iterator[tuple[float, float, Verdict | None, str]]:
        """(start, end, verdict, best tag) of runs of moments that agree, half-open in seconds."""
        start = 0
        for index in range(1, len(self.moments) + 1):
            if index < len(self.moments) and _same(self.moments[index], self.moments[start]):
                continue
            run = self.moments[start:index]
            half = self.step_seconds / 2
            begin = max(0.0, run[0].time_seconds - half)
            yield begin, run[-1].time_seconds + half, run[0].verdict, _tag(run[0])
            start = index

    def save(self, path: Path) -> None:
        """Write timeline.jsonl: a line of provenance, then a line a moment."""
        head = {"source": self.source, "step_seconds": self.step_seconds, "made_with": self.provenance}
        lines = [head, *(moment.row() for moment in self.moments)]
        aside = path.with_name(path.name + ".part")
        aside.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        aside.replace(path)


def _tag(moment: Moment) -> str:
    return moment.tags[0][0] if moment.tags else ""


def _same(one: Moment, other: Moment) -> bool:
    if one.verdict != other.verdict:
        return False
    return one.verdict == "silent" or _tag(one) == _tag(other)
