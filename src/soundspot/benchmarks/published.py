"""Published numbers to print beside ours, each with its protocol and source; shares of 1, by our metrics' names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A row of a paper's table."""

    benchmark: str
    method: str
    protocol: str
    source: str
    metrics: dict[str, float]
    clips: str = ""
    """How many clips it stands on, where known."""


_EZ = "EZ-VSL, arXiv 2203.09324"
_SLAVC = "SLAVC, arXiv 2209.09634"
_SSLALIGN = "SSLalign, arXiv 2407.13676"
_RCGRAD = "How to Listen?, arXiv 2204.05156"

_CIOU, _AUC = "ciou@0.5", "auc"
_ADAPTIVE, _AUC_ADAPTIVE = "ciou_adaptive@0.5", "auc_adaptive"
_AP, _F1, _LOCACC = "ap@0.5", "max_f1@0.5", "locacc@0.5"


def _percent(names: tuple[str, ...], values: tuple[float | None, ...]) -> dict[str, float]:
    return {name: round(value / 100, 6) for name, value in zip(names, values, strict=True) if value is not None}


def _row(
    benchmark: str,
    method: str,
    protocol: str,
    source: str,
    names: tuple[str, ...],
    values: tuple[float | None, ...],
    clips: str = "",
) -> Published:
    return Published(benchmark, method, protocol, source, _percent(names, values), clips)


_OWN = [
    _row("vggss", "EZ-VSL + OGL (full)", "ezvsl", _EZ, (_CIOU, _AUC), (39.34, 39.78), "5158"),
    _row("vggss", "EZ-VSL (full)", "ezvsl", _EZ, (_CIOU, _AUC), (35.96, 38.20), "5158"),
    _row("vggss", "EZ-VSL + OGL (144k)", "ezvsl", _EZ, (_CIOU, _AUC), (38.85, 39.54), "5158"),
    _row("vggss", "EZ-VSL + OGL (10k)", "ezvsl", _EZ, (_CIOU, _AUC), (37.18, 38.75), "5158"),
    _row("vggss", "OGL alone", "ezvsl", _EZ, (_CIOU, _AUC), (36.77, 38.69), "5158"),
    _row("vggss_heard", "EZ-VSL + OGL", "ezvsl", _EZ, (_CIOU, _AUC), (37.25, 38.97), "2564"),
    _row("vggss_unheard", "EZ-VSL + OGL", "ezvsl", _EZ, (_CIOU, _AUC), (39.57, 39.60), "2575"),
    _row("flickr", "EZ-VSL + OGL (144k)", "ezvsl", _EZ, (_CIOU, _AUC), (83.94, 63.60), "249"),
    _row("flickr", "EZ-VSL (144k)", "ezvsl", _EZ, (_CIOU, _AUC), (78.31, 61.74), "249"),
    _row("vggss", "centre prior", "slavc", _SLAVC + ", table 3", (_CIOU,), (34.16,), "5158"),
    _row("flickr", "centre prior", "slavc", _SLAVC + ", table 3", (_CIOU,), (67.60,), "250"),
    _row("vggss", "SLAVC", "slavc", _SLAVC, (_CIOU,), (37.79,), "5158"),
    _row("vggss", "SLAVC + OGL", "slavc", _SLAVC, (_CIOU,), (39.80,), "5158"),
    _row("flickr", "SLAVC", "slavc", _SLAVC, (_CIOU,), (83.60,), "250"),
    _row("flickr", "SLAVC + OGL", "slavc", _SLAVC, (_CIOU,), (86.00,), "250"),
    _row("flickr", "centre square", "rcgrad", _RCGRAD, (_CIOU, _AUC), (61.8, 53.4), "249"),
    _row("vggss", "centre square", "rcgrad", _RCGRAD, (_CIOU, _AUC), (32.3, 37.2), "4436"),
]

_EXTENDED = [
    ("vggss_extended", "OGL alone", _SLAVC, (18.73, 30.90, 36.58)),
    ("vggss_extended", "EZ-VSL", _SLAVC, (24.55, 30.90, None)),
    ("vggss_extended", "EZ-VSL + OGL", _SLAVC, (27.71, 34.60, None)),
    ("vggss_extended", "SLAVC", _SLAVC, (32.95, 40.00, 37.79)),
    ("vggss_extended", "SLAVC + OGL", _SLAVC, (34.46, 41.50, 39.80)),
    ("vggss_extended", "MarginNCE", _SSLALIGN, (30.58, 36.80, None)),
    ("vggss_extended", "FNAC", _SSLALIGN, (23.48, 33.70, None)),
    ("vggss_extended", "SSLalign", _SSLALIGN, (36.81, 42.50, None)),
    ("flickr_extended", "OGL alone", _SLAVC, (40.20, 55.70, 77.20)),
    ("flickr_extended", "EZ-VSL", _SLAVC, (46.30, 54.60, None)),
    ("flickr_extended", "EZ-VSL + OGL", _SLAVC, (48.75, 56.80, None)),
    ("flickr_extended", "SLAVC", _SLAVC, (51.63, 59.10, 83.60)),
    ("flickr_extended", "SLAVC + OGL", _SLAVC, (52.15, 60.10, 86.00)),
    ("flickr_extended", "MarginNCE", _SSLALIGN, (57.99, 61.80, None)),
    ("flickr_extended", "FNAC", _SSLALIGN, (50.40, 62.30, None)),
    ("flickr_extended", "SSLalign", _SSLALIGN, (70.09, 69.80, 83.20)),
]

# ResNet-18, VGGSound-144k. Method; whether of LVS's family, whose VGG-SS maps are enlarged another way; VGG-SS; Flickr.
_TABLE: list[tuple[str, bool, tuple[float | None, ...], tuple[float | None, ...]]] = [
    ("LVS", True, (30.30, 36.40, 40.47, 41.75), (68.40, 56.40, 73.60)),
    ("EZ-VSL", False, (35.96, 38.20, 43.52, 42.41), (78.31, 61.74, 80.40)),
    ("SSL-TIE", True, (38.63, 39.65, 51.92, 48.06), (79.50, 61.20, 84.80)),
    ("SLAVC", False, (37.79, 39.40, 49.41, 45.79), (83.60, None, 85.20)),
    ("MarginNCE", False, (38.25, 39.06, 50.76, 46.39), (83.94, 63.20, 88.80)),
    ("FNAC", False, (39.50, 39.66, 47.00, 43.30), (84.73, 63.76, 89.20)),
    ("SSLalign, scratch", True, (39.94, 40.02, 54.20, 48.18), (79.60, 63.44, 86.80)),
    ("SSLalign, pretrained vision", True, (41.42, 40.76, 57.25, 49.32), (83.20, 64.00, 88.00)),
]

PUBLISHED: list[Published] = [
    *_OWN,
    *(_row(name, method, "slavc", source, (_AP, _F1, _LOCACC), values) for name, method, source, values in _EXTENDED),
    *(
        _row(
            "vggss",
            method,
            "sslalign" if of_lvs else "sslalign_corners",
            _SSLALIGN,
            (_CIOU, _AUC, _ADAPTIVE, _AUC_ADAPTIVE),
            vggss,
        )
        for method, of_lvs, vggss, _ in _TABLE
    ),
    *(
        _row("flickr", method, "sslalign_corners", _SSLALIGN, (_CIOU, _AUC, _ADAPTIVE), flickr)
        for method, _, _, flickr in _TABLE
    ),
]


def published(benchmark: str) -> list[Published]:
    """The rows for `benchmark`; none is a benchmark without published numbers."""
    return [row for row in PUBLISHED if row.benchmark == benchmark]
