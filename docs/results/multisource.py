"""Several sounds at once: Interference Eraser, its ablations and DSOL beside EZ-VSL, SLAVC and AVOL, three seeds.

    soundspot samples instruments --root SET --from SOURCE
    python docs/results/multisource.py SET OUT [--only NAME ...] [--seeds 0 1 2] [--threads 2]

The same frozen encoders (COMMON) for all; what a method adds learns from what they gave. Solos train every method; DSOL
goes on with 2x2 scenes, Interference Eraser with mixed solos and then with unlabelled scenes. Clusters get their names
on the calibration split. Makes OUT/results/NAME_SEED.json a run, and OUT/table.md of all rows whose seeds are there;
what is there is not made again, so several sittings may share the work.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from study import TestScenes, numbers, percent, table, write

from soundspot import weights
from soundspot.benchmarks import PROTOCOLS, prior, score
from soundspot.data.features import KeptFeatures
from soundspot.data.folder import read_folder
from soundspot.data.loader import batches
from soundspot.methods.base import Method
from soundspot.metrics.recognition import multi_map, multi_precision, multi_recall, nmi
from soundspot.recipes.datasets import PASTE_OPTIONS
from soundspot.train.checkpoint import CURRENT
from soundspot.train.loop import WEIGHTS, train
from soundspot.train.recipe import DataSpec, Option, Recipe

Row = dict[str, Any]
COMMON: dict[str, Option] = {
    **PASTE_OPTIONS,
    "trainable": "heads",
    "trainable_audio": "heads",
    "image_size": 320,
    "output_stride": 32,
}
"""Maps of 10 x 10 places."""
PARTS = {
    "test-solo": "dsol_solo",
    "test-duet": "dsol_duet",
    "test-synthetic": "dsol_synthetic",
    "test-wild": "dsol_duet",
}
"""What is tested, each by DSOL's protocol for it; for scenes in the wild that of duets."""
SHOWN = {
    "test-solo": {"ciou@0.5": "IoU@.5", "auc": "AUC"},
    **{part: {"class_ciou@0.3": "CIoU@.3", "class_auc": "AUC", "nsa": "NSA"} for part in list(PARTS)[1:]},
}
RECOGNITION = {"nmi": "NMI", "precision": "precision", "recall": "recall", "map": "mAP"}


@dataclass(frozen=True)
class Stage:
    """One training run of a row: a stage of its method, on a split."""

    name: str
    split: str
    epochs: int
    options: dict[str, Option] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """One row."""

    title: str
    method: str
    stages: tuple[Stage, ...]
    options: dict[str, Option] = field(default_factory=dict)

    @property
    def clustered(self) -> bool:
        """Whether it tells classes apart, by clusters that want names."""
        return self.method in ("dsol", "interference_eraser")


def ier(title: str, **options: Option) -> Setting:
    """A form of Interference Eraser."""
    named = {"clusters": CLUSTERS, **options}
    stages = (
        Stage("prototypes", "train", 21),
        Stage("identifier", "train", 20),
        Stage("referrer", "train-wild", 5),
    )
    return Setting(title, "interference_eraser", stages, named)


CLUSTERS = 12
"""Twice the classes, as DSOL's README advises more than there are."""
SOLO = (Stage("", "train", 20),)
SETTINGS = {
    "ez_vsl": Setting("EZ-VSL", "ez_vsl", SOLO),
    "slavc": Setting("SLAVC", "slavc", SOLO),
    "avol": Setting("AVOL (object-of-sound)", "avol", SOLO),
    "dsol": Setting(
        "DSOL",
        "dsol",
        (Stage("solo", "train", 34), Stage("cocktail", "train-synthetic", 5)),
        {"clusters": CLUSTERS},
    ),
    "ier": ier("Interference Eraser"),
    "ier_no_curriculum": ier("without curriculum", curriculum=False),
    "ier_no_identifier": ier("without identifier", identifier="none"),
}


class Study:
    """All runs, one after the other; what the encoders gave is shared."""

    def __init__(self, root: Path, out: Path, limit: int | None) -> None:
        self.root, self.out, self.limit = root, out, limit
        self.kept: dict[tuple[str, bool], KeptFeatures | None] = {}
        self.scenes: dict[str, TestScenes] = {}

    def kept_scenes(self, part: str) -> TestScenes:
        """The scenes of a part with a source in view."""
        if part not in self.scenes:
            pairs = [pair for pair in read_folder(self.root, split=part) if pair[1].kind == "visible"]
            self.scenes[part] = TestScenes(pairs[: self.limit or len(pairs)])
        return self.scenes[part]

    def result(self, name: str, setting: Setting, seed: int) -> Row:
        """The account of a run: read where it is there, else made."""
        path = self.out / "results" / f"{name}_{seed}.json"
        if not path.is_file():
            start = perf_counter()
            file, row = self._trained(name, setting, seed)
            row["training_seconds"] = round(perf_counter() - start, 1)
            write(path, {**row, **self._measured(file, setting), "torch": torch.__version__})
        read: Row = json.loads(path.read_text())
        return read

    def _trained(self, name: str, setting: Setting, seed: int) -> tuple[Path, Row]:
        init, steps = None, []
        for stage in setting.stages:
            folder = self.out / "runs" / f"{name}_{seed}" / (stage.name or "whole")
            if not (folder / WEIGHTS).is_file():
                result = self._train_stage(self._recipe(setting, stage, seed), stage, folder, init)
                told = ("steps", "epochs", "clips_used", "clips_listed", "last_losses")
                write(folder / "account.json", {key: result[key] for key in told})
            init = folder / WEIGHTS
            steps.append(json.loads((folder / "account.json").read_text()))
        assert init is not None
        return init, {"stages": steps}

    def _recipe(self, setting: Setting, stage: Stage, seed: int) -> Recipe:
        named = {"stage": stage.name} if stage.name else {}
        kinds = ("visible",) if stage.split == "train" else ()
        return Recipe(
            f"{setting.method}_{stage.name}",
            setting.method,
            options={**COMMON, **setting.options, **named, **stage.options},
            data=DataSpec(split=stage.split, kinds=kinds),
            epochs=stage.epochs,
            batch_size=64,
            learning_rate=1e-3 if stage.name not in ("cocktail", "referrer") else 1e-4,
            seed=seed,
            num_workers=0,
            cache="features",
        )

    def _train_stage(self, recipe: Recipe, stage: Stage, folder: Path, init: Path | None) -> dict[str, Any]:
        key = stage.split, stage.name == "identifier"  # there the sounds themselves are kept as well
        if key not in self.kept:
            keep = self.out / "runs" / "keep"
            shutil.rmtree(keep, ignore_errors=True)
            self.kept = {key: train(recipe, root=self.root, out=keep, init=init, max_steps=0, progress=False,
                                    limit_clips=self.limit).kept, **self.kept}  # fmt: skip
        result = train(
            recipe,
            root=self.root,
            out=folder,
            init=init,
            resume=(folder / CURRENT).exists(),
            kept=self.kept[key],
            limit_clips=self.limit,
            progress=False,
        )
        for checkpoint in folder.glob("checkpoint*"):
            checkpoint.unlink()
        return result.summary

    def _measured(self, file: Path, setting: Setting) -> Row:
        method = weights.load(file, options={"output": "classes"} if setting.clustered else None)
        if setting.clustered:
            method.tune(self._calibration(method))
            weights.save(method, file.with_name("named.safetensors"), method.provenance)
            one = weights.load(file.with_name("named.safetensors"), options={"output": "one"})
        scores: Row = {}
        for part, protocol in PARTS.items():
            scenes = self.kept_scenes(part)
            chosen = one if setting.clustered and part == "test-solo" else method
            scores[part] = numbers(scenes.score(scenes.predictions(chosen), protocol))
        recognised = self._recognised(method) if setting.clustered else {}
        return {"scores": scores, "recognition": recognised}

    def _calibration(self, method: Method) -> Any:
        clips = [clip for clip, target in read_folder(self.root, split="calibration") if target.kind == "visible"]
        return (batch for batch, _ in batches(clips, method.inputs, batch_size=50) if batch is not None)

    def _recognised(self, method: Method) -> Row:
        """NMI of clusters on solos; precision, recall and mAP of what is heard in mixtures of two."""
        names = list(method.class_names)
        solo_heard, solo_truth = self._heard(method, ["test-solo"], names)
        heard, truth = self._heard(method, ["test-duet", "test-synthetic"], names)
        return {
            "nmi": nmi(solo_heard.argmax(axis=1), solo_truth.argmax(axis=1)),
            "precision": multi_precision(heard, truth),
            "recall": multi_recall(heard, truth),
            "map": multi_map(heard, truth),
        }

    def _heard(self, method: Method, parts: Sequence[str], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        heard, truth = [], []
        for part in parts:
            scenes = self.kept_scenes(part)
            with torch.no_grad():
                for kept in scenes.stacks:
                    heard.append(method.hear(kept.to_batch(method.inputs, "cpu")).numpy())
                    truth += [[name in clip.labels for name in names] for clip in kept.clips]
        return np.concatenate(heard), np.array(truth)

    def floors(self) -> dict[str, Row]:
        """What never hears, and what never errs."""
        path = self.out / "results" / "floors.json"
        if not path.is_file():
            rows: dict[str, Row] = {}
            for name in ("gaussian", "oracle"):
                rows[name] = {}
                for part, protocol in PARTS.items():
                    targets = self.kept_scenes(part).targets
                    made = prior(name, targets, PROTOCOLS[protocol])
                    rows[name][part] = numbers(score(made, targets, protocol, intervals=False, beside=False))
            write(path, rows)
        read: dict[str, Row] = json.loads(path.read_text())
        return read

    def tables(self, seeds: Sequence[int]) -> str:
        """Markdown: where, by part; then what is heard."""
        places: dict[str, list[str]] = {}
        sounds: dict[str, list[str]] = {}
        lacking = []
        for name, setting in SETTINGS.items():
            paths = [self.out / "results" / f"{name}_{seed}.json" for seed in seeds]
            if not all(path.is_file() for path in paths):
                lacking.append(setting.title)
                continue
            rows = [json.loads(path.read_text()) for path in paths]
            places[setting.title] = cells([row["scores"] for row in rows])
            if rows[0]["recognition"]:
                sounds[setting.title] = [percent([row["recognition"][key] for row in rows]) for key in RECOGNITION]
        for name, row in self.floors().items():
            places[name] = cells([row])
        columns = [f"{part.removeprefix('test-')} {shown}" for part, keys in SHOWN.items() for shown in keys.values()]
        made = [table("where, %", columns, places), table("heard, %", list(RECOGNITION.values()), sounds)]
        return "\n\n".join([*made, *([f"Not run yet: {', '.join(lacking)}."] if lacking else [])]) + "\n"


def cells(runs: Sequence[Mapping[str, Mapping[str, float]]]) -> list[str]:
    return [
        percent([run[part][key] for run in runs]) if key in runs[0][part] else ""
        for part, keys in SHOWN.items()
        for key in keys
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("set", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--only", nargs="+", choices=sorted(SETTINGS), help="run these rows only")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, help="so many clips of every part, to try it out")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    study = Study(given.set, given.out, given.limit)
    for seed in given.seeds:
        for name in given.only or SETTINGS:
            row = study.result(name, SETTINGS[name], seed)
            print(name, seed, *cells([row["scores"]]), row["recognition"], row["training_seconds"], flush=True)
    (given.out / "table.md").write_text(study.tables(given.seeds))


if __name__ == "__main__":
    main()
