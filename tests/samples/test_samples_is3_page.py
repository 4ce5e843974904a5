"""The page on which pictures are reviewed, in a real browser: keys, memory, and the file that it saves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundspot.media.audio import write_wav
from soundspot.media.image import write_image
from soundspot.samples.is3_page import review_page

NAMES = ("a dog & a cat", "b", "c")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    write_wav(tmp_path / "bark 1.wav", np.zeros((1, 8000), np.float32), 8000)
    rows = []
    for number, name in enumerate(NAMES):
        write_image(tmp_path / f"{number} x.png", np.full((24, 32, 3), 60 * number, np.uint8))
        things = [{"words": "dog", "audio": "bark 1.wav"}]
        rows.append({"id": f"id{number}", "image": f"{number} x.png", "prompt": name, "things": things})
    (tmp_path / "review.html").write_text(review_page(rows, "mark"))
    return tmp_path / "review.html"


def test_keys_decide_and_the_file_says_so(page: Path, browser: Any, tmp_path: Path) -> None:
    tab = browser.new_page()
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(page.as_uri())
    assert tab.text_content("#prompt") == NAMES[0]
    assert tab.eval_on_selector("#picture", "async each => { await each.decode(); return each.naturalWidth }") == 32
    seconds = """each => new Promise((resolve, reject) => { each.onloadedmetadata = () => resolve(each.duration)
        each.onerror = reject; each.preload = "metadata"; each.load() })"""
    assert tab.eval_on_selector("audio", seconds) == pytest.approx(1)
    tab.keyboard.press("y")
    tab.keyboard.press("n")
    assert tab.text_content("#prompt") == NAMES[2]
    assert "1 kept, 1 rejected, 1 undecided" in tab.text_content("#progress")
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("y")  # a second thought
    with tab.expect_download() as saved:
        tab.click("#save")
    saved.value.save_as(tmp_path / "decisions.json")
    found = json.loads((tmp_path / "decisions.json").read_text())
    assert found == {"draft": "mark", "decisions": {"id0": "keep", "id1": "keep"}}
    tab.reload()
    assert tab.text_content("#prompt") == NAMES[2]  # where it was left
    assert complaints == []
