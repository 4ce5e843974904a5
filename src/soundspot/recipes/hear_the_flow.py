"""Hear The Flow (arXiv 2211.03019): Adam 1e-3 without decay, batch 128, 100 epochs, the picture tower frozen.

    soundspot convert resnet18-imagenet.pth backbone resnet18.safetensors
    soundspot train hear_the_flow_vggsound_144k --root VGGSOUND --out runs/htf --init resnet18.safetensors \\
        --set method.init_flow=resnet18.safetensors --set on_leak=drop

The data must be films (video/ID.mp4): the flow is that from the picture to the next frame, computed while loading with
opencv (extra `flow`). Without --init the frozen picture tower knows nothing. Weights that the authors published are
converted with flow=bytes, which they learned on. On several GPUs put
`torchrun --nproc-per-node N --no-python` before it.
Cost, estimated and not yet measured: 30 GFLOP a sample, so 144k x 100 epochs take half an hour on one H200, if the
films could be decoded that fast, which they can't, and 2 months on two CPU cores.
The functions below give published scores, cIoU / AUC without the objectness prior, of table II of arXiv 2407.13676
(SSLalign); the paper's own tables are not known here. The authors chose their checkpoint on test data, never shuffled
the training data, and scored on 178 of Flickr's and 4,670 of VGG-SS's clips; ours does none of it.
"""

from __future__ import annotations

from dataclasses import replace

from soundspot.recipes import datasets
from soundspot.train.recipe import Recipe

BASE = Recipe(
    name="hear_the_flow_vggsound_144k",
    method="hear_the_flow",
    data=datasets.VGGSOUND_144K,
    epochs=100,
    batch_size=128,
    learning_rate=1e-3,
    num_workers=8,
    autocast="measured",
    compile="auto",
)


def vggsound_144k() -> Recipe:
    """VGGSound-144k. VGG-SS 39.40 / 40.00, Flickr 84.80 / 64.00.

    The authors' list of that name is another one, and holds no test ids.
    """
    return BASE


def vggsound_10k() -> Recipe:
    """10,000 clips of VGGSound. Scores not known here."""
    return replace(BASE, name="hear_the_flow_vggsound_10k", data=datasets.VGGSOUND_10K)


def flickr_144k() -> Recipe:
    """Flickr-144k. Flickr's test 86.50 / 63.90; the floor there is the centre's 67.6."""
    return replace(BASE, name="hear_the_flow_flickr_144k", data=datasets.FLICKR_144K)


def flickr_10k() -> Recipe:
    """Flickr-10k. Scores not known here; the floor on Flickr's test is the centre's 67.6."""
    return replace(BASE, name="hear_the_flow_flickr_10k", data=datasets.FLICKR_10K)


def paste() -> Recipe:
    """Films of `soundspot samples paste --moving`; heads of 512 join towers of unequal width.

    With both encoders frozen it points right in 27 % of the test scenes, see docs/results/samples.md.
    Attends to the motion itself (flow_encoder=maxpool): a flow tower from scratch is too much for two CPU cores.
    """
    return datasets.on_paste(BASE, trainable="heads", dim=512, flow_encoder="maxpool")
