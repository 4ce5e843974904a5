"""Charts as SVG text: curves, histograms, and where in the picture things lie. No script, nothing to fetch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 420, 296
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 28, 44
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
"""Okabe and Ito's, which eyes that confuse red and green tell apart, and one more."""
_DASHES = ("", "6 3", "2 3", "8 3 2 3")


@dataclass(frozen=True)
class Line:
    """A curve by name; points where y is not a number are left out."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_title: str,
    y_title: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> str:
    """Curves over one pair of axes, each with a colour and a dash of its own; the legend stands below."""
    points = [[(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(x + y)] for line in lines]
    known = [point for line in points for point in line]
    across = x_range or _span([x for x, _ in known])
    up = y_range or _span([y for _, y in known])
    drawn = [_path(line, across, up, number) for number, line in enumerate(points) if line]
    named = [(line.name, number) for number, (line, found) in enumerate(zip(lines, points, strict=True)) if found]
    return _chart(title, x_title, y_title, across, up, drawn, named)


def histogram(
    groups: Sequence[tuple[str, npt.ArrayLike]], *, title: str, x_title: str, bins: int = 20,
    x_range: tuple[float, float] | None = None,
) -> str:  # fmt: skip
    """Shares of values by bin, a stepped outline a group, so that groups that overlap stay readable."""
    arrays = [np.asarray(values, dtype=np.float64) for _, values in groups]
    arrays = [values[np.isfinite(values)] for values in arrays]
    across = x_range or _span(np.concatenate([*arrays, np.zeros(0)]).tolist())
    edges = np.linspace(*across, bins + 1)
    lines = []
    for (name, _), values in zip(groups, arrays, strict=True):
        shares = np.histogram(np.clip(values, *across), edges)[0] / max(len(values), 1)
        lines.append(Line(f"{name} ({len(values)})", np.repeat(edges, 2)[1:-1].tolist(), np.repeat(shares, 2).tolist()))
    top = max((max(line.y) for line in lines), default=1.0) or 1.0
    return line_chart(lines, title=title, x_title=x_title, y_title="share", x_range=across, y_range=(0.0, top * 1.05))


def density(counts: npt.ArrayLike, *, title: str) -> str:
    """(h, w) counts over the picture, darker where more are."""
    cells = np.asarray(counts, dtype=np.float64)
    top = cells.max() if cells.size and cells.max() > 0 else 1.0
    height, width = cells.shape
    side = HEIGHT - _TOP - _BOTTOM
    squares = "".join(
        f'<rect x="{_LEFT + side * column / width:.1f}" y="{_TOP + side * row / height:.1f}" '
        f'width="{side / width + 0.3:.1f}" height="{side / height + 0.3:.1f}" fill="#0072b2" '
        f'fill-opacity="{cells[row, column] / top:.3f}"/>'
        for row in range(height)
        for column in range(width)
        if cells[row, column] > 0
    )
    frame = f'<rect x="{_LEFT}" y="{_TOP}" width="{side}" height="{side}" fill="none" stroke="currentColor"/>'
    caption = _text(_LEFT, 16, title, more='font-weight="600"')
    return _svg(title, squares + frame + caption, WIDTH - 100, HEIGHT)


def _path(points: Sequence[tuple[float, float]], across: tuple[float, float], up: tuple[float, float], n: int) -> str:
    places = " ".join(f"{_x(x, across):.1f},{_y(y, up):.1f}" for x, y in points)
    dash = _DASHES[n // len(COLOURS) % len(_DASHES)]
    return (
        f'<polyline points="{places}" fill="none" stroke="{COLOURS[n % len(COLOURS)]}" stroke-width="1.8"'
        f' stroke-dasharray="{dash}"/>'
    )


def _chart(
    title: str, x_title: str, y_title: str, across: tuple[float, float], up: tuple[float, float],
    drawn: Sequence[str], named: Sequence[tuple[str, int]],
) -> str:  # fmt: skip
    grid = []
    for value in ticks(*across):
        x = _x(value, across)
        grid.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{HEIGHT - _BOTTOM}" {_FAINT}/>')
        grid.append(_text(x, HEIGHT - _BOTTOM + 14, _number(value), "middle"))
    for value in ticks(*up):
        y = _y(value, up)
        grid.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}" {_FAINT}/>')
        grid.append(_text(_LEFT - 5, y + 4, _number(value), "end"))
    grid.append(_text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 12, x_title, "middle"))
    turned = f'transform="rotate(-90 12 {HEIGHT / 2 - 20})"'
    grid.append(_text(12, HEIGHT / 2 - 20, y_title, "middle", turned))
    legend = "".join(
        f'<g transform="translate(0 {HEIGHT + 4 + 16 * row})">'
        f'<line x1="{_LEFT}" y1="8" x2="{_LEFT + 24}" y2="8" stroke="{COLOURS[number % len(COLOURS)]}"'
        f' stroke-width="2.5" stroke-dasharray="{_DASHES[number // len(COLOURS) % len(_DASHES)]}"/>'
        f"{_text(_LEFT + 30, 12, name)}</g>"
        for row, (name, number) in enumerate(named)
    )
    grid.append(_text(_LEFT, 16, title, more='font-weight="600"'))
    return _svg(title, "".join([*grid, *drawn, legend]), WIDTH, HEIGHT + 8 + 16 * len(named))


_FAINT = 'stroke="currentColor" stroke-opacity="0.15"'


def _svg(title: str, inner: str, width: float, height: float) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" aria-label="{escape(title)}"'
        f' xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{inner}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" fill="currentColor" {more}>'
        f"{escape(text)}</text>"
    )


def _x(value: float, across: tuple[float, float]) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - across[0]) / (across[1] - across[0])


def _y(value: float, up: tuple[float, float]) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - up[0]) / (up[1] - up[0])


def _span(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between `low` and `high`, some `about` of them.

    >>> ticks(0, 1)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    rough = (high - low) / about
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * part for part in (1, 2, 5, 10) if size * part >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:g}"
