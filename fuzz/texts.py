"""Targets: small texts. Settings, results, calibrations, done.json, COCO's files, lists, changelogs, page questions."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.aim import Aim, at, of_bytes
from fuzz.oracle import must
from fuzz.places import scratch
from soundspot.benchmarks import Result, Value
from soundspot.cli.results import read_results
from soundspot.cli.words import options_of
from soundspot.localize.classes import ClassThresholds
from soundspot.localize.folder import DONE, _finished, _Task
from soundspot.localize.run import Wanted
from soundspot.localize.timeline import Calibration
from soundspot.media.image import write_image
from soundspot.page.door import API, Door
from soundspot.page.limits import Limits
from soundspot.page.visits import Visits
from soundspot.samples.coco import read_photos
from soundspot.samples.packages import version_of
from soundspot.samples.rcc import read_rcc
from soundspot.samples.recordings import find_recordings
from soundspot.samples.vpo_classes import read_left_out, read_pairings
from soundspot.train.recipe import LEAST, Recipe, apply_settings

STATES = (200, 400, 404, 413)
FILM = Path(__file__)
"""Stands for a film whose results lie in a folder: any file that does not change."""


def _task(folder: Path) -> _Task:
    return _Task(FILM, folder, Wanted(), made_by="0" * 64, shown=False)


def _write_done(folder: Path) -> None:
    asked = _task(folder).asked()
    known = {"asked": asked, "facts": {"verdicts": {"on-screen": 1.0}}, "line": "on-screen 100%"}
    (folder / DONE).write_text(json.dumps(known))


def _read_done(folder: Path) -> None:
    found = _finished(_task(folder))
    must(found is None or (isinstance(found.facts, dict) and found.line.isprintable()), "an outcome that is none")


def _read_calibration(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    found = Calibration.of({"calibration": text})
    assert found is not None
    must(all(math.isfinite(value) for value in (found.scale, found.offset, found.low, found.high)), f"{found}")
    must(
        found.verdict(float(found.probability(0.3))) in ("on-screen", "off-screen", "unsure"), "a verdict that is none"
    )


def _read_thresholds(data: bytes) -> None:
    found = ClassThresholds.of({"class_thresholds": data.decode("utf-8", "surrogateescape")})
    must(0 < found.heard < 1 and 0 < found.seen < 1, f"{found}")


def _read_settings(data: bytes) -> None:
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    found = apply_settings(Recipe("mine", "ez_vsl"), lines)
    for name, least in LEAST.items():
        value = getattr(found, name)
        must(math.isfinite(value) and value >= least, f"{name}={value}")
    json.dumps(found.options)


def _read_options(data: bytes) -> None:
    options_of(data.decode("utf-8", "surrogateescape").split("\n"))


def _result() -> Result:
    summary = {"ciou": Value(0.5, 0.4, 0.6, 10), "auc": Value(math.nan)}
    return Result("a", "vggss", "strict", summary, [{"id": "x"}], {"clips_used": 1, "clips_listed": 2}, {"centre": {}})


def _read_results(folder: Path) -> None:
    for found in read_results(folder / "r.json"):
        must(isinstance(found.clips, str), "clips that are none")
        found.to_json()


def _write_coco(folder: Path) -> None:
    write_image(folder / "000000000001.jpg", np.zeros((8, 8, 3), np.uint8))
    annotations = [
        {"image_id": 1, "category_id": 18, "iscrowd": 0, "segmentation": [[1, 1, 5, 1, 5, 5]]},
        {"image_id": 1, "category_id": 18, "iscrowd": 1, "segmentation": {"size": [8, 8], "counts": [8, 8, 48]}},
        {"image_id": 1, "category_id": 18, "segmentation": {"size": [8, 8], "counts": "52203"}},
    ]
    image = {"id": 1, "file_name": "000000000001.jpg", "width": 8, "height": 8, "license": 4, "flickr_url": "http://x"}
    whole = {
        "images": [image, {**image, "id": 2, "file_name": "gone.jpg"}],
        "categories": [{"id": 18, "name": "dog"}],
        "licenses": [{"id": 4, "name": "CC BY"}],
        "annotations": annotations,
    }
    (folder / "instances_val.json").write_text(json.dumps(whole))


def _read_coco(folder: Path) -> None:
    for photo in read_photos(folder)[0]:
        for thing in photo.things:
            must(all(run >= 0 for run in thing.runs or ()), "a run that goes back")
            must(all(np.isfinite(part).all() for part in thing.polygons), "an outline that is none")


def _write_yolo(folder: Path) -> None:
    (folder / "images").mkdir()
    write_image(folder / "images/000000000001.jpg", np.zeros((8, 8, 3), np.uint8))
    labels = folder / "instance_segmentation/labels/val"
    labels.mkdir(parents=True)
    (labels / "000000000001.txt").write_text("18 0.1 0.1 0.5 0.1 0.5 0.5\n")
    (folder / "instance_segmentation/config.yaml").write_text("names:\n  18: dog\n  0: person\n")


def _write_pairings(folder: Path) -> None:
    (folder / "pairings.json").write_text('{"dog": ["dog_bark", "howl"], "cat": []}')


def _write_left_out(folder: Path) -> None:
    (folder / "out.txt").write_text("000000000001\n000000000002 dog # no dog\n")


def _write_esc(folder: Path) -> None:
    (folder / "meta").mkdir()
    (folder / "audio").mkdir()
    (folder / "meta/esc50.csv").write_text("filename,fold,target,category\n1-1-A-0.wav,1,0,dog\n")
    (folder / "audio/1-1-A-0.wav").write_bytes(b"RIFF")


def _write_changelog(folder: Path) -> None:
    (folder / "doc/x").mkdir(parents=True)
    (folder / "doc/x/changelog.gz").write_bytes(gzip.compress(b"x (1.2-3) unstable; urgency=low\n"))


def _rcc() -> bytes:
    """One folder with one plain file, version 1."""
    head, entry = 20, 14
    tree = (0).to_bytes(4, "big") + (2).to_bytes(2, "big") + (1).to_bytes(4, "big") * 2
    tree += (0).to_bytes(4, "big") + bytes(2) + bytes(4) + (0).to_bytes(4, "big")
    data = (2).to_bytes(4, "big") + b"hi"
    names = (1).to_bytes(2, "big") + bytes(4) + "a".encode("utf-16-be")
    places = (1, head, head + 2 * entry, head + 2 * entry + len(data))
    return b"qres" + b"".join(place.to_bytes(4, "big") for place in places) + tree + data + names


def _read_rcc(folder: Path) -> None:
    must(all(isinstance(content, bytes) for content in read_rcc(folder / "x.rcc").values()), "contents that are none")


@cache
def _visits() -> Visits:
    folder = scratch() / "page"
    folder.mkdir()
    return Visits(folder, Limits())


def _ask(data: bytes) -> None:
    """A question to the page is let in, or refused with a state that says why."""
    states: list[int] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(message: Any) -> None:
        states.extend([message["status"]] if "status" in message else [])

    scope = {"type": "http", "method": "POST", "path": f"{API}/queue/join", "headers": []}
    asyncio.run(Door(inside, _visits())(scope, receive, send))
    must(len(states) == 1 and states[0] in STATES, f"states {states}")


def _text(*examples: str) -> list[bytes]:
    return [example.encode() for example in examples]


AIMS: dict[str, Aim] = {
    "done": at("done", DONE, _write_done, _read_done),
    "calibration": of_bytes(
        _text('{"scale": 4.5, "offset": -1.0, "low": 0.4, "high": 0.6, "unsure_rate": 0.1, "error_rate": 0.02}'),
        _read_calibration,
    ),
    "class-thresholds": of_bytes(_text('{"heard": 0.4, "seen": 0.6}'), _read_thresholds),
    "settings": of_bytes(
        _text("epochs=3\nlearning_rate=1e-3\ndata.ids=ids.txt\nmethod.dim=8\ndrop_last=false\nallow_leak=a,b"),
        _read_settings,
    ),
    "options": of_bytes(_text("a=1\nb=[1, 2]\nc=text"), _read_options),
    "results": at(
        "results", "r.json", lambda folder: (folder / "r.json").write_text(_result().to_json()), _read_results
    ),
    "coco": at("coco", "instances_val.json", _write_coco, _read_coco),
    "yolo-labels": at("yolo", "instance_segmentation/labels/val/000000000001.txt", _write_yolo, _read_coco),
    "yolo-config": at("yolo-config", "instance_segmentation/config.yaml", _write_yolo, _read_coco),
    "pairings": at(
        "pairings", "pairings.json", _write_pairings, lambda folder: read_pairings(folder / "pairings.json")
    ),
    "left-out": at("left-out", "out.txt", _write_left_out, lambda folder: read_left_out(folder / "out.txt")),
    "esc50": at("esc50", "meta/esc50.csv", _write_esc, lambda folder: find_recordings([folder])),
    "changelog": at("changelog", "doc/x/changelog.gz", _write_changelog, lambda folder: version_of(folder, "x")),
    "rcc": at("rcc", "x.rcc", lambda folder: (folder / "x.rcc").write_bytes(_rcc()), _read_rcc),
    "page-question": of_bytes(
        _text('{"data": [{"path": "/tmp/x.mp4"}, 3], "fn_index": 2, "session_hash": "abc"}', '{"data": []}'), _ask
    ),
}
