"""The verb that makes results again from what their file names, and compares."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from soundspot.cli.results import read_results
from soundspot.cli.scene import Scene, Words
from soundspot.cli.words import Json, usable_device
from soundspot.misread import why
from soundspot.types import UserError

if TYPE_CHECKING:
    from soundspot.benchmarks import Result
    from soundspot.benchmarks.verify import Check
    from soundspot.cli.remaking import Run
    from soundspot.predictions import Predictions

Moved = Annotated[Path | None, typer.Option(help="Where that lies now, if it has moved.")]


def verify(
    result: Annotated[Path, typer.Argument(help="Results, as `score --out` or `score --json` writes them.")],
    root: Annotated[Path | None, typer.Option(help="The media's folder, if it has moved.")] = None,
    annotations: Annotated[Path | None, typer.Option(help="The annotations, if they have moved.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="The predictions file, if it has moved; of several, their folder.")
    ] = None,
    negatives: Annotated[Path | None, typer.Option(help="The table of negatives, if it has moved.")] = None,
    ids: Annotated[Path | None, typer.Option(help="The list of ids, if it has moved.")] = None,
    predict: Annotated[
        bool, typer.Option("--predict", help="Make the predictions anew too, from the weights and the clips.")
    ] = False,
    weights: Annotated[str | None, typer.Option(help="With --predict: the weights file, if it has moved.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="With --predict: clips at a time; as it was, if none.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="With --predict: processes that read; as it was, if none.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; as it was, if none.")] = None,
    as_json: Json = False,
) -> None:
    """Make results again from what their file names, and compare each number; exit 1 where something differs."""
    from soundspot.benchmarks.verify import exit_code
    from soundspot.cli.remaking import Run

    if not predict and (weights, batch_size, workers) != (None, None, None):
        raise UserError("expected --predict beside --weights, --batch-size or --workers, got none; add it")
    given = {"root": root, "annotations": annotations, "negatives": negatives, "ids": ids}
    results = read_results(result)
    if not results:
        raise UserError(f"{result}: expected results, got an empty list; score again")
    origins = [_origin(each, result) for each in results]
    for name, place in given.items():
        if place is not None and not any(name in origin.places() for origin in origins):
            raise UserError(f"{result}: expected no --{name}, got {place}; the results were made without one")
    if predictions is not None and predictions.is_file() and sum("file" in origin.maps for origin in origins) > 1:
        raise UserError(f"{predictions}: expected a folder for the files of several results, got a file; name theirs")
    verifier = _Verifier(result.parent, given, predictions, Run(weights, batch_size, workers, device), predict)
    checked = [verifier.checks(each, origin) for each, origin in zip(results, origins, strict=True)]
    code = exit_code([check for checks in checked for check in checks])
    _print(results, checked, code, as_json)
    if code:
        raise typer.Exit(code)


@dataclass(frozen=True)
class _Origin:
    """What a result keeps of how it was made."""

    words: Words
    device: str
    files: Mapping[str, Mapping[str, Any]]
    truth_sha256: str
    maps: Mapping[str, Any]
    versions: Mapping[str, str]

    def places(self) -> set[str]:
        """The options whose paths are kept, of `score` and of `predict`."""
        predicted = self.maps.get("made", {}).get("words")
        kept = [self.words.plain(), predicted if isinstance(predicted, dict) else {}]
        return {name for words in kept for name, value in words.items() if value}


def _origin(result: Result, path: Path) -> _Origin:
    """Taken from a result; UserError where it keeps none, or not all."""
    again = result.provenance.get("again") if isinstance(result.provenance, dict) else None
    if again is None:
        raise UserError(
            f"{path}: expected a result that keeps the words it was made with, got {result.name} without `again` in its"
            " provenance, as older versions and Python's `score` leave it; score again with `soundspot score --out`"
        )
    try:
        maps = again["maps"]
        prior = None if "file" in maps else str(maps["prior"])
        named = {"prior": prior} if prior else {"file": {**maps["file"]}, "made": {**maps["made"]}}
        for entry in (*again["files"].values(), *([named["file"]] if "file" in named else [])):
            Path(entry["path"]), entry["sha256"][:12], {**entry.get("files", {})}
        for row in result.records:
            row.keys()
        words = Words.of(again["words"])
        return _Origin(words, str(again["device"]), again["files"], again["truth_sha256"], named, {**again["versions"]})
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: expected all that makes {result.name} again, got {why(error)}; score again"
        ) from error


@dataclass
class _Verifier:
    """What the command says of where things lie now, and the scenes read so far."""

    beside: Path
    """The folder of the results file: things that moved together with it are found there."""
    given: Mapping[str, Path | None]
    predictions: Path | None
    run: Run
    predict: bool

    def __post_init__(self) -> None:
        self._scenes: dict[Words, Scene] = {}

    def checks(self, result: Result, origin: _Origin) -> list[Check]:
        """All that can be said of one result."""
        from soundspot.benchmarks.origin import SCORING, truth_sha256, versions
        from soundspot.benchmarks.verify import Check, compare_results, compare_versions

        words = origin.words.moved(self._place)
        checks = [compare_versions(origin.versions, versions(SCORING)), *self._files(origin, words)]
        with tempfile.TemporaryDirectory(prefix="soundspot-verify-") as folder:
            maps, more = self._maps(origin, Path(folder) / "again.safetensors")
            checks += more
            try:
                if words not in self._scenes:
                    self._scenes[words] = Scene(words)
                scene = self._scenes[words]
                same = truth_sha256(scene.targets) == origin.truth_sha256
                said = f"{len(scene.targets)} clips" if same else "boxes, masks, kinds or clips are not what they were"
                checks.append(Check("truth as read", "ok" if same else "differs", said))
                if maps is None and "prior" not in origin.maps:
                    return [*checks, Check("numbers", "cannot be checked", "no maps to score")]
                maps = scene.prior(origin.maps["prior"]) if maps is None else maps
                again = scene.score_one(maps, result.name, usable_device(self.run.device or origin.device))
            except UserError as error:
                return [*checks, Check("numbers", "cannot be checked", str(error))]
            return [*checks, *compare_results(result, again)]

    def _place(self, name: str, path: Path | None) -> Path | None:
        """Where that lies now: where the option says, where it lay, or of the same name beside the results."""
        if path is None or path.exists() or self.given.get(name):
            return path and (self.given.get(name) or path)
        return self.beside / path.name if (self.beside / path.name).exists() else path

    def _files(self, origin: _Origin, words: Words) -> list[Check]:
        from soundspot.benchmarks.verify import Check, compare_file

        now = words.files()
        checks = [
            check
            for name, recorded in origin.files.items()
            for check in compare_file(name, recorded, now.get(name, Path(recorded["path"])))
        ]
        if words.root is not None and words.root != now.get("annotations") and not words.root.is_dir():
            # numbers need no media where the annotations lie elsewhere
            state = "cannot be checked" if self.predict else "noted"
            checks.append(Check("root", state, f"{words.root} is missing"))  # type: ignore[arg-type]
        return checks

    def _maps(self, origin: _Origin, out: Path) -> tuple[Predictions | None, list[Check]]:
        """The predictions to score, if there are any: those of the file, or where it is gone those made anew."""
        from soundspot.benchmarks.verify import Check, compare_file, compare_origin, compare_predictions
        from soundspot.predictions import Predictions

        if "prior" in origin.maps:
            return None, []
        recorded = origin.maps["file"]
        place = self._predictions_file(Path(recorded["path"]))
        anew, checks = self._anew(origin.maps["made"], out)
        if not place.is_file():
            if anew is not None:
                return anew, [Check("predictions", "noted", f"{place} is missing: maps made anew are scored"), *checks]
            return None, [Check("predictions", "cannot be checked", f"{place} is missing"), *checks]
        checks = [*compare_file("predictions", recorded, place), *checks]
        try:
            there = Predictions.load(place)
        except UserError as error:
            return None, [*checks, Check("predictions", "cannot be checked", str(error))]
        if anew is not None:
            checks += [*compare_origin(there.provenance, anew.provenance), *compare_predictions(there, anew)]
        return there, checks

    def _predictions_file(self, recorded: Path) -> Path:
        if self.predictions is None:
            return self._place("predictions", recorded) or recorded
        return self.predictions / recorded.name if self.predictions.is_dir() else self.predictions

    def _anew(self, plain: Mapping[str, Any], out: Path) -> tuple[Predictions | None, list[Check]]:
        """Predictions made once more, where that was asked for."""
        from soundspot.benchmarks.verify import Check
        from soundspot.cli.remaking import Made, remake

        if not self.predict:
            return None, []
        try:
            made = Made.of(plain)
        except UserError as error:
            return None, [Check("predict", "cannot be checked", str(error))]
        return remake(replace(made, making=made.making.moved(self._place)), self.run, out)


def _print(results: list[Result], checked: list[list[Check]], code: int, as_json: bool) -> None:
    """A line a check and one at the end, or JSON."""
    if as_json:
        rows = [
            {
                "name": result.name,
                "benchmark": result.benchmark,
                "protocol": result.protocol,
                "checks": [asdict(check) for check in checks],
            }
            for result, checks in zip(results, checked, strict=True)
        ]
        print(json.dumps({"equal": code == 0, "exit": code, "results": rows}, indent=1, ensure_ascii=False))
        return
    for result, checks in zip(results, checked, strict=True):
        for check in checks:
            print(f"{result.name}: {check.line}" if len(results) > 1 else check.line)
    states = [check.state for checks in checked for check in checks]
    counts = f"{states.count('differs')} differ, {states.count('cannot be checked')} cannot be checked"
    print("all equal" if code == 0 else f"{counts}, of {len(states)} checks")
