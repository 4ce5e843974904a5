"""One film of a corpus, looked at: its rows as the Parquet export has them, and a row of what came out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from soundspot.cluster.child import Alive, Work
from soundspot.cluster.manifest import Film
from soundspot.cluster.places import StoreError, at_fault, fetch, is_address
from soundspot.localize.exports.parquet import ROWS_AT_ONCE, pyarrow_modules
from soundspot.localize.exports.rows import COLUMNS, rows_of
from soundspot.localize.run import Localized, Wanted
from soundspot.localize.source import Source, open_source
from soundspot.localize.timeline import VERDICTS, Timeline
from soundspot.types import UserError

SHARES = (*VERDICTS, "relative")
"""Of its moments; relative where the weights hold no calibration."""


@dataclass(frozen=True)
class Found:
    """What came of a film."""

    film: Film
    table: Any = None
    """Its rows, of `row_schema`."""
    seconds: float | None = None
    """How long what was to be looked at is, as the film says."""
    lost_seconds: float | None = None
    moments: int = 0
    shares: dict[str, float] | None = None
    made_with: dict[str, str] | None = None
    error: str = ""
    """Why it was not looked at."""
    trouble: str = ""
    """Why it could not be got at; it may be later."""

    def row(self) -> dict[str, Any]:
        """Of the table of films."""
        shares = {name: None if self.shares is None else self.shares.get(name, 0.0) for name in SHARES}
        return {
            "id": self.film.id,
            "film": self.film.film,
            "seconds": self.seconds,
            "lost_seconds": self.lost_seconds,
            "moments": self.moments,
            **{name.replace("-", "_"): share for name, share in shares.items()},
            "error": self.error or None,
        }


def row_schema() -> Any:
    """Of the rows of a shard: the film's id, and the columns of the Parquet export."""
    arrow, _ = pyarrow_modules()
    types = {float: arrow.float64(), int: arrow.int64(), str: arrow.string()}
    return arrow.schema([("id", arrow.string()), *((name, types[kind]) for name, kind in COLUMNS.items())])


def film_schema() -> Any:
    """Of the table of a shard's films."""
    arrow, _ = pyarrow_modules()
    numbers = ("seconds", "lost_seconds", "moments", *(name.replace("-", "_") for name in SHARES))
    return arrow.schema(
        [
            ("id", arrow.string()),
            ("film", arrow.string()),
            *((name, arrow.int64() if name == "moments" else arrow.float64()) for name in numbers),
            ("error", arrow.string()),
        ]
    )


def begin_looking(wanted: Wanted, threads: int) -> Work:
    """Load the localizer, once a process."""
    import torch

    from soundspot.localize.localizer import Localizer

    torch.set_num_threads(threads)
    return partial(_look, Localizer.from_pretrained(wanted.weights, wanted.device), wanted)


def _look(localizer: Any, wanted: Wanted, film: Film, alive: Alive) -> Found:
    with tempfile.TemporaryDirectory(prefix="soundspot-") as name:
        scratch = Path(name)
        try:
            source = _source(film, wanted, scratch)
            timeline = localizer.source(
                source,
                every_seconds=wanted.every_seconds,
                batch_size=wanted.batch_size,
                folder=scratch / "looks",
                progress=lambda done, total: alive(),
            )
            return _found(film, timeline, source)
        except (UserError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None and not at_fault(error):
                return Found(film, trouble=" ".join(str(error).split()))
            return Found(film, error=_said(error, film, scratch))
        except StoreError as error:
            return Found(film, trouble=str(error))


def _source(film: Film, wanted: Wanted, scratch: Path) -> Source:
    start = wanted.start_seconds if film.start_seconds is None else film.start_seconds
    end = wanted.end_seconds if film.end_seconds is None else film.end_seconds
    path = _here(film.film, scratch / "film")
    return open_source(path, None if film.sound is None else _here(film.sound, scratch / "sound")).between(start, end)


def _here(name: str, folder: Path) -> Path:
    """The file on this machine's disk."""
    if not is_address(name):
        return Path(name)
    folder.mkdir()
    return fetch(name, folder)


def _said(error: Exception, film: Film, scratch: Path) -> str:
    """Of its own address, wherever it was copied to."""
    text = " ".join(str(error).split())
    for folder, name in (("film", film.film), ("sound", film.sound)):
        for copy in (scratch / folder).glob("*"):
            text = text.replace(str(copy), str(name))
    return text


def _found(film: Film, timeline: Timeline, source: Source) -> Found:
    arrow, _ = pyarrow_modules()
    schema = row_schema()
    parts = [arrow.Table.from_pylist(rows, schema=schema) for rows in _parts(film, timeline)]
    done = Localized(timeline, {}, source.seconds)
    return Found(
        film,
        arrow.concat_tables(parts) if parts else schema.empty_table(),
        seconds=round(source.seconds, 3),
        lost_seconds=round(done.lost_seconds(), 3),
        moments=len(timeline),
        shares=timeline.shares(),
        made_with=timeline.provenance,
    )


def _parts(film: Film, timeline: Timeline) -> Iterator[list[dict[str, Any]]]:
    rows = ({"id": film.id, **row} for row in rows_of(timeline))
    while part := list(islice(rows, ROWS_AT_ONCE)):
        yield part


def lost(film: Film, reason: str) -> Found:
    """Of a film over which its process died."""
    return replace(Found(film), error=f"{film.film}: {reason}")
