"""The results of mutants as Markdown: a row a file, and every survivor with what was found on looking at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def table(
    rows: Sequence[Mapping[str, Any]],
    mutants: Mapping[str, int],
    places: Mapping[str, int],
    reasons: Sequence[Mapping[str, str]],
) -> tuple[str, float]:
    """The text, and the share killed."""
    killed = [row for row in rows if row["outcome"] != "survived"]
    share = len(killed) / max(1, len(rows))
    lines = [
        "| file | mutants | places | drawn | killed | survived |",
        "|---|---:|---:|---:|---:|---:|",
        *(_row(file, [row for row in rows if row["file"] == file], mutants[file], places[file]) for file in mutants),
        _row("all", rows, sum(mutants.values()), sum(places.values())),
        "",
        f"**{share:.1%}** killed: "
        + ", ".join(f"{how} {count}" for how, count in sorted(Counter(row["outcome"] for row in rows).items()))
        + ".",
        "",
        "| survivor | before | after | why |",
        "|---|---|---|---|",
        *(_survivor(row, reasons) for row in rows if row["outcome"] == "survived"),
    ]
    return "\n".join(lines) + "\n", share


def _row(name: str, rows: Sequence[Mapping[str, Any]], mutants: int, places: int) -> str:
    survived = sum(row["outcome"] == "survived" for row in rows)
    cells = [name.removeprefix("src/soundspot/"), mutants, places, len(rows), len(rows) - survived, survived]
    return "| " + " | ".join(map(str, cells)) + " |"


def _survivor(row: Mapping[str, Any], reasons: Sequence[Mapping[str, str]]) -> str:
    why = [one["why"] for one in reasons if all(one[key] == row[key] for key in ("file", "before", "after"))]
    place = f"{row['file'].removeprefix('src/soundspot/')}:{row['line']}"
    code = (f"`{row[key].replace('( ', '(')}`".replace("|", "\\|") for key in ("before", "after"))
    return f"| {place} | {' | '.join(code)} | {why[0] if why else 'not looked at yet'} |"
