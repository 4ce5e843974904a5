"""The page in a real browser, from disk: player, captions, clicks, narrow widths, no network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_timelines import EVERY, START, judged, of_classes, unjudged

from make_media import make_film, tone
from soundspot.localize.exports.html import address_of
from soundspot.localize.timeline import Timeline
from soundspot.media.image import write_image

STATE = """async () => { const video = document.querySelector("video")
  if (video.readyState < 1) await new Promise(done => video.addEventListener("loadedmetadata", done))
  return { seconds: video.duration, track: video.textTracks[0].mode, cues: video.textTracks[0].cues.length } }"""


def film(path: Path, seconds: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = tone(300, seconds, 16000)
    picture = np.full((120, 160, 3), 60, np.uint8)
    return make_film(path, num_frames=5 * seconds, rate=5, size=(160, 120), picture=lambda _: picture,
                     sample_rate=16000, samples=sound)  # fmt: skip


@pytest.fixture
def opened(browser: Any) -> Callable[..., Any]:
    """A function from a page and a width to the open page; what it asks of a network or complains of is collected."""

    def open_page(path: Path, width: int = 1200) -> Any:
        tab = browser.new_page(viewport={"width": width, "height": 900})
        tab.complaints = []
        tab.on("console", lambda message: tab.complaints.append(message.text))
        tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.on("request", lambda sent: sent.url.startswith(("file:", "data:")) or tab.complaints.append(sent.url))
        tab.goto(path.as_uri())
        return tab

    return open_page


def click_at(tab: Any, share: float) -> None:
    box = tab.locator("#timeline").bounding_box()
    tab.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)


@pytest.mark.parametrize("width", [1200, 390])
def test_a_click_on_the_timeline_moves_the_film_and_captions_show(
    width: int, tmp_path: Path, opened: Callable[..., Any]
) -> None:
    source = film(tmp_path / "a film #1 100%.mp4", 13)
    page = tmp_path / "out" / "timeline.html"
    dataclasses.replace(judged(), source=str(source)).save(page)
    tab = opened(page, width)
    state = tab.evaluate(STATE)
    assert state["seconds"] == pytest.approx(13, abs=0.2)
    assert (state["track"], state["cues"]) == ("showing", 4)
    click_at(tab, 0.6)
    tab.wait_for_function("!document.querySelector('video').seeking")
    assert tab.evaluate("document.querySelector('video').currentTime") == pytest.approx(START + 1.5, abs=0.05)
    text = "[...document.querySelector('video').textTracks[0].activeCues || []].map(cue => cue.text).join()"
    tab.wait_for_function(f"({text}) == 'Train (off screen)'")
    assert tab.locator("tr.now td").nth(1).inner_text() == "off screen"
    tab.click("tbody tr:nth-child(2) button")
    tab.wait_for_function("Math.abs(document.querySelector('video').currentTime - 10.75) < 0.01")
    tab.focus("#timeline")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("Math.abs(document.querySelector('video').currentTime - 11.75) < 0.01")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width, "no sideways scrolling"
    assert tab.evaluate("document.getElementById('missing').hidden")
    assert tab.complaints == []
    tab.close()


def test_names_come_as_they_are_and_run_nothing(tmp_path: Path, opened: Callable[..., Any]) -> None:
    nasty = '"><script>document.title = "taken"</script>\n🎺'
    moments = [dataclasses.replace(each, tags=((nasty, 0.9),)) if each.tags else each for each in judged().moments]
    made = dataclasses.replace(judged(), moments=moments, source=f"x/{nasty}.mp4", provenance={nasty: nasty})
    made.save(tmp_path / "t.html")
    tab = opened(tmp_path / "t.html")
    assert "taken" not in tab.title()[:10]
    assert tab.locator("tbody tr:first-child td:nth-child(4)").inner_text() == nasty.replace("\n", " ")
    assert tab.locator(".chart span").first.inner_text().startswith('#1 "><script>')
    tab.wait_for_selector("#missing", state="visible")
    assert not any("script" in each for each in tab.complaints)
    tab.close()


def test_an_overlay_film_starts_where_the_timeline_does(tmp_path: Path, opened: Callable[..., Any]) -> None:
    overlay = film(tmp_path / "overlay.mp4", 3)
    dataclasses.replace(judged(), overlay=str(overlay)).save(tmp_path / "t.html")
    tab = opened(tmp_path / "t.html")
    assert tab.evaluate(STATE)["cues"] == 4
    starts = "[...document.querySelector('video').textTracks[0].cues].map(cue => cue.startTime)"
    assert tab.evaluate(starts) == [0, 0.75, 1.25, 1.75]
    click_at(tab, 0.5)
    tab.wait_for_function("Math.abs(document.querySelector('video').currentTime - 1.25) < 0.05")
    assert tab.locator("tr.now button").inner_text() == "11.25 – 11.75 s"
    tab.close()


def chart(timeline: Timeline, folder: Path, opened: Callable[..., Any]) -> dict[str, Any]:
    timeline.save(folder / "t.html")
    tab = opened(folder / "t.html")
    found = {
        "lanes": tab.locator(".chart span").all_inner_texts(),
        "keys": tab.locator(".keys li").all_inner_texts(),
        "rows": tab.locator("tbody tr").count(),
        "curve": tab.locator("#confidence").count(),
    }
    tab.close()
    return found


def test_lanes_are_tracks_or_classes(tmp_path: Path, opened: Callable[..., Any]) -> None:
    tracks = chart(judged("x/film.mp4"), tmp_path, opened)
    assert [name.split()[0] for name in tracks["lanes"]] == ["#1", "#2", "#300"]
    assert (tracks["rows"], tracks["curve"]) == (4, 1)
    classes = chart(of_classes(), tmp_path, opened)
    assert classes["lanes"] == ["cello", "piano", "flute"]
    bare = chart(unjudged(), tmp_path, opened)
    assert (bare["lanes"], bare["rows"], bare["curve"]) == ([], 1, 0)
    assert bare["keys"] == ["not judged", "click to jump"]
    assert set(EVERY) >= {"judged", "classes", "unjudged"}


def test_a_picture_beside_a_sound_is_shown_as_a_picture(tmp_path: Path, opened: Callable[..., Any]) -> None:
    write_image(tmp_path / "p.png", np.full((48, 64, 3), 90, np.uint8))
    dataclasses.replace(judged(), source=str(tmp_path / "p.png")).save(tmp_path / "t.html")
    tab = opened(tmp_path / "t.html")
    assert tab.evaluate("document.images[0].naturalWidth") == 64
    click_at(tab, 0.5)
    assert tab.locator("tr.now td").nth(1).inner_text() == "off screen"
    assert tab.complaints == []
    tab.close()


def test_the_film_is_named_as_seen_from_the_page(tmp_path: Path) -> None:
    assert address_of(tmp_path / "a b.mp4", tmp_path / "out/t.html") == "../a%20b.mp4"
    assert address_of(tmp_path / "out/x#?.mp4", tmp_path / "out/t.html") == "x%23%3F.mp4"
    assert address_of(tmp_path / "\udcff.mp4", tmp_path / "t.html") == "%FF.mp4"
