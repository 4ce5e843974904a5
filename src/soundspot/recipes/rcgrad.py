"""RCGrad (arXiv 2204.05156): Adam 1e-3, batch 256, at most 100 epochs; a random 5 s window and the frame in its middle.

    soundspot convert resnet18-imagenet.pth backbone resnet18.safetensors
    soundspot train rcgrad_vggsound_full --root VGGSOUND --out runs/rcgrad --init resnet18.safetensors

Without --init the picture tower starts at random, and every result row says so. On several GPUs put
`torchrun --nproc-per-node N --no-python` before it.
Cost, estimated and not yet measured: 31 GFLOP a sample, so 180k x 100 epochs take an hour on one H200 that the disk
keeps busy, and two months or more on two CPU cores.
The published code lowers the rate tenfold after 5 epochs without a better loss on 500 held-out training clips, and
stops after 10; there is no such schedule here: the rate stays, and the last weights count. To choose as it does, add
`--set validation_fraction=0.003 --set choose=loss`. It does not mirror pictures, and crops their middle; we mirror,
and crop anywhere along the longer side.
The functions below give the published scores, cIoU / AUC, table 3 of the paper, protocol rcgrad.
"""

from __future__ import annotations

from dataclasses import replace

from soundspot.recipes import datasets
from soundspot.train.recipe import Recipe

BASE = Recipe(
    name="rcgrad_vggsound_full",
    method="rcgrad",
    data=datasets.VGGSOUND_FULL,
    epochs=100,
    batch_size=256,
    learning_rate=1e-3,
    num_workers=8,
    train_frame="random",
    train_sound="aligned",
    train_scale=1.0,
    autocast="measured",
    compile="auto",
)


def vggsound_full() -> Recipe:
    """All of VGGSound's training rows, as the paper has it. Published scores, tested on whole sounds.

    Flickr-SoundNet 67.9 / 55.1 (centred square 61.8 / 53.4), VGG-SS, 4,436 clips of it, 22.6 / 33.4 (32.3 / 37.2);
    cIoU@0.3: Music-Synthesis 36.9 / 25.5 (5.3 / 19.5), Urbansas 17.5 / 14.5 (3.8 / 7.5).
    """
    return BASE


def paste() -> Recipe:
    """Scenes of `soundspot samples paste`; heads of 512 join towers of unequal width.

    With both encoders frozen it points right in 35 % of the test scenes, see docs/results/samples.md.
    """
    built = datasets.on_paste(BASE, dim=512, standardise="off")
    return replace(built, train_frame=None, train_sound=None, train_scale=None)
