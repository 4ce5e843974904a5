"""Charts are well-formed SVG whose points stand where the numbers say."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from soundspot.benchmarks.report.svg import HEIGHT, WIDTH, Line, density, histogram, line_chart, ticks

SVG = "{http://www.w3.org/2000/svg}"


def points_of(text: str) -> list[list[tuple[float, float]]]:
    lines = ElementTree.fromstring(text).iter(f"{SVG}polyline")
    return [[tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()] for line in lines]  # type: ignore[misc]


def test_points_lie_on_the_axes() -> None:
    text = line_chart([Line("a", [0, 0.5, 1], [0, 1, 0])], title="t", x_title="x", y_title="y")
    (line,) = points_of(text)
    left, middle, right = line
    assert left[0] < middle[0] < right[0] <= WIDTH
    assert middle[0] == pytest.approx((left[0] + right[0]) / 2)
    assert middle[1] < left[1] == right[1] < HEIGHT  # y grows downwards


def test_what_is_no_number_is_left_out_and_names_are_escaped() -> None:
    lines = [Line("<&>", [0, 1, 2], [0, math.nan, 1]), Line("nothing", [0], [math.nan])]
    text = line_chart(lines, title='"t"', x_title="x", y_title="y")
    assert [len(line) for line in points_of(text)] == [2]
    words = "".join(ElementTree.fromstring(text).itertext())
    assert "<&>" in words
    assert "nothing" not in words


def test_histogram_shares_sum_to_one() -> None:
    text = histogram([("a", [0.1, 0.1, 0.9]), ("b", [0.5, math.nan])], title="t", x_title="x", bins=2, x_range=(0, 1))
    a, _ = points_of(text)
    heights = [y for _, y in a]
    floor = max(points_of(line_chart([Line("z", [0, 1], [0, 0])], title="", x_title="", y_title="", y_range=(0, 1)))[0])
    first, second = floor[1] - heights[0], floor[1] - heights[-1]
    assert first == pytest.approx(2 * second, abs=0.2)
    words = "".join(ElementTree.fromstring(text).itertext())
    assert "a (3)" in words
    assert "b (1)" in words


def test_density_is_darkest_where_most_are() -> None:
    text = density(np.array([[0, 1], [4, 2]]), title="t")
    shades = [float(part.get("fill-opacity", 0)) for part in ElementTree.fromstring(text).iter(f"{SVG}rect")][:3]
    assert shades == [0.25, 1.0, 0.5]


def test_flat_and_empty_charts_are_charts() -> None:
    for lines in ([], [Line("a", [], [])], [Line("a", [1, 1], [2, 2])]):
        ElementTree.fromstring(line_chart(lines, title="t", x_title="x", y_title="y"))
    ElementTree.fromstring(histogram([], title="t", x_title="x"))
    ElementTree.fromstring(density(np.zeros((2, 2)), title="t"))


def test_ticks_are_round() -> None:
    assert ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert ticks(-0.3, 0.3) == [-0.2, 0.0, 0.2]
    assert ticks(0.12, 0.19) == [0.12, 0.14, 0.16, 0.18]
