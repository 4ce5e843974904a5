"""What happens when a visitor presses something: each handler is one event of the page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import gradio as gr

from soundspot.localize.draw import Show, Style
from soundspot.lookup import find
from soundspot.page import views
from soundspot.page.limits import Kind, Limits, sentence
from soundspot.page.samples import Sample, draw_guitar
from soundspot.page.steps import Steps, Stopped
from soundspot.page.visits import Visit, Visits
from soundspot.page.work import Asked, Found, Progress, Weights, draw_all, look, write_down
from soundspot.types import UserError

Shown = tuple[Any, Any, Any, Any]
"""Status, players, verdict and downloads, as HTML; `gr.skip()` leaves one as it is."""
Given = tuple[Path, Path | None]
DRAWING = "Drawing the film again …"
BROKEN = "something went wrong on this machine, not with you; its log says what, and another film may do"


@dataclass(frozen=True)
class Handlers:
    """The events of the page."""

    weights: Weights
    visits: Visits
    limits: Limits
    samples: dict[str, Sample]

    def film(
        self, film: str | None, weights: str, threshold: float, show: str, opacity: float, request: gr.Request
    ) -> Iterator[Shown]:
        """Look at an uploaded film."""
        visit = self._visit(request)
        yield from self._look(visit, lambda: (self._take(visit, film, "film"), None), weights, threshold, show, opacity)

    def pair(
        self,
        picture: str | None,
        sound: str | None,
        weights: str,
        threshold: float,
        show: str,
        opacity: float,
        request: gr.Request,
    ) -> Iterator[Shown]:
        """Look at an uploaded picture, and listen to a sound."""
        visit = self._visit(request)

        def given() -> Given:
            return self._take(visit, picture, "picture"), self._take(visit, sound, "sound")

        yield from self._look(visit, given, weights, threshold, show, opacity)

    def sample(
        self, sample: str, weights: str, threshold: float, show: str, opacity: float, request: gr.Request
    ) -> Iterator[Shown]:
        """Look at a film of ours."""
        visit = self._visit(request)
        yield from self._look(visit, lambda: self._sample(visit, sample), weights, threshold, show, opacity)

    def judge(self, threshold: float, show: str, opacity: float, request: gr.Request) -> Shown:
        """Judge what was found last with another threshold, at once; `redraw` does what takes longer."""
        visit = self._visit(request)
        found = visit.found
        if found is None:
            return _keep()
        visit.stale.set()
        try:
            if abs(threshold - found.threshold) > 1e-6:
                found = found.again(threshold)
            found = replace(found, asked=replace(found.asked, look=Style(cast(Show, show), opacity)))
        except UserError as error:
            return _keep(self._problem(visit, error))
        visit.found = found
        write_down(found)
        return gr.skip(), gr.skip(), views.verdict(found), views.downloads(found)

    def redraw(self, request: gr.Request) -> Iterator[Shown]:
        """Draw what was found last once more, as it is judged and to look now."""
        visit = self._visit(request)
        if visit.found is None:
            return
        with visit.busy:
            visit.stale.clear()
            drawn = replace(visit.found, version=visit.found.version + 1)
            visit.found = drawn

            def work(steps: Steps[Found]) -> Found:
                draw_all(drawn, _unless(visit.stale.is_set, steps.begin(DRAWING.rstrip(" …"))))
                return drawn

            yield from self._watched(visit, Steps(work, visit.gone))

    def threshold_of(self, weights: str) -> Any:
        """The threshold that the chosen weights bring along."""
        return gr.update(value=round(self.weights.threshold(weights), 2))

    def broken(self) -> Any:
        """What is said when a handler failed by no fault of the visitor."""
        return views.problem(BROKEN)

    def stopped(self) -> Any:
        """What is said when the visitor stopped it."""
        return ""

    def left(self, request: gr.Request) -> None:
        """The visitor closed the page."""
        self.visits.end(_session(request))

    def _visit(self, request: gr.Request) -> Visit:
        return self.visits.of(_session(request))

    def _take(self, visit: Visit, given: str | None, kind: Kind) -> Path:
        if given is None:
            raise UserError(f"expected a {kind}, got none; choose one first")
        return self.visits.take(visit, given, kind)

    def _sample(self, visit: Visit, name: str) -> Given:
        chosen = find(self.samples, name, "sample")
        if chosen.path is None:
            path = visit.folder / "sample.mp4"
            if not path.exists():
                draw_guitar(path)
            chosen = Sample(path)
        assert chosen.path is not None
        visit.names[chosen.path] = name
        return chosen.path, chosen.sound_path

    def _look(
        self, visit: Visit, given: Callable[[], Given], weights: str, threshold: float, show: str, opacity: float
    ) -> Iterator[Shown]:
        """From what was given to what was found, told as it goes."""
        visit.stale.set()  # what may still be drawn is of the film before
        if not visit.busy.acquire(timeout=1):
            yield _keep(views.problem("one film at a time; this one starts when the other is done, or stopped"))
            return
        try:
            visit.num_jobs += 1
            folder = visit.folder / str(visit.num_jobs)
            folder.mkdir()

            def work(steps: Steps[Found]) -> Found:
                steps.begin("Open the film")
                files = given()
                name = visit.names[files[0]]
                asked = Asked(weights, threshold, Style(cast(Show, show), opacity))
                return look(self.weights, self.limits, folder, files, name, asked, steps.begin)

            before = visit.found
            yield from self._watched(visit, Steps(work, visit.gone))
            gone = folder if visit.found is before else before and before.folder
            if gone:
                shutil.rmtree(gone, ignore_errors=True)
        finally:
            visit.busy.release()

    def _watched(self, visit: Visit, steps: Steps[Found]) -> Iterator[Shown]:
        """The work's progress, then what it gave, or the one sentence that says why not."""
        try:
            for step in steps.watch():
                yield _keep(views.progress(step))
        except Stopped:
            yield _keep("")
        except UserError as error:
            yield _keep(self._problem(visit, error))
        else:
            visit.found = found = steps.value
            yield "", views.players(found), views.verdict(found), views.downloads(found)

    def _problem(self, visit: Visit, error: UserError) -> str:
        return views.problem(sentence(error, visit.names))


def _session(request: gr.Request) -> str:
    """What tells one open page from another: a long random word of the browser's."""
    session = request.session_hash
    if not session or len(session) > 64:
        raise gr.Error("Open the page again.")
    return session


def _keep(status: Any = None) -> Shown:
    return (gr.skip() if status is None else status, gr.skip(), gr.skip(), gr.skip())


def _unless(stopped: Callable[[], bool], progress: Progress) -> Progress:
    """Progress that ends the work when it is told so."""

    def to(done: int, total: int) -> None:
        if stopped():
            raise Stopped
        progress(done, total)

    return to
