"""How to Listen? (Wu et al., arXiv 2204.05156): RCGrad and CLIPTran.

Its measure needs half of the picture and a level of 0.5; LVS alone was scored with LVS's own rule. Flickr's values are
shares of 249 clips, though its table 2 says 250.
"""

from __future__ import annotations

from soundspot.benchmarks.published.row import (
    AUC,
    CIOU,
    CLASS_AUC,
    CLASS_CIOU,
    Columns,
    Published,
    Source,
    line,
    rows,
)

_PAPER = Source(
    "How to Listen?, arXiv 2204.05156",
    2022,
    weights={
        "centre square": True,
        "quadrant boxes": True,
        "LVS": True,
        "RCGrad": True,
        "CLIPAudioTran": True,
        "CLIPTextTran": True,
    },
)
_AT_03 = "ciou@0.3"
_FLICKR = Columns("flickr", (CIOU, AUC), "rcgrad", "249", protocols={"LVS": "lvs"}, unit=1)
_VGGSS = Columns("vggss", (CIOU, AUC), "rcgrad", "4436", protocols={"LVS": "lvs"}, unit=1)
_MUSIC = Columns("music_synthetic", (_AT_03, AUC), "rcgrad_0.3", "455", protocols={"LVS": ""}, unit=1)
_URBANSAS = Columns("urbansas", (_AT_03, AUC), "rcgrad_0.3", "10802", protocols={"LVS": ""}, unit=1)
_QUOTED = Columns("music_synthetic", (CLASS_CIOU, CLASS_AUC), "dsol_synthetic", "455", unit=1)

_TABLE_3 = [
    *rows(
        _PAPER,
        "table 3",
        [_FLICKR, _VGGSS, _MUSIC, _URBANSAS],
        [
            line("centre square", (0.618, 0.534), (0.323, 0.372), None, (0.038, 0.075), trained_on=""),
            line(
                "quadrant boxes",
                None,
                None,
                (0.053, 0.195),
                None,
                note="a box of 1/8 of the picture in each quadrant",
                trained_on="",
            ),
            line("LVS", (0.667, 0.549), (0.263, 0.345), (0.044, 0.144), (0.036, 0.071), note="released weights"),
            line("RCGrad", (0.679, 0.551), (0.226, 0.334), (0.369, 0.255), (0.175, 0.145)),
            line(
                "CLIPAudioTran",
                (0.482, 0.491),
                (0.225, 0.316),
                (0.064, 0.150),
                (0.073, 0.091),
                trained_on="CLIP's pairs, VGGSound",
            ),
            line(
                "CLIPTextTran",
                None,
                (0.241, 0.322),
                None,
                (0.219, 0.164),
                note="given the class's name, no sound",
                trained_on="CLIP's pairs",
            ),
        ],
        trained_on="VGGSound",
    ),
    *rows(
        _PAPER,
        "table 3",
        [_QUOTED],
        [line("DSOL", (0.323, 0.235), trust="second hand")],
        trained_on="MUSIC",
        note="quoted from DSOL, whose measure is class-aware, beside the others' plain cIoU",
    ),
]

ROWS: list[Published] = _TABLE_3
