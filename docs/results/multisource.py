"""Several sounds at once: Interference Eraser, its ablations and DSOL beside EZ-VSL, SLAVC and AVOL, three seeds.

    soundspot samples instruments --root SET --from SOURCE
    soundspot samples mixtures --of SET --split calibration --root TUNE/two --kind side_by_side --frames 2 \
        --sounding 2 --ratio-db -10:10 --count 60
    soundspot samples mixtures --of SET --split calibration --root TUNE/three --kind side_by_side --frames 3 \
        --sounding 2 --ratio-db -10:10 --count 60 --seed 1
    soundspot samples mixtures --of SET --split calibration --root TUNE/mosaic --ratio-db -10:10 --count 60
    python docs/results/multisource.py SET TUNE OUT [--only NAME ...] [--seeds 0 1 2] [--threads 2]
    python docs/results/multisource_tables.py OUT

The same frozen encoders (COMMON) for all; what a method adds learns from what they gave, which OUT/features keeps.
Solos train every method; DSOL goes on with 2x2 scenes, Interference Eraser with mixed solos and then with scenes in the
wild. On scenes made of the calibration split clusters get their names, and each run of a method with class maps takes
the pair of HEIGHTS and LEVELS with the best overlap, and the bound from which on a class counts as heard. Makes
OUT/results/NAME_SEED.json and .npz a run; what is there is not made again, so several sittings may share the work.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from multisource_settings import (
    COLUMNS,
    COMMON,
    HEIGHTS,
    LEVELS,
    LIMITS,
    SETTINGS,
    TEST_LIMIT,
    TUNED_BY,
    TUNING,
    VIEWS,
    Setting,
    Stage,
)  # fmt: skip
from study import TestScenes, numbers, write

from soundspot import encoders, weights
from soundspot.benchmarks import PROTOCOLS, prior, score
from soundspot.benchmarks.result import Result
from soundspot.data.features import KeptFeatures
from soundspot.data.folder import read_folder
from soundspot.data.training import TrainingSet
from soundspot.methods import build
from soundspot.methods.base import Method
from soundspot.methods.prototypes import Clustered
from soundspot.metrics.recognition import multi_map, multi_precision, multi_recall, nmi
from soundspot.predictions import Predictions
from soundspot.samples.instruments_source import CLASSES
from soundspot.train.calibrate import best_threshold
from soundspot.train.checkpoint import CURRENT
from soundspot.train.loop import WEIGHTS, train
from soundspot.train.recipe import DataSpec, Option, Recipe
from soundspot.types import Batch

Row = dict[str, Any]
Arrays = dict[str, npt.NDArray[Any]]


class Study:
    """All runs, one after the other; what the encoders gave is shared."""

    def __init__(self, root: Path, tuning: Path, out: Path, limit: int | None) -> None:
        self.root, self.tuning, self.out, self.most = root, tuning, out, limit
        self.made: dict[str, Any] = {}

    def limit(self, part: str) -> int:
        """How many clips of a part are used."""
        return min(LIMITS.get(part, TEST_LIMIT), self.most or 10**9)

    # What the encoders say, kept on disk.

    def _kept(self, name: str, make: Any) -> Any:
        if name not in self.made:
            path = self.out / "features" / f"{name}.pt"
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                torch.save(make(), path.with_suffix(".part"))
                path.with_suffix(".part").replace(path)
            self.made[name] = torch.load(path, weights_only=False)
        return self.made[name]

    def _reader(self) -> Method:
        """Any method with the frozen towers, whose stage asks for the sounds themselves as well."""
        options = {name: _as_path(value) for name, value in COMMON.items()}
        return build("interference_eraser", stage="identifier", **options).eval()

    def training(self, split: str, with_sounds: bool) -> KeptFeatures:
        """The features of a training split, in the order in which the training loop reads it."""

        def make() -> KeptFeatures:
            kinds = ("visible",) if split == "train" else ("visible", "offscreen", "noise", "silent")
            pairs = [pair for pair in read_folder(self.root, split=split) if pair[1].kind in kinds]
            pairs.sort(key=lambda pair: pair[0].id)
            method = self._reader()
            training = TrainingSet(pairs[: self.limit(split)], method.inputs, seed=0)
            with torch.no_grad():
                return KeptFeatures(training, method, "cpu")

        kept: KeptFeatures = copy.copy(self._kept(split, make))
        if not with_sounds:
            kept.features = {name: value for name, value in kept.features.items() if name != "waveform"}
        return kept

    def scenes(self, part: str) -> TestScenes:
        """The scenes of a test split, of the calibration split or of a folder of TUNING with a source in view."""

        def make() -> TestScenes:
            split = "calibration" if part in TUNING else part
            folder = self.tuning / part if part in TUNING else self.root
            pairs = [pair for pair in read_folder(folder, split=split) if pair[1].kind == "visible"]
            found = TestScenes(pairs[: self.limit(part)])
            found.read(self._reader())
            return found

        found: TestScenes = self._kept(part, make)
        return found

    def keep_all(self) -> None:
        """Let the encoders see and hear everything."""
        for split in ("train", "train-synthetic", "train-wild"):
            self.training(split, with_sounds=False)
        for part in ("calibration", *TUNING, *dict.fromkeys(view.part for view in VIEWS.values())):
            self.scenes(part)

    # Runs.

    def result(self, name: str, seed: int) -> Row:
        """The account of a run: read where it is there, else made."""
        path = self.out / "results" / f"{name}_{seed}.json"
        if not path.is_file():
            setting = SETTINGS[name]
            file, stages = self._trained(name, setting, seed)
            start = perf_counter()
            row, arrays = self._measured(file, setting, path.parent.parent / "named" / f"{name}_{seed}.safetensors")
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(path.with_suffix(".npz"), **arrays)
            write(path, {"stages": stages, **row, "testing_seconds": round(perf_counter() - start, 1)})
        read: Row = json.loads(path.read_text())
        return read

    def _trained(self, name: str, setting: Setting, seed: int) -> tuple[Path, list[Row]]:
        init, accounts = None, []
        for stage in setting.stages:
            folder = self.out / "runs" / f"{stage.owner or name}_{seed}" / (stage.name or "whole")
            if not (folder / "account.json").is_file():
                start = perf_counter()
                result = self._train_stage(_recipe(setting, stage, seed), stage, folder, init)
                told = ("steps", "epochs", "clips_used", "clips_listed", "last_losses")
                about = {key: result[key] for key in told} | {"seconds": round(perf_counter() - start, 1)}
                write(folder / "account.json", {"stage": stage.name, **about})
            init = folder / WEIGHTS
            accounts.append(json.loads((folder / "account.json").read_text()))
        assert init is not None
        return init, accounts

    def _train_stage(self, recipe: Recipe, stage: Stage, folder: Path, init: Path | None) -> dict[str, Any]:
        result = train(
            recipe,
            root=self.root,
            out=folder,
            init=init,
            resume=(folder / CURRENT).exists(),
            kept=self.training(stage.split, stage.name == "identifier"),
            limit_clips=self.limit(stage.split),
            progress=False,
        )
        for checkpoint in folder.glob("checkpoint*"):
            checkpoint.unlink()
        return result.summary

    # Measures.

    def _measured(self, file: Path, setting: Setting, named: Path) -> tuple[Row, Arrays]:
        method = weights.load(file, options=_class_options("classes") if setting.clustered else None)
        row: Row = {"scores": {}, "recognition": {}, "torch": torch.__version__}
        if isinstance(method, Clustered):
            method.tune(self._batches(method, "calibration"))
            row["tuned"] = self._choose(method)
            named.parent.mkdir(exist_ok=True)
            weights.save(method, named)
        arrays: Arrays = {}
        for name, view in VIEWS.items():
            loaded = weights.load(named, options=_class_options(view.output)) if setting.clustered else method
            scenes = self.scenes(view.part)
            made = scenes.predictions(loaded)
            result = scenes.score(as_probabilities(made) if setting.method == "avol" else made, view.protocol)
            row["scores"][name] = numbers(result)
            arrays |= {f"{name}/{column}": values for column, values in columns_of(result).items()}
        if isinstance(method, Clustered):
            row["recognition"], heard = self._recognised(method, row["tuned"]["heard_from"])
            arrays |= heard
        return row, arrays

    def _choose(self, method: Any) -> Row:
        """Set how class maps are shared out as does best on TUNING; from what on a class is heard."""
        height = self._height(method)
        tried = {}
        for factor, level in product(HEIGHTS, LEVELS):
            self._set(method, factor / height, level * height)
            rates = [
                numbers(scenes.score(scenes.predictions(method), protocol))[TUNED_BY]
                for scenes, protocol in ((self.scenes(part), protocol) for part, protocol in TUNING.items())
            ]
            tried[f"{factor:g} {level:g}"] = float(np.mean(rates))
        best = max(tried, key=lambda pair: tried[pair])
        factor, level = map(float, best.split())
        self._set(method, factor / height, level * height)
        heard, truth = self.heard(method, list(TUNING))
        seen = [method.clusters_of(batch).numpy() for batch in self._batches(method, "calibration")]
        labels = [clip.labels[0] for stack in self.scenes("calibration").stacks for clip in stack.clips]
        return {
            "map_factor": method.map_factor,
            "nothing": method.nothing,
            "best": best,
            "tried": tried,
            "heard_from": best_threshold(heard.ravel(), truth.ravel()),
            "nmi_of_clusters": nmi(np.concatenate(seen), np.array(labels)),
        }

    def _set(self, method: Any, factor: float, nothing: float) -> None:
        method.map_factor, method.nothing = factor, nothing
        method.options.update(map_factor=factor, nothing=nothing)

    def _height(self, method: Any) -> float:
        """The mean over TUNING of the highest value of any class map before the softmax."""
        found = []
        with torch.no_grad():
            for part in TUNING:
                for batch in self._batches(method, part):
                    found.append(method.raw_class_maps(batch).amax(dim=(1, 2, 3)))
        return max(float(torch.cat(found).mean()), 1e-6)

    def _batches(self, method: Method, part: str) -> Iterator[Batch]:
        return (kept.to_batch(method.inputs, "cpu") for kept in self.scenes(part).stacks)

    def _recognised(self, method: Method, bound: float) -> tuple[Row, Arrays]:
        """NMI of what is heard most in solos; precision, recall and mAP of what is heard in mixtures of two."""
        solo, solo_truth = self.heard(method, ["test-solo"])
        heard, truth = self.heard(method, ["test-duet", "test-synthetic"])
        about = {"nmi": nmi(solo.argmax(axis=1), solo_truth.argmax(axis=1)), "map": multi_map(heard, truth)}
        for name, threshold in (("", 0.5), (" tuned", bound)):
            about[f"precision{name}"] = multi_precision(heard, truth, threshold=threshold)
            about[f"recall{name}"] = multi_recall(heard, truth, threshold=threshold)
        return about, {"solo/heard": solo, "solo/truth": solo_truth, "mixed/heard": heard, "mixed/truth": truth}

    def heard(self, method: Method, parts: Sequence[str]) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """(N, 6) probabilities of CLASSES and which of them sound."""
        values, truth = [], []
        with torch.no_grad():
            for part in parts:
                values += [method.hear(batch).numpy() for batch in self._batches(method, part)]
                truth += [
                    [name in clip.labels for name in CLASSES]
                    for kept in self.scenes(part).stacks
                    for clip in kept.clips
                ]
        return np.concatenate(values), np.array(truth)

    def floors(self) -> None:
        """What never hears, and what never errs: on the protocol's grid, and on that of the maps."""
        for name, grid in (("gaussian", None), ("oracle", None), ("oracle", (10, 10))):
            title = name if grid is None else f"{name}, {grid[0]} x {grid[1]}"
            path = self.out / "results" / f"floor {title}.json"
            if not path.is_file():
                rows = {}
                for view, (part, protocol) in {n: (v.part, v.protocol) for n, v in VIEWS.items()}.items():
                    targets = self.scenes(part).targets
                    made = prior(name, targets, PROTOCOLS[protocol], *([grid] if grid else []))
                    rows[view] = numbers(score(made, targets, protocol, intervals=False, beside=False))
                write(path, {"scores": rows, "recognition": {}})


def _recipe(setting: Setting, stage: Stage, seed: int) -> Recipe:
    named = {"stage": stage.name} if stage.name else {}
    return Recipe(
        f"{setting.method}_{stage.name}",
        setting.method,
        options={**COMMON, **setting.options, **named, **stage.options},
        data=DataSpec(split=stage.split, kinds=("visible",) if stage.split == "train" else ()),
        epochs=stage.epochs,
        batch_size=setting.batch_size,
        learning_rate=stage.rate,
        seed=seed,
        num_workers=0,
        cache="features",
    )


def as_probabilities(made: Predictions) -> Predictions:
    """Of log-odds: a protocol that claims what is above a share of the maximum makes no sense of values below 0."""
    return replace(made, maps={name: torch.from_numpy(odds).sigmoid().numpy() for name, odds in made.maps.items()})


def _class_options(output: str) -> dict[str, Option]:
    return {"output": output, "classes": ";".join(CLASSES)}


def _as_path(value: Option) -> Option:
    """An encoder's name as the path of its weights; any other option as it is."""
    is_name = isinstance(value, str) and value.startswith("encoder:")
    return str(encoders.path(str(value).removeprefix("encoder:"))) if is_name else value


def columns_of(result: Result) -> dict[str, npt.NDArray[np.float64]]:
    """(N,) of each of COLUMNS that the protocol has; NaN where there is nothing to measure."""
    found = {}
    for name in COLUMNS:
        if name in result.records[0]:
            values = [row[name] for row in result.records]
            found[name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("set", "tune", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--only", nargs="+", choices=sorted(SETTINGS), help="run these rows only")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, help="so many clips of every part, to try it out")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    study = Study(given.set, given.tune, given.out, given.limit)
    study.keep_all()
    study.floors()
    for seed in given.seeds:
        for name in given.only or SETTINGS:
            row = study.result(name, seed)
            shown = {view: round(values.get("class_ciou@0.3", 0), 3) for view, values in row["scores"].items()}
            print(name, seed, shown, row.get("tuned", {}).get("map_factor"), row["recognition"], flush=True)


if __name__ == "__main__":
    main()
