"""The main job: a film in; the overlay film, the timeline and one summary picture out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundspot.localize.film import write_overlay, write_summary
from soundspot.localize.localizer import Localizer
from soundspot.localize.source import open_source
from soundspot.localize.timeline import Timeline
from soundspot.train.logs import Bar
from soundspot.types import UserError

MAX_LOST_STEPS = 2
"""Sound often runs a little longer than pictures; more than this is worth a word."""

CLEAR_BALANCE = 0.5
"""One side has three times the other's power (4.8 dB)."""


@dataclass(frozen=True)
class Localized:
    """What was found, and where it was written."""

    timeline: Timeline
    files: dict[str, Path]
    promised_seconds: float
    """How long the film says it is."""

    def lost_seconds(self) -> float:
        """How much of its end gave no picture: a film cut short still claims its whole length."""
        seen = self.timeline.moments[-1].time_seconds + self.timeline.step_seconds
        return max(0.0, self.promised_seconds - seen)

    def facts(self) -> dict[str, Any]:
        """For machines: the files, each stretch of the timeline, and each class's where they are told apart."""
        names = ("start_seconds", "end_seconds", "verdict", "heard")
        rows = [dict(zip(names, stretch, strict=True)) for stretch in self.timeline.stretches()]
        facts = {
            "files": {name: str(path) for name, path in self.files.items()},
            "stretches": rows,
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
            inside = [m for m in self.timeline.moments if start <= m.time_seconds < end]
            best = max(inside, key=lambda m: m.probability or 0.0)
            sure = "" if best.probability is None or verdict == "silent" else f"visible {best.probability:4.0%}"
            place = _place(best.row()["peak"]) if verdict in ("on-screen", None) else ""
            told = f"{start:7.1f} - {end:6.1f} s  {verdict or 'relative':10s}  {sure:12s}  {heard:28s} {place:13s}"
            lines.append(f"{told} {_side(best.balance)}".rstrip())
        for start, end, state, name in self.timeline.class_stretches():
            lines.append(f"{start:7.1f} - {end:6.1f} s  {state:10s}  {name}")
        if self.lost_seconds() > MAX_LOST_STEPS * self.timeline.step_seconds:
            lines.append(
                f"the last {self.lost_seconds():.1f} s of {self.promised_seconds:.1f} s gave no picture: cut off?"
            )
        return "\n".join([*lines, *(f"{name}: {path}" for name, path in self.files.items())])


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


def run(
    source_path: Path,
    sound_path: Path | None,
    out: Path,
    *,
    weights: str = "default",
    every_seconds: float = 0.5,
    with_film: bool = True,
    device: str = "cpu",
) -> Localized:
    """Localize, and write overlay.mp4, timeline.jsonl and summary.png to `out`. Raises UserError for unusable input."""
    if not 0 < every_seconds < math.inf:
        raise UserError(f"expected --every above 0 seconds, got {every_seconds}; try 0.5")
    source = open_source(source_path, sound_path)
    localizer = Localizer.from_pretrained(weights, device)
    looks = max(1, round(source.duration_seconds / every_seconds))
    with Bar("listen and look", looks) as bar:
        timeline = localizer.source(source, every_seconds=every_seconds, progress=lambda *_: bar.advance())
    out.mkdir(parents=True, exist_ok=True)
    files = {"timeline": out / "timeline.jsonl", "picture": out / "summary.png"}
    timeline.save(files["timeline"])
    write_summary(source, timeline, files["picture"])
    if with_film:
        files["film"] = out / "overlay.mp4"
        frames = max(1, round(source.duration_seconds * source.frames_per_second))
        with Bar("write the film", frames) as bar:
            write_overlay(source, timeline, files["film"], progress=lambda *_: bar.advance())
    return Localized(timeline, files, source.duration_seconds)
