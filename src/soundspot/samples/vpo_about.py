"""What a built `vpo` set says of itself: counts, and whose pictures and sounds it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from soundspot.samples.coco import Photo

SHOWN = 5
"""Names a line."""


def readme(about: Mapping[str, Any], photos: Sequence[Photo]) -> str:
    """Markdown for the set's folder."""
    parts = [
        "# vpo: real photos with matching recordings",
        "Made by `soundspot samples vpo`; the layout is that of docs/samples/layout.md, options are in dataset.json.",
        counts_text(about["counts"]),
        "## Licences",
        "COCO's annotations are CC BY 4.0; its photos are their Flickr authors', under the licences below. The"
        " recordings stay under their sources' licences (`sound` in scenes.jsonl names each one). The set is a derived"
        " work of both; sharing it is only allowed as far as they allow it.",
        table("licence of the photos", about["licences"]),
    ]
    credits = [f"* {photo.id}: {photo.url} ({photo.licence or 'not stated'})" for photo in photos if photo.url]
    if credits:
        parts += ["## Photos", "\n".join(credits)]
    return "\n\n".join(parts) + "\n"


def counts_text(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Tables of clips by sort, class and size."""
    return "\n\n".join(table(name, some) for name, some in counts.items())


def table(heading: str, rows: Mapping[str, int]) -> str:
    """Markdown of names and numbers."""
    return "\n".join([f"| {heading} | |", "|---|---:|", *(f"| {name} | {count} |" for name, count in rows.items())])


def counts_lines(about: Mapping[str, Any]) -> list[str]:
    """The counts, and what was refused, a line each, for the command line."""
    told: dict[str, Mapping[str, int]] = {
        **about["counts"],
        "sources not used": about["sources_not_used"],
        "recordings refused": Counter(about["recordings_refused"].values()),
    }
    lost = len(about["photos"]["listed_without_file"])
    lines = [f"{name}: " + ", ".join(f"{n} {what}" for what, n in some.items()) for name, some in told.items() if some]
    return lines + ([f"photos: {lost} listed without a file"] if lost else []) + list(_remarks(about))


def _remarks(about: Mapping[str, Any]) -> Iterator[str]:
    """What the user asked for in vain."""
    for word, some in about["without_effect"].items():
        if some:
            more = f" and {len(some) - SHOWN} more, in dataset.json" if len(some) > SHOWN else ""
            yield f"--{word.replace('_', '-')} without effect: {', '.join(some[:SHOWN])}{more}"
    for kind, number in about["negatives_short"].items():
        yield f"{number} {kind} clips fewer than a third: the photos hold all classes that there are sounds of"
