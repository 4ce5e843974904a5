"""All four commands over one file of the corpus, and what is found wrong with how they end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from torture import truth
from torture.corpus.entry import COMMANDS, Entry
from torture.corpus.shelf import GOOD_FILM, GOOD_PICTURE, GOOD_SOUND
from torture.workers import LIMIT_MIB, Ended, Worker

TINY = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "image_size": 64, "seconds": 1.0, "dim": 8}
"""The light method that packs and predicts."""
RECIPE = [
    "--set",
    "method=ez_vsl",
    *(word for name, value in TINY.items() for word in ("--set", f"method.{name}={value}")),
]
BROKEN = "broken"
"""A traceback, no end in time, or a process that came to an end."""


@dataclass
class Row:
    """What became of one file."""

    name: str
    got: dict[str, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_mib: dict[str, float] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    """The line of each error."""


@dataclass(frozen=True)
class Bench:
    """Where the corpus lies, where to work, and the weights."""

    corpus: Path
    work: Path
    tiny: Path
    weights: str
    """Of `localize`."""

    def worker(self, place: str = "") -> Worker:
        """A process with the weights at hand; of a `place`, with that mounted."""
        folder = self.work / place
        folder.mkdir(parents=True, exist_ok=True)
        return Worker([str(self.tiny), self.weights], inside=_mount(place, folder))


def make_tiny(path: Path) -> Path:
    """The light method's weights: random, always the same."""
    import torch

    from soundspot import weights
    from soundspot.methods import build

    torch.manual_seed(0)
    return weights.save(build("ez_vsl", **TINY), path)


def _mount(place: str, folder: Path) -> str:
    """Words of a shell that make the place, in a namespace of its own."""
    if not place:
        return ""
    options = "ro" if place == "read-only" else f"size={place.removeprefix('full-')}k"
    return f"mount -t tmpfs -o {options} tmpfs '{folder}'"


def good_map(bench: Bench, worker: Worker) -> np.ndarray:
    """What `predict` makes of the good clip alone."""
    from soundspot.predictions import Predictions

    root = _root(bench, "good", [])
    made = root / "out.safetensors"
    ended = worker.run(_predict(bench, root, made), root)
    if ended.code != 0:
        raise RuntimeError(f"predict of a good film alone: {ended.fault or ended.err}")
    return Predictions.load(made).maps["good"]


def over(entry: Entry, bench: Bench, worker: Worker, alone: np.ndarray | None) -> Row:
    """The four commands, each looked at."""
    row = Row(entry.name)
    root = _root(bench, "files", [entry])
    place = bench.work / entry.place if entry.place else root
    outs = {name: place / f"{name}-out" for name in COMMANDS}
    file = bench.corpus / entry.name
    here = file.parent
    words = {
        "probe": ["probe", "--json", "--", file.name],
        "localize": _localize(entry, bench, file.name, outs["localize"]),
        "pack": ["pack", "spot", str(root), str(outs["pack"]), "--jobs", "1", *RECIPE],
        "predict": _predict(bench, root, outs["predict"] / "p.safetensors"),
    }
    for command in COMMANDS:
        ended = worker.run(words[command], here)
        pid = worker.process.pid if worker.process is not None else None
        seen = outs[command] if not entry.place else Path(f"/proc/{pid}/root{outs[command]}")
        _note(row, entry, command, ended, seen, alone)
        if seen.exists() and entry.place != "read-only":
            shutil.rmtree(seen)
    row.findings += truth.disagreement(row.got) if not entry.place else []
    if row.got["probe"] == "result":
        row.findings += [f"probe: {each}" for each in truth.wrong_picture(entry, file)]
    shutil.rmtree(root)
    return row


def _note(row: Row, entry: Entry, command: str, ended: Ended, out: Path, alone: np.ndarray | None) -> None:
    """Add how one command ended, and what is wrong with that."""
    row.seconds[command], row.peak_mib[command] = round(ended.seconds, 2), round(ended.peak_mib, 1)
    found = list(truth.wrong_ending(ended, command))
    got = _outcome(command, ended, out)
    row.got[command] = got
    if ended.code != 0:
        row.said[command] = " ".join(ended.err.split())[-400:]
    wanted = entry.expect.of(command)
    if wanted not in ("either", got):
        found.append(f"{got} in place of {wanted}")
    if ended.peak_mib > LIMIT_MIB:
        found.append(f"{ended.peak_mib:.0f} MiB")
    if got != BROKEN:
        try:
            found += _left(entry, command, ended, got, out, alone)
        except (ValueError, OSError, KeyError) as error:  # what it wrote cannot be read
            found.append(f"{type(error).__name__}: {error}")
    row.findings += [f"{command}: {each}" for each in found]


def _left(entry: Entry, command: str, ended: Ended, got: str, out: Path, alone: np.ndarray | None) -> Iterator[str]:
    """What is wrong with what lies in the folder for results."""
    if out.exists():
        yield from truth.leftovers(out)
    if command == "probe" and got == "result":
        yield from truth.wrong_probe(entry, ended.out)
    elif command == "localize":
        if got == "result":
            yield from truth.wrong_timeline(entry, out)
        elif out.exists():
            # either a film's results are there, or they are not
            whole = {path.name for path in out.iterdir()} - set(truth.FINE_LEFTOVERS)
            if "overlay.mp4" in whole:
                yield "results beside an error"
    elif command == "pack" and got in ("clip", "missing"):
        yield from truth.wrong_pack(out, {"good", "entry"})
        if got == "missing" and "missing entry: " not in ended.err:
            yield "the missing clip is not named"
    elif command == "predict" and got in ("clip", "missing"):
        yield from truth.wrong_predictions(out / "p.safetensors", {"good", "entry"}, alone)
    elif command == "predict" and (out / "p.safetensors").exists():
        yield "a predictions file beside an error"


def _outcome(command: str, ended: Ended, out: Path) -> str:
    if ended.fault or ended.code not in (0, 1, 2):
        return BROKEN
    if ended.code == 2:
        return "error"
    if command in ("probe", "localize"):
        return "result" if ended.code == 0 else BROKEN
    if command == "pack":
        return "clip" if ended.code == 0 else "missing"
    return "missing" if "missing entry: " in ended.err else "clip"


def _root(bench: Bench, name: str, entries: Sequence[Entry]) -> Path:
    """A folder of scenes: the good film, and the file that is looked at."""
    root = bench.work / name
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (root / "media").symlink_to(bench.corpus)
    rows = [{"id": "good", "video": f"media/{GOOD_FILM}"}]
    for entry in entries:
        files = {
            "film": {"video": f"media/{entry.name}"},
            "picture": {"image": f"media/{entry.name}", "audio": f"media/{GOOD_SOUND}"},
            "sound": {"image": f"media/{GOOD_PICTURE}", "audio": f"media/{entry.name}"},
        }
        rows.append({"id": "entry", **files[entry.kind]})
    lines = [json.dumps({**row, "kind": "silent", "split": "train"}) for row in rows]
    (root / "scenes.jsonl").write_text("\n".join(lines) + "\n")
    return root


def _localize(entry: Entry, bench: Bench, name: str, out: Path) -> list[str]:
    given = {"film": [name], "picture": [name, f"../{GOOD_SOUND}"], "sound": [f"../{GOOD_PICTURE}", name]}
    options = ["--out", str(out), "--weights", bench.weights, "--every", "0.5", *entry.words]
    return ["localize", *options, "--", *given[entry.kind]]


def _predict(bench: Bench, root: Path, out: Path) -> list[str]:
    return ["predict", str(bench.tiny), "samples", "--root", str(root), "--out", str(out), "--workers", "0"]
