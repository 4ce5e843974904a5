"""CSV: a row a region and moment, a row a moment without any; nothing is an empty field."""

from __future__ import annotations

import csv
from pathlib import Path

from soundspot.localize.exports.rows import COLUMNS, rows_of
from soundspot.localize.exports.text import writing
from soundspot.localize.timeline import Timeline


def write(timeline: Timeline, path: Path) -> None:
    """Write the table to `path`, with a line of names first."""
    with writing(path) as file:
        table = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        table.writeheader()
        table.writerows(rows_of(timeline))
