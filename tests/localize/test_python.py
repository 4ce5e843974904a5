"""The face that Python sees: sequences of moments, tables, figures, notebooks, and the guide's own code."""

from __future__ import annotations

import builtins
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from doc_blocks import python_blocks
from make_media import make_film, numbered, tone
from soundspot import Localizer, Moment, Timeline, UserError, weights
from soundspot.localize.classes import ClassMoment
from soundspot.localize.frames import COLUMNS
from soundspot.media.audio import write_wav
from soundspot.media.image import write_image
from soundspot.methods import build

RATE = 16000
TINY = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "image_size": 64}
CALIBRATION = '{"scale": 1.0, "offset": 0.0, "low": 0.3, "high": 0.6}'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film, a picture, a sound, and weights."""
    folder = tmp_path_factory.mktemp("place")
    sound = np.concatenate([tone(300, 3, RATE), np.zeros((1, 2 * RATE), np.float32)], axis=1)
    make_film(folder / "film.mp4", num_frames=50, rate=10, samples=sound, sample_rate=RATE)
    write_image(folder / "picture.png", numbered(77))
    write_wav(folder / "sound.wav", tone(500, 2, RATE), RATE)
    weights.save(build("ez_vsl", **TINY), folder / "w.safetensors", {"calibration": CALIBRATION})
    return folder


@pytest.fixture(scope="module")
def timeline(place: Path) -> Timeline:
    return Localizer.from_pretrained(place / "w.safetensors").video(place / "film.mp4")


def moment(time: float, verdict: Any, **others: Any) -> Moment:
    scores = np.zeros((2, 4), np.float32)
    scores[1, 0] = 3.0
    values = {
        "map": scores, "heat": scores / 3, "confidence": 3.0, "probability": None if verdict is None else 0.5,
        "level_dbfs": -math.inf if verdict == "silent" else -20.0, **others,
    }  # fmt: skip
    return Moment(time_seconds=time, verdict=verdict, **values)


MADE = Timeline(
    "films/<b>made</b> & told.mp4",
    [
        moment(0.0, "on-screen", tags=(("Dog", 0.9), ("Bark", 0.5)), boxes=((0.0, 0.5, 0.25, 1.0),), tracks=(4,)),
        moment(0.5, "unsure", tags=(("<script>", 0.4),)),
        moment(1.0, "silent", probability=0.0),
        moment(1.5, None, balance=-0.5, shot=1),
    ],
    0.5,
    {"calibration": '{"scale": 1, "offset": 0, "low": 0.4, "high": 0.6}'},
    wave=tuple(np.linspace(0, 1, 32)),
)


def test_public_names_are_few_and_import_nothing_early() -> None:
    import soundspot

    assert len(soundspot.__all__) <= 15
    assert {"Localizer", "Timeline", "Moment", "UserError"} <= set(soundspot.__all__)
    assert all(getattr(soundspot, name) is not None for name in soundspot.__all__)
    code = "import soundspot, sys; print(sorted({'torch', 'numpy', 'pandas', 'matplotlib'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_timeline_is_a_sequence_of_moments(timeline: Timeline) -> None:
    assert len(timeline) == 10
    times = [each.time_seconds for each in timeline]
    assert times == pytest.approx(np.arange(10) / 2)
    assert timeline[-1].time_seconds == 4.5
    assert [each.time_seconds for each in timeline[2:4]] == [1.0, 1.5]
    assert timeline[0].map.ndim == 2
    with pytest.raises(IndexError):
        timeline[10]


def test_both_say_in_one_line_what_they_are(timeline: Timeline) -> None:
    assert repr(MADE) == (
        "Timeline('films/<b>made</b> & told.mp4', 4 moments from 0 to 1.5 s: on-screen 25%, unsure 25%, silent 25%,"
        " relative 25%)"
    )
    assert repr(MADE[0]) == "Moment(0 s, on-screen 50%, 'Dog', map 2 x 4)"
    assert repr(MADE[3]) == "Moment(1.5 s, relative, map 2 x 4)"
    assert repr(Timeline("x", [], 0.5)) == "Timeline('x', no moments)"
    assert "10 moments" in repr(timeline)


def test_a_table_has_a_row_a_moment_and_its_columns() -> None:
    pandas = pytest.importorskip("pandas")
    table = MADE.to_dataframe()
    assert tuple(table.columns) == COLUMNS
    assert table["verdict"].tolist()[:3] == ["on-screen", "unsure", "silent"]
    assert pandas.isna(table["verdict"][3])
    assert table["verdict"].cat.categories.tolist() == ["on-screen", "off-screen", "silent", "unsure"]
    assert table["level_dbfs"].tolist() == [-20, -20, -math.inf, -20]
    assert table["probability"].tolist()[:3] == [0.5, 0.5, 0.0]
    assert np.isnan(table["probability"][3])
    assert table["balance"].isna().tolist() == [True, True, True, False]
    assert table.loc[0, ["tag", "tag_probability", "num_regions", "shot"]].tolist() == ["Dog", 0.9, 1, 0]
    assert (table["boxes"][0], table["tracks"][0], table["box_labels"][0]) == ([(0.0, 0.5, 0.25, 1.0)], [4], ["Dog"])
    assert table["boxes"][1] == []
    assert (table["peak_x"][0], table["peak_y"][0]) == (0.125, 0.75)
    assert table.attrs["step_seconds"] == 0.5
    assert table.groupby("verdict", observed=True).size().to_dict() == {"on-screen": 1, "unsure": 1, "silent": 1}


def test_an_empty_timeline_has_an_empty_table_and_classes_their_columns() -> None:
    assert Timeline("x", [], 0.5).to_dataframe().shape == (0, len(COLUMNS))
    heat = np.zeros((2, 4), np.float32)
    dog = ClassMoment(name="dog", heard=0.9, seen=0.8, verdict="sounding", heat=heat)
    table = Timeline("x", [moment(0.0, "on-screen", classes=(dog,))], 0.5).to_dataframe()
    assert table["class dog"].tolist() == ["sounding"]


def test_a_table_of_a_real_film_agrees_with_its_moments(timeline: Timeline) -> None:
    table = timeline.to_dataframe()
    assert len(table) == len(timeline)
    for row, each in zip(table.itertuples(), timeline, strict=True):
        assert row.time_seconds == each.time_seconds
        assert row.verdict == each.verdict
        assert row.probability == each.probability
        assert row.boxes == list(each.boxes)
        assert [row.peak_x, row.peak_y] == each.row()["peak"]


def test_the_figure_shows_probability_band_verdicts_wave_and_tags() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    figure = MADE.plot()
    sure, verdicts, wave, tags = figure.axes
    (line,) = sure.lines[:1]
    assert line.get_xdata().tolist() == [0, 0.5, 1, 1.5]
    assert line.get_ydata()[:3].tolist() == [0.5, 0.5, 0.0]
    assert np.isnan(line.get_ydata()[3])
    (band,) = sure.patches
    assert (band.get_y(), band.get_height()) == pytest.approx((0.4, 0.2))
    assert [each.get_xdata()[0] for each in sure.lines[1:]] == [1.25], "the cut"
    texts = [text.get_text() for text in verdicts.get_legend().get_texts()]
    assert texts == ["on-screen", "unsure", "silent", "relative"]
    assert wave.get_ylim()[1] > 1
    assert [label.get_text() for label in tags.get_yticklabels()] == ["Dog", "<script>", "Bark"]
    assert sure.get_xlim() == (0, 1.75)


def test_a_figure_without_calibration_sound_or_tags(tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    figure = Timeline("x", [moment(0.0, None), moment(0.5, None)], 0.5).plot()
    assert figure.axes[0].get_ylabel() == "highest raw score"
    figure.savefig(tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 1000


@pytest.mark.parametrize(("package", "extra"), [("pandas", "tables"), ("matplotlib.pyplot", "plot")])
def test_without_the_package_one_line_names_the_extra(
    package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **others: Any) -> Any:
        if name == package:
            raise ImportError(f"No module named {name!r}", name=name)
        return real(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UserError, match=rf"pip install 'soundspot\[{extra}\]'"):
        MADE.plot() if extra == "plot" else MADE.to_dataframe()


def test_a_notebook_shows_frames_strip_and_stretches_and_runs_nothing(timeline: Timeline) -> None:
    html = timeline._repr_html_()
    assert html.count("<img ") >= 1
    assert "10 moments" in html
    assert "silent" in html
    made = MADE._repr_html_()
    assert "<script>" not in made
    assert "<b>made" not in made, "what is told is text"
    assert "&lt;script&gt;" in made
    assert "http" not in made + html, "nothing comes from elsewhere"
    assert Timeline("x", [], 0.5)._repr_html_() == "<div><b>x</b>: no moments</div>"
    assert MADE[0]._repr_html_().count("data:image/png;base64,") == 1


def test_a_browser_draws_it(timeline: Timeline, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 900, "height": 700})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(f"<!doctype html><meta charset=utf-8>{timeline._repr_html_()}{timeline[0]._repr_html_()}")
    sizes = page.eval_on_selector_all("img", "all => all.map(one => [one.complete, one.naturalWidth])")
    assert sizes
    assert all(done and width == 260 for done, width in sizes)
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
    assert all(url.startswith(("data:", "about:")) for url in asked)
    page.close()


def test_the_guide_runs_as_it_stands(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.chdir(place)
    monkeypatch.setattr(weights, "find_weights", _found(place))
    monkeypatch.setattr("soundspot.localize.localizer.find_weights", _found(place))
    blocks = python_blocks("python.md")
    assert len(blocks) == 4
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    out = capsys.readouterr().out
    assert "no_such_film.mp4: expected" in out
    assert (place / "timeline.png").stat().st_size > 5000
    head = json.loads((place / "timeline.jsonl").read_text().splitlines()[0])
    assert head["step_seconds"] == 0.5


def _found(place: Path) -> Callable[[Any], Path]:
    """The small weights in the place of the default ones, which need encoders that not everybody has."""
    return lambda name: place / "w.safetensors" if name == "default" else Path(name)
