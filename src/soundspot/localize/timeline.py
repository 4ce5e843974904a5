"""What a video gives: per time step the map, how sure it is, what was heard, and whether its source is in view."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, overload

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from soundspot.localize.classes import ClassMoment, ClassVerdict, Layer, blended, names_of
from soundspot.misread import parse_json
from soundspot.types import Box, UserError

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

Verdict = Literal["on-screen", "off-screen", "silent", "unsure"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
SILENCE_DBFS = -60.0
"""Sound whose level stays below this counts as silence: 1/1000 of full scale."""


@dataclass(frozen=True)
class Calibration:
    """Turns a raw map's scores into probabilities: sigmoid(scale * score + offset).

    It is fitted on scenes with known truth and travels in the weights' header. Without one the heat is relative: it
    shows where, and says nothing of how sure. Between `low` and `high` the verdict is unsure: of the scenes that it was
    fitted on, with and without a visible source weighing the same, this is the share `unsure_rate`; of the others the
    share `error_rate` is judged wrong.
    """

    scale: float
    offset: float
    low: float = 0.5
    high: float = 0.5
    unsure_rate: float | None = None
    error_rate: float | None = None

    @classmethod
    def of(cls, header: Mapping[str, str]) -> Calibration | None:
        """The calibration that a weights' header holds, if it does; UserError where it can't be read."""
        if "calibration" not in header:
            return None
        text = header["calibration"]
        try:
            given = {name: None if value is None else float(value) for name, value in parse_json(text).items()}
            found = cls(**given)  # type: ignore[arg-type]
            if math.isfinite(found.scale) and math.isfinite(found.offset) and 0 <= found.low <= found.high <= 1:
                return found
            problem: Exception | None = None
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            problem = error
        raise UserError(
            f'expected a calibration such as {{"scale": 4.5, "offset": -1.0}} in the weights\' header, got {text};'
            " calibrate again"
        ) from problem

    def probability(self, score: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The probability that the score stands for a visible source."""
        odds = self.scale * np.asarray(score, dtype=np.float64) + self.offset
        return np.asarray(expit(odds))

    def verdict(self, probability: float) -> Verdict:
        """What is said of a sound, which is not silence, whose source is in view with this probability."""
        if self.low < probability < self.high:
            return "unsure"
        return "on-screen" if probability >= self.high else "off-screen"


@dataclass(frozen=True)
class Moment:
    """One time step: `map` holds raw scores (h, w), `heat` the same in 0..1 for eyes.

    Of a method that tells classes apart both are the highest of the sounding classes; where none sounds, the map is the
    highest of all and the heat 0.
    """

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
    """Around the hot regions, hottest first; of classes, class by class."""
    balance: float | None = None
    """Where the sound's power lies: -1 all left, 1 all right; None for mono and for silence."""
    classes: tuple[ClassMoment, ...] = ()
    """All classes of a method that tells them apart, in its order."""
    tracks: tuple[int, ...] = ()
    """Of each box the number of its track: the same region over time."""
    shot: int = 0
    """The number of the shot, from 0: a cut begins another."""

    @property
    def box_labels(self) -> tuple[str, ...]:
        """Of each box what sounds there: its class, or what is heard most surely; "" of a method that names nothing."""
        if self.classes:
            return tuple(each.name for each in self.classes if each.verdict == "sounding" for _ in each.boxes)
        return (self.tags[0][0] if self.tags else "",) * len(self.boxes)

    def __repr__(self) -> str:
        """In one line; arrays by their shapes."""
        sure = "" if self.probability is None else f" {self.probability:.0%}"
        heard = f", {self.tags[0][0]!r}" if self.tags else ""
        shape = " x ".join(map(str, self.map.shape))
        return f"Moment({self.time_seconds:g} s, {self.verdict or 'relative'}{sure}{heard}, map {shape})"

    def _repr_html_(self) -> str:
        from soundspot.localize.notebook import moment_html

        return moment_html(self)

    def row(self) -> dict[str, Any]:
        """The moment as plain values, one line of timeline.jsonl."""
        y, x = np.unravel_index(int(np.argmax(self.map)), self.map.shape)
        rows, columns = self.map.shape
        row = {
            "time_seconds": round(self.time_seconds, 3),
            "verdict": self.verdict,
            "probability": None if self.probability is None else round(self.probability, 4),
            "confidence": round(self.confidence, 4),
            "level_dbfs": round(self.level_dbfs, 1) if math.isfinite(self.level_dbfs) else None,
            "balance": None if self.balance is None else round(self.balance, 3),
            "peak": [round((float(x) + 0.5) / columns, 4), round((float(y) + 0.5) / rows, 4)],
            "boxes": [[round(v, 4) for v in box] for box in self.boxes],
            "tracks": list(self.tracks),
            "shot": self.shot,
            "heard": [{"tag": name, "probability": round(value, 4)} for name, value in self.tags],
        }
        return row | {"classes": [each.row() for each in self.classes]} if self.classes else row


@dataclass(frozen=True)
class Shown:
    """What is looked at: the picture's size in pixels, its rate, and from when to when of the film."""

    width: int
    height: int
    frames_per_second: float
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True)
class Timeline:
    """The moments of one video or picture, in order, with what made them."""

    source: str
    moments: Sequence[Moment]
    step_seconds: float
    provenance: dict[str, str] = field(default_factory=dict)
    wave: tuple[float, ...] = ()
    """The largest samples along the whole sound, evenly spaced, 0..1."""
    shown: Shown | None = None
    """Of what it is the timeline, where that is known."""
    overlay: str | None = None
    """A film that was written of it, whose time 0 is where the timeline starts."""

    def __len__(self) -> int:
        return len(self.moments)

    def __iter__(self) -> Iterator[Moment]:
        return iter(self.moments)

    @overload
    def __getitem__(self, index: int) -> Moment: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Moment]: ...
    def __getitem__(self, index: int | slice) -> Moment | Sequence[Moment]:
        return self.moments[index]

    def __repr__(self) -> str:
        """In one line: of what, how many moments, and which share of them has which verdict."""
        if not self.known:
            return f"Timeline({self.source!r}, no moments)"
        times = f"{self.known[0].time_seconds:g} to {self.known[-1].time_seconds:g} s"
        shares = ", ".join(f"{verdict} {share:.0%}" for verdict, share in self.shares().items())
        return f"Timeline({self.source!r}, {len(self)} moments from {times}: {shares})"

    def _repr_html_(self) -> str:
        from soundspot.localize.notebook import timeline_html

        return timeline_html(self)

    def plot(self) -> Figure:
        """Probability with the unsure band, verdicts, waveform and tags over time. Needs the extra `plot`."""
        from soundspot.localize.plot import figure_of

        return figure_of(self)

    def to_dataframe(self) -> pandas.DataFrame:
        """A row a moment, with `soundspot.localize.frames.COLUMNS`. Needs the extra `tables`."""
        from soundspot.localize.frames import frame_of

        return frame_of(self)

    @property
    def start_seconds(self) -> float:
        """When its first moment is."""
        return self.known[0].time_seconds

    @property
    def known(self) -> Sequence[Moment]:
        """The moments, with or without map and heat: to go through them quickly."""
        light: Sequence[Moment] = getattr(self.moments, "known", self.moments)
        return light

    def at(self, time_seconds: float) -> Moment:
        """The moment nearest to a time."""
        return self.moments[self.place_at(time_seconds)]

    def known_at(self, time_seconds: float) -> Moment:
        """The same, with or without map and heat."""
        return self.known[self.place_at(time_seconds)]

    def place_at(self, time_seconds: float) -> int:
        """The place among the moments of the one nearest to a time."""
        index = round((time_seconds - self.known[0].time_seconds) / self.step_seconds)
        return min(max(index, 0), len(self.known) - 1)

    def heat_at(self, time_seconds: float) -> npt.NDArray[np.float32]:
        """(h, w) heat at any time, blended between the two nearest moments."""
        before, after, share = self._around(time_seconds)
        part = np.float32(share)
        return before.heat * (1 - part) + after.heat * part

    def layers_at(self, time_seconds: float) -> list[Layer]:
        """What sounds and what is silent at any time, each class by itself, blended in the same way."""
        before, after, part = self._around(time_seconds)
        return blended(before.classes, after.classes, part)

    def _around(self, time_seconds: float) -> tuple[Moment, Moment, float]:
        """The moments before and after a time, and which share of the way lies behind it."""
        before, after, part = self.places_around(time_seconds)
        return self.moments[before], self.moments[after], part

    def places_around(self, time_seconds: float) -> tuple[int, int, float]:
        """The same of their places among the moments; the share is none or all about a cut."""
        place = (time_seconds - self.known[0].time_seconds) / self.step_seconds
        before = min(max(math.floor(place), 0), len(self.moments) - 1)
        after = min(before + 1, len(self.moments) - 1)
        part = min(max(place - before, 0.0), 1.0)
        if self.known[before].shot != self.known[after].shot:
            part = float(part >= 0.5)
        return before, after, part

    @property
    def tells_classes(self) -> bool:
        """Whether each moment says more than where any sound comes from."""
        return bool(self.known[0].classes)

    def shares(self) -> dict[str, float]:
        """Of the moments, which share has which verdict; "relative" without a calibration. The largest first."""
        counts = Counter(moment.verdict or "relative" for moment in self.known)
        return {verdict: count / len(self.known) for verdict, count in counts.most_common()}

    def stretches(self) -> Iterator[tuple[float, float, Verdict | None, str]]:
        """(start, end, verdict, best tag) of runs of moments that agree, half-open in seconds."""
        for start, end in self._runs([(moment.verdict, _tag(moment), _views(moment)) for moment in self.known]):
            first = self.known[start]
            yield *self._seconds(start, end), first.verdict, _tag(first)

    def known_between(self, start_seconds: float, end_seconds: float) -> Sequence[Moment]:
        """The moments from a time on and before another, with or without map and heat."""
        first, last = (
            bisect_left(self.known, time, key=lambda moment: moment.time_seconds)
            for time in (start_seconds, end_seconds)
        )
        return self.known[first:last]

    def class_stretches(self) -> Iterator[tuple[float, float, ClassVerdict, str]]:
        """(start, end, verdict, class) of runs of moments in which a class is heard or in view, class by class."""
        for number, known in enumerate(self.known[0].classes):
            verdicts = [moment.classes[number].verdict for moment in self.known]
            for start, end in self._runs(verdicts):
                if verdicts[start] != "absent":
                    yield *self._seconds(start, end), verdicts[start], known.name

    def _runs(self, states: Sequence[object]) -> Iterator[tuple[int, int]]:
        """Half-open runs of moments of equal state."""
        start = 0
        for index in range(1, len(states) + 1):
            if index == len(states) or states[index] != states[start]:
                yield start, index
                start = index

    def _seconds(self, start: int, end: int) -> tuple[float, float]:
        """From when to when a run of moments stands."""
        half = self.step_seconds / 2
        last = math.inf if self.shown is None else self.shown.end_seconds
        begin, stop = self.known[start].time_seconds - half, self.known[end - 1].time_seconds + half
        return max(self.start_seconds, begin), min(last, stop)

    def head(self) -> dict[str, Any]:
        """What it is the timeline of and what made it, as plain values."""
        head = {"source": self.source, "step_seconds": self.step_seconds, "made_with": self.provenance}
        return head if self.shown is None else head | {"shown": vars(self.shown)}

    def save(self, path: Path | str, kind: str | None = None) -> None:
        """Write it as one of `exports.EXPORTS`: as `kind`, or as the path's ending says; UserError if neither does.

        A path without an ending is a folder, for masks.
        """
        from soundspot.localize.exports import EXPORTS, kind_of
        from soundspot.lookup import find

        path = Path(path)
        find(EXPORTS, kind_of(path) if kind is None else kind, "export").write(self, path)


def _tag(moment: Moment) -> str:
    """What is heard: the likeliest sound, or every class that is."""
    if moment.verdict == "silent":
        return ""
    if moment.classes:
        return ", ".join(names_of(moment.classes, "sounding", "off-screen"))
    return moment.tags[0][0] if moment.tags else ""


def _views(moment: Moment) -> list[ClassVerdict]:
    return [each.verdict for each in moment.classes]
