"""The verb that writes weights in another form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from soundspot.cli.words import Json, options_of


def export(
    weights: Annotated[str, typer.Argument(help="'default', or a weights file of any method.")],
    out: Annotated[Path, typer.Argument(help="File to write; its name ends in .onnx.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Option of the method, as name=value, in place of the saved one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write weights as an ONNX file that onnxruntime runs without torch, and compare its maps with torch's."""
    from soundspot.onnx_export import export as write

    done = write(weights, out, options=options_of(settings or []))
    print(json.dumps(done.facts(), indent=1) if as_json else done.text())
