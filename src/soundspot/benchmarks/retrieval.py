"""Score an embeddings file: recalls of cross-modal retrieval, gap and alignment, beside chance and published rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from soundspot.benchmarks.published import published
from soundspot.benchmarks.result import Record, Result, Value
from soundspot.embeddings import Embeddings
from soundspot.lookup import find
from soundspot.metrics import embedding_space
from soundspot.metrics.intervals import NUM_RANK_RESAMPLES, NUM_RESAMPLES, SEED, Bootstrap
from soundspot.metrics.retrieval import Ranks, both_ways, chance, median_rank
from soundspot.types import UserError

if TYPE_CHECKING:
    from rich.table import Table

KS = (1, 5, 10)
DIRECTIONS = {"sound_to_image": "sound → image", "image_to_sound": "image → sound"}
RECALLS = {f"recall@{k}/{way}": f"{title} R@{k}" for way, title in DIRECTIONS.items() for k in KS}
"""Metric keys and their column titles."""
OTHERS = {
    "median_rank/sound_to_image": "median rank, sound → image",
    "median_rank/image_to_sound": "median rank, image → sound",
    "alignment": "alignment: mean cosine of true pairs",
    "gap": "gap: distance of the modalities' centroids",
    "pair_distance": "gap pair by pair: mean distance of true pairs",
    "pair_distance_deviation": "its deviation",
}
RIGHT = {
    "own": "a query's own answer alone is right",
    "group": "any answer of a query's group (clips that share a picture) is right, the best counts",
}
"""Which answers are right; the keys are protocols, "retrieval_" before them."""


def score_retrieval(embeddings: Embeddings, *, name: str = "", right: str = "own", intervals: bool = True) -> Result:
    """Recalls both ways, median ranks, alignment, gap: with 95 % intervals over clips, or over groups if there are any.

    `right` is a key of RIGHT. Queries are drawn again for an interval, what they choose from stays. A clip that could
    not be read is neither query nor answer, and counts as listed. UserError where no clip is left.
    """
    find(RIGHT, right, "rule for right answers")
    if not len(embeddings):
        reason = next(iter(embeddings.missing.values()), "the list is empty")
        raise UserError(f"expected embeddings of at least one clip, got none; the first: {reason}")
    groups = embeddings.groups_by_clip if right == "group" else None
    found = both_ways(embeddings.image, embeddings.sound, groups)
    bootstrap = Bootstrap(embeddings.groups_by_clip) if intervals else None
    origin = embeddings.provenance
    return Result(
        name=name or origin.get("method", "unnamed"),
        benchmark=_title(origin),
        protocol=f"retrieval_{right}",
        summary={**_ranked(found, bootstrap), **_spaced(embeddings, bootstrap)},
        records=_records(embeddings, found),
        provenance=_provenance(embeddings, right, intervals),
        beside={"chance": _chance(len(embeddings), groups)},
    )


def _title(origin: Mapping[str, str]) -> str:
    """The benchmark's name; another one of a part of its clips, which published rows are not of."""
    parts = {"split": "split {}", "clip_list": "clips of {}"}
    names = [origin.get("benchmark", ""), *(text.format(origin[key]) for key, text in parts.items() if key in origin)]
    return ", ".join(name for name in names if name)


def _ranked(found: dict[str, Ranks], bootstrap: Bootstrap | None) -> dict[str, Value]:
    summary: dict[str, Value] = {}
    for way, ranks in found.items():
        for k in KS:
            summary[f"recall@{k}/{way}"] = _mean(ranks <= k, bootstrap)
        summary[f"median_rank/{way}"] = _median(ranks, bootstrap)
    return summary


def _spaced(embeddings: Embeddings, bootstrap: Bootstrap | None) -> dict[str, Value]:
    seen, heard = embedding_space.unit_pairs(embeddings.image, embeddings.sound)
    between = seen - heard
    gap = embedding_space.gap(seen, heard)
    distances = embedding_space.pair_distances(seen, heard)
    # The length of a mean grows with every resample's noise: along the gap's own direction it is a mean like others.
    along = between @ between.mean(axis=0) / (gap or 1.0)
    return {
        "alignment": _mean(embedding_space.pair_cosines(seen, heard), bootstrap),
        "gap": replace(_mean(along, bootstrap), value=gap),
        "pair_distance": _mean(distances, bootstrap),
        "pair_distance_deviation": Value(float(distances.std()), count=len(seen)),
    }


def _mean(values: np.ndarray, bootstrap: Bootstrap | None) -> Value:
    low, high = (math.nan, math.nan) if bootstrap is None else bootstrap.of_mean(values)
    return Value(float(np.mean(values)), low, high, len(values))


def _median(ranks: Ranks, bootstrap: Bootstrap | None) -> Value:
    if bootstrap is None:
        return Value(median_rank(ranks), count=len(ranks))
    low, high = bootstrap.of_statistic(lambda rows: median_rank(ranks[rows]))
    return Value(median_rank(ranks), low, high, len(ranks))


def _chance(total: int, groups: Sequence[str] | None) -> dict[str, float]:
    known = {f"recall@{k}/{way}": chance(total, k, groups) for way in DIRECTIONS for k in KS}
    return known if groups else {**known, **{f"median_rank/{way}": (total + 1) / 2 for way in DIRECTIONS}}


def _records(embeddings: Embeddings, found: dict[str, Ranks]) -> list[Record]:
    """A row a clip: its ranks as a query, and its pair's cosine; the missing with their reason."""
    cosines = embedding_space.pair_cosines(embeddings.image, embeddings.sound)
    rows: list[Record] = [
        {
            "clip_id": clip_id,
            "status": "scored",
            **{f"rank/{way}": int(ranks[row]) for way, ranks in found.items()},
            "cosine": float(cosines[row]),
            "group": embeddings.groups[row] if embeddings.groups else None,
        }
        for row, clip_id in enumerate(embeddings.ids)
    ]
    return rows + [{"clip_id": name, "status": f"missing: {reason}"} for name, reason in embeddings.missing.items()]


def _provenance(embeddings: Embeddings, right: str, intervals: bool) -> dict[str, Any]:
    """Everything needed to trust and repeat the numbers."""
    unit = "groups of clips" if embeddings.groups else "clips"
    how = (
        f"95 %, percentile bootstrap over {unit} as queries, {NUM_RESAMPLES} resamples ({NUM_RANK_RESAMPLES} for median"
        f" ranks), seed {SEED}; what queries choose from stays"
    )
    return {
        "clips_listed": len(embeddings) + len(embeddings.missing),
        "clips_used": len(embeddings),
        "clips_missing": dict(embeddings.missing),
        "missing_rule": "leave_out: a clip that could not be read is counted here, and is no query and no answer",
        "weights_sha256": embeddings.provenance.get("weights_sha256", "not recorded"),
        "space": embeddings.provenance.get("space", "not recorded"),
        "embeddings": dict(embeddings.provenance),
        "versions": {package: version(package) for package in ("soundspot", "numpy")},
        "protocol_rules": f"cosine; {RIGHT[right]}; a wrong answer as near as the right one comes first",
        "interval": how if intervals else "none",
    }


def table(result: Result) -> Table:
    """Recalls in percent: the result, chance, and what papers print for the same benchmark."""
    from rich.markup import escape
    from rich.table import Table

    sheet = Table(title=escape(result.benchmark) or None)
    for title in ("", "name", "clips"):
        sheet.add_column(title, overflow="fold")
    for title in RECALLS.values():
        sheet.add_column(title.replace(" R@", "\nR@"), justify="right", no_wrap=True)
    cells = [_percent(result.summary[key]).replace(" [", "\n[") for key in RECALLS]
    sheet.add_row("result", escape(f"{result.name} ({result.provenance['space']})"), result.clips, *cells, style="bold")
    for name, known in result.beside.items():
        used = str(result.provenance["clips_used"])
        sheet.add_row("floor", name, used, *(_percent(Value(known[key])) for key in RECALLS), style="dim")
    for row in published(result.benchmark) if result.benchmark else ():
        if row.metrics.keys() & RECALLS.keys():
            cells = [_percent(Value(row.metrics[key])) if key in row.metrics else "" for key in RECALLS]
            sheet.add_row("published", escape(f"{row.method} ({row.source})"), row.clips, *cells)
    return sheet


def notes(result: Result) -> list[str]:
    """What stands below the table: the space's numbers, rules, clips, versions; a line each."""
    known = result.provenance
    lines = [f"{title}: {_plain(result.summary[key])}" for key, title in OTHERS.items()]
    lines.append(f"{result.protocol}: {known['protocol_rules']}")
    versions = ", ".join(f"{package} {number}" for package, number in known["versions"].items())
    lines.append(
        f"{result.name}: {result.clips} clips used; space {known['space']}; weights {known['weights_sha256']};"
        f" {versions}"
    )
    missing = [f"{name} ({reason})" for name, reason in known["clips_missing"].items()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        lines.append(f"{len(missing)} clips missing ({known['missing_rule']}): {', '.join(missing[:3])}{more}")
    if "left_out" in known["embeddings"]:
        lines.append(f"not embedded: {known['embeddings']['left_out']}")
    return [*lines, f"intervals: {known['interval']}"]


def _percent(value: Value) -> str:
    return _with_interval(value, lambda number, digits: f"{100 * number:.{digits}f}", (2, 1))


def _plain(value: Value) -> str:
    return _with_interval(value, lambda number, digits: f"{number:.{digits}f}", (4, 4))


def _with_interval(value: Value, show: Callable[[float, int], str], digits: tuple[int, int]) -> str:
    if math.isnan(value.value):
        return "–"
    shown = show(value.value, digits[0])
    return shown if math.isnan(value.low) else f"{shown} [{show(value.low, digits[1])}, {show(value.high, digits[1])}]"
