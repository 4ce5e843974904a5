"""Localize a corpus of films on Ray Data: a table of films in, shards of Parquet out, and what could not be read."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from soundspot import __version__
from soundspot.cluster.film_shards import Job, Looker, shards_told
from soundspot.cluster.jobs import Workers, each_shard, session
from soundspot.cluster.manifest import MANIFEST, Written, films_of, write_manifest
from soundspot.cluster.places import Place, is_address
from soundspot.cluster.success import SUCCESS, put_json, read_json
from soundspot.localize.run import Wanted
from soundspot.tensors import sha256
from soundspot.train.logs import Bar
from soundspot.types import UserError
from soundspot.weights import find_weights

JOB = "job.json"
MOST_FILMS = 256
"""Of a shard: about ten minutes of one core's work for films of ten seconds, which is what a dead worker costs."""
SHARDS = 1024
"""A smaller corpus is cut into about so many, that all workers have something to do."""
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Corpus:
    """How a job ended."""

    out: str
    films: int
    shards: int
    made: int
    """Shards that this run made; the others were there."""
    rows: int
    num_bytes: int
    work_seconds: float
    """Of all workers together, in this run."""
    bad: list[dict[str, str]]
    """Films that could not be looked at: id, film, reason."""
    unfinished: dict[int, str]
    """Shards that could not be made, with the reason: run the same again."""

    def line(self) -> str:
        """All of it in one."""
        return (
            f"{self.out}\t{self.films} films\t{self.shards} shards ({self.made} made now)\t{self.rows} rows"
            f"\t{self.num_bytes / 2**20:.1f} MiB\t{len(self.bad)} bad"
        )


def localize_corpus(
    source: str,
    out: str,
    wanted: Wanted,
    workers: Workers,
    *,
    films_per_shard: int | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    shown: bool = False,
) -> Corpus:
    """Look at every film of a folder or a table, at a path or an address, and write tables to `out`.

    What an earlier run of the same words finished is checked by its SHA-256 and kept. A film over which nothing moves
    for `patience_seconds`, or over which its process dies, is bad; the others are not touched by it. Raises UserError.
    """
    wanted = _for_workers(wanted)
    source, out = _absolute(source), _absolute(out)
    if wanted.device != "cpu":
        workers = replace(workers, num_gpus=1)
    place = Place(out)
    asked, listed, films_per_shard = _prepare(source, place, out, wanted, films_per_shard)
    count = math.ceil(listed.num_films / films_per_shard)
    job = Job(out, asked, films_per_shard, wanted, patience_seconds)
    told: dict[int, dict[str, Any]] = {}
    with session(workers) as ray, Bar("localize", listed.num_films, shown=shown) as bar:
        items = [{"shard": number} for number in range(count)]
        for number, facts in shards_told(each_shard(ray, Looker, job, items, workers)):
            told[number] = facts
            bar.advance(facts.get("index", {}).get("films", 0), f"shard {number}")
    return _finish(place, out, listed, told, count)


def _for_workers(wanted: Wanted) -> Wanted:
    """The same for other processes and machines, of which each knows only whole paths."""
    if wanted.exports:
        raise UserError(
            f"expected no --export with --cluster, got {', '.join(wanted.exports)}: a corpus's results are tables"
            " (Parquet) of all films; leave it out"
        )
    path = find_weights(wanted.weights)
    own = str(path.resolve()) if path == Path(wanted.weights) else wanted.weights
    return replace(wanted, weights=own, with_film=False)


def _absolute(name: str) -> str:
    return name if is_address(name) else str(Path(name).absolute())


def _prepare(
    source: str, place: Place, out: str, wanted: Wanted, films_per_shard: int | None
) -> tuple[str, Written, int]:
    """Put the table of films in place, unless the same is there. UserError where another job's results stand."""
    with tempfile.TemporaryDirectory(prefix="soundspot-") as folder:
        path = Path(folder) / MANIFEST
        # groups of rows must hold whole shards, of a size that follows from the number of films: hence twice
        listed = write_manifest(films_of(source, out), path, films_per_shard or MOST_FILMS)
        if films_per_shard is None and (small := _shard_size(listed.num_films)) != MOST_FILMS:
            films_per_shard = small
            write_manifest(films_of(source, out), path, small)
        films_per_shard = films_per_shard or MOST_FILMS
        facts = _asked(wanted, listed, films_per_shard)
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        there = read_json(place, JOB)
        if there and there.get("asked") != facts:
            changed = sorted(name for name in facts if there.get("asked", {}).get(name) != facts[name])
            raise UserError(
                f"{out}: expected the results of these words, got those of others (other: {', '.join(changed)});"
                " repeat the words they were made with, or choose another --out"
            )
        place.put(MANIFEST, path)
        put_json(place, JOB, {"asked": facts})
    return digest, listed, films_per_shard


def _shard_size(num_films: int) -> int:
    return max(1, min(MOST_FILMS, num_films // SHARDS))


def _asked(wanted: Wanted, listed: Written, films_per_shard: int) -> dict[str, Any]:
    """What makes the results."""
    told = {name: value for name, value in asdict(wanted).items() if name not in ("exports", "with_film", "style")}
    return {
        **told,
        "weights": sha256(find_weights(wanted.weights)),
        "films": listed.num_films,
        "manifest": listed.sha256,
        "films_per_shard": films_per_shard,
        "soundspot": __version__,
    }


def _finish(place: Place, out: str, listed: Written, told: Mapping[int, dict[str, Any]], count: int) -> Corpus:
    """Add up, and say that it is done where it is."""
    unfinished = {number: facts["trouble"] for number, facts in told.items() if "trouble" in facts}
    unfinished |= dict.fromkeys(set(range(count)) - told.keys(), "no worker brought it to an end")
    indexes = {number: told[number]["index"] for number in sorted(told.keys() - unfinished.keys())}
    bad = [row for index in indexes.values() for row in index["bad"]]
    files = [file for index in indexes.values() for file in index["files"]]
    if not unfinished:
        shards = [
            {"rows": index["rows"], "films": index["films"], "files": index["files"]} for index in indexes.values()
        ]
        asked = read_json(place, JOB)["asked"]
        put_json(place, SUCCESS, {"asked": asked, "films": listed.num_films, "bad": bad, "shards": shards})
    return Corpus(
        out=out,
        films=listed.num_films,
        shards=count,
        made=sum(facts.get("made", False) for facts in told.values()),
        rows=sum(index["rows"] for index in indexes.values()),
        num_bytes=sum(file["bytes"] for file in files),
        work_seconds=sum(facts.get("seconds", 0.0) for facts in told.values()),
        bad=bad,
        unfinished=dict(sorted(unfinished.items())),
    )
