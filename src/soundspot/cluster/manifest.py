"""Which films a job is about: a folder's, or a table's, written once as one table of which every shard is a range."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from soundspot.cluster.places import Place, is_address
from soundspot.localize.exports.parquet import pyarrow_modules
from soundspot.media.files import FILMS
from soundspot.types import UserError

MANIFEST = "manifest.parquet"
TABLES = (".parquet", ".csv")
ROWS_AT_ONCE = 4096
GROUP_ROWS = 65536
"""About so many rows are read at least to get at a few: a group for each shard would make the table's foot huge."""
TEXTS, TIMES = ("id", "film", "sound"), ("start_seconds", "end_seconds")


@dataclass(frozen=True)
class Film:
    """One row: where the film is, and which part of it counts."""

    id: str
    film: str
    sound: str | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None


@dataclass(frozen=True)
class Written:
    """What was written: how many films, and the digest of the rows that says whether two are of the same."""

    num_films: int
    sha256: str


def films_of(source: str, without: str) -> Iterator[Film]:
    """The films of a folder, or the rows of a table (.parquet, .csv), in order, at a path or an address.

    A folder's are in order of their paths' parts, their ids are the paths below it, and what lies in the folder
    `without` is left out. A table's keep their order. Raises UserError.
    """
    ending = Path(source.split("?")[0]).suffix.lower()
    if ending in TABLES:
        return _of_table(source, ending)
    return _of_folder(source, without)


def _of_folder(source: str, without: str) -> Iterator[Film]:
    place = Place(source)
    kept_out = Place(without)
    if not place.fs.isdir(place.root):
        raise UserError(
            f"{source}: expected a folder of films, or a table ({', '.join(TABLES)}), got neither; check the path"
        )
    root = place.root.rstrip("/") + "/"
    own = kept_out.root.rstrip("/") + "/" if kept_out.protocols == place.protocols else None
    for name in place.files():
        if Path(name).suffix.lower() in FILMS and (own is None or not name.startswith(own)):
            yield Film(name.removeprefix(root), place.address(name))


def _of_table(source: str, ending: str) -> Iterator[Film]:
    """Relative paths are beside the table."""
    folder, _, name = source.rpartition("/")
    place = Place(folder or ".")
    if not place.fs.isfile(place.path(name)):
        raise UserError(f"{source}: expected a table of films, got no such file; check the path")
    number = 0
    with place.fs.open(place.path(name), "rb") as file:
        for batch in (_parquet if ending == ".parquet" else _csv)(source, file):
            for row in batch.to_pylist():
                number += 1
                yield _film(source, number, row, place)


def _parquet(source: str, file: Any) -> Iterator[Any]:
    arrow, parquet = pyarrow_modules()
    try:
        table = parquet.ParquetFile(file)
        columns = _columns(source, table.schema_arrow.names)
        yield from table.iter_batches(ROWS_AT_ONCE, columns=columns)
    except arrow.ArrowInvalid as error:
        raise _unreadable(source, error) from error


def _csv(source: str, file: Any) -> Iterator[Any]:
    arrow, _ = pyarrow_modules()
    from pyarrow import csv

    types = dict.fromkeys(TEXTS, arrow.string()) | dict.fromkeys(TIMES, arrow.float64())
    convert = csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    try:
        reader = csv.open_csv(file, convert_options=convert)
        columns = _columns(source, reader.schema.names)
        for batch in reader:
            yield batch.select(columns)
    except arrow.ArrowInvalid as error:
        raise _unreadable(source, error) from error


def _unreadable(source: str, error: Exception) -> UserError:
    return UserError(f"{source}: expected a table of films, got '{' '.join(str(error).split())}'; mend it")


def _columns(source: str, names: list[str]) -> list[str]:
    """Those that count. UserError without a film, or where one is misspelt: its films would be taken whole."""
    known = (*TEXTS, *TIMES)
    for name in set(names) - set(known):
        if near := difflib.get_close_matches(name, known, 1, 0.8):
            raise UserError(f"{source}: expected columns of {', '.join(known)}, got {name}; did you mean {near[0]}?")
    if "film" not in names:
        raise UserError(f"{source}: expected a column film, got {', '.join(names) or 'none'}; add one")
    return [name for name in known if name in names]


def _film(source: str, number: int, row: Mapping[str, Any], place: Place) -> Film:
    where = f"{source}: row {number}"
    if not row.get("film"):
        raise UserError(f"{where}: expected a path or an address in film, got none; give one")
    texts = {name: str(row[name]) if row.get(name) is not None else None for name in TEXTS}
    times: dict[str, float | None] = {}
    for name in TIMES:
        value = row.get(name)
        if value is not None and not (isinstance(value, int | float) and math.isfinite(value) and value >= 0):
            raise UserError(f"{where}: expected seconds from 0 on in {name}, got {value!r}; mend it")
        times[name] = None if value is None else float(value)
    film = texts["film"]
    assert film is not None
    sound = None if texts["sound"] is None else _beside(place, texts["sound"])
    return Film(texts["id"] or film, _beside(place, film), sound, times["start_seconds"], times["end_seconds"])


def _beside(place: Place, name: str) -> str:
    return name if is_address(name) or name.startswith("/") else place.address(place.path(name))


def write_manifest(films: Iterator[Film], path: Path, films_per_shard: int) -> Written:
    """Write them in order, a batch at a time. UserError where there is none, or two have the same id."""
    arrow, parquet = pyarrow_modules()
    schema = arrow.schema(
        [(name, arrow.string()) for name in TEXTS] + [(name, arrow.float64()) for name in TIMES],
    )
    digest, count, ids = hashlib.sha256(), 0, []
    with parquet.ParquetWriter(path, schema) as file:
        while rows := [asdict(film) for film in islice(films, group_rows(films_per_shard))]:
            digest.update("".join(json.dumps(row) + "\n" for row in rows).encode())
            ids.append(_hashes([row["id"] for row in rows]))
            count += len(rows)
            file.write_table(arrow.Table.from_pylist(rows, schema=schema), row_group_size=len(rows))
    if not count:
        raise UserError(f"expected films ({', '.join(FILMS)}), got none; give another folder or table")
    _require_unique(np.concatenate(ids), path)
    return Written(count, digest.hexdigest())


def _hashes(ids: list[str]) -> Any:
    """(N,) of 16 bytes: ten million of them are 160 MB, the ids themselves over a gigabyte."""
    return np.frombuffer(b"".join(hashlib.blake2b(name.encode(), digest_size=16).digest() for name in ids), "<u8,<u8")


def _require_unique(hashes: Any, path: Path) -> None:
    order = np.sort(hashes)
    if (twice := order[1:][order[1:] == order[:-1]]).size:
        at = int(np.flatnonzero(hashes == twice[0])[1])
        arrow_file = pyarrow_modules()[1].ParquetFile(path)
        names = (name for batch in arrow_file.iter_batches(columns=["id"]) for name in batch["id"].to_pylist())
        raise UserError(
            f"expected an id for each film, got {next(islice(names, at, None))!r} twice, the second time in row"
            f" {at + 1}; give a column id"
        )


def group_rows(films_per_shard: int) -> int:
    """Rows of a group of the table: whole shards."""
    return films_per_shard * max(1, GROUP_ROWS // films_per_shard)


def read_shard(place: Place, number: int, films_per_shard: int) -> list[Film]:
    """The films of one shard."""
    rows = group_rows(films_per_shard)
    group, first = divmod(number * films_per_shard, rows)
    with place.fs.open(place.path(MANIFEST), "rb") as file:
        table = pyarrow_modules()[1].ParquetFile(file).read_row_group(group)
    return [Film(**row) for row in table.slice(first, films_per_shard).to_pylist()]
