"""Compare what a results file says with what came out of making it again: a check a thing, each with its outcome."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from soundspot.benchmarks.origin import SCORING, taken_down
from soundspot.benchmarks.result import Result
from soundspot.predictions import Predictions

State = Literal["ok", "noted", "differs", "cannot be checked"]
NUMBERS_TOLERANCE = 1e-9
"""Of a result's numbers, absolute or as a share: what another machine's last digits come to. Counts must be equal."""
MAPS_TOLERANCE = 1e-5
"""Largest difference of a score in a map that was made anew; of a map beyond -1..1, as a share of its largest score."""
MOST_TOLD = 5
"""Differences that get a line of their own; of more, their number is told."""
COUNTS = ("clips_listed", "clips_used", "clips_missing", "clips_without_truth", "clips_not_in_benchmark", "leaks")
LISTS = ("defects", "missing_rule", "interval", "weights_sha256", "clip_list", "clip_list_sha256")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `noted` says what a reader should know and counts for nothing."""

    name: str
    state: State
    detail: str = ""

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.name}: {self.state}" + (f" ({self.detail})" if self.detail else "")


def exit_code(checks: Sequence[Check]) -> int:
    """0 where all is equal, 1 where something differs, 2 where something could not be looked at."""
    states = {check.state for check in checks}
    return 1 if "differs" in states else 2 if "cannot be checked" in states else 0


def compare_file(name: str, recorded: Mapping[str, Any], place: Path) -> list[Check]:
    """A file against its hash; of a folder each file that changed is noted: the truth as read tells if it matters."""
    if not place.exists():
        return [Check(name, "cannot be checked", f"{place} is missing")]
    found = taken_down(place, most_named=sys.maxsize)
    if found["sha256"] == recorded["sha256"]:
        return [Check(name, "ok", f"sha256 {found['sha256'][:12]}")]
    if "num_files" not in recorded or "num_files" not in found:
        return [Check(name, "differs", f"{place} has changed: sha256 {_start(recorded)} then, {_start(found)} now")]
    before, now = recorded.get("files"), found["files"]
    if before is None:
        return [Check(name, "noted", f"{place} has changed: sha256 {_start(recorded)} then, {_start(found)} now")]
    changed = [f"{file} has changed" for file, digest in before.items() if now.get(file, digest) != digest]
    gone = [f"{file} is missing" for file in before if file not in now]
    if not changed and not gone:
        return [Check(name, "ok", f"its {len(before)} files are as they were, others have come beside")]
    return list(_told(name, [*changed, *gone], state="noted"))


def _start(recorded: Mapping[str, Any]) -> str:
    return str(recorded["sha256"])[:12]


def compare_results(recorded: Result, again: Result) -> list[Check]:
    """Every number of a result, its rows and the priors beside it against those of the same words scored again."""
    values = {key: vars(value) for key, value in recorded.summary.items()}
    values_again = {key: vars(value) for key, value in again.summary.items()}
    known, now = plain(recorded.provenance), plain(again.provenance)
    names = {"benchmark": recorded.benchmark, "protocol": recorded.protocol}
    pairs = {
        "protocol": ({**names, "rules": known.get("protocol")}, {
            "benchmark": again.benchmark, "protocol": again.protocol, "rules": now["protocol"]}),
        "clips": ({key: known.get(key) for key in COUNTS}, {key: now.get(key) for key in COUNTS}),
        "said of them": ({key: known.get(key) for key in LISTS}, {key: now.get(key) for key in LISTS}),
        "summary": (plain(values), plain(values_again)),
        "floors and ceilings": (plain(recorded.beside), plain(again.beside)),
    }  # fmt: skip
    checks = [check for name, (one, other) in pairs.items() for check in _compared(name, one, other)]
    if recorded.records:
        return [*checks, *_compared("records", _by_clip(recorded), _by_clip(again))]
    return [*checks, Check("records", "noted", "none in this file: `score --out` keeps them, `--json` does not")]


def compare_predictions(recorded: Predictions, again: Predictions, tolerance: float = MAPS_TOLERANCE) -> list[Check]:
    """Maps made anew against those of the file: the same clips, the same ones missing, scores within `tolerance`."""
    strange = [f"{clip_id} has a map in one alone" for clip_id in sorted(recorded.maps.keys() ^ again.maps.keys())]
    lost = [
        f"{clip_id}: {recorded.missing.get(clip_id, 'not missing')} then, {again.missing.get(clip_id, 'not missing')}"
        for clip_id in sorted(recorded.missing.keys() | again.missing.keys())
        if (clip_id in recorded.missing) != (clip_id in again.missing)
    ]
    worst, said, shapes = 0.0, "none", []
    for clip_id in sorted(recorded.maps.keys() & again.maps.keys()):
        one, other = recorded.maps[clip_id], again.maps[clip_id]
        if one.shape != other.shape:
            shapes.append(f"{clip_id}: {one.shape} then, {other.shape} now")
            continue
        largest, scale = float(np.abs(one.astype(np.float64) - other).max()), max(1.0, float(np.abs(one).max()))
        if largest / scale > worst:
            worst = largest / scale
            said = f"{largest:.3g} at {clip_id}" + (f", whose scores reach {scale:.3g}" if scale > 1 else "")
    checks = [*_told("clips with maps", strange), *_told("clips missing", lost), *_told("shapes of maps", shapes)]
    said = f"largest difference {said}; allowed {tolerance:g}" + (" of them" if "reach" in said else "")
    if not recorded.maps.keys() & again.maps.keys():
        return [*checks, Check("maps", "cannot be checked", "no clip has one in both")]
    return [*checks, Check("maps", "ok" if worst <= tolerance else "differs", said)]


def compare_origin(recorded: Mapping[str, str], again: Mapping[str, str]) -> list[Check]:
    """What predictions say of their method, but for versions: these may differ where the maps do not."""
    one, other = ({key: said[key] for key in said if key not in SCORING} for said in (recorded, again))
    return list(_compared("method", one, other))


def compare_versions(recorded: Mapping[str, str], now: Mapping[str, str], name: str = "versions") -> Check:
    """What is of another version than it was; that alone is no difference."""
    other = [
        f"{key} {recorded.get(key, 'none')} then, {now.get(key, 'none')} now"
        for key in sorted(recorded.keys() | now.keys())
        if recorded.get(key) != now.get(key)
    ]
    return Check(name, "noted", "; ".join(other)) if other else Check(name, "ok", "all as they were")


def plain(value: Any) -> Any:
    """As it comes back from JSON: lists for tuples, None for what is no number."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _by_clip(result: Result) -> Any:
    """Rows by clip: their order says nothing."""
    return plain({str(row.get("clip_id")): row for row in result.records})


def _compared(name: str, recorded: Any, again: Any) -> Iterator[Check]:
    count, told = sum(1 for _ in _leaves(recorded)), list(_differences("", recorded, again))
    yield from _told(name, told, f"{count} values" if count != 1 else "1 value")


def _told(name: str, told: Sequence[str], good: str = "", state: State = "differs") -> Iterator[Check]:
    if not told:
        yield Check(name, "ok", good)
    for each in told[:MOST_TOLD]:
        yield Check(name, state, each)
    if len(told) > MOST_TOLD:
        yield Check(name, state, f"and {len(told) - MOST_TOLD} more")


def _leaves(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is None:
        yield value
        return
    for each in inner:
        yield from _leaves(each)


def _differences(where: str, one: Any, other: Any) -> Iterator[str]:
    """Each place where two plain values differ, by its name."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            path = f"{where} {key}".strip()
            if key not in one or key not in other:
                yield f"{path}: {'only then' if key in one else 'only now'}"
            else:
                yield from _differences(path, one[key], other[key])
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(f"{where}[{place}]", left, right)
    elif not _same(one, other):
        yield f"{where}: {_short(one)} then, {_short(other)} now"


def _same(one: Any, other: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    if numbers and (isinstance(one, float) or isinstance(other, float)):
        return math.isclose(one, other, rel_tol=NUMBERS_TOLERANCE, abs_tol=NUMBERS_TOLERANCE)
    return type(one) is type(other) and bool(one == other)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
