"""The tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from soundspot.benchmarks.report.rows import FIXED, HEADLINES, Row, by_benchmark, columns_of, rows
from soundspot.benchmarks.result import Result

if TYPE_CHECKING:
    from rich.table import Table


PUBLISHED_ROWS = 10


def rich_tables(results: Sequence[Result], *, with_published: bool = True) -> list[Table]:
    """The same for a terminal, a table a benchmark; print `notes` below."""
    return [_rich(name, few, with_published) for name, few in by_benchmark(results).items()]


def _few(lines: Sequence[Row]) -> list[Row]:
    """Of the published rows the best by the first column; `soundspot report` shows all."""
    printed = [line for line in lines if line.kind == "published"]
    columns = columns_of(lines)
    printed.sort(key=lambda line: [-float(line.cells.get(key) or 0) for key in columns])
    kept = {id(line) for line in printed[:PUBLISHED_ROWS]}
    few = [line for line in lines if line.kind != "published" or id(line) in kept]
    if len(printed) > PUBLISHED_ROWS:
        few.append(Row("published", f"and {len(printed) - PUBLISHED_ROWS} more, see `soundspot report`", "", ""))
    return few


def _rich(benchmark: str, results: Sequence[Result], with_published: bool) -> Table:
    from rich.markup import escape
    from rich.table import Table

    lines = _few(rows(results, with_published=with_published))
    columns = columns_of(lines)
    if len(columns) > len(lines):  # wider than a terminal: better a column a result
        return _rich_on_its_side(benchmark, lines, columns)
    table = Table(title=escape(benchmark) or None)
    for title in FIXED:
        table.add_column(title, overflow="fold")
    for key in columns:
        table.add_column(HEADLINES[key], justify="right")
    for line in lines:
        table.add_row(*map(escape, line.texts(columns)), style=_STYLES[line.kind])
    return table


_STYLES = {"result": "bold", "floor": "dim", "ceiling": "dim", "published": ""}


def _rich_on_its_side(benchmark: str, lines: Sequence[Row], columns: Sequence[str]) -> Table:
    """A row a metric, a column a result."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(benchmark) or None)
    table.add_column("")
    for line in lines:
        table.add_column(f"{escape(line.name)}\n({line.kind})", justify="right", style=_STYLES[line.kind])
    table.add_row("clips", *(line.clips for line in lines), end_section=True)
    for key in columns:
        table.add_row(HEADLINES[key], *(escape(line.cells.get(key, "")) for line in lines))
    return table
