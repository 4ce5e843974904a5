"""The tables for a terminal: as wide as it is, so that a row takes a line or two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from soundspot.benchmarks.report.rows import HEADLINES, Row, by_benchmark, columns_of, rows
from soundspot.benchmarks.result import Result

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


Layout = tuple[int, int]
PUBLISHED_ROWS = 10
WIDTH = 160
KIND_WIDTH = 7
LAYOUTS = ((34, 2), (22, 2), (22, 1), (34, 1))
"""Least width of names, gap between columns: the first with which all metrics share a table, else the last."""
_STYLES = {"result": "bold", "floor": "dim", "ceiling": "dim", "published": ""}


def rich_tables(results: Sequence[Result], *, with_published: bool = True, width: int = WIDTH) -> list[Group]:
    """The same for a terminal of `width` characters, a group a benchmark; print `notes` below.

    A group is a table, or several where the metrics are too many for the width, and where the published rows stand.
    """
    return [
        _of_benchmark(name, rows(few, with_published=with_published), width)
        for name, few in by_benchmark(results).items()
    ]


def _of_benchmark(benchmark: str, lines: Sequence[Row], width: int) -> Group:
    from rich.console import Group
    from rich.text import Text

    own, printed = [line for line in lines if line.kind != "published"], _best(lines)
    columns = columns_of(lines)
    for folded in (False, True) if len(columns) > len(own) + len(printed) else ():
        if _width_on_its_side(own + printed, folded=folded) <= width:
            return Group(_on_its_side(benchmark, own + printed, columns, folded=folded))
    for layout in LAYOUTS:
        parts = _parts(columns, own, width, layout)
        if len(parts) == 1:
            break
    keys = {origin: f"[{number}]" for number, origin in enumerate(dict.fromkeys(map(_origin, printed)), start=1)}
    tables = []
    for number, part in enumerate(parts, start=1):
        title = f"{benchmark} ({number} of {len(parts)})" if len(parts) > 1 else benchmark
        tables.append(_upright(title, own, printed, part, keys, layout))
    below = [f"published {key}: {origin}" for origin, key in keys.items()]
    more = sum(line.kind == "published" for line in lines) - len(printed)
    below += [f"and {more} more published rows, see `soundspot report`"] if more else []
    return Group(*tables, *([Text("\n".join(below))] if below else []))


def _best(lines: Sequence[Row]) -> list[Row]:
    """Of the published rows the best by the first column, in their own order; `soundspot report` shows all."""
    printed = [line for line in lines if line.kind == "published"]
    columns = columns_of(lines)
    ranked = sorted(printed, key=lambda line: [-float(line.cells.get(key) or 0) for key in columns])
    kept = {id(line) for line in ranked[:PUBLISHED_ROWS]}
    return [line for line in printed if id(line) in kept]


def _parts(columns: Sequence[str], own: Sequence[Row], width: int, layout: Layout) -> list[list[str]]:
    """The metrics of each table, in order: as many as fit beside the names."""
    name_width, gap = layout
    parts: list[list[str]] = [[]]
    free = room = width - KIND_WIDTH - name_width - gap
    for key in columns:
        words = [*HEADLINES[key].split(), *(word for line in own for word in _folded(line.cells.get(key, "")))]
        needed = gap + max(map(len, words))
        if needed > free and parts[-1]:
            parts.append([])
            free = room
        parts[-1].append(key)
        free -= needed
    return parts


def _upright(
    title: str,
    own: Sequence[Row],
    printed: Sequence[Row],
    columns: Sequence[str],
    keys: dict[str, str],
    layout: Layout,
) -> Table:
    """A row a result, floor, ceiling or published number, with the latter's key to what stands below."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    name_width, gap = layout
    table = Table(
        title=escape(title) or None, box=SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False, show_edge=False
    )
    table.add_column("", min_width=KIND_WIDTH, no_wrap=True)
    table.add_column("name", overflow="fold", min_width=name_width)
    for key in columns:
        table.add_column(HEADLINES[key].replace(" ", "\n"), justify="right", no_wrap=True, vertical="top")
    for line in own:
        cells = ["\n".join(_folded(line.cells.get(key, ""))) for key in columns]
        table.add_row(line.kind, escape(_with_details(line)), *cells, style=_STYLES[line.kind])
    table.add_section()
    for line in printed:
        if any(key in line.cells for key in columns):
            cells = [line.cells.get(key, "") for key in columns]
            table.add_row(escape(keys[_origin(line)]), escape(line.name), *cells)
    return table


def _with_details(line: Row) -> str:
    """The name, the protocol and clips; a result's in a line of their own, beside its intervals."""
    leaks = f"leaks {line.leaks}" if line.leaks else ""
    details = ", ".join(filter(None, (line.protocol, line.clips, leaks)))
    return f"{line.name}\n({details})" if line.kind == "result" else f"{line.name} ({details})"


def _origin(line: Row) -> str:
    """What published rows of one source share."""
    by = ", ".join(filter(None, (line.protocol, f"{line.clips} clips" if line.clips else "")))
    return f"{line.origin} ({by})" if by else line.origin


def _folded(cell: str) -> list[str]:
    """A number and its interval, each for a line of its own.

    >>> _folded("34.16 [32.9, 35.5]")
    ['34.16', '32.9–35.5']
    """
    value, _, interval = cell.partition(" [")
    return [value, interval.rstrip("]").replace(", ", "–")] if interval else [value]


def _width_on_its_side(lines: Sequence[Row], *, folded: bool) -> int:
    """Names fold, numbers don't; their intervals do if `folded`."""
    widest = (max(map(len, [f"({line.kind})", *_cells(line, folded=folded)])) for line in lines)
    return max(map(len, HEADLINES.values())) + 4 + sum(3 + width for width in widest)


def _cells(line: Row, *, folded: bool) -> list[str]:
    return [part for cell in line.cells.values() for part in (_folded(cell) if folded else [cell])]


def _on_its_side(benchmark: str, lines: Sequence[Row], columns: Sequence[str], *, folded: bool) -> Table:
    """A row a metric, a column a result."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(benchmark) or None)
    table.add_column("")
    for line in lines:
        title = f"{escape(line.title)}\n({line.kind})"
        table.add_column(title, justify="right", style=_STYLES[line.kind], overflow="fold")
    table.add_row("clips", *(line.clips for line in lines), end_section=True)
    for key in columns:
        cells = [line.cells.get(key, "") for line in lines]
        table.add_row(HEADLINES[key], *(escape("\n".join(_folded(cell)) if folded else cell) for cell in cells))
    return table
