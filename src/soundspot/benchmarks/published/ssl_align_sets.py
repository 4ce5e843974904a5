"""SSLalign (arXiv 2407.13676) on IS3, VPO and AVSBench: tables III and VII with boxes, XIII and XIV with masks.

A block a data set, its lines in the order of METHODS. None of them uses OGL. The paper gives neither code nor words for
how tables XIII and XIV score masks; the numbers fit the top half of the map (adaptive: the true area) as a mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from soundspot.benchmarks.published.row import FSCORE, MIOU, Cells, Columns, Published, line, rows
from soundspot.benchmarks.published.ssl_align import BOXES, METHODS, PAPER, TRAINED

_CLIPS = {"is3": "6480", "vpo_ss": "890", "avsbench_s4_boxes": "3700"}
_NOTES = {"vpo_ms": "2164 clips by its table I, 2157 in the list of its code"}
_INTERACTIVE = ("iiou@0.5", "iiou_adaptive@0.5", "iauc", "iauc_adaptive")
_SEGMENTATION = (MIOU, "miou_adaptive", FSCORE, "fscore_adaptive")
_MASKS = (*BOXES, MIOU, FSCORE)
_AGAINST_MASKS = "against masks"

# cIoU, cIoU adaptive, AUC, AUC adaptive
_TABLE_3: dict[str, Sequence[Cells]] = {
    "is3": (
        (33.4, 39.4, 39.0, 41.1),
        (34.2, 42.1, 39.6, 42.7),
        (38.5, 49.3, 41.7, 46.7),
        (36.9, 45.0, 40.2, 42.7),
        (40.6, 52.6, 42.5, 47.7),
        (39.2, 49.5, 42.0, 46.1),
        (45.1, 59.4, 43.9, 50.9),
        (43.3, 56.7, 43.0, 49.6),
        (45.7, 63.1, 44.1, 52.4),
    ),
    "vpo_ss": (
        (28.5, 31.8, 29.1, 32.7),
        (26.6, 30.3, 29.0, 32.9),
        (31.7, 39.1, 30.6, 36.7),
        (29.1, 34.3, 30.0, 34.2),
        (32.1, 35.6, 30.3, 35.1),
        (31.5, 36.3, 30.8, 34.8),
        (31.1, 38.4, 30.4, 36.4),
        (29.2, 38.4, 30.1, 36.8),
        (30.4, 38.7, 30.4, 36.2),
    ),
    "vpo_ms": (
        (25.0, 28.9, 27.8, 30.9),
        (25.4, 31.0, 28.7, 32.6),
        (27.5, 35.4, 29.4, 35.1),
        (27.1, 33.9, 29.2, 34.0),
        (28.7, 33.5, 29.5, 34.1),
        (28.4, 34.9, 29.8, 34.2),
        (28.7, 37.5, 30.1, 36.0),
        (27.4, 36.8, 29.5, 35.5),
        (29.0, 36.4, 29.7, 35.2),
    ),
    "avsbench_s4_boxes": (
        (42.0, 51.2, 41.0, 47.2),
        (44.9, 52.4, 41.9, 47.5),
        (47.4, 60.8, 43.2, 53.3),
        (46.8, 58.2, 43.2, 50.7),
        (47.7, 59.0, 43.7, 51.8),
        (48.4, 58.5, 43.8, 50.7),
        (51.7, 68.2, 45.0, 56.2),
        (50.5, 66.4, 44.3, 55.0),
        (52.1, 67.4, 45.0, 55.9),
    ),
}

# IIoU, IIoU adaptive, IAUC, IAUC adaptive
_TABLE_7: dict[str, Sequence[Cells]] = {
    "is3": (
        (6.5, 11.2, 26.0, 25.3),
        (7.4, 13.0, 26.4, 26.6),
        (9.4, 19.0, 28.4, 31.5),
        (7.5, 14.5, 26.3, 25.5),
        (11.5, 23.7, 29.4, 32.5),
        (11.5, 22.4, 28.9, 31.0),
        (14.8, 31.4, 31.1, 37.4),
        (13.2, 27.3, 30.2, 35.5),
        (15.8, 37.6, 31.4, 39.5),
    ),
    "vpo_ms": (
        (21.2, 24.2, 24.8, 27.0),
        (20.9, 25.4, 25.4, 28.3),
        (23.8, 30.6, 26.4, 31.0),
        (22.4, 28.4, 25.8, 29.3),
        (24.9, 28.1, 26.4, 29.9),
        (24.9, 29.7, 26.8, 30.1),
        (24.4, 31.9, 26.8, 31.7),
        (23.5, 31.6, 26.3, 31.3),
        (24.9, 30.5, 26.6, 30.9),
    ),
}

# mIoU, mIoU adaptive, F, F adaptive
_TABLE_13: dict[str, Sequence[Cells]] = {
    "avsbench_s4": (
        (27.0, 30.5, 33.4, 42.4),
        (27.7, 30.7, 34.1, 42.8),
        (28.9, 38.9, 35.2, 52.5),
        (28.0, 32.8, 34.4, 45.5),
        (28.9, 35.4, 35.3, 48.6),
        (28.8, 33.0, 35.3, 45.6),
        (30.1, 40.6, 36.3, 54.3),
        (29.5, 39.5, 35.8, 53.2),
        (30.1, 39.2, 36.3, 53.0),
    ),
    "avsbench_ms3": (
        (22.8, 26.8, 25.1, 28.9),
        (22.6, 27.8, 25.0, 30.9),
        (23.5, 32.7, 25.9, 37.8),
        (22.1, 26.1, 24.3, 28.5),
        (23.1, 30.1, 25.5, 35.4),
        (23.2, 30.4, 25.5, 34.2),
        (23.7, 30.9, 26.1, 35.1),
        (23.6, 31.5, 25.9, 35.9),
        (23.7, 31.4, 26.2, 35.9),
    ),
}

# cIoU, cIoU adaptive, AUC, AUC adaptive, mIoU, F
_TABLE_14: dict[str, Sequence[Cells]] = {
    "is3": (
        (6.3, 11.1, 23.9, 24.2, 23.8, 29.7),
        (7.2, 13.4, 24.5, 26.4, 24.5, 30.3),
        (9.2, 20.7, 26.0, 31.8, 26.0, 32.1),
        (7.1, 15.1, 24.4, 26.2, 24.3, 30.1),
        (9.2, 18.5, 26.1, 30.8, 26.1, 31.9),
        (7.3, 14.7, 25.3, 27.5, 25.3, 31.1),
        (9.6, 25.4, 27.0, 35.4, 27.0, 32.9),
        (9.5, 24.4, 26.7, 34.8, 26.7, 32.5),
        (10.6, 28.5, 27.3, 36.6, 27.3, 33.1),
    ),
    "vpo_ss": (
        (12.7, 14.6, 20.8, 21.4, 20.3, 25.5),
        (9.6, 12.2, 20.4, 22.1, 20.0, 25.3),
        (12.8, 20.4, 21.4, 26.3, 21.0, 26.4),
        (12.0, 15.3, 21.1, 22.1, 20.6, 25.8),
        (11.3, 14.8, 21.3, 23.4, 20.8, 26.1),
        (12.1, 15.7, 21.5, 23.2, 21.1, 26.3),
        (13.3, 20.7, 21.6, 26.4, 21.2, 26.5),
        (12.7, 20.2, 21.4, 26.5, 21.0, 26.3),
        (12.4, 17.6, 21.5, 24.9, 21.0, 26.3),
    ),
    "vpo_ms": (
        (8.2, 10.9, 18.3, 18.8, 17.8, 22.7),
        (9.4, 11.8, 18.9, 20.6, 18.5, 23.4),
        (10.8, 19.2, 19.5, 24.3, 19.1, 24.0),
        (10.3, 14.8, 19.2, 21.7, 18.7, 23.6),
        (10.4, 15.0, 19.6, 22.2, 19.2, 24.1),
        (9.4, 13.8, 19.5, 21.3, 19.1, 24.0),
        (11.4, 19.8, 20.1, 25.2, 19.7, 24.6),
        (10.6, 19.9, 19.6, 24.9, 19.2, 24.1),
        (11.7, 18.7, 19.9, 24.0, 19.5, 24.3),
    ),
}


def _blocks(
    table: str, metrics: tuple[str, ...], blocks: Mapping[str, Sequence[Cells]], protocol: str, note: str = ""
) -> list[Published]:
    return [
        row
        for name, lines in blocks.items()
        for row in rows(
            PAPER,
            table,
            [Columns(name, metrics, protocol, _CLIPS.get(name, ""), note=_NOTES.get(name, ""))],
            [line(method, cells) for method, cells in zip(METHODS, lines, strict=True)],
            trained_on=TRAINED,
            note=note,
        )
    ]


ROWS: list[Published] = [
    *_blocks("table III", BOXES, _TABLE_3, "sslalign_corners"),
    *_blocks("table VII", _INTERACTIVE, _TABLE_7, "sslalign_corners"),
    *_blocks("table XIII", _SEGMENTATION, _TABLE_13, "sslalign_masks", _AGAINST_MASKS),
    *_blocks("table XIV", _MASKS, _TABLE_14, "sslalign_masks", _AGAINST_MASKS),
]
