"""Verbs for media: localize a film, make sample sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from soundspot.cli.words import (
    Device,
    Json,
)
from soundspot.types import UserError


def localize(
    source: Annotated[Path, typer.Argument(help="A film, or a picture.")],
    sound: Annotated[Path | None, typer.Argument(help="The sound, where the film has none of its own.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the overlay film, timeline.jsonl and the summary picture.")
    ] = Path("out"),
    weights: Annotated[str, typer.Option(help="'default', or a weights file of any method.")] = "default",
    every: Annotated[float, typer.Option(help="Seconds between two looks.")] = 0.5,
    film: Annotated[bool, typer.Option(help="Write the overlay film.")] = True,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Show where the sound of a film (or of a picture beside a sound) comes from."""
    from soundspot.localize.run import run

    done = run(source, sound, out, weights=weights, every_seconds=every, with_film=film, device=device)
    print(json.dumps(done.facts(), indent=1) if as_json else done.text())


def samples(
    kind: Annotated[Literal["stamps", "paste", "film"], typer.Argument(help="Which set to make.")],
    root: Annotated[Path, typer.Option(help="New folder to write it to.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder of the packages, or of paste's material.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Where fetched packages are kept.")] = None,
    scenes: Annotated[int, typer.Option(help="stamps: scenes a kind.")] = 300,
    moving: Annotated[bool, typer.Option(help="paste: 3 s films whose sounding object moves with its sound.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
) -> None:
    """Make a sample set that every machine can make again: test scenes, training scenes, or the sample film."""
    from soundspot.samples import film, packages, paste, paste_source, stamps

    kept = cache or packages.default_cache()
    if kind == "stamps":
        made = stamps.build(root, source=source, cache=kept, scenes_per_kind=scenes, seed=seed)
    elif kind == "film":
        made = film.build(root, source=source, cache=kept, seed=seed)
    elif source is None:
        raise UserError(
            "paste: expected its material, got none; give --from FOLDER in the layout of docs/samples/paste.md"
        )
    else:
        tools = packages.melody_tools(kept) if paste_source.needs_melodies(source) else None
        made = paste.build(root, source, seed=seed, moving=moving, packages=tools)
    print(made)
