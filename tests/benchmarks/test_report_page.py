"""The report of the sample benchmark with the methods at hand, built by the command and opened in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from make_scenes import make_scenes

KINDS = ["visible", "visible", "offscreen", "visible", "silent", "visible", "noise", "visible"]
METHODS = ("default", "objectness", "wrong_sound", "ez_vsl")
PRIORS = ("centre", "square", "oracle")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, encoders: object) -> Path:
    """report.html of a folder of scenes: both parts of the default localizer, a control, a small method, priors."""
    from soundspot.cli import app
    from soundspot.methods import build
    from soundspot.weights import save

    folder = tmp_path_factory.mktemp("report")
    scenes = make_scenes(folder / "scenes", KINDS, size=96)
    _share_a_picture(scenes)
    tiny = build("ez_vsl", image_backbone="resnet10t", audio_backbone="resnet10t", image_size=64)
    weights = dict.fromkeys(METHODS, "default") | {"ez_vsl": str(save(tiny, folder / "tiny.safetensors"))}
    more = {"objectness": ["--set", "part=objectness"], "wrong_sound": ["--wrong-sound"]}
    for name in METHODS:
        words = ["predict", weights[name], "samples", "--root", str(scenes), "--out", str(folder / f"{name}.maps")]
        app([*words, *more.get(name, [])], standalone_mode=False)
    shown = [*(str(folder / f"{name}.maps") for name in METHODS), *PRIORS]
    app(["report", *shown, "--root", str(scenes), "--out", str(folder / "out"), "--clips", "2"], standalone_mode=False)
    return folder / "out/report.html"


def _share_a_picture(scenes: Path) -> None:
    """Make the first two visible scenes one picture with two sounds."""
    listing = scenes / "scenes.jsonl"
    rows = [json.loads(line) for line in listing.read_text().splitlines()]
    rows[0]["group"] = rows[1]["group"] = "pair"
    rows[1]["image"] = rows[0]["image"]
    listing.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def opened(page: Path, browser: object) -> Callable[[int], object]:
    """A function from a width to the page opened in it; what it asks of a network or complains of is collected."""

    def open_page(width: int) -> object:
        tab = browser.new_page(viewport={"width": width, "height": 900})  # type: ignore[attr-defined]
        tab.complaints = []
        tab.on("console", lambda message: tab.complaints.append(message.text))
        tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.on("request", lambda sent: sent.url.startswith(("file:", "data:")) or tab.complaints.append(sent.url))
        tab.goto(page.as_uri())
        return tab

    return open_page


def column(tab: object, number: int) -> list[str]:
    cells = f"section:first-of-type tbody tr td:nth-child({number})"
    return list(tab.eval_on_selector_all(cells, "cells => cells.map(cell => cell.textContent)"))  # type: ignore[attr-defined]


def test_every_section_is_there_and_nothing_is_fetched(opened: Callable[[int], object]) -> None:
    tab = opened(1400)
    titles = tab.eval_on_selector_all("h3", "all => all.map(each => each.textContent)")  # type: ignore[attr-defined]
    methods = [f"Clips of {name}" for name in METHODS]
    between = ["Every protocol", "Areas and places", *methods, "Side by side", "One picture, its sounds"]
    assert titles == ["Numbers", "Pairs", "Curves", *between]
    assert tab.complaints == []  # type: ignore[attr-defined]
    names = column(tab, 2)
    assert set(METHODS) | set(PRIORS) <= set(names)


def test_pictures_are_drawn_and_sounds_play(opened: Callable[[int], object]) -> None:
    tab = opened(1400)
    sizes = tab.evaluate("""async () => Promise.all([...document.images].map(async each => {
        each.loading = "eager"; await each.decode(); return each.naturalWidth }))""")  # type: ignore[attr-defined]
    assert len(sizes) > 40
    assert set(sizes) == {240}
    seconds = tab.evaluate("""() => Promise.all([...document.querySelectorAll("audio")].slice(0, 3).map(
        each => new Promise((resolve, reject) => {
            each.onloadedmetadata = () => resolve(each.duration); each.onerror = () => reject("no sound")
            each.preload = "metadata"; each.load() })))""")  # type: ignore[attr-defined]
    assert len(seconds) == 3
    assert all(second == pytest.approx(3, abs=0.2) for second in seconds)
    charts = tab.eval_on_selector_all("svg polyline", "lines => lines.length")  # type: ignore[attr-defined]
    assert charts > 20
    assert tab.complaints == []  # type: ignore[attr-defined]


def test_a_click_sorts_and_a_box_hides(opened: Callable[[int], object]) -> None:
    tab = opened(1400)
    heads = tab.eval_on_selector_all(  # type: ignore[attr-defined]
        "section:first-of-type th", "all => all.map(each => each.textContent)"
    )
    place = heads.index("pointing") + 1
    before = column(tab, place)
    button = f"section:first-of-type th:nth-child({place}) button"
    tab.click(button)  # type: ignore[attr-defined]
    falling = [float(text.split()[0]) for text in column(tab, place)]
    assert falling == sorted(falling, reverse=True)
    assert falling != [float(text.split()[0]) for text in before]
    tab.click(button)  # type: ignore[attr-defined]
    assert [float(text.split()[0]) for text in column(tab, place)] == sorted(falling)
    shown = "section:first-of-type tbody tr.floor"
    assert tab.is_visible(shown)  # type: ignore[attr-defined]
    tab.uncheck(".kinds input[value=floor]")  # type: ignore[attr-defined]
    assert not tab.is_visible(shown)  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [1400, 390])
def test_it_fits_the_screen(opened: Callable[[int], object], width: int) -> None:
    tab = opened(width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width  # type: ignore[attr-defined]
    # what is wider scrolls by itself
    assert tab.evaluate("document.querySelector('.wide').scrollWidth") > 390  # type: ignore[attr-defined]


def test_markdown_says_the_same(page: Path) -> None:
    text = page.with_name("report.md").read_text()
    for part in ("# Results", "## samples", "### Numbers", "### Pairs", "### Every protocol", "| default | sspl |"):
        assert part in text, part
