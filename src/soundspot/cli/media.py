"""Verbs for media: localize a film, make sample sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from soundspot.cli.words import (
    Device,
    Json,
)


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
