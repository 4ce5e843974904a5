"""Verbs that turn maps into numbers, and numbers into something to read."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from soundspot.cli.words import Annotations, Device, Ids, Json, Negatives, Root, Split, chosen_of, console_of
from soundspot.lookup import find, unknown
from soundspot.textfiles import read_json
from soundspot.types import UserError

if TYPE_CHECKING:
    from soundspot.benchmarks import Protocol, Result
    from soundspot.benchmarks.report.evidence import Evidence
    from soundspot.predictions import Predictions
    from soundspot.types import Clip, Missing, Target

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

    scene = _Scene(benchmark, annotations, root, protocol, truth, split, negatives, ids, train_ids)
    results = scene.score(predictions, device)
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
        scene = _Scene(benchmark, annotations, root, protocol, truth, split, negatives, ids, train_ids)
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


def labels_of(names: Sequence[str]) -> dict[str, str]:
    """What tables call each: a prior by its name, a file by its stem, with its folders where stems are the same.

    UserError where a file or a prior is named twice.
    """
    places = {name: Path(name).resolve() if Path(name).is_file() else Path(name) for name in names}
    for number, name in enumerate(names):
        if places[name] in [places[other] for other in names[:number]]:
            raise UserError(f"expected each predictions file or prior once, got {name} again; leave it out")
    return {name: _label(place, set(places.values()) - {place}) for name, place in places.items()}


def _label(place: Path, others: Collection[Path]) -> str:
    """The fewest last parts of a path that tell it from the others."""
    if not place.is_absolute():
        return str(place)
    for depth in range(1, len(place.parts)):
        parts = place.with_suffix("").parts[-depth:]
        if all(other.with_suffix("").parts[-depth:] != parts for other in others):
            return "/".join(parts)
    return "/".join(place.parts[-2:])  # files that differ in their ending alone


class _Scene:
    """A benchmark as the words of the command name it, and the predictions scored on it."""

    def __init__(
        self,
        benchmark: str,
        annotations: Path | None,
        root: Path | None,
        protocol: str | None,
        truth: Literal["boxes", "mask"] | None,
        split: str | None,
        negatives: Path | None,
        ids: Path | None,
        train_ids: list[Path] | None,
    ) -> None:
        from soundspot.benchmarks import PROTOCOLS, find_benchmark
        from soundspot.data.lists import read_ids

        found = find_benchmark(benchmark)
        self.floors = found.floors
        rules = find(PROTOCOLS, protocol or found.protocol, "protocol")
        self.rules: Protocol = rules
        if truth is not None and truth != rules.truth:
            self.rules = replace(rules, truth=truth, name=f"{rules.name}, {truth}")
        chosen = chosen_of(benchmark, annotations, root, split, ids, negatives)
        self.pairs: list[tuple[Clip, Target]] = chosen[0]
        self.without_truth: list[Missing] = chosen[1]
        self.clip_list: dict[str, str] = chosen[2]
        self.train_ids = {path.name: read_ids(path) for path in train_ids or ()}
        # published rows are of the benchmark as it is, so that an extended or a shortened one has another name
        title = benchmark if negatives is None else f"{benchmark} with {negatives.stem}"
        self.title = title if ids is None else f"{title}, clips of {ids.name}"
        self.predictions: dict[str, Predictions] = {}

    def score(self, names: Sequence[str], device: str) -> list[Result]:
        """The results of predictions files and priors."""
        return [self._score(name, label, device) for name, label in labels_of(names).items()]

    def _score(self, name: str, label: str, device: str) -> Result:
        from soundspot.benchmarks import score as run

        targets = [target for _, target in self.pairs]
        self.predictions[label] = self._maps(name, targets)
        result = run(
            self.predictions[label],
            targets,
            self.rules,
            name=label,
            benchmark=self.title,
            without_truth=self.without_truth,
            floors=self.floors,
            device=device,
            train_ids=self.train_ids,
        )
        return replace(result, provenance={**result.provenance, **self.clip_list})

    def _maps(self, name: str, targets: list[Target]) -> Predictions:
        from soundspot.benchmarks import PRIORS, prior
        from soundspot.predictions import Predictions

        is_file = Path(name).is_file()
        if not is_file and "." not in name and name not in PRIORS:
            raise unknown(PRIORS, name, "prior")
        return Predictions.load(Path(name)) if is_file or name not in PRIORS else prior(name, targets, self.rules)

    def evidence(self) -> Evidence:
        """What the report shows of it."""
        from soundspot.benchmarks.report.evidence import Evidence

        return Evidence(self.pairs, self.predictions, self.rules)
