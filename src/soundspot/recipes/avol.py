"""AVOL-Net, Objects that Sound (arXiv 1712.06651), trained as DSOL's first stage: Adam 1e-4, decay 1e-4, batch 32.

    soundspot convert resnet18-imagenet.pth backbone resnet18.safetensors
    soundspot train avol_vggsound_144k --root VGGSOUND --out runs/avol --init resnet18.safetensors --set on_leak=drop

The paper trains on AudioSet-Instruments, which is not read here, and scores it in a way of its own; 20 epochs are those
of the others on VGGSound. Without --init the picture tower starts at random, and every result row says so. On several
GPUs put `torchrun --nproc-per-node N --no-python` before it.
Cost, times estimated and not yet measured: 30 GFLOP a sample (counted), so 144k x 20 epochs take 6 to 8 minutes on one
H200 that the disk keeps busy, and 12 days on two CPU cores.
Scores on VGG-SS and Flickr: not published. Log-odds have no bounds, so protocols that stretch by them do not apply.
"""

from __future__ import annotations

from soundspot.recipes import datasets
from soundspot.train.recipe import Recipe

BASE = Recipe(
    name="avol_vggsound_144k",
    method="avol",
    data=datasets.VGGSOUND_144K,
    epochs=20,
    batch_size=32,
    learning_rate=1e-4,
    weight_decay=1e-4,
    num_workers=8,
    autocast="measured",
    compile="auto",
)


def vggsound_144k() -> Recipe:
    """VGGSound-144k. No published score; the floors are the centre's, 34.2 on VGG-SS and 67.6 on Flickr."""
    return BASE


def paste() -> Recipe:
    """Scenes of `soundspot samples paste`.

    With both encoders frozen it points right in 2 % of the test scenes, see docs/results/samples.md.
    """
    return datasets.on_paste(BASE)
