"""DSOL (arXiv 2010.05466): Adam 1e-4 with decay 1e-4, batch 32, in two stages, as the authors' music code.

    soundspot convert resnet18-imagenet.pth backbone resnet18.safetensors
    soundspot train dsol_music --root MUSIC --out runs/solo --init resnet18.safetensors
    soundspot train dsol_music_synthetic --root MUSIC --out runs/cocktail --init runs/solo/weights.safetensors
    soundspot calibrate runs/cocktail/weights.safetensors MUSIC --out dsol.safetensors

MUSIC is a folder in soundspot's own layout: solos as the split "train", mixtures as "train-synthetic" (2x2 mosaics of
four solo frames, two of them heard; `soundspot.data.mixtures` makes them). Stage two trains on them as they lie there
and mixes nothing itself. The last command matches clusters with the classes of the split "calibration": scenes with one
label each. Before that maps are of numbered clusters, and a set whose labels were not used in training has no names.

The code's 15 epochs of localization and 14 times 3 of classes are 57 here; then 5 of mixtures. Picture towers start
from ImageNet, sound towers at random; without --init both do, and every result row says so. Eleven clusters for MUSIC's
eleven instruments; the authors advise more, which `method.clusters` gives: a class then has several. Clips of a second
at 16 kHz; the spectrogram is `logmel`, 25 ms windows, where theirs has 10 ms. Of films they draw one of the second's
four frames: `--set train_frame=random`.
Cost, times estimated and not yet measured: 26 GFLOP a sample in stage one, 20 in stage two (counted), so 10,000 clips x
57 epochs take 3 to 5 minutes on one H200 that the disk keeps busy, and five days on two CPU cores.
Scores printed by the Interference Eraser's poster: MUSIC solo IoU@0.5 / AUC 51.4 / 43.6, MUSIC-Synthetic CIoU@0.3 / AUC
32.3 / 23.5, MUSIC duet 30.2 / 22.1, in the wild 3.2 / 7.3.
"""

from __future__ import annotations

from dataclasses import replace

from soundspot.recipes import datasets
from soundspot.train.recipe import DataSpec, Option, Recipe

SOLO = DataSpec("folder", split="train", kinds=("visible",))
SYNTHETIC = DataSpec("folder", split="train-synthetic", kinds=("visible",))
FIRST, ROUNDS = 32, 3
"""On the small set: epochs that localize before clusters are found, and how often they are."""
INSTRUMENT_OPTIONS: dict[str, Option] = {
    **datasets.PASTE_OPTIONS,
    "trainable": "heads",
    "trainable_audio": "heads",
    "image_size": 320,
    "output_stride": 32,
    "clusters": 6,
}
"""Frozen encoders at 320 pixels; a cluster an instrument. As in docs/results/multisource.py."""
OBJECTS: dict[str, Option] = {"mask_threshold": 0.9, "divide_by": "mask", "head_rate": 1.0}

BASE = Recipe(
    name="dsol_music",
    method="dsol",
    options={"stage": "solo"},
    data=SOLO,
    epochs=57,
    batch_size=32,
    learning_rate=1e-4,
    weight_decay=1e-4,
    num_workers=8,
    autocast="measured",
    compile="auto",
)


def music() -> Recipe:
    """Solos of MUSIC, stage one. IoU@0.5 51.4 on MUSIC solo, by the single map (`output=one`)."""
    return BASE


def music_synthetic() -> Recipe:
    """Mixtures of MUSIC, stage two, from the weights of stage one. CIoU@0.3 32.3 on MUSIC-Synthetic, 30.2 on duets."""
    return replace(BASE, name="dsol_music_synthetic", options={"stage": "cocktail"}, data=SYNTHETIC, epochs=5)


def instruments() -> Recipe:
    """Solos of `soundspot samples instruments`, stage one; features are kept. Object vectors are of the likely places
    alone: over all cells, as in the authors' code, they were the background's, and clusters had an NMI of .35.

        soundspot train dsol_instruments --root instruments --out runs/solo

    Half of the solos took 43 epochs in two minutes on a busy core.
    """
    built = on_instruments(BASE, "instruments", stage="solo", first_epochs=FIRST, **OBJECTS)
    return replace(built, epochs=FIRST + 4 * ROUNDS - 1)  # it ends as the classes have been learned


def instruments_synthetic() -> Recipe:
    """Mosaics of `soundspot samples instruments`, stage two, from the weights of stage one.

        soundspot train dsol_instruments_synthetic --root instruments --out runs/cocktail \
            --init runs/solo/weights.safetensors
        soundspot calibrate runs/cocktail/weights.safetensors instruments --out dsol.safetensors

    Ten seconds. With half of the clips, map_factor chosen on calibration scenes (0.5 to 1.6), three seeds: CIoU@0.3 on
    duets 55 +- 12, on mosaics 57 +- 8, in the wild 54 +- 6; IoU@0.5 on solos 64 +- 9, see docs/results/multisource.md.
    """
    built = on_instruments(BASE, "instruments_synthetic", stage="cocktail", map_factor=0.6, **OBJECTS)
    return replace(built, data=SYNTHETIC, epochs=6, learning_rate=3e-4)


def paste() -> Recipe:
    """Scenes of `soundspot samples paste`, stage one alone: they hold one sound each. Not yet scored."""
    return replace(datasets.on_paste(BASE, stage="solo"), epochs=14)


def on_instruments(base: Recipe, part: str, **options: Option) -> Recipe:
    """A paper's recipe on the small set of instruments: frozen towers, short for a CPU."""
    return replace(
        base,
        name=f"{base.method}_{part}",
        options={**INSTRUMENT_OPTIONS, **options},
        batch_size=32,
        learning_rate=datasets.PASTE_RATE,
        num_workers=2,
        weight_decay=0.0,
        cache="features",
        autocast="off",
        compile="off",
    )
