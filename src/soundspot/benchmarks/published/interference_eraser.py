"""Interference Eraser (IEr; Liu et al., AAAI 2022): its poster. No code was released.

DSOL's line on MUSIC-Synthetic equals DSOL's own at a threshold of 0.3, which is why CIoU is taken as that everywhere.
"""

from __future__ import annotations

from soundspot.benchmarks.published.row import CLASS_AUC, CLASS_CIOU, Columns, Published, Source, line, rows

_POSTER = Source("Interference Eraser, AAAI 2022", 2022, weights={"Interference Eraser": False})
_SINGLE = ("single_iou@0.5", CLASS_AUC)
_MIXED = (CLASS_CIOU, CLASS_AUC)
_IDENTIFIED = ("nmi", "multi_precision", "multi_recall", "multi_map")
_OWN = "the unlabelled sets' boxes are not public"

_LOCALISATION = rows(
    _POSTER,
    "poster, visual sound localization",
    [
        Columns("music_solo", _SINGLE, "dsol_solo"),
        Columns("vggsound_single", _SINGLE),
        Columns("music_synthetic", _MIXED, "dsol_synthetic"),
        Columns("music_duet", _MIXED, "dsol_duet"),
        Columns("music_unlabelled", _MIXED, note=_OWN),
        Columns("vggsound_unlabelled", _MIXED, note=_OWN),
    ],
    [
        line("Object-of-sound", (26.1, 35.8), (48.4, 46.1), (3.7, 10.2), (13.2, 18.3), (0.1, 6.8), (7.8, 15.1)),
        line("Sound-of-pixel", (40.5, 43.3), (42.5, 45.1), (8.1, 11.8), (16.8, 16.8), (7.5, 11.6), (7.9, 14.4)),
        line("DSOL", (51.4, 43.6), (49.3, 45.8), (32.3, 23.5), (30.2, 22.1), (3.2, 7.3), (8.1, 12.2)),
        line("Interference Eraser", (53.9, 50.7), (51.3, 46.9), (47.6, 29.8), (52.9, 33.8), (15.6, 15.3), (12.8, 17.6)),
    ],
    note="thresholds as DSOL's: not stated on the poster",
)

_IDENTIFIER = rows(
    _POSTER,
    "poster, Audio-Instance-Identifier",
    [Columns("music", _IDENTIFIED, unit=1), Columns("vggsound", _IDENTIFIED, unit=1)],
    [
        line("Interference Eraser, no identifier", (0.692, 0.372, 0.335, 0.355), (0.410, 0.218, 0.076, 0.189)),
        line("Interference Eraser, no curriculum", (0.758, 0.441, 0.489, 0.403), (0.414, 0.298, 0.160, 0.231)),
        line("Interference Eraser", (0.809, 0.461, 0.715, 0.433), (0.436, 0.346, 0.232, 0.283)),
    ],
    kind="ablation",
    note="ablation: the classes named in mixed sounds; which clips is not stated",
)

ROWS: list[Published] = [*_LOCALISATION, *_IDENTIFIER]
