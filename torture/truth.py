"""Is what a command gave right: what it says of itself, what it left on disk, and what is known of the file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from torture.corpus.entry import Entry
from torture.corpus.source import THUMB, thumb
from torture.workers import Ended

MOST_GREY = 70
"""Of 255: how far one of the small picture's pixels may be off after lossy coding."""
MEAN_GREY = 14
FINE_LEFTOVERS = (".unfinished",)
"""What a command that was stopped leaves on purpose, to go on from."""


def wrong_ending(ended: Ended, command: str) -> Iterator[str]:
    """A command ends with 0, 1 or 2 and, where it failed, says so in one line."""
    if ended.fault:
        yield ended.fault.strip().splitlines()[-1]
        return
    if ended.code not in (0, 1, 2):
        yield f"exit code {ended.code}"
    if "Traceback" in ended.err or "Warning" in ended.err:
        yield "a traceback or a warning is printed"
    lines = [line for line in ended.err.replace("\r", "\n").splitlines() if line.startswith("soundspot: ")]
    if ended.code == 2:
        if len(lines) != 1 or ended.err.rstrip().splitlines()[-1:] != lines:
            yield "not one line that says what is wrong"
        elif "expected" not in lines[0] or ("got" not in lines[0] and "is a picture" not in lines[0]):
            yield "the line does not say what was expected and what came"
    if ended.code == 1 and command != "pack":
        yield "exit code 1"


def leftovers(folder: Path) -> Iterator[str]:
    """Partial files under names of their own, anywhere below a folder."""
    for path in folder.rglob("*"):
        if ".partial" in path.name:
            yield f"left behind: {path.name}"


def wrong_probe(entry: Entry, out: str) -> Iterator[str]:
    """What `probe --json` said against what is known."""
    (said,) = json.loads(out)
    yield from _not_finite(said)
    names = {"seconds": "duration_seconds", "width": "width", "height": "height", "channels": "channels",
             "sample_rate": "sample_rate", "frames_per_second": "frames_per_second"}  # fmt: skip
    slack = {"seconds": 0.1, "frames_per_second": 0.01}
    for name, its in names.items():
        known = entry.truth.get(name)
        if known is None or (entry.kind == "picture" and its not in ("width", "height")):
            continue
        if entry.kind == "sound" and its in ("width", "height"):
            continue
        got = said.get(its)
        # a file of Opus is at 48 kHz whatever went in
        if got is None or abs(got - known) > slack.get(name, 0):
            yield f"{its} {got} in place of {known}"


def wrong_picture(entry: Entry, path: Path) -> Iterator[str]:
    """What is on screen at the known moment, against what was put there."""
    if "thumb" not in entry.truth:
        return
    from soundspot.media.image import read_image
    from soundspot.media.video import read_frame

    if entry.kind == "picture":
        pixels = read_image(path)
    else:
        pixels = read_frame(path, entry.truth["at_seconds"])
    off = np.abs(np.array(thumb(pixels), np.int64) - np.array(entry.truth["thumb"], np.int64))
    assert off.shape == (THUMB, THUMB)
    if off.max() > MOST_GREY or off.mean() > MEAN_GREY:
        yield f"another picture than the known one (off by {off.mean():.0f} of 255, at most {off.max()})"


def wrong_timeline(entry: Entry, out: Path) -> Iterator[str]:
    """timeline.jsonl, overlay.mp4 and summary.png: readable, finite, and as many moments as there should be."""
    from soundspot.media.image import read_image

    rows = [json.loads(line) for line in (out / "timeline.jsonl").read_text(encoding="utf-8").splitlines()]
    moments = [row for row in rows if "time_seconds" in row]
    yield from _not_finite(rows)
    wanted, most = entry.truth.get("moments"), entry.truth.get("most_moments", math.inf)
    if not moments or len(moments) > most or (wanted is not None and len(moments) != wanted):
        yield f"{len(moments)} moments in place of {wanted or f'1 to {most}'}"
    times = [row["time_seconds"] for row in moments]
    if times and (times[0] != 0 or any(abs(b - a - 0.5) > 1e-6 for a, b in pairwise(times))):
        yield f"moments at {times[:4]}"
    # weights without a calibration give no verdicts
    said = {(row.get("verdict"), row.get("level_dbfs")) for row in moments}
    if entry.truth.get("silent") and not said <= {("silent", None), (None, None)}:
        yield "a silent film that is not said to be"
    read_image(out / "summary.png")
    yield from _wrong_overlay(entry, out / "overlay.mp4", len(moments))


def _wrong_overlay(entry: Entry, path: Path, moments: int) -> Iterator[str]:
    from soundspot.media.video import iter_frames, probe

    info = probe(path)
    if not info.has_picture or not info.has_sound:
        yield "an overlay film without picture or sound"
    if info.duration_seconds > 0.5 * moments + 1.5:
        yield f"an overlay film of {info.duration_seconds:.1f} s for {moments} moments"
    shapes = {frame.image.shape for frame in iter_frames(path, frames_per_second=2.0)}
    if len(shapes) != 1:
        yield f"an overlay film of {len(shapes)} sizes"


def wrong_predictions(path: Path, clips: set[str], good_map: np.ndarray | None) -> Iterator[str]:
    """A predictions file: every clip in it or named, maps finite, the good clip's as without the other."""
    from soundspot.predictions import Predictions

    made = Predictions.load(path)
    if {*made.maps, *made.missing} != clips:
        yield f"clips {sorted({*made.maps, *made.missing})} in place of {sorted(clips)}"
    for name, values in made.maps.items():
        if not np.isfinite(values).all():
            yield f"a map of {name} that is not finite"
    if good_map is not None and not np.allclose(made.maps["good"], good_map, atol=1e-5):
        yield "another map of the good clip than alone"


def wrong_pack(folder: Path, clips: set[str]) -> Iterator[str]:
    """A pack: every shard whole by its SHA-256, every clip in it or named."""
    from soundspot.data.shards import Packed
    from soundspot.tensors import sha256

    facts = json.loads((folder / "pack.json").read_text()) if (folder / "pack.json").is_file() else None
    if facts is None:
        yield "no list of shards"
        return
    for shard in facts["shards"]:
        if sha256(folder / shard["file"]) != shard["sha256"]:
            yield f"{shard['file']} is not what its list says"
    packed = Packed.at(folder)
    listed = {row["id"] for path in folder.glob("shard-*.jsonl") for row in _rows(path) if "id" in row}
    if listed != clips:
        yield f"clips {sorted(listed)} in place of {sorted(clips)}"
    assert packed is not None


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _not_finite(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _not_finite(each)
    elif isinstance(value, list):
        for each in value:
            yield from _not_finite(each)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"a value that is not finite: {value}"


def disagreement(got: dict[str, str]) -> Iterator[str]:
    """The four commands read one file with one result."""
    probe, localize, pack, predict = (got[name] for name in ("probe", "localize", "pack", "predict"))
    if probe == "error" and (localize == "result" or "clip" in (pack, predict)):
        yield "`probe` refuses what another command reads"
    if pack != predict:
        yield f"`pack`: {pack}, `predict`: {predict}"
    if predict == "clip" and localize == "error":
        yield "`predict` reads what `localize` refuses"
