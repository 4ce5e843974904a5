"""Pack a corpus on Ray Data: the bytes that `soundspot.data.pack` packs, a shard at a time, on as many machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from soundspot.cluster.child import Alive, Child, Lost, Work
from soundspot.cluster.jobs import Workers, each_shard, session
from soundspot.cluster.places import Place
from soundspot.cluster.success import SUCCESS, put_json
from soundspot.data.decoding import Pair
from soundspot.data.pack import (
    Form,
    PlannedShard,
    Sample,
    Written,
    crashed,
    is_whole,
    read_sample,
    shards_of,
    write_list,
    write_shard,
)
from soundspot.data.shards import PACK, Contents
from soundspot.train.logs import Bar
from soundspot.types import Inputs, Missing, UserError

Reading = Callable[[str, Pair], Sample]


@dataclass(frozen=True)
class Job:
    """What a worker must know."""

    inputs: Inputs
    areas: tuple[str, ...]
    form: Form
    patience_seconds: float
    shards: Mapping[int, PlannedShard]
    """Those to be made, by number."""


class Packer:
    """Packs shards, one after another; each clip is read by a process of its own kind, which may die over it."""

    def __init__(self, job: Job) -> None:
        self.shards = job.shards
        reading = partial(read_sample, inputs=job.inputs, areas=job.areas, form=job.form)
        self.child = Child(partial(_begin_reading, reading), job.patience_seconds)

    def __call__(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Of a shard's number: the same, and why it could not be written."""
        shard = self.shards[int(item["shard"])]
        try:
            write_shard(shard, map(self._read, shard.group), lambda: None)
        except OSError as error:
            return {"shard": int(item["shard"]), "trouble": f"{shard.path}: {error}"}
        return {"shard": int(item["shard"]), "trouble": ""}

    def _read(self, pair: Pair) -> Sample:
        try:
            found: Sample = self.child.do(pair)
        except Lost:
            return crashed(pair[0].id, pair)
        return found


def _begin_reading(reading: Reading) -> Work:
    import torch

    torch.set_num_threads(1)
    return partial(_read, reading)


def _read(reading: Reading, pair: Pair, alive: Alive) -> Sample:
    return reading(pair[0].id, pair)


def pack_on_cluster(
    pairs: Sequence[Pair],
    inputs: Inputs,
    out: Path,
    *,
    cluster: str,
    patience_seconds: float,
    areas: Collection[str] = (),
    data: Mapping[str, Any] | None = None,
    missing: Sequence[Missing] = (),
    form: Form | None = None,
    jobs: int | None = None,
    progress: bool = False,
) -> Written:
    """As `pack`, by the workers of a cluster, all of which must see the clips' files and `out` at the same paths.

    Beside the list of shards stands `_SUCCESS` once all are there. Raises UserError where a shard could not be made.
    """
    form, out = form or Form(), out.absolute()
    shards = shards_of(_absolute(pairs), inputs, out, areas, form)
    place = Place(str(out))
    rest = {number: shard for number, shard in enumerate(shards) if not is_whole(shard.path)}
    items = [{"shard": number} for number in rest]
    workers, job = Workers(cluster, jobs), Job(inputs, tuple(areas), form, patience_seconds, rest)
    done = len(pairs) - sum(len(shard.group) for shard in rest.values())
    troubles = dict.fromkeys(rest, "no worker brought it to an end")
    if items:
        with session(workers) as ray, Bar("pack", len(pairs), done=done, shown=progress) as bar:
            for row in each_shard(ray, Packer, job, items, workers):
                number = int(row["shard"])
                if row["trouble"]:
                    troubles[number] = row["trouble"]
                    continue
                del troubles[number]
                bar.advance(len(shards[number].group), shards[number].path.name)
    if troubles:
        number, reason = min(troubles.items())
        raise UserError(
            f"expected to write {len(rest)} shards, got {len(rest) - len(troubles)}; shard {number}: {reason}; run the"
            " same again, what is done is kept"
        )
    written = write_list(
        out, [shard.path for shard in shards], Contents.of(inputs, areas), data or {}, missing, len(rest)
    )
    _say_done(place, written)
    return written


def _absolute(pairs: Sequence[Pair]) -> list[Pair]:
    """Workers know only whole paths."""
    from dataclasses import fields, replace

    def whole(thing: Any) -> Any:
        paths = {field.name: getattr(thing, field.name) for field in fields(thing)}
        return replace(thing, **{name: path.absolute() for name, path in paths.items() if isinstance(path, Path)})

    return [(whole(clip), None if target is None else whole(target)) for clip, target in pairs]


def _say_done(place: Place, written: Written) -> None:
    listed = json.loads((written.folder / PACK).read_text(encoding="utf-8"))
    bad = [{"id": entry.clip_id, "reason": entry.reason} for entry in written.missing]
    asked = {name: listed[name] for name in ("format", "contents", "data")}
    put_json(place, SUCCESS, {"asked": asked, "clips": written.clips, "bad": bad, "shards": listed["shards"]})
