"""What the verbs share: words that several take, and how rows are printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from soundspot.lookup import find
from soundspot.types import UserError

if TYPE_CHECKING:  # `soundspot --help` must not import torch
    from soundspot.types import Clip, Target

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Root = Annotated[Path | None, typer.Option(help="Folder of the data set's media.")]
Annotations = Annotated[Path | None, typer.Option(help="The benchmark's annotation file or folder.")]
Split = Annotated[str | None, typer.Option(help="Of a folder with splits: the one to use.")]


def _usable(device: str) -> str:
    """The device, tried; UserError where torch knows none of that name."""
    if device == "cpu":
        return device
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"expected a --device of this machine, got {device!r} ({reason}); use cpu") from None
    return device


Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...", callback=_usable)]


def pairs_of(
    benchmark: str, annotations: Path | None, root: Path | None, split: str | None
) -> list[tuple[Clip, Target]]:
    """A benchmark's clips and truths, from where the user says they lie."""
    from soundspot.benchmarks import BENCHMARKS
    from soundspot.data.folder import read_folder

    found = find(BENCHMARKS, benchmark, "benchmark")
    place = annotations or root
    if place is None:
        raise UserError(
            f"{benchmark}: expected {found.needs}, got nowhere to look; give --annotations (and --root for media)"
        )
    if split is None:
        return found.load(place, root)
    if benchmark != "samples":
        raise UserError(f"{benchmark}: expected no --split, got {split!r}; only folders of samples have splits")
    return read_folder(root or place, split=split)


def options_of(settings: list[str]) -> dict[str, Any]:
    """option=value pairs, the values read as JSON where they are (numbers, true, false), else as text."""
    options: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set: expected option=value, got {setting!r}; for example --set part=learned")
        try:
            options[name] = json.loads(text)
        except json.JSONDecodeError:
            options[name] = text
    return options


def print_rows(rows: list[dict[str, str]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    console_of().print(table)


def console_of() -> Any:
    from rich.console import Console

    # A pipe has no width: wide enough that no number is folded.
    return Console(width=None if sys.stdout.isatty() else 160)
