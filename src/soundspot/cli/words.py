"""What the verbs share: words that several take, and how rows are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from soundspot.misread import parse_json
from soundspot.types import UserError

if TYPE_CHECKING:  # `soundspot --help` must not import torch
    from soundspot.types import Clip, Missing, Target

OptionsSet = Annotated[list[str] | None, typer.Option("--set", help="option=value of the method, in place of its own.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Root = Annotated[Path | None, typer.Option(help="Folder of the data set's media.")]
Annotations = Annotated[Path | None, typer.Option(help="The benchmark's annotation file or folder.")]
Negatives = Annotated[
    Path | None, typer.Option(help="Table of clips without a visible source, as `samples negatives` writes, to add.")
]
Ids = Annotated[
    Path | None,
    typer.Option(help="A list of ids, as `check --clean` writes: only these clips, and negatives made of them."),
]
Split = Annotated[str | None, typer.Option(help="Of a folder with splits: the one to use.")]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        help="Processes that read clips ahead; one a core, at most 8, if none is given.",
        show_default=False,
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        help="Work on Ray (extra `cluster`): auto starts it on this machine; or the address of a cluster that runs."
    ),
]
Patience = Annotated[
    float, typer.Option(min=1, help="With --cluster: seconds without progress after which a film is given up.")
]
BatchSize = Annotated[int, typer.Option(min=1, help="Clips that pass the method at a time.")]


def usable_device(device: str) -> str:
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


Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...", callback=usable_device)]


def pairs_of(
    benchmark: str, annotations: Path | None, root: Path | None, split: str | None, negatives: Path | None = None
) -> list[tuple[Clip, Target]]:
    """A benchmark's clips and truths, from where the user says they lie; those of a table of `negatives` after them."""
    from soundspot.benchmarks import find_benchmark
    from soundspot.data.folder import read_folder
    from soundspot.data.sets.extended import read_extended

    found = find_benchmark(benchmark)
    place = annotations or root
    if place is None:
        raise UserError(
            f"{benchmark}: expected {found.needs}, got nowhere to look; give --annotations (and --root for media)"
        )
    if split is not None and benchmark != "samples":
        raise UserError(f"{benchmark}: expected no --split, got {split!r}; only folders of samples have splits")
    pairs = found.load(place, root) if split is None else read_folder(root or place, split=split)
    return pairs if negatives is None else read_extended(pairs, negatives)


def chosen_of(
    benchmark: str,
    annotations: Path | None,
    root: Path | None,
    split: str | None,
    ids: Path | None,
    negatives: Path | None = None,
) -> tuple[list[tuple[Clip, Target]], list[Missing], dict[str, str]]:
    """As `pairs_of`, what the benchmark lists without truth, and what a result says of the list `ids` that chose.

    How many of the negatives the list leaves is told on stderr, too.
    """
    from soundspot.benchmarks import find_benchmark
    from soundspot.data.lists import is_joined, read_clip_list

    pairs = pairs_of(benchmark, annotations, root, split, negatives)
    place = annotations or root
    assert place is not None  # or pairs_of had stopped
    without_truth = find_benchmark(benchmark).missing(place)
    if ids is None:
        return pairs, without_truth, {}
    clip_list = read_clip_list(ids)
    chosen, lost = clip_list.choose(pairs, without_truth)
    says = clip_list.provenance()
    before, after = (sum(is_joined(target) for _, target in some) for some in (pairs, chosen))
    if before:
        says["clip_list_negatives"] = f"{after} of {before}"
        print(f"{clip_list.name}: {after} of {before} negatives are of listed clips", file=sys.stderr)
    return chosen, lost, says


def must_hold_media(benchmark: str, clips: Sequence[Clip], root: Path | None) -> None:
    """UserError where no clip's media can be there: no folder was named, or it does not exist."""
    if root is not None and not root.is_dir():
        raise UserError(f"{root}: expected the folder of {benchmark}'s media, got no such folder; check --root")
    if clips and not any(clip.image or clip.video or clip.audio for clip in clips):
        raise UserError(f"{benchmark}: expected a folder of its media, got nowhere to look; give --root")


def must_hold_any(benchmark: str, read: int, missing: Mapping[str, str]) -> None:
    """UserError where no clip was read: what would be written is empty."""
    if not read:
        got = f"none of {len(missing)} (the first: {next(iter(missing.values()))})" if missing else "none at all"
        raise UserError(f"{benchmark}: expected clips that can be read, got {got}; check --root")


def tell_missing(missing: Mapping[str, str]) -> None:
    """The first reasons, on stderr."""
    for clip_id, reason in list(missing.items())[:3]:
        print(f"missing {clip_id}: {reason}", file=sys.stderr)
    if len(missing) > 3:
        print(f"and {len(missing) - 3} more missing, each with its reason in the file", file=sys.stderr)


def videos_of(root: Path | None, every_seconds: float | None, others: Mapping[str, object]) -> list[Clip]:
    """The clips of the set `videos`, which takes none of the `others`, words of benchmarks by name."""
    from soundspot.data.sets.videos import read_videos

    for word, value in others.items():
        if value:
            raise UserError(f"videos: expected no {word}, got {value}; a folder of films has nothing of the kind")
    if root is None:
        raise UserError("videos: expected a folder of films, got nowhere to look; give --root")
    return read_videos(root, every_seconds=every_seconds)


def options_of(settings: list[str]) -> dict[str, Any]:
    """option=value pairs, the values read as JSON where they are (numbers, true, false), else as text."""
    options: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set: expected option=value, got {setting!r}; for example --set part=learned")
        try:
            options[name] = parse_json(text)
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
