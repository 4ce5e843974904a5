"""SLAVC against EZ-VSL on `paste`, as in SLAVC's tables 2, 3 and 4 (arXiv 2209.09634) and EZ-VSL's of matchings.

    python docs/results/slavc_vs_ezvsl.py PASTE OUT [--epochs 10] [--seeds 0 1 2] [--threads 2]

PASTE is what `soundspot samples paste` wrote. Every clip passes the frozen stages once; all runs share what they gave.
Makes OUT/results/RUN.json a run, OUT/table.md and OUT/curve.png; a run whose JSON is there is not made again.

SLAVC's teachers are shown at two momenta. The paper's 0.999 forgets over 1,000 steps, 1/22 of its run of 22,500. In a
run of some 200 steps such a teacher never leaves its start; 0.9, one of table 4c's values, keeps the paper's share.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from PIL import Image, ImageDraw
from study import TestScenes, percent, table, write

from soundspot import weights
from soundspot.data.features import KeptFeatures
from soundspot.data.folder import read_folder
from soundspot.methods.base import Method
from soundspot.predictions import Predictions
from soundspot.recipes import recipe
from soundspot.train.allocation import keep_freed_memory
from soundspot.train.checkpoint import CURRENT
from soundspot.train.loop import WEIGHTS, train
from soundspot.train.recipe import recipe_json
from soundspot.train.validate import Curve

Row = dict[str, Any]
Options = dict[str, int | float | str | bool]
WATCHED = "ciou_adaptive@0.5"
GAPS = (WATCHED, "ap@0.5")
SHOWN = [("strict", name) for name in (WATCHED, "ciou@0.5", "pointing", "ap@0.5", "max_f1@0.5")]
SHOWN += [("slavc", name) for name in ("ap@0.5", "max_f1@0.5")]
"""Protocol and metric; AP and max-F1 are over scenes of all kinds."""


@dataclass(frozen=True)
class Setting:
    title: str
    paper: str
    options: Options = field(default_factory=dict)
    part_of: str = ""  # another setting, whose weights these options are shown with: nothing is trained


def _slavc(title: str, momentum: float = 0.9, **options: int | float | str | bool) -> Setting:
    return Setting(f"SLAVC, {title}", "slavc", {"momentum_image": momentum, "momentum_audio": momentum, **options})


MAIN = {
    "ez_vsl": Setting("EZ-VSL", "ez_vsl"),
    "slavc_code": _slavc("code, momentum 0.9"),
    "slavc_paper": _slavc("paper, momentum 0.9", variant="paper"),
}
RERUNS = {
    "ez_vsl": Setting("EZ-VSL, max_sim", "ez_vsl"),
    "ez_avg_sim": Setting("EZ-VSL, avg_sim", "ez_vsl", {"matching": "avg_sim"}),
    "ez_max_feature": Setting("EZ-VSL, max_feature", "ez_vsl", {"matching": "max_feature"}),
    "slavc_code": _slavc("code: image dropout 0.9, audio dropout 0, momentum 0.9, both spaces shown"),
    "dropout_image_0": _slavc("4a: image dropout 0", dropout_image=0.0),
    "dropout_image_50": _slavc("4a: image dropout 0.5", dropout_image=0.5),
    "dropout_image_75": _slavc("4a: image dropout 0.75", dropout_image=0.75),
    "dropout_image_95": _slavc("4a: image dropout 0.95", dropout_image=0.95),
    "dropout_audio_50": _slavc("4b: audio dropout 0.5", dropout_audio=0.5),
    "dropout_audio_75": _slavc("4b: audio dropout 0.75", dropout_audio=0.75),
    "dropout_audio_90": _slavc("4b: audio dropout 0.9", dropout_audio=0.9),
    "dropout_audio_95": _slavc("4b: audio dropout 0.95", dropout_audio=0.95),
    "momentum_0": _slavc("4c: momentum 0", 0.0),
    "momentum_99": _slavc("4c: momentum 0.99", 0.99),
    "momentum_995": _slavc("4c: momentum 0.995", 0.995),
    "slavc_code_999": _slavc("4c: momentum 0.999", 0.999),
    "slavc_paper_999": _slavc("paper's equations, momentum 0.999", 0.999, variant="paper"),
    "undivided": _slavc("4d: no decomposition, AVLoc", decomposition=False, inference="avloc"),
    "undivided_still": _slavc(
        "no decomposition, momentum 0: EZ-VSL with dropout", 0.0, decomposition=False, inference="avloc"
    ),
    "shown_avloc": Setting("SLAVC, 4d: AVLoc shown", "slavc", {"inference": "avloc"}, part_of="slavc_code"),
    "shown_avc": Setting("SLAVC, 4d: AVC shown", "slavc", {"inference": "avc"}, part_of="slavc_code"),
}
"""One seed each; a name that MAIN has too is the same run."""


def scores_of(scenes: TestScenes, predictions: Predictions, protocol: str) -> dict[str, float]:
    """What SHOWN names of a protocol."""
    result = scenes.score(predictions, protocol)
    return {name: result.summary[name].value for rules, name in SHOWN if rules == protocol}


@dataclass(frozen=True)
class KeptCurve(Curve):
    """A curve over scenes that are kept as features."""

    scenes: TestScenes

    def after_epoch(self, method: Method, batch_size: int, device: torch.device, num_workers: int) -> dict[str, float]:
        return dict(self.score(self.scenes.predictions(method), ()))


class Study:
    """All runs, one after the other, sharing kept features."""

    def __init__(self, root: Path, out: Path, epochs: int, limit: int | None) -> None:
        self.root, self.out, self.epochs, self.limit = root, out, epochs, limit
        pairs = read_folder(root, split="test")
        self.scenes = TestScenes(pairs if limit is None else pairs[:: max(1, len(pairs) // limit)])
        self.kept: KeptFeatures | None = None

    def result(self, name: str, setting: Setting, seed: int) -> Row:
        """The account of a run: read where it is there, else made."""
        path = self.out / "results" / f"{name}_{seed}.json"
        if not path.is_file():
            start = perf_counter()
            folder = self.out / "runs" / f"{setting.part_of or name}_{seed}"
            row = {} if setting.part_of else self._train(folder, setting, seed)
            method = weights.load(folder / WEIGHTS, options=setting.options if setting.part_of else None)
            made = self.scenes.predictions(method)
            row["scores"] = {protocol: scores_of(self.scenes, made, protocol) for protocol in ("strict", "slavc")}
            row |= {"epochs": self.epochs, "missing": self.scenes.missing, "seconds": round(perf_counter() - start, 1)}
            write(path, row)
        read: Row = json.loads(path.read_text())
        if read["epochs"] != self.epochs:
            raise SystemExit(f"expected {path} after {self.epochs} epochs, got {read['epochs']}; choose another OUT")
        return read

    def _train(self, folder: Path, setting: Setting, seed: int) -> Row:
        base = recipe(f"{setting.paper}_paste")
        built = replace(base, options={**base.options, **setting.options}, epochs=self.epochs, seed=seed, num_workers=0)
        curve = KeptCurve("paste", (), lambda made, _: scores_of(self.scenes, made, "strict"), WATCHED, self.scenes)
        begun = (folder / CURRENT).exists()
        result = train(
            built, root=self.root, out=folder, resume=begun, curve=curve, kept=self.kept, limit_clips=self.limit
        )
        self.kept = result.kept
        for checkpoint in folder.glob("checkpoint*"):
            checkpoint.unlink()  # with Adam's moments, three times the weights
        return {"recipe": recipe_json(built), "curve": json.loads((folder / "curve.json").read_text())["epochs"]}


def scored_cells(runs: Sequence[Row]) -> list[str]:
    return [percent([run["scores"][protocol][metric] for run in runs]) for protocol, metric in SHOWN]


def curves_of(runs: Sequence[Row], metric: str) -> list[list[float]]:
    return [[epoch[metric] for epoch in run["curve"]] for run in runs]


def gap_cells(runs: Sequence[Row]) -> list[str]:
    """Best on test, last, and their gap (table 2), of each of GAPS."""
    cells = []
    for metric in GAPS:
        curves = curves_of(runs, metric)
        best, last = [max(curve) for curve in curves], [curve[-1] for curve in curves]
        cells += [percent(best), percent(last), percent([high - end for high, end in zip(best, last, strict=True)])]
    return cells


def draw_curves(path: Path, curves: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """A colour a setting, a line a seed."""
    left, top, right, bottom = 60, 20, 630, 380
    highest = max(0.1, *(value for lines in curves.values() for line in lines for value in line)) * 1.1
    epochs = max(len(line) for lines in curves.values() for line in lines)
    pen = ImageDraw.Draw(picture := Image.new("RGB", (900, 420), "white"))
    for tick in (0, 0.2, 0.4, 0.6, 0.8, 1):
        pen.line([(left, bottom - (bottom - top) * tick), (right, bottom - (bottom - top) * tick)], fill="#dddddd")
        pen.text((15, bottom - (bottom - top) * tick - 6), f"{100 * highest * tick:.1f} %", fill="black")
    step = (right - left) / max(1, epochs - 1)
    for epoch in range(0, epochs, max(1, epochs // 12)):
        pen.text((left + epoch * step - 3, bottom + 8), str(epoch + 1), fill="black")
    pen.text((left, bottom + 22), f"epoch; {WATCHED} on the test scenes", fill="black")
    colours = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e")
    for number, (colour, (title, lines)) in enumerate(zip(colours, curves.items(), strict=False)):
        for line in lines:
            places = [(left + i * step, bottom - (bottom - top) * value / highest) for i, value in enumerate(line)]
            pen.line(places, fill=colour, width=2)
        pen.text((right + 15, top + 18 * number), title, fill=colour)
    picture.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("paste", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, help="so many training clips and about so many test scenes, to try it out")
    given = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(given.threads)
    study = Study(given.paste, given.out, given.epochs, given.limit)
    main_runs = {row.title: [study.result(name, row, seed) for seed in given.seeds] for name, row in MAIN.items()}
    reruns = {row.title: [study.result(name, row, given.seeds[0])] for name, row in RERUNS.items()}
    shown = [f"{metric} ({protocol})" for protocol, metric in SHOWN]
    gaps = [f"{metric}: {what}" for metric in GAPS for what in ("best on test", "last", "gap")]
    tables = [
        table("%, last epoch", shown, {title: scored_cells(runs) for title, runs in main_runs.items()}),
        table("%, over epochs", gaps, {title: gap_cells(runs) for title, runs in main_runs.items()}),
        table("%, one seed", shown, {title: scored_cells(runs) for title, runs in reruns.items()}),
    ]
    (given.out / "table.md").write_text("\n\n".join(tables) + "\n")
    draw_curves(given.out / "curve.png", {title: curves_of(runs, WATCHED) for title, runs in main_runs.items()})


if __name__ == "__main__":
    main()
