"""The verbs for media of one's own: say what is in a file, and localize a film, a picture beside a sound, a folder."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from soundspot.cli.words import BatchSize, Cluster, Device, Json, Patience
from soundspot.types import UserError

if TYPE_CHECKING:  # `soundspot --help` must not import torch
    from soundspot.cluster.jobs import Workers
    from soundspot.localize.run import Wanted


def localize(
    source: Annotated[
        str,
        typer.Argument(
            help="A film, a picture, a folder of films, or - for a film on stdin; with --cluster a folder of films or a"
            " table of them (.parquet, .csv), at a path or an address such as s3://."
        ),
    ],
    sound: Annotated[Path | None, typer.Argument(help="The sound, where the film has none of its own.")] = None,
    out: Annotated[
        str, typer.Option(help="Folder for the overlay film, timeline.jsonl and the summary picture.")
    ] = "out",
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
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Films of a folder that are looked at at a time; 1, or with --cluster one a core."),
    ] = None,
    cluster: Cluster = None,
    shard_films: Annotated[
        int | None, typer.Option(min=1, help="With --cluster: films of a shard; 1 to 256, by their number, if none.")
    ] = None,
    patience: Patience = 300.0,
    batch_size: BatchSize = 8,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Show where the sound of a film (or of a picture beside a sound) comes from; stopped, it goes on where it was."""
    from typing import cast

    from soundspot.cluster.jobs import Workers
    from soundspot.localize.draw import Show, Style
    from soundspot.localize.run import Wanted, run

    style = Style(cast(Show, show), opacity)
    wanted = Wanted(weights, every, start, end, batch_size, device, film, tuple(export or ()), style)
    if cluster is not None:
        if sound is not None:
            raise UserError(
                f"{source}: expected no sound beside a corpus, got {sound}; name it in a table's column sound"
            )
        _corpus(source, out, wanted, Workers(cluster, jobs), shard_films, patience, as_json)
        return
    place = Path(source)
    if place.is_dir():
        if sound is not None:
            raise UserError(f"{source}: expected no sound beside a folder of films, got {sound}; leave it out")
        _folder(place, Path(out), wanted, jobs or 1, as_json)
        return
    if source == "-":
        with tempfile.TemporaryDirectory(prefix="soundspot-") as folder:
            done = run(_from_stdin(Path(folder)), sound, Path(out), wanted)
    else:
        done = run(place, sound, Path(out), wanted)
    print(json.dumps(done.facts(), indent=1) if as_json else done.text())


def probe(
    files: Annotated[list[Path], typer.Argument(help="Films, sounds and pictures.")],
    as_json: Json = False,
) -> None:
    """What is in a film, a sound or a picture. Exit 1 if some of several files can't be used, 2 if none can."""
    from soundspot.media.facts import facts_of, told

    rows, bad = [], []
    for path in files:
        try:
            rows.append(facts_of(path))
        except UserError as error:
            bad.append(error)
            if len(files) > 1:
                print(f"bad: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        if not as_json:
            print(told(rows[-1]), flush=True)
    if bad and len(files) == 1:
        raise bad[0]
    if as_json and rows:
        print(json.dumps(rows, indent=1))
    if bad:
        raise typer.Exit(1 if rows else 2)


def _from_stdin(folder: Path) -> Path:
    """A film's reader goes back and forth in it, so all of it must lie in a file."""
    path = folder / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    if not path.stat().st_size:
        raise UserError("-: expected a film on stdin, got nothing; pipe one in, or name a file")
    return path


def _folder(folder: Path, out: Path, wanted: Wanted, jobs: int, as_json: bool) -> None:
    """A line a film; those that could not be looked at are named on stderr, and the exit code is then 1."""
    from soundspot.localize.folder import localize_folder

    rows, bad = [], 0
    for each in localize_folder(folder, out, wanted, jobs):
        bad += bool(each.error)
        if each.error:
            print(f"bad: {each.error}", file=sys.stderr)
        elif not as_json:
            print(each.line, flush=True)
        rows.append({"film": str(each.path), **({"error": each.error} if each.error else each.facts)})
    if as_json:
        print(json.dumps(rows, indent=1))
    if bad:
        print(f"{bad} of {len(rows)} films could not be looked at", file=sys.stderr)
        raise typer.Exit(1)


def _corpus(
    source: str,
    out: str,
    wanted: Wanted,
    workers: Workers,
    films_per_shard: int | None,
    patience_seconds: float,
    as_json: bool,
) -> None:
    """One line; films that could not be looked at are named on stderr, and the exit code is then 1."""
    from dataclasses import asdict

    from soundspot.cluster.localizing import localize_corpus

    done = localize_corpus(
        source,
        out,
        wanted,
        workers,
        films_per_shard=films_per_shard,
        patience_seconds=patience_seconds,
        shown=sys.stderr.isatty(),
    )
    for row in done.bad:
        print(f"bad: {row['id']}: {row['reason']}", file=sys.stderr)
    for number, reason in done.unfinished.items():
        print(f"not finished: shard {number}: {reason}; run the same again", file=sys.stderr)
    print(json.dumps(asdict(done), indent=1) if as_json else done.line())
    if done.bad or done.unfinished:
        raise typer.Exit(1)
