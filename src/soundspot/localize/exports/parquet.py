"""Parquet: the rows of the CSV file with types, and what made them in the file's metadata."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

from soundspot.localize.exports.rows import COLUMNS, rows_of
from soundspot.localize.timeline import Timeline
from soundspot.media.files import written_aside
from soundspot.types import UserError

ROWS_AT_ONCE = 4096


def write(timeline: Timeline, path: Path) -> None:
    """Write the table to `path`. UserError where pyarrow is not installed."""
    arrow, parquet = pyarrow_modules()
    types = {float: arrow.float64(), int: arrow.int64(), str: arrow.string()}
    schema = arrow.schema(
        [arrow.field(name, types[kind]) for name, kind in COLUMNS.items()],
        metadata={"soundspot": json.dumps(timeline.head())},
    )
    with written_aside(path) as aside, parquet.ParquetWriter(aside, schema) as file:
        left = rows_of(timeline)
        while rows := list(islice(left, ROWS_AT_ONCE)):
            file.write_table(arrow.Table.from_pylist(rows, schema=schema))


def pyarrow_modules() -> tuple[Any, Any]:
    """pyarrow and its part for Parquet. UserError where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError("expected pyarrow for a Parquet file, got none; pip install 'soundspot[tables]'") from error
    return pyarrow, pyarrow.parquet
