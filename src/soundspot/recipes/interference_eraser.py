"""Interference Eraser (arXiv 2202.06406): its settings are not published; Adam 1e-4, decay 1e-4, batch 32, as DSOL's.

    soundspot convert resnet18-imagenet.pth backbone resnet18.safetensors
    soundspot train interference_eraser_music_prototypes --root MUSIC --out runs/p --init resnet18.safetensors
    soundspot train interference_eraser_music_identifier --root MUSIC --out runs/i --init runs/p/weights.safetensors
    soundspot train interference_eraser_music_referrer --root MUSIC --out runs/r --init runs/i/weights.safetensors
    soundspot calibrate runs/r/weights.safetensors MUSIC --out ier.safetensors

MUSIC is a folder in soundspot's own layout: solos as the split "train", films of any kind as "train-wild". The sounds
of the solos are mixed while stage identifier trains. The poster's ablations of that stage, from the same prototypes:

    --set method.identifier=none        without the Audio-Instance-Identifier
    --set method.curriculum=false       with it, but mixtures are hard from the first epoch

Set the same in stage referrer after `identifier=none`. Every choice is in docs/interference_eraser.md. As with DSOL,
the last command gives clusters the names of the split "calibration".
Cost, times estimated and not yet measured: 26, 28 and 20 GFLOP a sample in the three stages (counted), so 10,000 clips
x 60 epochs take 4 to 6 minutes on one H200 that the disk keeps busy, and five days on two CPU cores.
Scores of the poster: MUSIC solo IoU@0.5 / AUC 53.9 / 50.7, MUSIC-Synthetic CIoU@0.3 / AUC 47.6 / 29.8, MUSIC duet
52.9 / 33.8, in the wild 15.6 / 15.3; NMI, precision, recall and mAP of what is heard on MUSIC .809, .461, .715, .433,
without curriculum .758, .441, .489, .403, without identifier .692, .372, .335, .355.
"""

from __future__ import annotations

from dataclasses import replace

from soundspot.recipes import datasets
from soundspot.recipes.dsol import SOLO, on_instruments
from soundspot.train.recipe import DataSpec, Recipe

WILD = DataSpec("folder", split="train-wild")
"""All kinds: scenes in which nothing in view sounds, too."""

BASE = Recipe(
    name="interference_eraser_music_prototypes",
    method="interference_eraser",
    options={"stage": "prototypes"},
    data=SOLO,
    epochs=30,
    batch_size=32,
    learning_rate=1e-4,
    weight_decay=1e-4,
    num_workers=8,
    autocast="measured",
    compile="auto",
)


def music_prototypes() -> Recipe:
    """Solos of MUSIC, stage one. IoU@0.5 53.9 on MUSIC solo."""
    return BASE


def music_identifier() -> Recipe:
    """Mixed solos of MUSIC, stage two, from the weights of stage one. NMI .809, mAP .433 of what is heard."""
    return _stage("music", "identifier", SOLO, 20)


def music_referrer() -> Recipe:
    """Films of any kind, stage three, from the weights of stage two. CIoU@0.3 47.6 on MUSIC-Synthetic, duets 52.9."""
    return _stage("music", "referrer", WILD, 10)


def instruments_prototypes() -> Recipe:
    """Solos of `soundspot samples instruments`, stage one; features are kept.

        soundspot train interference_eraser_instruments_prototypes --root instruments --out runs/p

    With half of the solos a minute on a busy core; NMI of the clusters .98 to 1.00 on calibration solos.
    """
    built = on_instruments(BASE, "instruments_prototypes", stage="prototypes", first_epochs=4, class_epochs=5)
    return replace(built, epochs=24)


def instruments_identifier() -> Recipe:
    """Mixed solos of `soundspot samples instruments`, stage two, from the weights of stage one.

        soundspot train interference_eraser_instruments_identifier --root instruments --out runs/i --init P

    P is runs/p/weights.safetensors. With half of the solos four minutes on a busy core: every mixture passes the sound
    tower. mAP of what is heard in mixtures of two .73, of an unknown soundfont; see docs/results/multisource.md.
    """
    return replace(on_instruments(BASE, "instruments_identifier", stage="identifier", mix_epochs=5), epochs=10)


def instruments_referrer() -> Recipe:
    """Its scenes in the wild, stage three, from the weights of stage two.

        soundspot train interference_eraser_instruments_referrer --root instruments --out runs/r --init I
        soundspot calibrate runs/r/weights.safetensors instruments --out ier.safetensors

    I is runs/i/weights.safetensors. Ten seconds. With half of the clips, three seeds: CIoU@0.3 on duets 37 +- 2, on
    mosaics 12 +- 2, in the wild 43 +- 4, NSA 99.5 or more; IoU@0.5 on solos 28 +- 5.
    """
    built = on_instruments(BASE, "instruments_referrer", stage="referrer", map_factor=35.0, nothing=0.15)
    return replace(built, data=WILD, epochs=6, learning_rate=3e-4)


def paste() -> Recipe:
    """Scenes of `soundspot samples paste`, stage one alone: they hold one sound each. Not yet scored."""
    return replace(datasets.on_paste(BASE, stage="prototypes"), epochs=14)


def _stage(data: str, stage: str, spec: DataSpec, epochs: int) -> Recipe:
    name = f"interference_eraser_{data}_{stage}"
    return replace(BASE, name=name, options={"stage": stage}, data=spec, epochs=epochs)
