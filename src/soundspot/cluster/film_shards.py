"""A worker that looks at shards of films: two tables a shard, and an index that says that both are whole."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from soundspot.cluster.child import Child, Lost
from soundspot.cluster.films import Found, begin_looking, film_schema, lost, row_schema
from soundspot.cluster.manifest import read_shard
from soundspot.cluster.places import Place, StoreError
from soundspot.cluster.success import put_json, read_json
from soundspot.localize.exports.parquet import pyarrow_modules
from soundspot.localize.run import Wanted
from soundspot.tensors import sha256
from soundspot.types import UserError

GROUP_ROWS = 65536
"""Of a shard's rows that are held at least before they are written."""
THREADS = 1
"""Of a worker: films side by side make more of a machine's cores than one film on all of them."""


@dataclass(frozen=True)
class Job:
    """What a worker must know."""

    out: str
    asked: str
    """Digest of what makes the results: what another job left is not taken for this one's."""
    films_per_shard: int
    wanted: Wanted
    patience_seconds: float


class Looker:
    """Looks at shards of films, one after another."""

    def __init__(self, job: Job) -> None:
        self.job, self.place = job, Place(job.out)
        begin = partial(begin_looking, job.wanted, THREADS)
        self.child = Child(begin, job.patience_seconds)

    def __call__(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Of a shard's number: its index, and whether it was made now; or why there is none."""
        number, began = int(item["shard"]), time.monotonic()
        try:
            known = standing(self.place, number, self.job.asked)
            index = known or self._make(number)
        except UserError as error:
            return _told(number, refused=str(error))
        except (StoreError, OSError) as error:
            return _told(number, trouble=" ".join(str(error).split()))
        seconds = 0.0 if known else time.monotonic() - began
        return _told(number, index=index, made=not known, seconds=round(seconds, 3))

    def _make(self, number: int) -> dict[str, Any]:
        films = read_shard(self.place, number, self.job.films_per_shard)
        with tempfile.TemporaryDirectory(prefix="soundspot-") as folder:
            written = Written(Path(folder), self.job)
            with written:
                for film in films:
                    try:
                        found = self.child.do(film)
                    except Lost as error:
                        found = lost(film, str(error))
                    if found.trouble:
                        raise StoreError(f"{film.film}: {found.trouble}")
                    written.add(found)
            names = names_of(number)
            index = {"asked": self.job.asked, **written.facts(names)}
            for name, path in zip(names, written.paths, strict=True):
                self.place.put(name, path)
        put_json(self.place, index_name(number), index)
        return index


class Written:
    """The two tables of a shard, film after film."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.arrow, self.parquet = pyarrow_modules()
        self.paths = (folder / "rows.parquet", folder / "films.parquet")
        self.every_seconds = job.wanted.every_seconds
        self.bad: list[dict[str, str]] = []
        self.num_rows = 0
        self._films: list[dict[str, Any]] = []
        self._held: list[Any] = []
        self._made_with: dict[str, str] | None = None

    def __enter__(self) -> Written:
        self._file = self.parquet.ParquetWriter(self.paths[0], row_schema())
        return self

    def __exit__(self, *error: object) -> None:
        if not any(error):
            self._flush(0)
            self._file.add_key_value_metadata({"soundspot": json.dumps(self._head())})
            table = self.arrow.Table.from_pylist(self._films, schema=film_schema())
            self.parquet.write_table(table, self.paths[1])
        self._file.close()

    def add(self, found: Found) -> None:
        """The next film."""
        self._films.append(found.row())
        self._made_with = self._made_with or found.made_with
        if found.error:
            self.bad.append({"id": found.film.id, "film": found.film.film, "reason": found.error})
            return
        self._held.append(found.table)
        self.num_rows += len(found.table)
        self._flush(GROUP_ROWS)

    def facts(self, names: tuple[str, str]) -> dict[str, Any]:
        """For the index."""
        files = [
            {"file": name, "bytes": path.stat().st_size, "sha256": sha256(path)}
            for name, path in zip(names, self.paths, strict=True)
        ]
        return {"films": len(self._films), "rows": self.num_rows, "files": files, "bad": self.bad}

    def _flush(self, least: int) -> None:
        if self._held and sum(map(len, self._held)) >= least:
            self._file.write_table(self.arrow.concat_tables(self._held).combine_chunks())
            self._held = []

    def _head(self) -> dict[str, Any]:
        return {"step_seconds": self.every_seconds, "made_with": self._made_with}


def names_of(number: int) -> tuple[str, str]:
    """Of a shard's two tables: of moments, and of films."""
    return f"shard-{number:06d}.parquet", f"films-{number:06d}.parquet"


def index_name(number: int) -> str:
    """Of the file that stands once a shard is whole."""
    return f"shard-{number:06d}.json"


def standing(place: Place, number: int, asked: str) -> dict[str, Any]:
    """The index of a shard of which not a bit has changed since it was written; nothing of any other."""
    index = read_json(place, index_name(number))
    if index.get("asked") != asked:
        return {}
    for file in index["files"]:
        data = place.read(file["file"])
        if data is None or hashlib.sha256(data).hexdigest() != file["sha256"]:
            return {}
    return index


def _told(number: int, **facts: Any) -> dict[str, Any]:
    return {"shard": number, "facts": json.dumps(facts)}


def shards_told(rows: Iterator[Mapping[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """What workers told: (number, facts). UserError where one was refused for what the user gave."""
    for row in rows:
        facts = json.loads(row["facts"])
        if "refused" in facts:
            raise UserError(facts["refused"])
        yield int(row["shard"]), facts
