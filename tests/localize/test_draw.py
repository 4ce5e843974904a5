"""Heat over frames, captions, the strip and the summary: what can be read off the pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from soundspot.localize import draw
from soundspot.localize.timeline import Moment, Timeline, Verdict

FRAME = np.full((60, 80, 3), 100, np.uint8)


def moment(
    time: float = 0.0, verdict: Verdict | None = "on-screen", probability: float | None = 0.8, heat: float = 0.0
) -> Moment:
    tags = () if verdict == "silent" else (("Dog", 0.91), ("Bark", 0.5))
    field = np.full((3, 4), heat, np.float32)
    return Moment(time, field, field, 0.0, probability, verdict, -math.inf if verdict == "silent" else -20.0, tags)


def one_hot(row: int, column: int) -> np.ndarray:
    heat = np.zeros((6, 8), np.float32)
    heat[row, column] = 1.0
    return heat


def test_enlarged_heat_peaks_where_the_small_one_does_and_stays_in_range() -> None:
    large = draw.enlarge(one_hot(4, 1), 60, 80)
    assert large.shape == (60, 80)
    assert large.min() == 0.0
    assert 0.95 < large.max() <= 1.0
    y, x = np.unravel_index(int(large.argmax()), large.shape)
    assert (y // 10, x // 10) == (4, 1)


def test_a_frame_without_heat_is_only_a_little_darker() -> None:
    assert np.unique(draw.overlay(FRAME, np.zeros((6, 8), np.float32))).tolist() == [75]


def test_heat_colours_its_place_and_no_other() -> None:
    shown = draw.overlay(FRAME, one_hot(4, 1)).astype(int)
    assert shown.shape == FRAME.shape
    assert shown[45, 15, 0] > 150
    assert shown[45, 15, 0] > shown[45, 15, 2]
    assert np.abs(shown[:20] - 75).max() == 0


def test_more_heat_is_brighter() -> None:
    levels = [draw.overlay(FRAME * 0, np.full((6, 8), heat, np.float32)).mean() for heat in (0.0, 0.3, 0.6, 1.0)]
    assert levels == sorted(levels)
    assert levels[0] == 0


def test_a_caption_stands_below_the_picture_in_the_verdicts_colour() -> None:
    shown = draw.caption(FRAME, "Dog", (230, 159, 0))
    assert shown.shape == (80, 80, 3)
    assert np.array_equal(shown[:60], FRAME)
    assert shown[70, 2].tolist() == [230, 159, 0]
    bar = shown[60:, 10:]
    assert (bar > 200).all(axis=2).any(), "the text is bright"


def test_a_text_too_long_is_cut_where_the_picture_ends() -> None:
    short, long = (draw.caption(FRAME, "W" * count, (0, 0, 0)) for count in (5, 500))
    assert long.shape == short.shape
    assert (long[60:, 78:] == draw.PANEL_BACKGROUND).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (moment(), "on-screen (visible: 80%)   Dog 91%, Bark 50%"),
        (moment(verdict="off-screen", probability=0.1), "off-screen (visible: 10%)   Dog 91%, Bark 50%"),
        (moment(verdict="silent", probability=0.0), "silent"),
        (moment(verdict=None, probability=None), "Dog 91%, Bark 50%: relative heat, weights hold no calibration"),
    ],
)
def test_a_moment_in_words(given: Moment, said: str) -> None:
    assert draw.say(given) == said


def test_the_strip_shows_verdicts_loudness_and_certainty_over_time() -> None:
    moments = (moment(0.0), moment(1.0, "off-screen", 0.2), moment(2.0, "silent", 0.0))
    panel = draw.strip(Timeline("f", moments, 1.0, wave=(1.0,) * 30 + (0.2,) * 30), 60, 48, 3.0)
    assert panel.shape == (48, 60, 3)
    verdicts: dict[int, Verdict] = {5: "on-screen", 25: "off-screen", 55: "silent"}
    for x, verdict in verdicts.items():
        assert panel[24, x].tolist() == list(draw.VERDICT_COLOURS[verdict])
    coloured = [(panel[:, x] != draw.PANEL_BACKGROUND).any(axis=1).sum() for x in (5, 45)]
    assert coloured[0] > 40
    assert coloured[1] < 16, "a quiet place is thin"
    white = (panel == 255).all(axis=2)
    assert np.flatnonzero(white[:, 5]).mean() < 15, "80 % is high up"
    assert np.flatnonzero(white[:, 25]).mean() > 33, "20 % is low"


def test_a_strip_without_calibration_or_sound_has_no_line() -> None:
    panel = draw.strip(Timeline("f", (moment(verdict=None, probability=None),), 1.0), 60, 48, 1.0)
    assert not (panel == 255).all(axis=2).any()


@pytest.mark.parametrize(("share", "column"), [(0.0, 0), (0.5, 30), (1.0, 59), (7.0, 59)])
def test_the_playhead_marks_its_column_and_leaves_the_strip_alone(share: float, column: int) -> None:
    panel = np.zeros((48, 60, 3), np.uint8)
    marked = draw.with_playhead(panel, share)
    assert (marked[:, column] == 255).all()
    assert len(np.unique(np.flatnonzero(marked.any(axis=(0, 2))))) <= 2
    assert panel.max() == 0


def test_the_summary_holds_a_tile_a_moment_and_the_strip_beneath() -> None:
    panel = np.full((48, 100, 3), (1, 200, 1), np.uint8)
    four = draw.summary([(FRAME, moment(time)) for time in range(4)], panel, "film.mp4", width=200)
    tall = 150 + 20  # 80x60 at width 200, and its caption
    assert four.shape == (30 + 2 * (tall + 6) + 54, 3 * 206 - 6, 3)
    assert (four[-20, :] == (1, 200, 1)).all()
    assert four[100, 100].tolist() == [75, 75, 75]
    assert four[100 + tall + 6, 300].tolist() == list(draw.PANEL_BACKGROUND), "the fourth tile is alone in its row"
    one = draw.summary([(FRAME, moment())], None, "film.mp4", width=200)
    assert one.shape == (30 + tall + 6, 200, 3)
