"""Published lists of what papers train on, VGGSound's (arXiv 2004.14368) and Flickr-SoundNet's, with known leaks.

A list is a file of ids; its media are root/frames/<id>.jpg with root/audio/<id>.wav, or root/video/<id>.mp4 (EZ-VSL's
layout, see soundspot.train.clips). Four lists bear the name "VGGSound-144k" and differ: of EZ-VSL's ids FNAC's list has
129,907, SSL-TIE's 104,195, HearTheFlow's 104,130. The repositories of EZ-VSL and SLAVC are under Apache-2.0, those of
SSL-TIE and HearTheFlow under MIT, FNAC's states no licence and Attention10k's allows research alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from soundspot.data.lists import read_ids, same_id
from soundspot.lookup import find
from soundspot.types import UserError


@dataclass(frozen=True)
class TrainingList:
    """A published list of training ids."""

    file: str
    """Its published name."""
    count: int
    """How many ids it names."""
    source: str
    """The repository it is from; several ship the same file."""
    leaks: Mapping[str, int] = field(default_factory=dict)
    """By benchmark, how many of its test clips are in the list; none is none."""


_EZ, _FNAC, _TIE = "stoneMo/EZ-VSL", "OpenNLPLab/FNAC_AVL", "jinxiang-liu/SSL-TIE"
_FLOW, _ATTENTION = "denfed/heartheflow", "ardasnck/learning_to_localize_sound_source"

TRAINING_LISTS: dict[str, TrainingList] = {
    "vggsound_144k": TrainingList("vggss_144k.txt", 144_000, _EZ, {"vggss": 3709}),
    "vggsound_10k": TrainingList("vggss_10k.txt", 10_000, _EZ, {"vggss": 238}),
    "heard_110": TrainingList("vggss_heard.txt", 59_468, _EZ),
    "flickr_144k": TrainingList("flickr_144k.txt", 144_000, _EZ, {"flickr": 20}),
    "flickr_10k": TrainingList("flickr_10k.txt", 10_000, _EZ, {"flickr": 1}),
    "flickr_supervised": TrainingList("flickr_sup_train.txt", 4_750, "stoneMo/SLAVC"),
    "fnac_vggsound_144k": TrainingList("vggss_144k.txt", 144_000, _FNAC, {"vggss": 3715}),
    "fnac_vggsound_10k": TrainingList("vggss_10k.txt", 10_000, _FNAC, {"vggss": 229}),
    "ssl_tie_vggsound_144k": TrainingList("train_vggss_train_144k.txt", 144_000, _TIE),
    "ssl_tie_vggsound_10k": TrainingList("train_vggss_train_10k.txt", 10_000, _TIE),
    "ssl_tie_vggsound_full": TrainingList("train_vggss_190228.txt", 190_228, _TIE, {"vggss": 4916}),
    "ssl_tie_seen_144k": TrainingList("train_seen_144k_list.txt", 144_000, _TIE, {"vggss": 3565}),
    "ssl_tie_openset_70k": TrainingList("openset_train_110_70k.txt", 70_000, _TIE, {"vggss": 2306}),
    "ssl_tie_flickr_10k": TrainingList("train_flickr_10k.txt", 10_000, _TIE, {"flickr": 2}),
    "hear_the_flow_vggsound_144k": TrainingList("vgg_train_144k.txt", 144_000, _FLOW),
    "hear_the_flow_vggsound_10k": TrainingList("vgg_train_10k.txt", 10_000, _FLOW),
    "hear_the_flow_flickr_144k": TrainingList("flickr_train_144k.txt", 144_000, _FLOW),
    "hear_the_flow_flickr_10k": TrainingList("flickr_train_10k.txt", 10_000, _FLOW),
    "attention10k_flickr_144k": TrainingList("Flickr_train_144k.txt", 144_000, _ATTENTION),
}
"""By our name. Leaks are into VGG-SS's 5,158 and Flickr-SoundNet's 250 test clips."""


def training_list(name: str, folder: Path) -> list[str]:
    """The ids of the list called `name` in its order, read from its published file in `folder`.

    Ids bear no folders and VGGSound's are spelled in seconds. UserError for an unknown name, a file that is not there,
    or another number of ids than was published.
    """
    known = find(TRAINING_LISTS, name, "training list")
    path = folder / known.file
    ids = [same_id(clip_id.rsplit("/", 1)[-1]) for clip_id in read_ids(path)]
    if len(ids) != known.count:
        raise UserError(
            f"{path}: expected the {known.count} ids of {known.source}, got {len(ids)}; fetch the list again, or give"
            " a list of your own as data.ids"
        )
    return ids
