"""Verbs for data sets: fetch annotations, extract media from films, look whether all is there."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Annotated

import typer

from soundspot.cli.words import Annotations, Cluster, Ids, Json, Patience, chosen_of, print_rows, tell_missing
from soundspot.types import UserError


def check(
    benchmark: Annotated[str, typer.Argument(help="A name of `soundspot list benchmarks`.")],
    root: Annotated[Path, typer.Argument(help="Folder of its media.")],
    annotations: Annotations = None,
    train_ids: Annotated[Path | None, typer.Option(help="A training list, to look for test clips in.")] = None,
    ids: Ids = None,
    clean: Annotated[
        Path | None, typer.Option(help="Where to write the ids that nothing is wrong with, for --ids.")
    ] = None,
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode films and sounds whole, to find every cut or damaged one.")
    ] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Files read at a time; up to 8, if none.")] = None,
    as_json: Json = False,
) -> None:
    """Is a data set what it should be: found, missing, unreadable, badly boxed, leaked. Exit 1 if anything is wrong."""
    from soundspot.data.check import check as run
    from soundspot.data.lists import read_ids, write_ids

    pairs, without_truth, clip_list = chosen_of(benchmark, annotations, root, None, ids)
    report = run(
        pairs,
        train_ids=read_ids(train_ids) if train_ids else (),
        without_truth=without_truth,
        decode=decode,
        jobs=jobs,
        progress=sys.stderr.isatty(),
    )
    if clean is not None:
        write_ids(clean, report.clean)
    if as_json:
        print(json.dumps({"benchmark": benchmark, **clip_list, **dataclasses.asdict(report)}, indent=1))
    else:
        print("\n".join(report.lines()))
    if not report.fine:
        raise typer.Exit(1)


def extract(
    videos: Annotated[Path, typer.Argument(help="Folder of films, <YouTube id>_<second>.mp4 or ..._<ms>_<ms>.mp4.")],
    out: Annotated[Path, typer.Option(help="Folder for frames/<id>.jpg and audio/<id>.wav.")],
    ids: Annotated[Path | None, typer.Option(help="A list: only these clips.")] = None,
    frame: Annotated[str, typer.Option(help="middle, or seconds from the film's start.")] = "middle",
    rate: Annotated[int, typer.Option(min=1, help="Hz of the sound.")] = 16000,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores, if none.")] = None,
    as_json: Json = False,
) -> None:
    """Cut one picture and the sound out of each film, as the papers' folders have them. Exit 1 if any film failed.

    Each film is made, already there, or failed; of two films of one id the first by name is taken, the other fails.
    """
    from soundspot.data.extract import extract as run

    done = run(
        videos,
        out,
        ids=ids,
        time_seconds=_seconds(frame),
        sample_rate=rate,
        jobs=jobs,
        progress=sys.stderr.isatty(),
    )
    for entry in done.failed:
        print(f"failed {entry.clip_id}: {entry.reason}", file=sys.stderr)
    if as_json:
        failed = {entry.clip_id: entry.reason for entry in done.failed}
        print(json.dumps({"made": done.made, "already": done.already, "failed": failed}, indent=1))
    else:
        print(f"{out}\t{done.made} made\t{done.already} already there\t{len(done.failed)} failed")
    if done.failed:
        raise typer.Exit(1)


def _seconds(frame: str) -> float | None:
    if frame == "middle":
        return None
    try:
        seconds = float(frame)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise UserError(f"--frame: expected middle or a number of seconds, got {frame!r}; give e.g. 5")
    return seconds


def annotations_fetch(
    names: Annotated[list[str], typer.Argument(help="Names of `soundspot annotations list`.")],
    to: Annotated[Path | None, typer.Option(help="Folder to put them into; one in the cache each, if none.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="Folder that holds them, or a mirror's https:// address.")
    ] = None,
) -> None:
    """Fetch annotation files from their authors' repositories, by exact sha256."""
    from soundspot.data import official

    for name in names:
        folder = official.fetch(name, to=to, source=source)
        for line in official.licences(name):
            print(f"{name}: {line}", file=sys.stderr)
        print(f"{name}\t{folder}")


def annotations_list(as_json: Json = False) -> None:
    """The annotation files that can be fetched, which are here, and what is only to be had by hand."""
    from soundspot.data import official

    if as_json:
        print(json.dumps({"fetched": official.rows(), "by_hand": official.BY_HAND}, indent=1))
        return
    print_rows(official.rows(), as_json)
    for name, where in official.BY_HAND.items():
        print(f"by hand: {name}: {where}")


def pack(
    recipe: Annotated[str, typer.Argument(help="A name of `soundspot list recipes`: its clips, as it reads them.")],
    root: Annotated[Path, typer.Argument(help="Folder of the data's media.")],
    out: Annotated[Path, typer.Argument(help="Folder for the shards; --root of training then.")],
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value of the recipe.")] = None,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of the JPEG pictures.")] = 85,
    sound: Annotated[str, typer.Option(help="npy: whole numbers as they are; flac: half as large, slower.")] = "npy",
    moments: Annotated[
        int, typer.Option(min=0, help="Of each film, where the run draws its frames at random; 8, if 0.")
    ] = 0,
    clips: Annotated[int, typer.Option(min=1, help="In a shard.")] = 1000,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores, if none.")] = None,
    cluster: Cluster = None,
    patience: Patience = 300.0,
    as_json: Json = False,
) -> None:
    """Pack what a recipe trains on into WebDataset shards: training then decodes no file again.

    An interrupted run goes on; shards that are there are checked by SHA-256. Exit 1 if any clip is missing.
    """
    from soundspot.data.pack import Form
    from soundspot.recipes import recipe as named
    from soundspot.train.packing import pack_recipe
    from soundspot.train.recipe import apply_settings

    wanted = apply_settings(named(recipe), settings or [])
    form = Form(quality=quality, sound=sound, moments=moments, clips_per_shard=clips)
    done = pack_recipe(
        wanted,
        root,
        out,
        form=form,
        jobs=jobs,
        progress=sys.stderr.isatty(),
        cluster=cluster,
        patience_seconds=patience,
    )
    tell_missing({entry.clip_id: entry.reason for entry in done.missing})
    if as_json:
        print(json.dumps({**dataclasses.asdict(done), "folder": str(done.folder)}, indent=1))
    else:
        size = done.num_bytes / 2**30
        print(
            f"{out}\t{done.clips} clips\t{done.shards} shards ({done.made} made now)\t{size:.2f} GiB"
            f"\t{len(done.missing)} missing"
        )
    if done.missing:
        raise typer.Exit(1)
