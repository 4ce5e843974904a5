"""The tables as Markdown, without anything else of the report."""

from __future__ import annotations

from collections.abc import Sequence

from soundspot.benchmarks.report.rows import by_benchmark
from soundspot.benchmarks.report.tables import results_table
from soundspot.benchmarks.result import Result


def markdown(results: Sequence[Result], *, with_published: bool = True) -> str:
    """A Markdown table a benchmark, each with its notes."""
    parts = [
        f"## {benchmark}\n\n{results_table(few, with_published=with_published).markdown}\n"
        for benchmark, few in by_benchmark(results).items()
    ]
    return "\n".join(parts)
