"""Supervised audio-visual segmentation: J and F a frame, then over all frames at once.

The two are not comparable: the same CAVP model has 78.78 and 89.43 on S4. A figure read in a repository is "code".
"""

from __future__ import annotations

from soundspot.benchmarks.published.row import FSCORE, MIOU, Columns, Published, Source, line, rows

_MASKS = (MIOU, FSCORE)
_FRAMES = [Columns(f"avsbench_{part}", _MASKS, "avsbench") for part in ("s4", "ms3", "avss")]
_NOTE = "note"
_OWN_TRAINING = "each benchmark's own training set"


def _frames(
    source: Source, table: str, method: str, *cells: tuple[float | None, ...] | None, note: str = ""
) -> list[Published]:
    """J and F on S4, MS3 and AVSS."""
    return rows(source, table, _FRAMES, [line(method, *cells, note=note)], trained_on=_OWN_TRAINING)


def _second_hand(name: str, year: int, weights: bool | None = None) -> Source:
    return Source(name, year, "second hand", {} if weights is None else {name.split(",", 1)[0]: weights})


_AVSEGFORMER = Source("AVSegFormer, arXiv 2307.01146", 2024, "code", {"AVSegFormer": True})
_TAVIS = _second_hand("TAViS, arXiv 2506.11436", 2025)

_BY_FRAME: list[Published] = [
    *_frames(
        _second_hand("TPAVI, arXiv 2207.05042", 2022, True), _NOTE, "TPAVI, PVT-v2", (78.7, 87.9), (54.0, 64.5), None
    ),
    *_frames(_second_hand("CATR, ACM MM 2023", 2023), _NOTE, "CATR", (81.4, 89.6), (59.0, 70.0), None),
    *_frames(_AVSEGFORMER, "README", "AVSegFormer, PVT-v2", (82.06, 89.9), (58.36, 69.3), (36.66, 42.0)),
    *_frames(
        _AVSEGFORMER,
        "README",
        "AVSegFormer, ResNet-50",
        (76.45, 85.9),
        (49.53, 62.8),
        (29.77, 35.2),
        note="AVSS's pair equals that of TPAVI with PVT-v2 in CAVP's README: one may be a slip",
    ),
    *_frames(
        _second_hand("GAVS, AAAI 2024", 2024),
        _NOTE,
        "GAVS",
        (80.06, 90.2),
        (63.7, 77.4),
        None,
        note="a user could not reproduce it (GeWu-Lab/Generalizable-AVS issue 3)",
    ),
    *_frames(
        _second_hand("SAMA-AVS, WACV 2024", 2024),
        _NOTE,
        "SAMA-AVS",
        (81.53, 88.6),
        (63.14, 69.1),
        None,
        note="TAViS quotes 83.2 / 90.1 and 66.9 / 75.4",
    ),
    *_frames(
        _TAVIS,
        _NOTE,
        "SAMA-AVS",
        (83.2, 90.1),
        (66.9, 75.4),
        None,
        note="as TAViS quotes it; SAMA-AVS's own are 81.53 / 88.6 and 63.14 / 69.1",
    ),
    *_frames(_second_hand("COMBO, CVPR 2024", 2024), _NOTE, "COMBO", (84.7, 91.9), (59.2, 71.2), None),
    *_frames(
        _second_hand("Stepping Stones, ECCV 2024", 2024),
        _NOTE,
        "Stepping Stones",
        (83.18, 91.33),
        (67.3, 77.63),
        (48.5, 53.2),
    ),
    *_frames(_second_hand("SAVE, arXiv 2407.02004", 2024), _NOTE, "SAVE, 256", (84.59, None), (70.28, None), None),
    *_frames(_second_hand("SAVE, arXiv 2407.02004", 2024), _NOTE, "SAVE, 1024", (86.16, None), (70.83, None), None),
    *_frames(_TAVIS, _NOTE, "TAViS", (87.0, 92.6), (71.2, 79.6), (44.2, None)),
    *_frames(
        _second_hand("DGCM-AVS, arXiv 2608.16285", 2026),
        _NOTE,
        "DGCM-AVS, ResNet-50",
        (83.3, 91.3),
        (61.2, 74.4),
        None,
    ),
]

_DEEPAVFUSION = rows(
    Source("DeepAVFusion, arXiv 2312.01017", 2024, "code"),
    "README",
    [Columns("avsbench_s4", _MASKS, comparable=False)],
    [
        line("DeepAVFusion, lowest", (89.94, 92.34)),
        line("DeepAVFusion, highest", (90.27, 92.49)),
    ],
    note="ends of the README's ranges, J's and F's apart; probably not a frame at a time",
)

_BOTH_WAYS = Source("CAVP, arXiv 2304.02970", 2024, "code")
_CAVP = [
    *rows(
        _BOTH_WAYS,
        "README",
        [Columns(f"avsbench_{part}", (MIOU,), "avsbench") for part in ("s4", "ms3", "avss")],
        [line("CAVP", (78.78,), (55.82,), (30.37,))],
        trained_on=_OWN_TRAINING,
        note="a frame at a time",
    ),
    *rows(
        _BOTH_WAYS,
        "README",
        [Columns(f"avsbench_{part}", ("miou_dataset",), "avsbench_dataset") for part in ("s4", "ms3", "avss")],
        [line("CAVP", (89.43,), (72.79,), (44.70,))],
        trained_on=_OWN_TRAINING,
        note="all frames at once",
    ),
]

_JF = ("jf_dataset",)
_BENCHMARKS = ("avsbench_s4", "avsbench_ms3", "avsbench_avss", "vpo_ss", "vpo_ms", "vpo_msmi")
_ALL_FRAMES = [Columns(name, _JF, "avsbench_dataset") for name in _BENCHMARKS]


def _at_once(source: Source, method: str, *values: float | None) -> list[Published]:
    """J&F on S4, MS3, AVSS, VPO-SS, VPO-MS, VPO-MSMI."""
    cells = [(value,) for value in values]
    return rows(source, _NOTE, _ALL_FRAMES, [line(method, *cells)], trained_on=_OWN_TRAINING)


_AT_ONCE: list[Published] = [
    *_at_once(_second_hand("BYOAVP, CVPR 2026", 2026, False), "BYOAVP", 95.0, 80.5, 69.6, 75.5, 77.2, 71.5),
    *_at_once(_second_hand("DDESEG", 2025), "DDESEG", 94.2, None, 67.9, None, None, None),
    *_at_once(_second_hand("AuralSAM2, arXiv 2506.01015", 2025), "AuralSAM2", None, 79.9, None, None, None, None),
    *_at_once(_second_hand("RAVS", 2025), "RAVS", None, None, None, 75.0, None, 69.3),
]

ROWS: list[Published] = [*_BY_FRAME, *_DEEPAVFUSION, *_CAVP, *_AT_ONCE]
