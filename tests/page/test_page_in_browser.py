"""The page in a real browser, served by the real command: what visitors do, and what they must not be able to do."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from make_media import make_film, tone
from soundspot.media.audio import write_wav
from soundspot.media.image import write_image
from soundspot.media.video import probe, read_frame, read_waveform

TIMES = "[...document.querySelectorAll('.spot-players video')].map(video => video.currentTime)"
READY = """[...document.querySelectorAll('.spot-players video')].every(video => video.readyState >= 2)
    && [...document.querySelectorAll('.spot-players img')].every(image => image.complete && image.naturalWidth > 0)"""


def give(page: Any, film: Path) -> None:
    """Upload a film, and ask for its sound's place."""
    page.set_input_files("#spot-film input[type=file]", film)
    page.wait_for_selector("#spot-film .file-preview")
    page.click("#spot-go-film")


def done(page: Any, name: str) -> None:
    """Wait for the result of a film of that name."""
    page.wait_for_function("name => document.querySelector('.spot-result h2')?.textContent === name", arg=name)
    page.wait_for_function(READY)


@pytest.fixture
def shown(visitor: Callable[..., Any], red: Path) -> Any:
    """A visitor who has seen what was found in the film `red`."""
    page = visitor()
    give(page, red)
    done(page, "red thing.mp4")
    return page


def test_both_films_play_together(shown: Any) -> None:
    assert shown.evaluate(TIMES) == [0, 0]
    shown.click(".spot-controls [data-do=play]")
    shown.wait_for_function(f"{TIMES}.every(time => time > 0.5)")
    shown.click(".spot-controls [data-do=play]")
    shown.wait_for_function("[...document.querySelectorAll('video')].every(video => video.paused)")
    first, second = shown.evaluate(TIMES)
    assert first == pytest.approx(second, abs=0.2)
    sizes = shown.evaluate("[...document.querySelectorAll('video')].map(v => [v.videoWidth, v.videoHeight])")
    assert sizes[0] == [160, 120]
    assert sizes[1][0] == 160
    assert sizes[1][1] > 120, "with a caption and a strip beneath"


def test_a_click_on_the_timeline_jumps_there(shown: Any) -> None:
    curve = shown.locator(".spot-curve")
    curve.click(position={"x": 0.75 * curve.bounding_box()["width"], "y": 40})
    shown.wait_for_function(f"{TIMES}.every(time => Math.abs(time - 3) < 0.05)")
    assert shown.inner_text(".spot-now time") == "0:03.0"
    assert shown.evaluate("parseFloat(document.querySelector('.spot-head').style.left)") == pytest.approx(75, abs=1)
    shown.focus(".spot-curve")
    shown.keyboard.press("ArrowLeft")
    shown.wait_for_function(f"{TIMES}.every(time => Math.abs(time - 2.5) < 0.05)")
    shown.click(".spot-jump >> nth=-1")
    shown.wait_for_function(f"{TIMES}[1] > 3")
    assert shown.inner_text(".spot-now .spot-chip") == "silent", "the tone has stopped"


def test_what_is_downloaded_opens(shown: Any, tmp_path: Path) -> None:
    taken = {}
    for link in shown.locator(".spot-downloads a").all():
        with shown.expect_download() as download:
            link.click()
        name = download.value.suggested_filename
        download.value.save_as(tmp_path / name)
        taken[name] = tmp_path / name
    assert {"overlay.mp4", "timeline.jsonl", "summary.png"} <= taken.keys()
    assert probe(taken["overlay.mp4"]).duration_seconds == pytest.approx(4, abs=0.1)
    head, *rows = map(json.loads, taken["timeline.jsonl"].read_text().splitlines())
    assert head["source"] == "red thing.mp4", "not where it lay on the server"
    assert len(rows) == 8
    with Image.open(taken["summary.png"]) as picture:
        assert picture.width > 300


def test_another_threshold_judges_again_and_draws_again(shown: Any) -> None:
    words = shown.inner_text(".spot-words")
    film = shown.get_attribute("video[data-part=overlay]", "src")
    shown.fill("#spot-threshold input[type=number]", "0.99")
    shown.keyboard.press("Tab")
    shown.wait_for_function("document.querySelector('.spot-legend').textContent.includes('99%')")
    assert shown.inner_text(".spot-words") != words
    assert "on-screen" not in shown.inner_text(".spot-words")
    changed = "old => document.querySelector('video[data-part=overlay]').getAttribute('src') !== old"
    shown.wait_for_function(changed, arg=film)
    shown.wait_for_function(READY)


def test_a_bad_file_is_refused_in_one_sentence(visitor: Callable[..., Any], tmp_path: Path, served: Any) -> None:
    page = visitor()
    other = tmp_path / "no film.mp4"
    other.write_bytes(b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n")
    give(page, other)
    page.wait_for_selector(".spot-problem")
    told = page.inner_text(".spot-problem")
    assert told == "No film.mp4: expected a film, got something else; is it whole, and does it play?"
    assert page.locator(".spot-result").count() == 0


def test_a_long_film_and_no_film_are_refused(visitor: Callable[..., Any], tmp_path: Path) -> None:
    page = visitor()
    page.click("#spot-go-film")
    page.wait_for_selector(".spot-problem")
    assert page.inner_text(".spot-problem") == "Expected a film, got none; choose one first"
    long = make_film(tmp_path / "long.mp4", num_frames=34, rate=2, samples=tone(440, 17, 16000), sample_rate=16000)
    give(page, long)
    page.wait_for_function("document.querySelector('.spot-problem')?.textContent.includes('cut it shorter')")
    assert page.inner_text(".spot-problem") == "Expected up to 15 s, got 17 s; cut it shorter"


def test_a_large_file_is_refused_by_browser_and_server(
    visitor: Callable[..., Any], tmp_path: Path, served: Any
) -> None:
    large = tmp_path / "large.mp4"
    large.write_bytes(b"\0" * 1_500_000)
    page = visitor()
    page.set_input_files("#spot-film input[type=file]", large)
    page.wait_for_selector("text=maximum allowed size")

    def parts():
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'
        for _ in range(30):
            yield b"\0" * 50_000
        yield b"\r\n--b--\r\n"

    kind = {"content-type": "multipart/form-data; boundary=b"}
    for body in (b"".join(parts()), parts()):  # with a stated length, and without
        answer = httpx.post(f"{served.address}gradio_api/upload", content=body, headers=kind)
        assert answer.status_code == 413
        assert "1 MB" in answer.text
        assert "Traceback" not in answer.text
    assert not any(path.name in ("large.mp4", "a.mp4") for path in served.files())


def test_two_visitors_at_once_get_their_own(visitor: Callable[..., Any], red: Path, blue: Path) -> None:
    one, other = visitor(), visitor()
    for page, film in ((one, red), (other, blue)):
        page.set_input_files("#spot-film input[type=file]", film)
        page.wait_for_selector("#spot-film .file-preview")
    one.click("#spot-go-film")
    other.click("#spot-go-film")
    done(one, "red thing.mp4")
    done(other, "blue thing.mp4")
    lengths = [page.evaluate("[...document.querySelectorAll('video')].map(v => v.duration)") for page in (one, other)]
    assert lengths[0] == pytest.approx([4, 4], abs=0.2)
    assert lengths[1] == pytest.approx([6, 6], abs=0.2)
    tokens = {page.get_attribute("video", "src").split("/")[1] for page in (one, other)}
    assert len(tokens) == 2


def test_a_picture_and_a_sound_on_a_phone(visitor: Callable[..., Any], red: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "a picture.png", read_frame(red, 1.0))
    write_wav(tmp_path / "a sound.wav", read_waveform(red, sample_rate=16000).samples, 16000)
    page = visitor(390, 844)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("tab", name="Picture").click()
    page.set_input_files("#spot-picture input[type=file]", tmp_path / "a picture.png")
    page.set_input_files("#spot-sound input[type=file]", tmp_path / "a sound.wav")
    page.wait_for_selector("#spot-picture .file-preview")
    page.wait_for_selector("#spot-sound .file-preview")
    page.click("#spot-go-pair")
    done(page, "a picture.png")
    assert page.evaluate("document.querySelector('.spot-players img').naturalWidth") == 160
    assert page.evaluate("document.documentElement.scrollWidth") == 390, "nothing to scroll sideways"
    for part in (".spot-players", ".spot-curve", ".spot-downloads", "#spot-threshold"):
        box = page.locator(part).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_the_sample_with_the_built_in_weights(visitor: Callable[..., Any], encoders: object) -> None:
    page = visitor()
    page.click("#spot-weights input")
    page.get_by_role("option", name="default").click()
    page.get_by_role("tab", name="Sample").click()
    page.click("#spot-go-sample")
    done(page, "A guitar, drawn by code")
    told = page.locator(".spot-jump").all_inner_texts()
    verdicts = [text.split("\n")[1] for text in told]
    assert "on-screen" in verdicts[: verdicts.index("silent")]
    assert verdicts[-1] == "off-screen", "it plays on out of sight"
    assert "Music" in page.inner_text(".spot-now")


def test_a_name_with_markup_is_shown_as_text(visitor: Callable[..., Any], red: Path, tmp_path: Path) -> None:
    film = tmp_path / "'+a b={{1}}${alert(1)} & &lt;b&gt;.mp4"
    film.write_bytes(red.read_bytes())
    page = visitor()
    alarms: list[str] = []
    page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
    give(page, film)
    page.wait_for_selector(".spot-result h2")
    assert page.locator(".spot-result h2 *").count() == 0
    assert "49" not in page.inner_text(".spot-result h2")
    assert alarms == []


def test_files_go_with_their_visitor(visitor: Callable[..., Any], blue: Path, served: Any) -> None:
    page = visitor()
    give(page, blue)
    done(page, "blue thing.mp4")
    token = page.get_attribute("video", "src").split("/")[1]
    address = served.address + page.get_attribute("video[data-part=overlay]", "src")
    assert httpx.get(address).status_code == 200
    assert any(token in path.parts for path in served.files())
    page.context.close()
    deadline = time.monotonic() + 30
    while any(token in path.parts or path.name == "blue thing.mp4" for path in served.files()):
        assert time.monotonic() < deadline, served.files()
        time.sleep(0.2)
    assert httpx.get(address).status_code == 404


def test_nothing_is_asked_of_other_machines(shown: Any, served: Any) -> None:
    assert len(served.asked) > 20
    assert served.foreign() == []
    policy = httpx.get(served.address).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    "place",
    ["gradio_api/file=/etc/hostname", "gradio_api/file=https://example.org/", "gradio_api/proxy=https://example.org/",
     "docs", "openapi.json", "gradio_api/openapi.json", "monitoring", "result/x/1/../../../etc/hostname",
     "assets/../../../../etc/hostname", "gradio_api/queue/status", "gradio_api/deep_link", "login"],
)  # fmt: skip
def test_other_addresses_do_not_exist(place: str, served: Any) -> None:
    with httpx.Client() as client:
        request = client.build_request("GET", served.address + "x")
        request.url = httpx.URL(served.address).copy_with(raw_path=f"/{place}".encode())
        answer = client.send(request)
    assert answer.status_code == 404
    assert "<" not in answer.text


def test_no_path_from_the_browser_is_opened(served: Any, red: Path) -> None:
    for path in ("/etc/hostname", str(red), "https://example.org/a.mp4", f"{served.temporary}/connects.log", 7):
        given = {"path": path, "meta": {"_type": "gradio.FileData"}}
        question = {"data": [given, "tiny", 0.5, "heat", 0.6], "fn_index": 0, "session_hash": "stranger"}
        answer = httpx.post(f"{served.address}gradio_api/queue/join", json=question)
        assert answer.status_code == 400
        assert answer.text == "Expected an uploaded file; choose the file again."


def test_the_page_tells_nothing_of_the_machine(served: Any) -> None:
    for place in ("", "config", "gradio_api/info"):
        answer = httpx.get(served.address + place)
        assert answer.status_code == 200
        assert str(served.temporary) not in answer.text


def test_it_ends_with_ctrl_c_and_leaves_nothing(start: Callable[..., Any], tiny: Path) -> None:
    page = start(tiny)
    assert httpx.get(page.address).status_code == 200
    assert list(page.temporary.glob("soundspot-page-*"))
    page.process.send_signal(signal.SIGINT)
    _, told = page.process.communicate(timeout=30)
    assert page.process.returncode == 0, told
    assert told.splitlines() == ["the page is at this address; Ctrl-C ends it"]
    assert not list(page.temporary.glob("soundspot-page-*"))
