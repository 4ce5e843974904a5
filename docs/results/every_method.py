"""Every trainable method on sample scenes: the same frozen encoders and budget, three seeds, beside floors and ceiling.

    soundspot samples paste --from SOURCE --root PASTE
    soundspot neighbours PASTE --out PASTE/neighbours --recipe hard_pos_paste --k 30
    soundspot samples paste --from SOURCE --root FILMS --moving
    python docs/results/every_method.py PASTE FILMS OUT [--only NAME ...] [--seeds 0 1 2] [--threads 2]

On a GPU, all in one command: `... --device cuda --workers 14 --seeds 0`.

Each setting's `_paste` recipe with COMMON in place of its own options: both encoders stay as fetched, every clip passes
them once, and what a method adds learns from what they gave. Of RATES each setting takes the one that points best on
the calibration split with seed 0. Makes OUT/results/NAME_SEED.json a run, and OUT/table.md of all settings whose seeds
are there; what is there is not made again, so several sittings may share the work.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from study import TestScenes, numbers, percent, table, write

from soundspot import weights
from soundspot.benchmarks import PROTOCOLS, prior, score
from soundspot.data.features import KeptFeatures
from soundspot.data.folder import read_folder
from soundspot.metrics.detection import auroc
from soundspot.predict import predict
from soundspot.predictions import Predictions
from soundspot.recipes import recipe
from soundspot.train.allocation import keep_freed_memory
from soundspot.train.checkpoint import CURRENT
from soundspot.train.loop import WEIGHTS, train
from soundspot.train.recipe import Recipe, recipe_json
from soundspot.types import Clip, Target

Row = dict[str, Any]
Options = dict[str, int | float | str | bool]
COMMON: Options = {"trainable": "heads", "trainable_audio": "heads", "image_size": 320, "output_stride": 32}
"""Maps of 10 x 10 places."""
CLIPS = 2500 * 6
"""Clips that a run sees: 6 times the training scenes of PASTE."""
RATES = (1e-4, 3e-4, 1e-3)
CHOSEN_BY = "pointing"
LEARNED = 400
"""Training scenes on which is measured how well a method knows them."""
SHOWN = {
    "ciou_adaptive@0.5": "cIoU adap.",
    "pointing": "pointing",
    "iiou_adaptive@0.5": "IIoU adap.",
    "auroc/offscreen": "AUROC off-screen",
}
WRONG = {"ciou_adaptive@0.5": "wrong sound: cIoU adap.", "pointing": "wrong sound: pointing"}
KNOWS = {"knows_own_sound/train": "own sound, train", "knows_own_sound/test": "own sound, test"}


@dataclass(frozen=True)
class Setting:
    """One row: a recipe, what it changes beyond COMMON, and with whom it shares what the encoders gave."""

    title: str
    recipe: str
    options: Options = field(default_factory=dict)
    family: str = "pictures"
    first_stage: str = ""
    """A recipe that has the first half of the clips."""
    clips: int = CLIPS
    """Fewer, marked *, where a run would take longer than two minutes: fewer epochs, at last fewer scenes."""

    @property
    def films(self) -> bool:
        """Whether it is trained and tested on FILMS."""
        return self.family in FILM_FAMILIES


FILM_FAMILIES = ("still", "flow", "frames")
TEST_FAMILIES = {"sspl": "segments", "sspl_coding": "small segments", **{name: name for name in FILM_FAMILIES}}
"""Families whose test scenes are not kept as those of all others are."""
WINDOW: Options = {"window": "centre"}

SETTINGS = {
    "ez_vsl": Setting("EZ-VSL", "ez_vsl_paste"),
    "slavc": Setting("SLAVC", "slavc_paste"),
    "fnac": Setting("FNAC", "fnac_paste"),
    "margin_nce": Setting("MarginNCE", "margin_nce_paste"),
    "lvs": Setting("LVS", "lvs_paste", WINDOW),
    "rcgrad": Setting("RCGrad", "rcgrad_paste"),
    "attention10k": Setting("Attention10k", "attention10k_paste"),
    "dmc": Setting("DMC", "dmc_paste"),
    "avol": Setting("AVOL", "avol_paste"),
    "lcbm": Setting("LCBM (labels)", "lcbm_paste"),
    "coarse_to_fine": Setting(
        "CoarseToFine (labels)", "coarse_to_fine_paste", first_stage="coarse_to_fine_paste_coarse"
    ),
    "sspl": Setting("SSPL without coding", "sspl_paste", {"predictive_coding": False, "dim": 0}, "sspl"),
    "sspl_coding": Setting("SSPL *", "sspl_paste", {"image_size": 160}, "sspl_coding", clips=CLIPS // 6),
    "hard_pos": Setting("HardPos", "hard_pos_paste", WINDOW, "hard_pos"),
    "ssl_tie": Setting("SSL-TIE", "ssl_tie_paste", WINDOW, "ssl_tie"),
    "ssl_align": Setting("SSLalign *", "ssl_align_paste", {}, "ssl_align", clips=CLIPS // 2),
    "lvs_films": Setting("LVS (no motion)", "lvs_paste", WINDOW, "still"),
    "hear_the_flow": Setting("HearTheFlow", "hear_the_flow_paste", {}, "flow"),
    "avobject": Setting("AVObject *", "avobject_paste", {"image_size": 160}, "frames", clips=CLIPS // 15),
}


class Study:
    """All runs, one after the other; what the encoders gave is shared within a family."""

    def __init__(self, roots: Mapping[bool, Path], out: Path, limit: int | None, device: str, workers: int) -> None:
        self.roots, self.out, self.limit = roots, out, limit
        self.device, self.workers = device, workers
        self.kept: dict[str, KeptFeatures | None] = {}
        self.scenes: dict[tuple[str, str], TestScenes] = {}

    def pairs(self, films: bool, split: str) -> list[tuple[Clip, Target]]:
        """The scenes of a split, fewer under `limit`; of the training split some with a source in view."""
        pairs = read_folder(self.roots[films], split=split)
        if split == "train":
            pairs = [pair for pair in pairs if pair[1].kind == "visible"]
        most = LEARNED if split == "train" else self.limit or len(pairs)
        return pairs[:: max(1, len(pairs) // most)]

    def kept_scenes(self, setting: Setting, split: str) -> TestScenes:
        """The scenes of a split that the setting's family shares with others."""
        family = TEST_FAMILIES.get(setting.family, "pictures")
        if (family, split) not in self.scenes:
            self.scenes[family, split] = TestScenes(self.pairs(setting.films, split), self.device, self.workers)
        return self.scenes[family, split]

    def result(self, name: str, setting: Setting, seed: int) -> Row:
        """The account of a run: read where it is there, else made."""
        path = self.out / "results" / f"{name}_{seed}.json"
        if not path.is_file():
            if setting.family not in self.kept:
                self.kept = {setting.family: None}  # one family at a time: they are gigabytes
            rates = self._rates(name, setting)
            best = max(rates, key=lambda rate: rates[rate])
            write(path, {"rates": rates, **self._measured(*self._trained(name, setting, seed, float(best)), setting)})
        read: Row = json.loads(path.read_text())
        return read

    def _rates(self, name: str, setting: Setting) -> dict[str, float]:
        """What each of RATES scores on the calibration split with seed 0."""
        path = self.out / "results" / f"{name}_rates.json"
        if not path.is_file():
            scenes, found = self.kept_scenes(setting, "calibration"), {}
            for rate in RATES:
                weights_file, _ = self._trained(name, setting, 0, rate)
                made = scenes.score(scenes.predictions(weights.load(weights_file)))
                found[str(rate)] = made.summary[CHOSEN_BY].value
            write(path, found)
        read: dict[str, float] = json.loads(path.read_text())
        return read

    def _measured(self, weights_file: Path, account: Row, setting: Setting) -> Row:
        method = weights.load(weights_file)
        row: Row = {**account, "torch": torch.__version__}
        for split in ("test", "train"):
            scenes = self.kept_scenes(setting, split)
            right, wrong = (scenes.predictions(method, wrong_sound=wrong) for wrong in (False, True))
            row[f"knows_own_sound/{split}"] = knows_own_sound(scenes, right, wrong)
            if split == "test":
                row |= {"scores": numbers(scenes.score(right)), "wrong_sound": numbers(scenes.score(wrong))}
                row["missing"] = scenes.missing
        return row

    def _trained(self, name: str, setting: Setting, seed: int, rate: float) -> tuple[Path, Row]:
        """The weights of a run, all its stages, and its account: made where they are not there."""
        folder = self.out / "runs" / f"{name}_{seed}_{rate}"
        stages = [stage for stage in (setting.first_stage, setting.recipe) if stage]
        weights_file, accounts = None, []
        for stage in stages:
            built = replace(self._recipe(stage, setting, setting.clips // len(stages)), seed=seed, learning_rate=rate)
            accounts.append(self._trained_stage(folder / stage, built, setting, weights_file))
            weights_file = folder / stage / WEIGHTS
        assert weights_file is not None
        return weights_file, {"stages": accounts, "seconds": sum(account["seconds"] for account in accounts)}

    def _recipe(self, name: str, setting: Setting, clips: int) -> Recipe:
        base = recipe(name)
        scenes = sum(target.kind == "visible" for _, target in read_folder(self.roots[setting.films], split="train"))
        options = {**base.options, **COMMON, **setting.options}
        if "init_audio" not in options:
            del options["trainable_audio"]  # nothing to freeze: its sound's tower starts at random
        epochs = max(1, round(clips / scenes))
        return replace(base, options=options, epochs=epochs, num_workers=self.workers, cache="features")

    def _trained_stage(self, folder: Path, built: Recipe, setting: Setting, init: Path | None) -> Row:
        path = folder / "account.json"
        if not path.is_file():
            family, root = setting.family, self.roots[setting.films]
            limit = min(setting.clips, self.limit or setting.clips)
            if self.kept[family] is None:  # what encoders say is nobody's training time: a run of no step makes it
                keep = self.out / "runs" / "keep"
                shutil.rmtree(keep, ignore_errors=True)
                self.kept[family] = train(
                    built, root=root, out=keep, init=init, limit_clips=limit, max_steps=0, device=self.device
                ).kept
            start = perf_counter()
            result = train(
                built,
                root=root,
                out=folder,
                init=init,
                resume=(folder / CURRENT).exists(),
                kept=self.kept[family],
                limit_clips=limit,
                progress=False,
                device=self.device,
            )
            told = ("steps", "epochs", "clips_used", "clips_listed", "last_losses")
            account = {key: result.summary[key] for key in told}
            account |= {"recipe": recipe_json(built), "seconds": round(perf_counter() - start, 1)}
            for checkpoint in folder.glob("checkpoint*"):
                checkpoint.unlink()
            write(path, account)
        read: Row = json.loads(path.read_text())
        return read

    def floors(self, films: bool) -> dict[str, Row]:
        """What neither hears nor learns, what never errs, and both parts of the default localizer, by title."""
        path = self.out / "results" / f"floors_{'films' if films else 'pictures'}.json"
        if not path.is_file():
            pairs = self.pairs(films, "test")
            targets, clips = [target for _, target in pairs], [clip for clip, _ in pairs]
            rules = PROTOCOLS["strict"]
            made: dict[str, Predictions] = {name: prior(name, targets, rules) for name in ("centre", "oracle")}
            made["oracle, 10 x 10"] = prior("oracle", targets, rules, (10, 10))
            objects = weights.load(weights.find_weights("default"), options={"part": "objectness"})
            made["objectness"] = predict(objects, clips, device=self.device, num_workers=self.workers)
            rows = {name: score(each, targets, intervals=False, beside=False) for name, each in made.items()}
            write(path, {name: {"scores": numbers(result)} for name, result in rows.items()})
        read: dict[str, Row] = json.loads(path.read_text())
        return read

    def tables(self, seeds: Sequence[int]) -> str:
        """Markdown: of both sets, every setting of which all seeds are there, beside the floors and the ceiling."""
        made: list[str] = []
        lacking = []
        for films in (False, True):
            rows = {}
            for name, setting in SETTINGS.items():
                paths = [self.out / "results" / f"{name}_{seed}.json" for seed in seeds]
                if setting.films == films and all(path.is_file() for path in paths):
                    rows[setting.title] = cells([json.loads(path.read_text()) for path in paths])
                elif setting.films == films:
                    lacking.append(setting.title)
            if rows:
                rows |= {title: cells([row]) for title, row in self.floors(films).items()}
                columns = [*SHOWN.values(), *WRONG.values(), *KNOWS.values(), "rate", "longest run, s"]
                made.append(table(f"{'films' if films else 'paste'}, %", columns, rows))
        if lacking:
            made.append(f"Not run yet: {', '.join(lacking)}.")
        return "\n\n".join(made) + "\n"


def knows_own_sound(scenes: TestScenes, right: Predictions, wrong: Predictions) -> float:
    """AUROC of the highest score with the own sound against that with one of another class, over labelled scenes."""
    ids = [name for name, clip in scenes.clips.items() if clip.labels and name in right.maps]
    highest = [float(made.maps[name].max()) for made in (right, wrong) for name in ids]
    return auroc(highest, [True] * len(ids) + [False] * len(ids))


def cells(runs: Sequence[Row]) -> list[str]:
    shown = [percent([run["scores"][key] for run in runs]) for key in SHOWN]
    if "wrong_sound" not in runs[0]:
        return [*shown, *("" for _ in (*WRONG, *KNOWS)), "", ""]
    shown += [percent([run["wrong_sound"][key] for run in runs]) for key in WRONG]
    shown += [percent([run[key] for run in runs]) for key in KNOWS]
    rates = runs[0]["rates"]
    return [*shown, max(rates, key=lambda rate: rates[rate]), f"{max(run['seconds'] for run in runs):.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("paste", "films", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--only", nargs="+", choices=sorted(SETTINGS), help="run these settings only")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=0, help="processes that read")
    parser.add_argument("--limit", type=int, help="so many training clips and about so many test scenes, to try it out")
    given = parser.parse_args()
    if given.device == "cpu":
        keep_freed_memory()
    torch.set_num_threads(given.threads)
    roots = {False: given.paste, True: given.films}
    study = Study(roots, given.out, given.limit, given.device, given.workers)
    for name in given.only or SETTINGS:
        print(name, *cells([study.result(name, SETTINGS[name], seed) for seed in given.seeds]), flush=True)
    (given.out / "table.md").write_text(study.tables(given.seeds))


if __name__ == "__main__":
    main()
