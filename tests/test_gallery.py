"""The gallery is made by one command, its pictures are light, and the page says what the command prints."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from make_media import make_film, tone
from soundspot.localize.timeline import Moment

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "docs/gallery"
VERDICTS = ("on-screen", "off-screen", "silent", "unsure")


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    """docs/gallery.py."""
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "docs/gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_the_pictures_and_what_is_printed() -> None:
    page = (ROOT / "docs/start.md").read_text(encoding="utf-8")
    for line in (GALLERY / "printed.txt").read_text(encoding="utf-8").splitlines():
        assert line.strip() in page
    pictures = sorted(GALLERY.glob("*.png"))
    assert {"summary.png", "on-screen.png", "off-screen.png"} <= {path.name for path in pictures}
    for path in pictures:
        assert f"gallery/{path.name}" in page
        assert path.stat().st_size < 300_000
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("RGB")).std() > 20, "not a blank"


def test_the_clearest_looks_are_the_surest_of_what_they_say(gallery: ModuleType) -> None:
    cells = np.zeros((1, 1), np.float32)
    told = [("on-screen", 0.7), ("on-screen", 0.9), ("off-screen", 0.3), ("off-screen", 0.1), ("unsure", 0.55)]
    moments = [Moment(float(at), cells, cells, 0.0, sure, name, -20.0) for at, (name, sure) in enumerate(told)]
    chosen = gallery.clearest(moments)
    assert {name: moment.probability for name, moment in chosen.items()} == {
        "on-screen": 0.9,
        "off-screen": 0.1,
        "unsure": 0.55,
    }


def test_pictures_are_made_smaller_never_larger(gallery: ModuleType, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (30, 90, 3)).astype(np.uint8)
    for width, wanted in ((45, (45, 15)), (200, (90, 30))):
        gallery.save(picture, tmp_path / "p.png", width)
        with Image.open(tmp_path / "p.png") as made:
            assert made.size == wanted
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"], "nothing is left aside"


@pytest.mark.usefixtures("encoders")
def test_one_command_makes_it_from_a_film(
    gallery: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = np.concatenate([tone(440, 1, 16000), np.zeros((1, 16000), np.float32)], axis=1)
    film = make_film(tmp_path / "film.mp4", num_frames=20, rate=10, size=(96, 64), samples=sound, sample_rate=16000)
    gallery.main([str(film), "--out", str(tmp_path / "out")])
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"summary.png", "printed.txt", "silent.png"} <= made
    assert {path.removesuffix(".png") for path in made} <= {*VERDICTS, "summary", "printed.txt"}
    printed = (tmp_path / "out/printed.txt").read_text(encoding="utf-8")
    assert "silent" in printed
    assert printed == capsys.readouterr().out
    assert str(tmp_path) not in printed
