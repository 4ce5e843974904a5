"""Pack a training set into WebDataset shards, so that no run decodes its files again: see soundspot.data.shards."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from soundspot.data import in_processes
from soundspot.data.decoding import UNMOVED, Decoded, Pair, decode
from soundspot.data.shards import (
    FORMAT,
    PACK,
    Contents,
    area_bytes,
    index_head,
    index_of,
    index_rows,
    picture_bytes,
    sound_writer,
)
from soundspot.media.errors import MediaError
from soundspot.media.files import written_aside
from soundspot.tensors import sha256
from soundspot.train.logs import Bar
from soundspot.types import Inputs, Missing, UserError

RANDOM_MOMENTS = 8
"""Moments of a film that are packed for a run that draws its frames at random."""
BLOCK = tarfile.BLOCKSIZE
Parts = dict[str, bytes]


@dataclass(frozen=True)
class Form:
    """How clips are written."""

    quality: int = 85
    """JPEG's, 1 to 100."""
    sound: str = "npy"
    """npy: int16 as it is; flac: about half as large, slower to read."""
    moments: int = 0
    """Of each film; 0: one, or RANDOM_MOMENTS where the run draws frames at random."""
    clips_per_shard: int = 1000


@dataclass(frozen=True)
class Written:
    """What `pack` did."""

    folder: Path
    clips: int
    shards: int
    made: int
    """Shards that this run made; the others were there."""
    num_bytes: int
    missing: list[Missing]


@dataclass(frozen=True)
class Sample:
    """A clip as the bytes of its parts, a dict a moment; or the reason why it has none."""

    moments: list[Parts]
    sample_rate: int = 0
    missing: str | None = None


@dataclass(frozen=True)
class PlannedShard:
    """A shard that is to be written, whoever does it."""

    path: Path
    first: int
    """Among all clips, its first one's number."""
    group: Sequence[Pair]
    asked: str
    """Digest of what it is made of and how."""


def pack(
    pairs: Sequence[Pair],
    inputs: Inputs,
    out: Path,
    *,
    areas: Collection[str] = (),
    data: Mapping[str, Any] | None = None,
    missing: Sequence[Missing] = (),
    form: Form | None = None,
    jobs: int | None = None,
    progress: bool = False,
) -> Written:
    """Write the clips in order of id to shards in `out`, read as training with `inputs` reads them.

    What an earlier run of the same words finished is checked by its SHA-256 and kept; a damaged shard is made anew.
    Clips that cannot be read, and those of `missing`, are listed with their reasons. The bytes do not depend on `jobs`.
    Raises UserError where `out` holds shards of other clips or settings.
    """
    form = form or Form()
    shards = shards_of(pairs, inputs, out, areas, form)
    rest = [shard for shard in shards if not is_whole(shard.path)]
    done = sum(len(shard.group) for shard in shards) - sum(len(shard.group) for shard in rest)
    work = partial(read_sample, inputs=inputs, areas=tuple(areas), form=form)
    with Bar("pack", len(pairs), done=done, shown=progress) as bar:
        items = {str(at): pair for at, pair in enumerate(pair for shard in rest for pair in shard.group)}
        samples = _in_order(in_processes.each(items, work, crashed, jobs))
        for shard in rest:
            write_shard(shard, samples, partial(bar.advance, 1, shard.path.name))
    return write_list(out, [shard.path for shard in shards], Contents.of(inputs, areas), data or {}, missing, len(rest))


def shards_of(
    pairs: Sequence[Pair], inputs: Inputs, out: Path, areas: Collection[str], form: Form
) -> list[PlannedShard]:
    """What has to be written: the clips in order of id, cut into shards. `out` is made.

    Raises UserError where it holds shards of other clips or settings, or there is no clip.
    """
    _check(form)
    contents = Contents.of(inputs, areas)
    ordered = sorted(pairs, key=lambda pair: pair[0].id)
    shards = []
    for number, first in enumerate(range(0, len(ordered), form.clips_per_shard)):
        group = ordered[first : first + form.clips_per_shard]
        path = out / f"shard-{number:06d}.tar"
        shards.append(PlannedShard(path, first, group, _digest(contents, form, group)))
    if not shards:
        raise UserError("expected clips to pack, got none; check the data's folder and list")
    _refuse_others(out, shards)
    out.mkdir(parents=True, exist_ok=True)
    return shards


def read_sample(name: str, pair: Pair, *, inputs: Inputs, areas: Collection[str], form: Form) -> Sample:
    """One clip's parts, or why it cannot be read."""
    random = inputs.train_frame == "random" and pair[0].video is not None
    count = (form.moments or RANDOM_MOMENTS) if random else 1
    try:
        found = [
            decode(pair, inputs, replace(UNMOVED, moment=(number + 0.5) / count), areas) for number in range(count)
        ]
    except MediaError as error:
        return Sample([], missing=str(error))
    return Sample([_parts(decoded, form) for decoded in found], found[0].sample_rate)


def crashed(name: str, pair: Pair) -> Sample:
    """What is said of a clip over which the process died that read it."""
    return Sample([], missing="the process that read it came to an end; its file is damaged")


def _parts(decoded: Decoded, form: Form) -> Parts:
    """By ending, as they stand in the shard."""
    parts = {
        "jpg": picture_bytes(decoded.image, form.quality),
        form.sound: sound_writer(form.sound)(decoded.samples, decoded.sample_rate),
    }
    parts |= {f"{name}.png": area_bytes(area) for name, area in decoded.areas.items()}
    for name, frames in decoded.frames.items():
        parts |= {f"{name}.{number}.jpg": picture_bytes(frame, form.quality) for number, frame in enumerate(frames)}
    return parts


def _check(form: Form) -> None:
    sound_writer(form.sound)
    for name, least, most in (("quality", 1, 100), ("moments", 0, 1000), ("clips_per_shard", 1, 10**6)):
        value = getattr(form, name)
        if not least <= value <= most:
            raise UserError(f"expected {name} from {least} to {most}, got {value}")


def _digest(contents: Contents, form: Form, group: Sequence[Pair]) -> str:
    """What a shard is made of and how: the same text, the same bytes."""
    asked = [asdict(contents), asdict(form), [pair[0].id for pair in group]]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _refuse_others(out: Path, shards: Sequence[PlannedShard]) -> None:
    """UserError where an index stands in `out` that this run would not write."""
    wanted = {index_of(shard.path): shard.asked for shard in shards}
    for path in sorted(out.glob("shard-*.jsonl")):
        if index_head(path).get("asked") != wanted.get(path):
            raise UserError(
                f"{path}: expected a shard of these clips and settings, got one of others; repeat the words it was made"
                " with, or choose another --out"
            )


def is_whole(shard: Path) -> bool:
    """Whether the shard and its index are there, and not a bit of it has changed."""
    index = index_of(shard)
    return shard.is_file() and index.is_file() and sha256(shard) == index_head(index).get("sha256")


def _in_order(done: Iterator[tuple[str, Sample]]) -> Iterator[Sample]:
    """The samples by their number, which processes finish in any order."""
    waiting: dict[str, Sample] = {}
    following = 0
    for name, sample in done:
        waiting[name] = sample
        while (found := waiting.pop(str(following), None)) is not None:
            following += 1
            yield found


def write_shard(shard: PlannedShard, samples: Iterator[Sample], told: Callable[[], None]) -> None:
    """The shard of the next `samples`, then its index: where that stands, the shard is whole. A clip is `told` of."""
    rows: list[dict[str, Any]] = []
    with written_aside(shard.path) as aside:
        with tarfile.open(aside, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number, pair in enumerate(shard.group, shard.first):
                sample = next(samples)
                rows.append(_write_sample(tar, f"{number:09d}", pair, sample))
                told()
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        head = {"sha256": sha256(aside), "bytes": aside.stat().st_size, "asked": shard.asked}
    with written_aside(index_of(shard.path)) as aside:
        aside.write_text("".join(json.dumps(row) + "\n" for row in (head, *rows)), encoding="utf-8")


def _write_sample(tar: tarfile.TarFile, key: str, pair: Pair, sample: Sample) -> dict[str, Any]:
    """Add one clip's parts, and give its row of the index."""
    clip, target = pair
    if sample.missing is not None:
        return {"id": clip.id, "missing": sample.missing}
    about: dict[str, Any] = {"id": clip.id, "sample_rate": sample.sample_rate}
    if clip.labels:
        about["labels"] = list(clip.labels)
    if clip.group is not None:
        about["group"] = clip.group
    if target is not None:
        about["target"] = {"kind": target.kind, "boxes": target.boxes, "box_labels": target.box_labels}
    moments = []
    for number, parts in enumerate(sample.moments):
        before = f"{key}.{number}." if len(sample.moments) > 1 else f"{key}."
        moments.append({ending: _add(tar, before + ending, data) for ending, data in parts.items()})
    _add(tar, f"{key}.json", json.dumps(about).encode())
    return {**about, "moments": moments}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> tuple[int, int, int]:
    """Add a file that bears no date or owner, so that the same clips give the same bytes; where it stands."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    start = tar.offset + BLOCK
    tar.addfile(entry, io.BytesIO(data))
    return start, len(data), zlib.crc32(data)


def write_list(
    out: Path,
    shards: Sequence[Path],
    contents: Contents,
    data: Mapping[str, Any],
    missing: Sequence[Missing],
    made: int,
) -> Written:
    """The list of the shards, all of which stand; `made` of them are new."""
    listed, lost, clips = [], list(missing), 0
    for shard in shards:
        head, rows = index_head(index_of(shard)), list(index_rows(index_of(shard)))
        read = sum("missing" not in row for row in rows)
        clips += read
        lost += [Missing(row["id"], row["missing"]) for row in rows if "missing" in row]
        listed.append({"file": shard.name, "clips": read, "bytes": head["bytes"], "sha256": head["sha256"]})
    facts = {
        "format": FORMAT,
        "clips": clips,
        "contents": asdict(contents),
        "data": dict(data),
        "without_media": [asdict(entry) for entry in missing],
        "shards": listed,
    }
    with written_aside(out / PACK) as aside:
        aside.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    num_bytes = sum(shard["bytes"] for shard in listed)
    return Written(out, clips, len(shards), made, num_bytes, lost)


def copy_lists(root: Path, out: Path, names: Sequence[str]) -> None:
    """Copy files and folders that a recipe names beside its data, so that the pack can stand in the data's place."""
    for name in names:
        source, target = root / name, out / name
        if Path(name).is_absolute() or not source.exists():
            continue
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, copy_function=_copy_whole)
        else:
            _copy_whole(source, target)


def _copy_whole(source: Path | str, target: Path | str) -> None:
    with written_aside(Path(target)) as aside:
        shutil.copyfile(source, aside)
