"""DMC (arXiv 1807.03094): Adam 1e-4, decay 1e-4, batch 32, as the authors' simplified code has it; 20 epochs.

    soundspot convert resnet18-imagenet.pth backbone resnet18.safetensors
    soundspot train dmc_vggsound_144k --root VGGSOUND --out runs/dmc --init resnet18.safetensors --set on_leak=drop

That code trains 100 epochs of MUSIC's solos, from scratch; 20 are those of the others on VGGSound. Without --init the
picture tower starts at random, and every result row says so. `--set method.shown=assignment` gives maps within 0 and 1,
which protocols that stretch by bounds need. On several GPUs put `torchrun --nproc-per-node N --no-python` before it.
Cost, times estimated and not yet measured: 30 GFLOP a sample at 16 kHz, so 144k x 20 epochs take 6 to 8 minutes on one
H200 that the disk keeps busy, and 12 days on two CPU cores.
The functions below give SLAVC's scores of DMC (arXiv 2209.09634, tables 2 and 3); how SLAVC's authors trained it, and
which cluster they show, is not known here. DMC's own tables are not known here either.
"""

from __future__ import annotations

from soundspot.recipes import datasets
from soundspot.train.recipe import Recipe

BASE = Recipe(
    name="dmc_vggsound_144k",
    method="dmc",
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
    """VGGSound-144k. Table 2, LocAcc: Flickr 52.80, VGG-SS 22.63 (chosen on test data 55.60 and 23.90).

    Table 3, AP / max-F1 on the extended sets: Flickr 25.56 / 41.80, VGG-SS 11.53 / 20.30. The centre's LocAcc there is
    67.60 and 34.16.
    """
    return BASE


def paste() -> Recipe:
    """Scenes of `soundspot samples paste`.

    With both encoders frozen it points right in 1 % of the test scenes, see docs/results/samples.md.
    """
    return datasets.on_paste(BASE)
