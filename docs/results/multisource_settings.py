"""What `multisource.py` runs: methods and their stages, what is tested and how, what is chosen on calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from soundspot.recipes.datasets import PASTE_OPTIONS
from soundspot.samples.instruments_source import CLASSES
from soundspot.train.recipe import Option

COMMON: dict[str, Option] = {
    **PASTE_OPTIONS,
    "trainable": "heads",
    "trainable_audio": "heads",
    "image_size": 320,
    "output_stride": 32,
}
"""Maps of 10 x 10 places."""
NAMED = "named.safetensors"
"""A run's weights once its clusters have names."""
HEIGHTS = (3.0, 10.0, 30.0, 100.0, 300.0)
"""What class maps are multiplied by before the softmax, over the mean of their highest values on TUNING."""
LEVELS = (0.0, 0.25, 0.5, 0.75)
"""Shares of that mean at which a further class stands for nothing; 0: there is none. All pairs of both are tried."""
TUNED_BY = "class_ciou@0.3"
LIMITS = {"train": 600, "train-synthetic": 300, "train-wild": 300, "calibration": 120}
TEST_LIMIT = 150
"""So many clips of each part, the first ones: the whole study is to take no more than an hour on two CPU cores."""


@dataclass(frozen=True)
class View:
    """Scenes, how they are scored, and whether by class maps or by one map a clip."""

    part: str
    protocol: str
    output: str = "classes"


VIEWS = {
    "solo": View("test-solo", "dsol_solo", "one"),
    "solo, classes": View("test-solo", "dsol_duet"),
    "duet": View("test-duet", "dsol_duet"),
    "synthetic": View("test-synthetic", "dsol_synthetic"),
    "wild": View("test-wild", "dsol_duet"),
}
"""What is tested, each by DSOL's protocol for it; for scenes in the wild that of duets."""
TUNING = {"two": "dsol_duet", "three": "dsol_duet", "mosaic": "dsol_synthetic"}
"""Folders of mixtures of the calibration split, and how they are scored."""
COLUMNS = ("ciou", "class_ciou", "silent_share")
"""Of each test scene: overlap of one map, mean overlap of the classes that sound, silent share of the silent ones."""


@dataclass(frozen=True)
class Stage:
    """A training run of a row: a stage of its method, on a split. `owner`: the row whose run it is, if not its own."""

    name: str
    split: str
    epochs: int
    rate: float = 1e-3
    options: Mapping[str, Option] = field(default_factory=dict)
    owner: str = ""


@dataclass(frozen=True)
class Setting:
    """One row."""

    title: str
    method: str
    stages: tuple[Stage, ...]
    options: Mapping[str, Option] = field(default_factory=dict)
    batch_size: int = 32

    @property
    def clustered(self) -> bool:
        """Whether it tells classes apart, by clusters that want names."""
        return self.method in ("dsol", "interference_eraser")


PROTOTYPES = Stage("prototypes", "train", 24, options={"first_epochs": 4, "class_epochs": 5})
IDENTIFIER = Stage("identifier", "train", 10, options={"mix_epochs": 5})
REFERRER = Stage("referrer", "train-wild", 6, 3e-4)


def ier(title: str, count: int = 3, **ablation: Option) -> Setting:
    """Interference Eraser, its first `count` stages; ablations go from the same prototypes."""
    later = [replace(stage, options={**stage.options, **ablation}) for stage in (IDENTIFIER, REFERRER)]
    stages = [PROTOTYPES, *later][:count]
    if ablation or count < 3:
        shared = len(stages) if not ablation else 1
        stages = [replace(stage, owner="ier") if i < shared else stage for i, stage in enumerate(stages)]
    return Setting(title, "interference_eraser", tuple(stages), {"clusters": len(CLASSES)})


def dsol(title: str, **options: Option) -> Setting:
    """DSOL: 34 of the 43 epochs learn places, as many as Interference Eraser has on solos (24 and 10)."""
    solo = Stage("solo", "train", 43, options={"first_epochs": 32})
    cocktail = Stage("cocktail", "train-synthetic", 6, 3e-4)
    return Setting(title, "dsol", (solo, cocktail), {"clusters": len(CLASSES), "head_rate": 1.0, **options})


SOLO = (Stage("", "train", 12),)
SETTINGS = {
    "ier": ier("Interference Eraser"),
    "ier_no_curriculum": ier("without curriculum", curriculum=False),
    "ier_no_identifier": ier("without identifier", identifier="none"),
    "ier_prototypes": ier("its prototypes alone", 1),
    "ier_identifier": ier("before the referrer", 2),
    "dsol": dsol("DSOL", mask_threshold=0.9, divide_by="mask"),
    "dsol_code": dsol("DSOL, its code's object vectors"),
    "avol": Setting("AVOL (object-of-sound)", "avol", (Stage("", "train", 12, 1e-4),)),  # at 1e-3 it ran away
    "ez_vsl": Setting("EZ-VSL", "ez_vsl", SOLO, batch_size=64),
    "slavc": Setting("SLAVC", "slavc", SOLO, batch_size=64),
}
