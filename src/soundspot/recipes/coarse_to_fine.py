"""CoarseToFine (arXiv 2007.06355): SGD 1e-3 with decay 1e-4, batch 16, 20 epochs, in two stages.

    soundspot convert resnet18-imagenet.pth backbone resnet18.safetensors
    soundspot train coarse_to_fine_vggsound_full_coarse --root VGGSOUND --out runs/coarse \\
        --init resnet18.safetensors --set on_leak=drop
    soundspot train coarse_to_fine_vggsound_full --root VGGSOUND --out runs/fine \\
        --init runs/coarse/weights.safetensors --set on_leak=drop

The classes are those of the training clips, unless method.classes names others.

The paper's are AudioSet's seven top categories; the authors' pretrained classifiers gave them to every clip, and nobody
does so here. Only lists with labels serve, so not the 144k ids. Of the settings 1e-3 and 1e-4 we read
the first as the rate and the second as the decay. On several GPUs put `torchrun --nproc-per-node N --no-python` before
it.
Cost, estimated from layer sizes and not yet measured: 31 GFLOP a sample and stage, so 180k x 20 epochs take 8 to 10
minutes on one H200 that the disk keeps busy, and two weeks on two CPU cores.
The functions below give scores that later papers print for this method, trained on VGGSound-144k; those of its own
tables are not known here.
"""

from __future__ import annotations

from dataclasses import replace

from soundspot.recipes import datasets
from soundspot.train.recipe import Recipe

BASE = Recipe(
    name="coarse_to_fine_vggsound_full",
    method="coarse_to_fine",
    data=datasets.VGGSOUND_FULL,
    epochs=20,
    batch_size=16,
    optimizer="sgd",
    learning_rate=1e-3,
    weight_decay=1e-4,
    num_workers=8,
    autocast="measured",
    compile="auto",
)


def vggsound_full_coarse() -> Recipe:
    """All of VGGSound's training rows, stage 1: correspondence and classes. Its maps have no published score."""
    return replace(BASE, name="coarse_to_fine_vggsound_full_coarse", options={"stage": "coarse"})


def vggsound_full() -> Recipe:
    """All of VGGSound's training rows, stage 2, from the weights of stage 1.

    SLAVC (arXiv 2209.09634), table 2, LocAcc at the last epoch: Flickr 47.20, VGG-SS 21.93; table 3, AP / max-F1 on the
    extended sets: Flickr 0.00 / 38.20, VGG-SS 0.00 / 19.80. The centre has 67.60 and 34.16. SSLalign's journal paper,
    table II, prints cIoU / AUC 29.10 / 34.80 on VGG-SS.
    """
    return BASE


def paste_coarse() -> Recipe:
    """Scenes of `soundspot samples paste`, stage 1."""
    built = datasets.on_paste(BASE, stage="coarse")
    return replace(built, name="coarse_to_fine_paste_coarse", optimizer="adam", weight_decay=0.0)


def paste() -> Recipe:
    """Scenes of `soundspot samples paste`, stage 2, from the weights of stage 1; Adam, as the others have there.

    With both encoders frozen it points right in 21 % of the test scenes, see docs/results/samples.md.
    """
    coarse = paste_coarse()
    return replace(coarse, name="coarse_to_fine_paste", options={**coarse.options, "stage": "fine"})
