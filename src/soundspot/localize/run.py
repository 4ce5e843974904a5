"""The main job: a film in; the overlay film, the timeline and one summary picture out."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundspot.localize.draw import Style
from soundspot.localize.exports import EXPORTS, wanted_exports
from soundspot.localize.film import write_overlay, write_summary
from soundspot.localize.source import BATCH_SIZE, EVERY_SECONDS, Source, open_source
from soundspot.localize.timeline import Timeline
from soundspot.train.logs import Bar
from soundspot.types import UserError

if TYPE_CHECKING:  # who only says what is wanted, as a cluster's driver does, needs no torch
    from soundspot.localize.localizer import Localizer

MAX_LOST_STEPS = 2
"""Sound often runs a little longer than pictures; more than this is worth a word."""
CLEAR_BALANCE = 0.5
"""One side has three times the other's power (4.8 dB)."""
UNFINISHED = ".unfinished"
"""Folder of the looks so far, beside what is written: a run that was stopped goes on from there."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of every film of a run."""

    weights: str = "default"
    every_seconds: float = EVERY_SECONDS
    start_seconds: float = 0.0
    end_seconds: float | None = None
    batch_size: int = BATCH_SIZE
    device: str = "cpu"
    with_film: bool = True
    exports: tuple[str, ...] = ()
    """Names of `exports.EXPORTS`, or "all", beside timeline.jsonl."""
    style: Style = field(default_factory=Style)

    def __post_init__(self) -> None:
        wanted_exports(self.exports)
        if not 0 < self.every_seconds < math.inf:
            raise UserError(f"expected --every above 0 seconds, got {self.every_seconds}; try 0.5")


@dataclass(frozen=True)
class Localized:
    """What was found, and where it was written."""

    timeline: Timeline
    files: dict[str, Path]
    promised_seconds: float
    """How long what was to be looked at is, as the film says."""

    def lost_seconds(self) -> float:
        """How much of its end gave no picture: a film cut short still claims its whole length."""
        first, last = self.timeline.known[0].time_seconds, self.timeline.known[-1].time_seconds
        return max(0.0, self.promised_seconds - (last - first + self.timeline.step_seconds))

    def facts(self) -> dict[str, Any]:
        """For machines: the files, each stretch of the timeline, and each class's where they are told apart."""
        names = ("start_seconds", "end_seconds", "verdict", "heard")
        rows = [dict(zip(names, stretch, strict=True)) for stretch in self.timeline.stretches()]
        facts = {
            "source": self.timeline.source,
            "files": {name: str(path) for name, path in self.files.items()},
            "stretches": rows,
            "shares": self.timeline.shares(),
            "lost_seconds": round(self.lost_seconds(), 3),
        }
        if self.timeline.tells_classes:
            names = ("start_seconds", "end_seconds", "verdict", "class")
            facts["classes"] = [dict(zip(names, each, strict=True)) for each in self.timeline.class_stretches()]
        return facts

    def text(self) -> str:
        """For people: a line a stretch, a line a stretch of each class, and where the files lie."""
        lines = []
        for start, end, verdict, heard in self.timeline.stretches():
            inside = self.timeline.known_between(start, end)
            best = max(inside, key=lambda m: m.probability or 0.0)
            sure = "" if best.probability is None or verdict == "silent" else f"visible {best.probability:4.0%}"
            peak = self.timeline.at(best.time_seconds).row()["peak"]
            place = _place(peak) if verdict in ("on-screen", "unsure", None) else ""
            told = f"{start:7.1f} - {end:6.1f} s  {verdict or 'relative':10s}  {sure:12s}  {heard:28s} {place:13s}"
            lines.append(f"{told} {_side(best.balance)}".rstrip())
        for start, end, state, name in self.timeline.class_stretches():
            lines.append(f"{start:7.1f} - {end:6.1f} s  {state:10s}  {name}")
        if self.lost_seconds() > MAX_LOST_STEPS * self.timeline.step_seconds:
            lines.append(
                f"the last {self.lost_seconds():.1f} s of {self.promised_seconds:.1f} s gave no picture: cut off?"
            )
        return "\n".join([*lines, *(f"{name}: {path}" for name, path in self.files.items())])

    def summary_line(self) -> str:
        """All of it in one line: how long, and which share of the time has which verdict."""
        shares = ", ".join(f"{verdict} {share:.0%}" for verdict, share in self.timeline.shares().items())
        return f"{self.timeline.source}\t{self.promised_seconds:.1f} s\t{shares}"


def _place(peak: list[float]) -> str:
    """A point of the frame in words."""
    across = ("left", "middle", "right")[min(2, int(peak[0] * 3))]
    down = ("top", "centre", "bottom")[min(2, int(peak[1] * 3))]
    return f"{down} {across}"


def _side(balance: float | None) -> str:
    """Which side of a stereo sound is clearly louder."""
    if balance is None or abs(balance) < CLEAR_BALANCE:
        return ""
    return f"(sound from the {'left' if balance < 0 else 'right'})"


def run(source_path: Path, sound_path: Path | None, out: Path, wanted: Wanted | None = None) -> Localized:
    """Localize, and write overlay.mp4, timeline.jsonl, summary.png and what else is wanted to `out`.

    Raises UserError for unusable input.

    A run that was stopped goes on where it was, if the film and what is asked are the same.
    """
    from soundspot.localize.localizer import Localizer

    wanted = wanted or Wanted()
    source = open_source(source_path, sound_path).between(wanted.start_seconds, wanted.end_seconds)
    return localize(Localizer.from_pretrained(wanted.weights, wanted.device), source, out, wanted)


def localize(localizer: Localizer, source: Source, out: Path, wanted: Wanted, *, shown: bool = True) -> Localized:
    """The same with a localizer at hand; progress is `shown` or not."""
    out.mkdir(parents=True, exist_ok=True)
    folder = out / UNFINISHED
    with Bar("listen and look", max(1, round(source.seconds / wanted.every_seconds)), shown=shown) as bar:
        timeline = localizer.source(
            source,
            every_seconds=wanted.every_seconds,
            batch_size=wanted.batch_size,
            folder=folder,
            progress=bar.to,
        )
    files = {"timeline": out / "timeline.jsonl", "picture": out / "summary.png"}
    timeline.save(files["timeline"])
    write_summary(source, timeline, files["picture"])
    if wanted.with_film:
        files["film"] = out / "overlay.mp4"
        with Bar("write the film", max(1, round(source.seconds * source.frames_per_second)), shown=shown) as bar:
            write_overlay(source, timeline, files["film"], progress=bar.to, style=wanted.style)
        timeline = replace(timeline, overlay=str(files["film"]))
    for name in wanted_exports(wanted.exports):
        if name != "jsonl":  # it is there
            files[name] = out / EXPORTS[name].file_name
            EXPORTS[name].write(timeline, files[name])
    done = Localized(timeline, files, source.seconds)
    shutil.rmtree(folder)
    return done
