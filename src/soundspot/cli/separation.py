"""The verb that lets parts of a picture be heard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from soundspot.cli.words import Device, Json


def separate(
    source: Annotated[Path, typer.Argument(help="A film, or a picture.")],
    weights: Annotated[str, typer.Option(help="A weights file of a method that separates: sound_of_pixels.")],
    sound: Annotated[Path | None, typer.Argument(help="The sound, where the film has none of its own.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for a WAV a region, regions.png and regions.json.")] = Path("out"),
    boxes: Annotated[
        list[str] | None,
        typer.Option("--box", help="x0,y0,x1,y1 as shares of the picture; again for more. None: where it sounds."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Regions that are looked for where no box is given.")] = 4,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Write what each region of a film (or of a picture beside a sound) sounds like."""
    from soundspot.localize.seen_square import box_of
    from soundspot.localize.separate import run

    given = [box_of(text) for text in boxes or ()]
    done = run(source, sound, out, weights=weights, boxes=given, most=most, device=device)
    print(json.dumps(done.facts(), indent=1) if as_json else done.text())
