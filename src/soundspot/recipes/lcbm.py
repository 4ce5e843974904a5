"""LCBM (WACV 2022): a classifier of VGGSound's classes, by sight and sound. Only its abstract is followed.

    soundspot convert resnet18-imagenet.pth backbone resnet18.safetensors
    soundspot train lcbm_vggsound_full --root VGGSOUND --out runs/lcbm --init resnet18.safetensors \\
        --set on_leak=drop

The classes are those of the training clips, unless method.classes names others.

Adam 1e-4 without decay, batch 128 and 20 epochs are EZ-VSL's: the authors' settings are not known here. Only lists with
labels serve, so not the 144k ids. On several GPUs put `torchrun --nproc-per-node N --no-python` before it.
Cost, estimated and not yet measured: 28 GFLOP a sample, so 180k x 20 epochs take 7 to 9 minutes on one H200 that the
disk keeps busy, and two weeks on two CPU cores.
"""

from __future__ import annotations

from soundspot.recipes import datasets
from soundspot.train.recipe import Recipe

BASE = Recipe(
    name="lcbm_vggsound_full",
    method="lcbm",
    data=datasets.VGGSOUND_FULL,
    epochs=20,
    batch_size=128,
    learning_rate=1e-4,
    num_workers=8,
    autocast="measured",
    compile="auto",
)


def vggsound_full() -> Recipe:
    """All of VGGSound's training rows.

    SSLalign (arXiv 2407.13676), table II, prints cIoU / AUC 32.20 / 36.60 on VGG-SS.
    """
    return BASE


def paste() -> Recipe:
    """Scenes of `soundspot samples paste`.

    With both encoders frozen it points right in 35 % of the test scenes, see docs/results/samples.md.
    """
    return datasets.on_paste(BASE)
