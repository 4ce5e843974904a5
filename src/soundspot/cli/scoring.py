"""Verbs that make predictions, score them, and look at data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from soundspot.cli.words import (
    Annotations,
    Device,
    Json,
    Root,
    Split,
    console_of,
    options_of,
    pairs_of,
    print_rows,
)
from soundspot.lookup import find, unknown


def predict(
    weights: Annotated[str, typer.Argument(help="'default', or a weights file.")],
    benchmark: Annotated[str, typer.Argument(help="A name of `soundspot list benchmarks`.")],
    out: Annotated[Path, typer.Option(help="The predictions file to write.")],
    root: Root = None,
    annotations: Annotations = None,
    split: Split = None,
    batch_size: int = 16,
    wrong_sound: Annotated[
        bool, typer.Option(help="Control: give every visible clip a sound of another class.")
    ] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="option=value of the method, in place of its own.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with what an interrupted run left at --out.")] = False,
    device: Device = "cpu",
) -> None:
    """Write a method's raw maps for a benchmark's clips."""
    from soundspot.predict import predict as run
    from soundspot.predict import replace_sounds
    from soundspot.weights import find_weights, load

    pairs = pairs_of(benchmark, annotations, root, split)
    clips = [clip for clip, _ in pairs]
    if wrong_sound:
        clips = replace_sounds([clip for clip, target in pairs if target.kind == "visible"])
    method = load(find_weights(weights), device=device, options=options_of(settings or []))
    made = run(method, clips, batch_size=batch_size, device=device, path=out, resume=resume)
    print(f"{out}\t{len(made.maps)} of {len(clips)} clips, {len(made.missing)} missing")


def score(
    predictions: Annotated[
        list[str], typer.Argument(help="Predictions files, or priors: centre, square, whole, oracle, ...")
    ],
    benchmark: Annotated[str, typer.Option(help="A name of `soundspot list benchmarks`.")] = "samples",
    annotations: Annotations = None,
    root: Root = None,
    protocol: Annotated[
        str | None, typer.Option(help="A name of `soundspot list protocols`; the benchmark's own, if none.")
    ] = None,
    split: Split = None,
    as_json: Json = False,
) -> None:
    """Score maps under a named protocol, beside the floors that never hear, the ceiling and the published rows."""
    from soundspot.benchmarks import BENCHMARKS, PRIORS, PROTOCOLS, prior
    from soundspot.benchmarks import score as run
    from soundspot.benchmarks.report import notes, rich_tables
    from soundspot.predictions import Predictions

    found = find(BENCHMARKS, benchmark, "benchmark")
    rules = find(PROTOCOLS, protocol or found.protocol, "protocol")
    targets = [target for _, target in pairs_of(benchmark, annotations, root, split)]
    place = annotations or root
    without_truth = found.missing(place) if place is not None else []
    results = []
    for name in predictions:
        is_file = Path(name).is_file()
        if not is_file and "." not in name and name not in PRIORS:
            raise unknown(PRIORS, name, "prior")
        maps = Predictions.load(Path(name)) if is_file or name not in PRIORS else prior(name, targets, rules)
        label = Path(name).stem if is_file else name
        results.append(run(maps, targets, rules, name=label, benchmark=benchmark, without_truth=without_truth))
    if as_json:
        texts = [json.loads(result.to_json(records=False)) for result in results]
        print(json.dumps(texts[0] if len(texts) == 1 else texts, indent=1))
        return
    console = console_of()
    for table in rich_tables(results):
        console.print(table)
    for note in notes(results):
        console.print(note, style="dim", markup=False)


def check(
    benchmark: Annotated[str, typer.Argument(help="A name of `soundspot list benchmarks`.")],
    root: Annotated[Path, typer.Argument(help="Folder of its media.")],
    annotations: Annotations = None,
    train_ids: Annotated[Path | None, typer.Option(help="A training list, to look for test clips in.")] = None,
) -> None:
    """Is a data set what it should be: found, missing, unreadable, badly boxed, leaked. Exit 1 if anything is wrong."""
    from soundspot.benchmarks import BENCHMARKS
    from soundspot.data.check import check as run
    from soundspot.data.lists import read_ids

    found = find(BENCHMARKS, benchmark, "benchmark")
    place = annotations or root
    ids = read_ids(train_ids) if train_ids else ()
    report = run(found.load(place, root), train_ids=ids, without_truth=found.missing(place))
    print("\n".join(report.lines()))
    if not report.fine:
        raise typer.Exit(1)


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
