"""Tables of the report as HTML that can be sorted and Markdown that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from soundspot.benchmarks.report.evidence import Section
from soundspot.benchmarks.report.rows import FIXED, HEADLINES, Row, columns_of, notes, rows
from soundspot.benchmarks.result import Result


def html_table(titles: Sequence[str], lines: Sequence[Sequence[str]], kinds: Sequence[str] = ()) -> str:
    """A table whose columns sort by a click on their titles; `kinds` gives each line a class."""
    head = "".join(f'<th><button type="button">{escape(title) or "&nbsp;"}</button></th>' for title in titles)
    named = kinds or [""] * len(lines)
    body = "\n".join(
        f'<tr class="{escape(kind)}">' + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>"
        for kind, line in zip(named, lines, strict=True)
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def markdown_table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """The same as Markdown."""
    table = [list(titles), ["---"] * len(titles), *map(list, lines)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in table)


def results_table(results: Sequence[Result], *, with_published: bool = True) -> Section:
    """Our rows, floors, ceilings and what papers print, in percent, with what is needed to trust them below."""
    lines = rows(results, with_published=with_published)
    columns = columns_of(lines)
    titles = [*FIXED, *(HEADLINES[key] for key in columns)]
    texts = [line.texts(columns) for line in lines]
    below = notes(results)
    remarks = [f"{line.title}: {line.note}" for line in lines if line.note]
    items = "\n".join(f"<li>{escape(note)}</li>" for note in below)
    html = f"{_boxes(lines)}{html_table(titles, texts, [line.kind for line in lines])}<ul>\n{items}\n</ul>"
    if remarks:
        listed = "\n".join(f"<li>{escape(remark)}</li>" for remark in remarks)
        html += f"<details><summary>Notes on {len(remarks)} published rows</summary><ul>\n{listed}\n</ul></details>"
    text = markdown_table(titles, texts) + "\n\n" + "\n".join(f"- {note}" for note in [*below, *remarks])
    return Section("Numbers", html, text)


def _boxes(lines: Sequence[Row]) -> str:
    """A box a kind of line, to hide it."""
    kinds = list(dict.fromkeys(line.kind for line in lines))
    if len(kinds) < 2:
        return ""
    boxes = "".join(f'<label><input type="checkbox" checked value="{kind}"> {kind}</label> ' for kind in kinds)
    return f'<p class="kinds">Show: {boxes}</p>'
