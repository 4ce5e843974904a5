"""A timeline as a table: a row a moment. Needs the extra `tables`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from soundspot.localize.timeline import VERDICTS, Moment, Timeline
from soundspot.types import UserError

if TYPE_CHECKING:
    import pandas

EXTRA = "pip install 'soundspot[tables]'"
NUMBERS = ("probability", "confidence", "level_dbfs", "balance")
COLUMNS = (
    "time_seconds", "verdict", *NUMBERS, "shot", "peak_x", "peak_y", "tag", "tag_probability", "tags", "num_regions",
    "boxes", "box_labels", "tracks",
)  # fmt: skip
"""`level_dbfs` of digital silence is minus infinity; what is not known is NaN (`probability` without a calibration,
`balance` of mono). `tags`: a list of (name, probability), the likeliest in `tag`. `boxes`: a list of (x0, y0, x1, y1)
in 0..1, with a name each in `box_labels` and the number of its track in `tracks`. `peak_x`, `peak_y`: where it is
hottest, in 0..1. Of a method that tells classes apart: also a column `class NAME` each, with its verdict."""


def frame_of(timeline: Timeline) -> pandas.DataFrame:
    """COLUMNS, a row a moment; `attrs` says of what, by what, and how far apart the moments are."""
    try:
        import pandas
    except ImportError as error:
        raise UserError(f"expected the package {error.name}, got none; install it: {EXTRA}") from None
    names = [*COLUMNS, *(f"class {each.name}" for each in timeline.known[0].classes)] if timeline.known else [*COLUMNS]
    table = pandas.DataFrame([_row(moment) for moment in timeline.moments], columns=names)
    table["verdict"] = pandas.Categorical(table["verdict"], categories=VERDICTS)
    table = table.astype(dict.fromkeys((*NUMBERS, "tag_probability"), "float64"))
    table.attrs = {
        "source": timeline.source, "step_seconds": timeline.step_seconds, "made_with": dict(timeline.provenance)
    }  # fmt: skip
    return table


def _row(moment: Moment) -> dict[str, Any]:
    peak = moment.row()["peak"]
    best = moment.tags[0] if moment.tags else (None, None)
    return {
        "time_seconds": moment.time_seconds,
        "verdict": moment.verdict,
        **{name: getattr(moment, name) for name in NUMBERS},
        "shot": moment.shot,
        "peak_x": peak[0],
        "peak_y": peak[1],
        "tag": best[0],
        "tag_probability": best[1],
        "tags": list(moment.tags),
        "num_regions": len(moment.boxes),
        "boxes": list(moment.boxes),
        "box_labels": list(moment.box_labels),
        "tracks": list(moment.tracks),
        **{f"class {each.name}": each.verdict for each in moment.classes},
    }
