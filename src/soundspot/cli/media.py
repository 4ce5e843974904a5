"""Verbs for media: localize a film, make sample sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from soundspot.cli.words import BatchSize, Device, Json


def localize(
    source: Annotated[Path, typer.Argument(help="A film, or a picture.")],
    sound: Annotated[Path | None, typer.Argument(help="The sound, where the film has none of its own.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the overlay film, timeline.jsonl and the summary picture.")
    ] = Path("out"),
    weights: Annotated[str, typer.Option(help="'default', or a weights file of any method.")] = "default",
    every: Annotated[float, typer.Option(help="Seconds between two looks.")] = 0.5,
    start: Annotated[float, typer.Option(help="Second of the film to begin at.")] = 0.0,
    end: Annotated[float | None, typer.Option(help="Second of the film to end at; its end, if none.")] = None,
    film: Annotated[bool, typer.Option(help="Write the overlay film.")] = True,
    export: Annotated[
        list[str] | None,
        typer.Option(help="Write more: jsonl, csv, parquet, coco, masks, vtt, edl, html, or all. Again for more."),
    ] = None,
    show: Annotated[str, typer.Option(help="In the overlay film: heat, outline or box.")] = "heat",
    opacity: Annotated[float, typer.Option(help="Of heat in the overlay film, 0 to 1; lines fade below 0.6.")] = 0.6,
    batch_size: BatchSize = 8,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Show where the sound of a film (or of a picture beside a sound) comes from."""
    from typing import cast

    from soundspot.localize.draw import Show, Style
    from soundspot.localize.run import Wanted, run

    style = Style(cast(Show, show), opacity)
    wanted = Wanted(weights, every, start, end, batch_size, device, film, tuple(export or ()), style)
    done = run(source, sound, out, wanted)
    print(json.dumps(done.facts(), indent=1) if as_json else done.text())
