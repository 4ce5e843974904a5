"""Results as tables: ours with their intervals, beside floors, ceilings and what papers print."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from soundspot.benchmarks.published import published
from soundspot.benchmarks.result import Result, Value

if TYPE_CHECKING:
    from rich.table import Table

HEADLINES: dict[str, str] = {
    "ciou@0.5": "cIoU",
    "auc": "AUC",
    "ciou_adaptive@0.5": "cIoU adap.",
    "auc_adaptive": "AUC adap.",
    "pointing": "pointing",
    "iiou@0.5": "IIoU",
    "iauc": "IAUC",
    "iiou_adaptive@0.5": "IIoU adap.",
    "iauc_adaptive": "IAUC adap.",
    "ap@0.5": "AP",
    "max_f1@0.5": "max-F1",
    "ap_voc@0.5": "AP (VOC)",
    "max_f1_voc@0.5": "max-F1 (VOC)",
    "locacc@0.5": "LocAcc",
    "auroc/all": "AUROC",
    "auroc/silent": "AUROC silent",
    "auroc/noise": "AUROC noise",
    "auroc/offscreen": "AUROC off-screen",
}
"""The metrics of the tables, in percent, by column title; the JSON holds all."""

_FIXED = ("", "name", "protocol", "clips", "weights")


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    kind: str
    """result, floor, ceiling or published."""
    name: str
    protocol: str
    clips: str
    weights: str
    cells: dict[str, str] = field(default_factory=dict)

    def texts(self, columns: Sequence[str]) -> list[str]:
        """All cells in order."""
        return [
            self.kind,
            self.name,
            self.protocol,
            self.clips,
            self.weights,
            *(self.cells.get(c, "") for c in columns),
        ]


def rows(results: Sequence[Result], *, with_published: bool = True) -> list[Row]:
    """Results of one benchmark, each followed by its floors and ceilings; then the published rows."""
    lines: list[Row] = []
    shown: set[tuple[str, str, int]] = set()
    for result in results:
        weights = str(result.provenance["weights_sha256"])[:12]
        cells = {key: _with_interval(value) for key, value in result.summary.items()}
        lines.append(Row("result", result.name, result.protocol, result.clips, weights, cells))
        for name, metrics in result.beside.items():
            key = (name, result.protocol, result.provenance["clips_listed"])
            if key not in shown:
                shown.add(key)
                kind = "ceiling" if name.startswith("oracle") else "floor"
                known = {metric: _percent(value) for metric, value in metrics.items() if not math.isnan(value)}
                lines.append(Row(kind, name, result.protocol, str(result.provenance["clips_listed"]), "none", known))
    for benchmark in dict.fromkeys(result.benchmark for result in results) if with_published else ():
        for row in published(benchmark):
            known = {key: _percent(value) for key, value in row.metrics.items()}
            lines.append(Row("published", f"{row.method} ({row.source})", row.protocol, row.clips, "", known))
    return lines


def columns_of(lines: Sequence[Row]) -> list[str]:
    """The headline metrics that any line has."""
    return [key for key in HEADLINES if any(key in line.cells for line in lines)]


def notes(results: Sequence[Result]) -> list[str]:
    """What stands below a table: rules, clips, intervals, versions, defects; a line each."""
    lines: dict[str, None] = {}
    for result in results:
        known = result.provenance
        versions = ", ".join(f"{package} {version}" for package, version in known["versions"].items())
        lines[f"{result.protocol}: {known['protocol_rules']} ({known['protocol']['source']})"] = None
        lines[f"{result.name}: {result.clips} clips used; weights {known['weights_sha256']}; {versions}"] = None
        lines.update(dict.fromkeys(_lost(result)))
        lines[f"intervals: {known['interval']}"] = None
    return list(lines)


def _lost(result: Result) -> list[str]:
    """Clips that are missing, lack a truth, or have a defective one: none is silent."""
    known = result.provenance
    lines = []
    for key, what in {
        "clips_missing": f"missing ({known['missing_rule']})",
        "clips_without_truth": "without truth",
    }.items():
        names = [f"{clip_id} ({reason})" for clip_id, reason in known[key].items()]
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            lines.append(f"{result.name}: {len(names)} clips {what}: {', '.join(names[:3])}{more}")
    if known["clips_not_in_benchmark"]:
        lines.append(f"{result.name}: {known['clips_not_in_benchmark']} predictions are of clips not in the benchmark")
    if known["defects"]:
        clips = len({defect["clip_id"] for defect in known["defects"]})
        lines.append(f"truth: {len(known['defects'])} defects in {clips} clips, named in the JSON")
    return lines


def by_benchmark(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Numbers of different benchmarks share no table."""
    tables: dict[str, list[Result]] = {}
    for result in results:
        tables.setdefault(result.benchmark, []).append(result)
    return tables


def markdown(results: Sequence[Result], *, with_published: bool = True) -> str:
    """A Markdown table a benchmark, each with its notes."""
    return "\n".join(_markdown(benchmark, few, with_published) for benchmark, few in by_benchmark(results).items())


def _markdown(benchmark: str, results: Sequence[Result], with_published: bool) -> str:
    lines = rows(results, with_published=with_published)
    columns = columns_of(lines)
    titles = [*_FIXED, *(HEADLINES[key] for key in columns)]
    table = [titles, ["---"] * len(titles), *(line.texts(columns) for line in lines)]
    text = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in table)
    return f"## {benchmark}\n\n{text}\n\n" + "\n".join(f"- {note}" for note in notes(results)) + "\n"


def html_page(results: Sequence[Result], *, with_published: bool = True) -> str:
    """The same as one HTML page without anything to fetch."""
    body = "\n".join(_html(name, few, with_published) for name, few in by_benchmark(results).items())
    style = (
        "td, th { padding: 0 .5em; text-align: left } .floor, .ceiling { color: #777 } .result { font-weight: bold }"
    )
    head = f'<meta charset="utf-8"><title>soundspot results</title><style>{style}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}</body></html>\n'


def _html(benchmark: str, results: Sequence[Result], with_published: bool) -> str:
    lines = rows(results, with_published=with_published)
    columns = columns_of(lines)
    head = "".join(f"<th>{html.escape(title)}</th>" for title in (*_FIXED, *(HEADLINES[key] for key in columns)))
    body = "\n".join(
        f'<tr class="{line.kind}">' + "".join(f"<td>{html.escape(cell)}</td>" for cell in line.texts(columns)) + "</tr>"
        for line in lines
    )
    below = "\n".join(f"<li>{html.escape(note)}</li>" for note in notes(results))
    title = html.escape(benchmark)
    return f"<h2>{title}</h2>\n<table>\n<tr>{head}</tr>\n{body}\n</table>\n<ul>\n{below}\n</ul>\n"


def rich_tables(results: Sequence[Result], *, with_published: bool = True) -> list[Table]:
    """The same for a terminal, a table a benchmark; print `notes` below."""
    return [_rich(name, few, with_published) for name, few in by_benchmark(results).items()]


def _rich(benchmark: str, results: Sequence[Result], with_published: bool) -> Table:
    from rich.markup import escape
    from rich.table import Table

    lines = rows(results, with_published=with_published)
    columns = columns_of(lines)
    if len(columns) > len(lines):  # wider than a terminal: better a column a result
        return _rich_on_its_side(benchmark, lines, columns)
    table = Table(title=escape(benchmark) or None)
    for title in _FIXED:
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


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _with_interval(value: Value) -> str:
    if math.isnan(value.value):
        return "–"
    if math.isnan(value.low):
        return _percent(value.value)
    return f"{_percent(value.value)} [{100 * value.low:.1f}, {100 * value.high:.1f}]"
