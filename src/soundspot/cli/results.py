"""Verbs that turn maps into numbers, and numbers into something to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from soundspot.cli.scene import Scene, Words
from soundspot.cli.words import Annotations, Device, Ids, Json, Negatives, Root, Split, console_of
from soundspot.textfiles import read_json
from soundspot.types import UserError

if TYPE_CHECKING:
    from soundspot.benchmarks import Result
    from soundspot.benchmarks.report.evidence import Evidence

Maps = Annotated[list[str], typer.Argument(help="Predictions files, or priors: centre, square, whole, oracle, ...")]
Results = Annotated[list[str], typer.Argument(help="Predictions files, priors, or results of `score --out`.")]
BenchmarkName = Annotated[str, typer.Option(help="A name of `soundspot list benchmarks`.")]
ProtocolName = Annotated[
    str | None, typer.Option(help="A name of `soundspot list protocols`; the benchmark's own, if none.")
]
Truth = Annotated[
    Literal["boxes", "mask"] | None, typer.Option(help="Boxes or masks where a clip has both; the protocol's, if none.")
]
TrainIds = Annotated[list[Path] | None, typer.Option(help="A training list: how many test clips it holds is shown.")]


def score(
    predictions: Maps,
    benchmark: BenchmarkName = "samples",
    annotations: Annotations = None,
    root: Root = None,
    protocol: ProtocolName = None,
    truth: Truth = None,
    split: Split = None,
    negatives: Negatives = None,
    ids: Ids = None,
    train_ids: TrainIds = None,
    out: Annotated[Path | None, typer.Option(help="Write the whole results here, a row a clip, for `report`.")] = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Score maps under a named protocol, beside the floors that never hear, the ceiling and the published rows."""
    from soundspot.benchmarks.report import notes, rich_tables
    from soundspot.media.files import written_aside

    words = Words(benchmark, annotations, root, protocol, truth, split, negatives, ids, tuple(train_ids or ()))
    results = Scene(words).score(predictions, device)
    if out is not None:
        with written_aside(out) as aside:
            aside.write_text("[" + ",\n".join(result.to_json() for result in results) + "]\n", encoding="utf-8")
    if as_json:
        texts = [json.loads(result.to_json(records=False)) for result in results]
        print(json.dumps(texts[0] if len(texts) == 1 else texts, indent=1))
        return
    console = console_of()
    for table in rich_tables(results, width=console.width):
        console.print(table)
    for note in notes(results):
        console.print(note, style="dim", markup=False)


def report(
    results: Results,
    out: Annotated[Path, typer.Option(help="Folder for report.html and report.md.")] = Path("report"),
    benchmark: BenchmarkName = "samples",
    annotations: Annotations = None,
    root: Root = None,
    protocol: ProtocolName = None,
    truth: Truth = None,
    split: Split = None,
    negatives: Negatives = None,
    ids: Ids = None,
    train_ids: TrainIds = None,
    title: Annotated[str, typer.Option(help="What stands on top.")] = "Results",
    clips: Annotated[int, typer.Option(min=0, help="Clips shown of the best, the worst and random ones each.")] = 6,
    published: Annotated[bool, typer.Option(help="Show what papers print.")] = True,
    device: Device = "cpu",
) -> None:
    """One page and one Markdown file: tables, pairs, protocols, curves, clips to look at and listen to."""
    from soundspot.benchmarks.report.build import build_report

    found: list[Result] = []
    evidence: dict[str, Evidence] = {}
    maps = [name for name in results if not name.endswith(".json")]
    for name in results:
        if name.endswith(".json"):
            found += read_results(Path(name))
    if maps:
        words = Words(benchmark, annotations, root, protocol, truth, split, negatives, ids, tuple(train_ids or ()))
        scene = Scene(words)
        found += scene.score(maps, device)
        evidence[scene.title] = scene.evidence()
    made = build_report(found, evidence, title=title, with_published=published, clips=clips)
    for path in made.write(out):
        print(path)


def read_results(path: Path) -> list[Result]:
    """Results as `score --out` or `score --json` wrote them; UserError for anything else."""
    from soundspot.benchmarks import Result

    if not path.is_file():
        raise UserError(f"{path}: expected results of `score --out`, got no such file; check the path")
    whole = read_json(path, "results of `score --out`", "score again")
    try:
        return [Result.from_json(json.dumps(each)) for each in (whole if isinstance(whole, list) else [whole])]
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
