"""The Sound of Pixels (arXiv 1804.03160): SGD 1e-3, momentum 0.9, decay 1e-4, 80 mixtures of two, as published.

    soundspot convert resnet18-imagenet.pth backbone resnet18.safetensors
    soundspot train sound_of_pixels_music --root MUSIC --out runs/sop --init resnet18.safetensors

The published script trains 100 epochs and divides the rate by ten after 40 and 80; the picture's tower learns at a
tenth of it (method.image_rate) from ImageNet weights. Without --init it starts at random, and every result row says so.
`--set method.variant=paper` takes the paper's side of the method's table. For sounds of a second lower method.seconds
and method.levels (5 at a second). On several GPUs put `torchrun --nproc-per-node N --no-python` before it.
Cost, times estimated and not yet measured: a mixture of 5.94 s is 26 GFLOP of the U-Net and 6 of the picture (counted),
three times that with the backward pass, so 144k x 20 epochs take 15 to 20 minutes on one H200 that the disk keeps busy,
and a month on two CPU cores.
As scored on the Interference Eraser's poster, AUC second: MUSIC solo IoU@0.5 40.5 / 43.3, MUSIC-Synthetic CIoU 8.1 /
11.8, MUSIC duet 16.8 / 16.8, VGGSound single 42.5 / 45.1. How those maps were made is not published.
"""

from __future__ import annotations

from dataclasses import replace

from soundspot.recipes import datasets
from soundspot.train.recipe import DataSpec, Recipe

BASE = Recipe(
    name="sound_of_pixels_vggsound_144k",
    method="sound_of_pixels",
    data=datasets.VGGSOUND_144K,
    epochs=20,
    batch_size=80,
    optimizer="sgd",
    learning_rate=1e-3,
    momentum=0.9,
    weight_decay=1e-4,
    num_workers=8,
    autocast="measured",
    compile="auto",
)

PASTE_OPTIONS: dict[str, int | float | str | bool] = {
    "image_backbone": "tf_efficientnet_lite0",
    "init_image": "encoder:tf_efficientnet_lite0",
    "image_norm": "lite",
    "trainable": "heads",
    "levels": 5,
    "width": 16,
    "seconds": 2.96,
}
"""What a machine without a GPU can train: a frozen picture tower, a sixteenth of the U-Net's work for a level, and
128 frames, which five levels halve without a rest."""


def vggsound_144k() -> Recipe:
    """VGGSound-144k, 20 epochs as the others on it; the paper has no such run. No published score of this training."""
    return BASE


def music() -> Recipe:
    """Solos of MUSIC in a folder of soundspot's own layout, split "train": 100 epochs, the rate down at 40 and 80."""
    return replace(
        BASE,
        name="sound_of_pixels_music",
        data=DataSpec("folder", split="train", kinds=("visible",)),
        epochs=100,
        schedule="step",
        decay_epochs=40,
    )


def paste() -> Recipe:
    """Scenes of `soundspot samples paste`: a small U-Net, Adam, features kept of a frozen tower. Not yet scored."""
    return replace(
        BASE,
        name="sound_of_pixels_paste",
        options=PASTE_OPTIONS,
        data=datasets.PASTE,
        epochs=datasets.PASTE_EPOCHS,
        batch_size=32,
        optimizer="adam",
        learning_rate=datasets.PASTE_RATE,
        weight_decay=0.0,
        num_workers=2,
        cache="features",
        autocast="off",
        compile="off",
    )
