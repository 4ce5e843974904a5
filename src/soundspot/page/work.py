"""What the page does with a film: look at it once, judge it as often as wanted, draw it, write it down."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soundspot.localize.classes import ClassThresholds
from soundspot.localize.draw import Style
from soundspot.localize.exports import EXPORTS, Export
from soundspot.localize.film import write_overlay, write_summary
from soundspot.localize.judging import Judge, Moments
from soundspot.localize.source import EVERY_SECONDS, Source, open_source
from soundspot.localize.timeline import Timeline
from soundspot.lookup import find
from soundspot.media.image import write_image
from soundspot.media.video import probe
from soundspot.page.limits import Limits, check_seconds
from soundspot.page.original import as_browsers_play
from soundspot.types import UserError
from soundspot.weights import find_weights, read_header

if TYPE_CHECKING:
    from soundspot.localize.localizer import Localizer

Progress = Callable[[int, int], None]
OWN = {"timeline.jsonl": "Timeline (JSON Lines)", "summary.png": "Summary picture", "overlay.mp4": "Overlay film"}
"""What is always there to download."""
ORIGINALS = ("original.mp4", "original.jpg")


def exports() -> Mapping[str, Export]:
    """The exports that can be written here, beyond what is always there."""
    return {name: export for name, export in EXPORTS.items() if export.file_name not in OWN and _can_be_written(export)}


def _can_be_written(export: Export) -> bool:
    try:
        if export.require is not None:
            export.require()
    except UserError:  # an extra is not installed
        return False
    return True


class Weights:
    """The weights that may be chosen, by name, and the localizers that were loaded of them.

    A localizer works on one film at a time: methods keep state while they look.
    """

    def __init__(self, given: tuple[str, ...], device: str = "cpu") -> None:
        self._files = {_name(each): each for each in given}
        if len(self._files) != len(given):
            raise UserError(f"expected weights of different names, got {', '.join(given)}; rename some")
        self.judges = {name: Judge.of(read_header(find_weights(each))) for name, each in self._files.items()}
        self._device = device
        self._idle: dict[str, queue.SimpleQueue[Localizer]] = {name: queue.SimpleQueue() for name in self._files}
        self._loading = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """What a visitor may choose from; the first is the default."""
        return tuple(self._files)

    @contextmanager
    def borrow(self, name: str) -> Iterator[Localizer]:
        """A localizer of one's own for a while. UserError for a name that is not in the list."""
        file = find(self._files, name, "weights")
        from soundspot.localize.localizer import Localizer  # torch: the page answers before it is there

        try:
            localizer = self._idle[name].get_nowait()
        except queue.Empty:
            with self._loading:
                localizer = Localizer.from_pretrained(file, self._device)
        try:
            yield localizer
        finally:
            self._idle[name].put(localizer)

    def warm(self) -> None:
        """Load the first, and ask it once: what it needs is fetched and read now, not when the first visitor comes."""
        with self.borrow(self.names[0]) as localizer:
            localizer(np.zeros((64, 64, 3), np.uint8), np.zeros(localizer.sample_rate, np.float32))

    def threshold(self, name: str) -> float:
        """From which probability on these weights say themselves that a source is in view."""
        return own_threshold(find(self.judges, name, "weights"))


def _name(given: str) -> str:
    return Path(given).stem


def own_threshold(judge: Judge) -> float:
    """From which probability on a judge says that a source is in view."""
    return judge.thresholds.seen if judge.calibration is None else judge.calibration.high


def judged_by(judge: Judge, threshold: float) -> Judge:
    """The same judge with another threshold for "on-screen"; of classes it is the one for being in view.

    Weights that know "unsure" keep their lower bound: what lies between it and the threshold is unsure. UserError for a
    threshold that is no probability.
    """
    if not 0 < threshold < 1:
        raise UserError(f"expected a threshold between 0 and 1, got {threshold}; move the slider")
    if abs(threshold - own_threshold(judge)) < 0.005:  # the slider's own rounding
        return judge
    own = judge.calibration
    if own is not None:
        low = threshold if own.low == own.high else min(own.low, threshold)
        # the stated rates were measured at the weights' own bounds
        own = replace(own, low=low, high=threshold, unsure_rate=None, error_rate=None)
    return replace(judge, calibration=own, thresholds=ClassThresholds(judge.thresholds.heard, threshold))


@dataclass(frozen=True)
class Asked:
    """What a visitor wants of a film."""

    weights: str
    threshold: float | None = None
    """None: the weights' own."""
    look: Style = field(default_factory=Style)


@dataclass(frozen=True)
class Found:
    """What was found in a film, and where it lies."""

    source: Source
    timeline: Timeline
    judge: Judge
    """The weights' own."""
    asked: Asked
    folder: Path
    version: int = 1
    """Counts what was judged or drawn anew: a part of addresses, so that browsers take the new files."""

    @property
    def threshold(self) -> float:
        """From which probability on it says on-screen."""
        return own_threshold(self.judge) if self.asked.threshold is None else self.asked.threshold

    def again(self, threshold: float) -> Found:
        """The same looks, judged with another threshold: no network runs."""
        judge = judged_by(self.judge, threshold)
        moments = self.timeline.moments
        assert isinstance(moments, Moments)
        made_with = {**self.timeline.provenance, **judge.as_text()}
        timeline = replace(self.timeline, moments=moments.judged_by(judge), provenance=made_with)
        asked = replace(self.asked, threshold=threshold)
        return replace(self, timeline=timeline, asked=asked, version=self.version + 1)

    def file(self, name: str) -> Path:
        """Where a download lies; an export is made when it is first asked for. UserError for a name not offered."""
        kinds = {export.file_name: kind for kind, export in exports().items()}
        if name in {*OWN, *ORIGINALS}:
            return self.folder / name
        kind, path = find(kinds, name, "download"), self.folder / name
        if not path.exists():
            self.timeline.save(path, kind=kind)
        if path.is_dir():
            return Path(shutil.make_archive(str(path), "zip", path))
        return path


def look(
    weights: Weights,
    limits: Limits,
    folder: Path,
    given: tuple[Path, Path | None],
    name: str,
    asked: Asked,
    begin: Callable[[str], Progress],
) -> Found:
    """Open a film (or a picture and its sound), look, judge, and draw into `folder`. UserError for unusable input."""
    film, sound = given
    if sound is None and not probe(film).has_sound:
        raise UserError(f"{film}: expected a film with a sound track, got none; give a picture and a sound instead")
    source = open_source(film, sound)
    check_seconds(source.duration_seconds, limits)
    source = source.between(0.0, limits.max_seconds)  # a file may hold more than it claims
    begin("Load the weights")
    with weights.borrow(asked.weights) as localizer:
        timeline = localizer.source(source, every_seconds=EVERY_SECONDS, progress=begin("Listen and look"))
        judge = localizer.judge
    # people see, and take home, their own name of the film, not where it lay here
    found = Found(source, replace(timeline, source=name, overlay=str(folder / "overlay.mp4")), judge, asked, folder)
    if asked.threshold is not None:
        found = found.again(asked.threshold)
    if source.still is None:
        as_browsers_play(source, folder / "original.mp4", begin("Prepare the original"))
    else:
        write_image(folder / "original.jpg", source.still)
    write_down(found)
    draw_all(found, begin("Draw the film"))
    return found


def write_down(found: Found) -> None:
    """The timeline as a file; exports of an earlier judgement go."""
    for export in exports().values():
        path = found.folder / export.file_name
        for each in (path, path.with_name(path.name + ".zip")):
            if each.is_dir():
                shutil.rmtree(each)
            else:
                each.unlink(missing_ok=True)
    found.timeline.save(found.folder / "timeline.jsonl")


def draw_all(found: Found, progress: Progress) -> None:
    """The summary picture and the overlay film."""
    write_summary(found.source, found.timeline, found.folder / "summary.png")
    write_overlay(found.source, found.timeline, found.folder / "overlay.mp4", progress, found.asked.look)
