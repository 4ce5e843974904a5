"""HardPos (arXiv 2202.03007), trained as LVS is here: the authors released no code, and their settings are not known.

    soundspot train hard_pos_vggsound_144k --root VGGSOUND --out runs/hard_pos --set on_leak=drop

Adam 1e-4, decay 1e-4, batch 128, 20 epochs, last weights. Neighbours are mined first, into the folder `neighbours` of
the root: k = 1000 by picture and by sound, a choice (`soundspot neighbours --help`). The `_pretrained` recipes want
`--init resnet18.safetensors`, without which the picture tower starts at random, and every result row says so; which of
the two the published scores are of is not known here. On several GPUs put `torchrun --nproc-per-node N --no-python`
before it.
Cost, estimated and not yet measured: two views of each modality, 150 GFLOP a sample, so 144k x 20 epochs take 25 to
35 minutes on one H200 that the disk keeps busy, and two months on two CPU cores.
The functions below give the published scores, cIoU / AUC, as table II of arXiv 2407.13676 (SSLalign) quotes them.
"""

from __future__ import annotations

from dataclasses import replace

from soundspot.recipes import datasets
from soundspot.train.recipe import Recipe

NEIGHBOURS = "neighbours"
"""Folder of mined neighbours, relative to the data's root."""

BASE = Recipe(
    name="hard_pos_vggsound_144k",
    method="hard_pos",
    data=replace(datasets.VGGSOUND_144K, neighbours=NEIGHBOURS),
    epochs=20,
    batch_size=128,
    learning_rate=1e-4,
    weight_decay=1e-4,
    num_workers=8,
    autocast="measured",
    compile="auto",
)


def vggsound_144k() -> Recipe:
    """VGGSound-144k from scratch. Published: VGG-SS 34.60 / 38.00, Flickr 76.80 / 59.20."""
    return BASE


def vggsound_144k_pretrained() -> Recipe:
    """VGGSound-144k with --init ImageNet's ResNet-18. Published: VGG-SS 34.60 / 38.00, Flickr 76.80 / 59.20."""
    return replace(BASE, name="hard_pos_vggsound_144k_pretrained")


def flickr_144k() -> Recipe:
    """Flickr-144k from scratch. Published on Flickr's test: 75.20 / 59.70; the floor there is the centre's 67.6."""
    return replace(BASE, name="hard_pos_flickr_144k", data=replace(datasets.FLICKR_144K, neighbours=NEIGHBOURS))


def flickr_144k_pretrained() -> Recipe:
    """Flickr-144k with --init ImageNet's ResNet-18. Published on Flickr's test: 75.20 / 59.70."""
    return replace(flickr_144k(), name="hard_pos_flickr_144k_pretrained")


def paste() -> Recipe:
    """Scenes of `soundspot samples paste`; heads of 512 join towers of unequal width.

    With both encoders frozen it points right in 18 % of the test scenes, see docs/results/samples.md.
    A small set wants a small k (say 30). What the frozen stages say of each view is kept, so the neighbour of a scene
    is the same in every epoch; `--set cache=memory` draws it anew, and is far slower.
    """
    built = datasets.on_paste(BASE, dim=512)
    return replace(built, data=replace(built.data, neighbours=NEIGHBOURS))
