"""Write the table of all protocols into docs/benchmarks.md, between its two marks.

    python docs/protocols_table.py

`--check` writes nothing and ends with 1 where the page is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from soundspot.benchmarks import PROTOCOLS, Protocol

PAGE = Path(__file__).with_name("benchmarks.md")
BEGIN, END = "<!-- table of protocols: made by protocols_table.py -->", "<!-- end of table -->"
HEAD = ("name", "follows", "enlarge", "stretch", "claimed area", "adaptive area", "truth", "success at", "confidence",
        "AP", "IIoU groups", "also", "clip without a map")  # fmt: skip


def row(protocol: Protocol) -> tuple[str, ...]:
    """Every rule of one protocol."""
    area = protocol.area if protocol.area.startswith("half") else f"{protocol.area} ({protocol.level:g})"
    area = f"{area} ({protocol.level:g})" if protocol.area == "half_ge_and_level" else area
    boxes = "" if protocol.box_rounding == "clip_floor" else f", boxes {protocol.box_rounding}"
    at = ", ".join(f"{threshold:g}" for threshold in protocol.thresholds)
    also = ", ".join(protocol.forms) or "–"
    return (
        f"`{protocol.name}`", protocol.source, f"{protocol.enlarge} to {protocol.grid}", protocol.stretch, area,
        protocol.adaptive, f"{protocol.truth} first{boxes}", at, protocol.confidence, protocol.precision,
        protocol.groups, also, protocol.missing,
    )  # fmt: skip


def page(text: str) -> str:
    """The page with the table as it should be."""
    rows = [HEAD, ("---",) * len(HEAD), *map(row, PROTOCOLS.values())]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


if __name__ == "__main__":
    old = PAGE.read_text(encoding="utf-8")
    if "--check" in sys.argv:
        raise SystemExit(0 if page(old) == old else 1)
    PAGE.write_text(page(old), encoding="utf-8")
