"""AVObject (arXiv 2008.04237): films against their own sound, shifted; see the method for what its form leaves out.

    soundspot samples paste --from DIR --root films --moving
    soundspot train avobject_paste --root films --out runs/avobject

The authors trained on talking heads and released no training code; rate and epochs are EZ-VSL's, the
batch is smaller, since a clip is 30 pictures. Clips must be films: stills are counted as missing. On several GPUs put
`torchrun --nproc-per-node N --no-python` before it; no negatives cross from one process to another.
Cost, estimated from layer sizes and not yet measured: 670 GFLOP a sample of 30 frames, so 144k x 20 epochs take two to
three hours on one H200, if 30 frames a clip can be decoded as fast, and most of a year on two CPU cores; paste takes
12 GFLOP a sample from kept features, so two hours on two CPU cores.
"""

from __future__ import annotations

from dataclasses import replace

from soundspot.recipes import datasets
from soundspot.train.recipe import Recipe

BASE = Recipe(
    name="avobject_vggsound_144k",
    method="avobject",
    data=datasets.VGGSOUND_144K,
    epochs=20,
    batch_size=16,
    learning_rate=1e-4,
    num_workers=8,
    autocast="measured",
    compile="auto",
)

PASTE_OPTIONS: dict[str, int | float | str | bool] = {
    "image_backbone": "tf_efficientnet_lite0",
    "init_image": "encoder:tf_efficientnet_lite0",
    "image_norm": "lite",
    "trainable": "last_block",
    "output_stride": 32,
    "audio_backbone": "resnet10t",
    "num_frames": 15,
    "max_shift": 7,
    "dim": 256,
}
"""Five frames a second. The sound's tower starts at random: YAMNet's steps of 0.32 s are longer than a bounce, and when
something sounds is easier to hear than what it is."""


def vggsound_144k() -> Recipe:
    """VGGSound-144k, as films in video/. SLAVC (arXiv 2209.09634), table 2, prints LocAcc 29.70 on VGG-SS.

    The original's, as earlier papers have it, not trained anew; the centre has 34.16.
    """
    return BASE


def paste() -> Recipe:
    """Films of `soundspot samples paste --moving`: what sounds bounces with it, and what is silent with something else.

    With both encoders frozen it points right in 7 % of the test scenes, see docs/results/samples.md.
    """
    return replace(datasets.on_paste(BASE), options={**PASTE_OPTIONS}, batch_size=32)
