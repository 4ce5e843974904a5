"""WebVTT as a browser's video element reads and shows it."""

from __future__ import annotations

import base64
import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_timelines import START, judged, of_classes, silence, unjudged

from make_media import make_film, tone
from soundspot.localize.exports.vtt import clock, text
from soundspot.localize.timeline import Timeline

CUES = """() => [...document.querySelector("video").textTracks[0].cues].map(cue => ({
  start: cue.startTime, end: cue.endTime, text: cue.getCueAsHTML().textContent, line: cue.line, position: cue.position,
  size: cue.size, id: cue.id, lines: cue.snapToLines }))"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder with a film of 14 s, and where a browser finds it."""
    folder = tmp_path_factory.mktemp("site")
    sound = tone(300, 14, 16000)
    make_film(folder / "film.mp4", num_frames=14, rate=1, size=(320, 240), sample_rate=16000, samples=sound,
              picture=lambda _: np.full((240, 320, 3), 60, np.uint8))  # fmt: skip
    inside = base64.b64encode((folder / "film.mp4").read_bytes()).decode()  # the small server can't be sought in
    (folder / "page.html").write_text(
        f'<!doctype html><meta charset=utf-8><video src="data:video/mp4;base64,{inside}" muted width=640>'
        '<track default kind=captions src="captions.vtt"></video>'
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}/page.html"
    server.shutdown()
    thread.join()
    server.server_close()


def cues_of(timeline: Timeline, site: tuple[Path, str], browser: Any) -> tuple[Any, list[dict[str, Any]]]:
    folder, address = site
    timeline.save(folder / "captions.vtt")
    tab = browser.new_page()
    tab.goto(address)
    tab.wait_for_function("document.querySelector('track').readyState == 2")
    return tab, tab.evaluate(CUES)


def test_a_player_has_a_cue_a_stretch_beside_what_sounds(site: tuple[Path, str], browser: Any) -> None:
    timeline = judged()
    tab, cues = cues_of(timeline, site, browser)
    assert [cue["text"] for cue in cues] == [
        'Dög, "the 1st" <b>&amp; --> 🎺 (on screen)', "Cat (unsure whether in view)", "Train (off screen)", "(silence)",
    ]  # fmt: skip
    times = [(cue["start"], cue["end"]) for cue in cues]
    assert times == [(START, 10.75), (10.75, 11.25), (11.25, 11.75), (11.75, 12.25)]
    assert times == [(start, end) for start, end, _, _ in timeline.stretches()]
    assert [(cue["line"], cue["position"], cue["size"]) for cue in cues[:2]] == [(67, 20, 40), (83, 75, 50)]
    assert [cue["line"] for cue in cues[2:]] == ["auto", "auto"], "what is not in view stands where players put it"
    assert not cues[0]["lines"]
    tab.evaluate("() => { document.querySelector('video').currentTime = 11 }")
    active = "[...document.querySelector('video').textTracks[0].activeCues || []].map(cue => cue.text).join()"
    tab.wait_for_function(f"({active}).startsWith('Cat')")
    assert tab.evaluate("document.querySelector('video').textTracks[0].mode") == "showing"
    tab.close()


def test_classes_that_sound_are_silent_or_out_of_view(site: tuple[Path, str], browser: Any) -> None:
    tab, cues = cues_of(of_classes(), site, browser)
    tab.close()
    assert [cue["text"] for cue in cues] == [
        "cello, piano", "cello; piano (silent)", "cello; flute (off screen); piano (silent)", "(silence)",
    ]  # fmt: skip


def test_what_is_not_judged_and_silence(site: tuple[Path, str], browser: Any) -> None:
    for timeline, said in ((unjudged(), "Dog (not judged)"), (silence(), "(silence)")):
        tab, cues = cues_of(timeline, site, browser)
        tab.close()
        assert [cue["text"] for cue in cues] == [said]


def test_captions_move_with_the_film_that_they_stand_in() -> None:
    lines = text(judged(), shift_seconds=START, height_share=0.5).splitlines()
    assert lines[0] == "WEBVTT"
    assert lines[5] == "00:00:00.000 --> 00:00:00.750 line:33% position:20% align:center size:40%"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "00:00:00.000"), (0.9996, "00:00:01.000"), (59.9999, "00:01:00.000"), (363599.5, "100:59:59.500")],
)
def test_times_carry_over(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
