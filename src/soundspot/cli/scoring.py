"""Verbs that make predictions and score them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from soundspot.cli.making import Making
from soundspot.cli.words import (
    Annotations,
    BatchSize,
    Device,
    Ids,
    Json,
    Negatives,
    OptionsSet,
    Root,
    Split,
    Workers,
    must_hold_any,
    print_rows,
    tell_missing,
)
from soundspot.types import UserError


def predict(
    weights: Annotated[str, typer.Argument(help="'default', or a weights file.")],
    benchmark: Annotated[
        str, typer.Argument(help="A name of `soundspot list benchmarks`, or 'videos' for a folder of films.")
    ],
    out: Annotated[Path, typer.Option(help="The predictions file to write; one that is there is refused.")],
    root: Root = None,
    annotations: Annotations = None,
    split: Split = None,
    negatives: Negatives = None,
    ids: Ids = None,
    batch_size: BatchSize = 16,
    workers: Workers = None,
    wrong_sound: Annotated[
        bool, typer.Option(help="Control: give every visible clip a sound of another class.")
    ] = False,
    settings: OptionsSet = None,
    every: Annotated[
        float | None, typer.Option(help="Of videos: a clip each so many seconds; each film's middle, if none.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an interrupted run of the same words left at --out.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is at --out.")] = False,
    device: Device = "cpu",
) -> None:
    """Write a method's raw maps for a benchmark's clips; the first clips that can't be read are told on stderr."""
    from soundspot.predict import predict as run
    from soundspot.predictions import unfinished

    if resume and overwrite:
        raise UserError("expected --resume or --overwrite, got both; leave one out")
    if out.exists() and not (resume or overwrite):
        raise UserError(f"{out}: expected a new file, got one that is there; name another, or give --overwrite")
    making = Making(
        weights, benchmark, root, annotations, split, negatives, ids, wrong_sound, tuple(settings or ()), every
    )
    clips, asked = making.clips()
    method = making.method(device)
    is_whole = out.is_file() and not unfinished(out)
    made = run(
        method,
        clips,
        batch_size=batch_size,
        num_workers=workers,
        device=device,
        path=out,
        resume=resume,
        asked=asked,
        made=making.made(clips, batch_size, workers, device),
    )
    if resume and is_whole:
        print(f"{out}: nothing to resume: all clips are there", file=sys.stderr)
    if not made.maps:
        out.unlink()
    must_hold_any(benchmark, len(made.maps), made.missing)
    tell_missing(made.missing)
    print(f"{out}\t{len(made.maps)} of {len(clips)} clips, {len(made.missing)} missing")


def fuse(
    maps: Annotated[Path, typer.Argument(help="Predictions of a method that hears.")],
    prior: Annotated[Path, typer.Argument(help="Predictions of an object prior (method ogl).")],
    out: Annotated[Path, typer.Argument(help="The fused predictions to write.")],
    form: Annotated[Literal["ezvsl", "slavc"], typer.Option(help="Whose way of mixing.")] = "ezvsl",
    alpha: Annotated[float | None, typer.Option(help="Weight of the first; the form's own, if none.")] = None,
) -> None:
    """Object-guided localization: mix two predictions files."""
    from soundspot.methods.fusion import fuse as run
    from soundspot.predictions import Predictions

    run(Predictions.load(maps), Predictions.load(prior), form=form, alpha=alpha).save(out)
    print(out)


def list_(
    what: Annotated[
        Literal["methods", "weights", "benchmarks", "recipes", "protocols", "priors", "spectrograms"],
        typer.Argument(help="Which names."),
    ],
    as_json: Json = False,
) -> None:
    """The known names of a kind."""
    from soundspot.catalogue import catalogue

    print_rows(catalogue(what), as_json)
