"""Published numbers to print beside ours, each with its protocol, its source and how far to trust it.

Shares of 1 by our metrics' names, exactly as printed; a file a source. Where two sources disagree, both stand here.
"""

from __future__ import annotations

from collections.abc import Sequence

from soundspot.benchmarks.published import (
    ez_vsl,
    how_to_listen,
    interference_eraser,
    newer,
    segmentation,
    slavc,
    ssl_align,
    ssl_align_ablations,
    ssl_align_sets,
)
from soundspot.benchmarks.published.anchors import Anchor, best_rows
from soundspot.benchmarks.published.row import LOWER_IS_BETTER, METRICS, Kind, Published, Trust

__all__ = ["LOWER_IS_BETTER", "METRICS", "PUBLISHED", "Anchor", "Kind", "Published", "Trust", "anchors", "published"]

PUBLISHED: list[Published] = [
    *ez_vsl.ROWS,
    *slavc.ROWS,
    *how_to_listen.ROWS,
    *interference_eraser.ROWS,
    *ssl_align.ROWS,
    *ssl_align_sets.ROWS,
    *ssl_align_ablations.ROWS,
    *newer.ROWS,
    *segmentation.ROWS,
]


def published(benchmark: str, *, ablations: bool = False) -> list[Published]:
    """The rows for `benchmark`, without ablations unless asked; none is a benchmark without published numbers."""
    return [row for row in PUBLISHED if row.benchmark == benchmark and (ablations or row.kind == "main")]


def anchors(rows: Sequence[Published] = PUBLISHED) -> dict[tuple[str, str], Anchor]:
    """The best of `rows` for each (benchmark, metric), and the best whose weights are public; no ablations.

    Protocols, clips and supervision may differ between rows of one metric: look at the anchor's row before comparing,
    or give only the rows that compare. Rows marked as not comparable are left out.
    """
    return best_rows([row for row in rows if row.kind == "main" and row.comparable])
