"""LVS (arXiv 2104.02691), trained as SLAVC trains those it compares with: the authors released no training code.

    soundspot convert resnet18-imagenet.pth backbone resnet18.safetensors
    soundspot train lvs_vggsound_144k --root VGGSOUND --out runs/lvs --init resnet18.safetensors --set on_leak=drop

Adam 1e-4, decay 1e-4, batch 128, 20 epochs, last weights. Without --init the picture tower starts at random, and every
result row says so. On several GPUs put `torchrun --nproc-per-node N --no-python` before it.
Cost, estimated and not yet measured: 75 GFLOP a sample, so 144k x 20 epochs take 12 to 18 minutes on one H200 that
the disk keeps busy, and a month on two CPU cores (EZ-VSL's step ran at 3.1 samples a second there, batch 16).
It hears 10 s and keeps 14 x 14 places, hence more than EZ-VSL's.
The functions below give the published scores, cIoU / AUC, protocol lvs.
"""

from __future__ import annotations

from dataclasses import replace

from soundspot.recipes import datasets
from soundspot.train.recipe import Recipe

BASE = Recipe(
    name="lvs_vggsound_144k",
    method="lvs",
    data=datasets.VGGSOUND_144K,
    epochs=20,
    batch_size=128,
    learning_rate=1e-4,
    weight_decay=1e-4,
    num_workers=8,
    autocast="measured",
    compile="auto",
)


def vggsound_144k() -> Recipe:
    """VGGSound-144k. The released weights score 30.30 / 36.40 on VGG-SS.

    Retrained without early stopping on test data, SLAVC's authors found 10.43.
    """
    return BASE


def vggsound_full() -> Recipe:
    """All of VGGSound's training rows. The paper has 34.4 on VGG-SS, on boxes updated since (2 to 3 points)."""
    return replace(BASE, name="lvs_vggsound_full", data=datasets.VGGSOUND_FULL)


def vggsound_10k() -> Recipe:
    """10,000 clips of VGGSound. No published score is quoted here; see vggsound_144k."""
    return replace(BASE, name="lvs_vggsound_10k", data=datasets.VGGSOUND_10K, epochs=datasets.EPOCHS_10K)


def heard_110() -> Recipe:
    """The 110 heard classes. No published score is quoted here; see vggsound_144k."""
    return replace(BASE, name="lvs_heard_110", data=datasets.HEARD_110)


def flickr_144k() -> Recipe:
    """Flickr-144k. No published score is quoted here; the floor on Flickr's test is the centre's 67.6."""
    return replace(BASE, name="lvs_flickr_144k", data=datasets.FLICKR_144K)


def flickr_10k() -> Recipe:
    """Flickr-10k. No published score is quoted here; the floor on Flickr's test is the centre's 67.6."""
    return replace(BASE, name="lvs_flickr_10k", data=datasets.FLICKR_10K, epochs=datasets.EPOCHS_10K)


def paste() -> Recipe:
    """Scenes of `soundspot samples paste`; heads of 512 join towers of unequal width.

    With both encoders frozen it points right in 27 % of the test scenes, see docs/results/samples.md.
    """
    return datasets.on_paste(BASE, dim=512)
