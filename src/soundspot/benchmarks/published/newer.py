"""Localisation after the five papers, and single numbers about it, one source after the other.

Most were read in notes, on leaderboards (wizwand) or as another paper's quote: "second hand". Check the paper before
printing one of those anywhere else. Protocols are the authors' own unless named.
"""

from __future__ import annotations

from soundspot.benchmarks.published.row import (
    AUC,
    AUC_ADAPTIVE,
    CIOU,
    CIOU_ADAPTIVE,
    CLASS_AP,
    CLASS_AUC,
    CLASS_CIOU,
    FSCORE,
    MIOU,
    Columns,
    Published,
    Source,
    Trust,
    line,
    rows,
)

_TRAINED = "VGGSound-144k"
_NOTE = "note"
_LEADERBOARD = "leaderboard"
_PAIR = (CIOU, AUC)
_MASKS = (MIOU, FSCORE)
_MIXTURE = (CLASS_AP, CLASS_CIOU, CLASS_AUC)
_SWEPT = "threshold swept on the test set"
_VGGSS, _FLICKR = Columns("vggss", _PAIR), Columns("flickr", _PAIR)
_HEARD, _UNHEARD = Columns("vggss_heard", _PAIR), Columns("vggss_unheard", _PAIR)
_S4, _MS3 = Columns("avsbench_s4", _MASKS), Columns("avsbench_ms3", _MASKS)
_MUSIC_DUET = Columns("music_duet", _MIXTURE)
_CAPTIONED_DUET = Columns("vggsound_duet", (CLASS_CIOU, CLASS_AUC))
_AVATAR = [Columns(f"avatar_{part}", _PAIR, note="CIoU's threshold not known") for part in ("single", "mixed", "multi")]
_ADE = Columns("ade20k_sound", (MIOU, "map"))


def _source(name: str, year: int, *, public: bool | None = None, trust: Trust = "second hand") -> Source:
    """A source about one method, whose name is what stands before its first comma."""
    return Source(name, year, trust, {} if public is None else {name.split(",", 1)[0]: public})


_ACL = [
    *rows(
        _source("ACL-SSL, arXiv 2311.04066", 2024, public=True),
        _NOTE,
        [_VGGSS, _FLICKR, _HEARD, _UNHEARD, _S4, _MS3],
        [
            line(
                "ACL-SSL",
                (49.46, 46.32),
                (80.80, 64.62),
                (48.44, 45.06),
                (41.98, 41.55),
                (59.76, 69.03),
                (41.08, 46.67),
            )
        ],
        trained_on=_TRAINED,
        note=f"best of its seeds by its README; {_SWEPT}",
    ),
    *rows(
        Source("swimmiing/ACL-SSL issue 1", 2024, "issue"),
        "issue",
        [Columns("vggss", _PAIR, clips="5121")],
        [line("ACL-SSL, a user's run", (41.67, 41.56))],
        trained_on=_TRAINED,
        note=f"{_SWEPT}: the best cIoU of 19",
    ),
]

_SOUPLE = rows(
    _source("SouPLe, arXiv 2603.22732", 2026, public=False),
    _NOTE,
    [_VGGSS, _FLICKR, _HEARD, _UNHEARD, _S4, _MS3],
    [
        line("SouPLe, 20 epochs", (53.21, 48.15), (84.80, 67.64), None, None, None, None),
        line("SouPLe, 50 epochs", (54.76, 49.40), None, None, None, None, None),
        line(
            "SouPLe",
            None,
            None,
            (54.76, 48.86),
            (48.40, 46.24),
            (62.89, 71.47),
            (38.96, 43.30),
            note="20 or 50 epochs not known; heard cIoU equals VGG-SS's after 50",
        ),
    ],
    trained_on=_TRAINED,
)

_SYNTHETIC = [
    *rows(
        _source("SyntheticSSL, CVPR 2026", 2026, public=False),
        _NOTE,
        [Columns("vggss", (CIOU, CIOU_ADAPTIVE, AUC, AUC_ADAPTIVE), note="mean of 6 seeds")],
        [
            line("ACL-SSL, reproduced", (48.03, 62.22, 41.95, 51.99), weights=None, trained_on=_TRAINED),
            line("SyntheticSSL, 144k", (55.13, 67.16, 46.73, 55.06), trained_on="144k synthetic pictures"),
            line("SyntheticSSL, 288k", (56.36, None, None, None), trained_on="288k synthetic pictures"),
        ],
    ),
]

_SINGLE = [
    *rows(
        _source("Joint Slot Attention, arXiv 2504.15118", 2025),
        _NOTE,
        [_FLICKR],
        [line("Joint Slot Attention", (86.00, 65.16), note="code is public, weights not checked")],
    ),
    *rows(_source("AV-Unified, 2026", 2026), _LEADERBOARD, [Columns("vggss", (CIOU,))], [line("AV-Unified", (39.16,))]),
    *rows(
        _source("EchoLoc, Interspeech 2026", 2026, public=False),
        _NOTE,
        [
            _VGGSS,
            Columns("flickr", (CIOU, CIOU_ADAPTIVE)),
            Columns("flickr", (AUC_ADAPTIVE,), comparable=False, note="under its own rule"),
        ],
        [line("EchoLoc", (36.36, 38.28), (84.34, 88.22), (79.99,))],
    ),
]

_MIXTURES = [
    *rows(_source("NoPrior, CVPR 2024", 2024), _NOTE, [_MUSIC_DUET], [line("NoPrior", (52.1, 38.6, 30.1))]),
    *rows(_source("T-VSL, CVPR 2024", 2024), _NOTE, [_MUSIC_DUET], [line("T-VSL", (62.9, 43.2, 35.9))]),
    *rows(
        _source("OA-SSL, arXiv 2506.18557", 2025),
        _NOTE,
        [_MUSIC_DUET, _CAPTIONED_DUET],
        [line("OA-SSL", (61.4, 45.9, 36.1), (55.2, 44.8))],
        note="ResNet-18",
    ),
    *rows(
        _source("GAR-SSL, arXiv 2604.06824", 2026, public=False),
        _LEADERBOARD,
        [
            Columns("music_duet", (CLASS_CIOU,)),
            Columns("vggsound_duet", (CLASS_CIOU,)),
            Columns("vggsound_single", ("single_iou@0.5",)),
            Columns("music_solo", ("single_iou@0.5",), note="its metric is not stated: taken as single_iou@0.5"),
        ],
        [
            line("GAR-SSL", (82.7,), (77.6,), (60.2,), (98.5,), trained_on="none (Qwen2.5-Omni-7B)"),
            line("SSLalign", None, None, (50.8,), None, weights=True),
        ],
        note="thresholds set for each data set",
    ),
]

_AVATARS = [
    *rows(
        _source("AVATAR, arXiv 2507.04667", 2025),
        _NOTE,
        [
            *(Columns(part.benchmark, (CIOU,), note=part.note) for part in _AVATAR),
            Columns("avatar_offscreen", ("true_negative_rate",)),
        ],
        [line("TAVLO", (13.42,), (14.13,), (12.08,), (91.18,))],
    ),
    *rows(
        _source("LAIP, arXiv 2607.24786", 2026, public=False),
        _NOTE,
        [*_AVATAR, _S4, _MS3, _ADE],
        [
            line(
                "LAIP",
                (27.63, 27.77),
                (27.35, 27.40),
                (23.69, 23.85),
                (39.31, 65.18),
                (30.77, 49.00),
                (33.35, 53.57),
                trained_on="10k videos, over PE-AV",
            ),
            line("DenseAV", None, None, None, None, None, (25.5, 32.4), weights=True, note="as LAIP measured it"),
            line("TACO", None, None, None, None, None, (27.74, 35.75), note="as LAIP prints it"),
            line("CAV-MAE Sync", None, None, None, None, None, (22.7, 22.6), note="as LAIP prints it"),
        ],
    ),
]

_ENCODERS = rows(
    Source("PE-AV, facebookresearch/perception_models", 2026, "second hand", {"PE-AV": True, "ImageBind": True}),
    _NOTE,
    [Columns("vggsound", ("recall@1/image_to_sound",)), Columns("audiocaps", ("recall@1/image_to_sound",))],
    [
        line("PE-AV, large", (48.3,), None),
        line("PE-AV, base", (40.7,), None),
        line("PE-AV, small", (35.4,), None),
        line("PE-AV", None, (88.3,), note="size not stated"),
        line("ImageBind", None, (51.3,), note="as PE-AV prints it"),
    ],
    note="whole videos, no localisation model",
)

ROWS: list[Published] = [*_ACL, *_SOUPLE, *_SYNTHETIC, *_SINGLE, *_MIXTURES, *_AVATARS, *_ENCODERS]
