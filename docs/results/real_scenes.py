"""The default localizer and the floors on real photos with matching recordings: `samples vpo`.

    python docs/results/real_scenes.py COCO ESC PACKAGES OUT

COCO is a folder of photos with instance outlines, ESC an ESC-10 or ESC-50 tree (only its fifth fold is used: the
default localizer was trained on the first three and calibrated on the fourth), PACKAGES an unpacked tree of the Debian
packages tuxpaint-stamps-default and gcompris-qt-data. Writes below OUT the sounds by class, the set, predictions, a
contact sheet and table.md. What exists is not made again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from study import table

from soundspot import weights
from soundspot.benchmarks import PRIORS, prior, score
from soundspot.benchmarks.protocols import PROTOCOLS
from soundspot.benchmarks.result import Result
from soundspot.data.folder import read_folder
from soundspot.metrics.intervals import Bootstrap
from soundspot.predict import predict, replace_sounds
from soundspot.predictions import Predictions
from soundspot.samples import vpo
from soundspot.samples.rcc import read_rcc
from soundspot.samples.recordings import find_recordings
from soundspot.types import Clip, Target

SHOWN = ("strict", "ezvsl", "sslalign")
TAKES, PER_CLASS = 2, 10
GCOMPRIS = {
    "explore_farm_animals": {"cat": "cat", "cow": "cow", "dog": "dog", "horse": "horse", "sheep": "sheep"},
    "memory-sound": {
        "LRTrain_slowing_down_01_LA_cut": "train",
        "LRStartAndStopCarEngine1LACut": "car",
        "LRBark_1_LA_cut": "dog",
        "LRBark_3_LA_cut": "dog",
    },
}
"""Bundle -> recording -> class."""
SONGBIRDS = ("blackbird", "lark")
LEFT_OUT = """
000000000165 scissors  # an outline that runs over a person
000000000247 car  # behind an aeroplane whose engine could be meant
000000000309 dog  # perhaps a toy, among toys
000000000328 car  # a blur behind people
000000000359 car  # a dark corner
000000000397 person  # a trunk without a head
000000000428 person  # an infant, its outline broken
000000001353 train  # a toy train's car
000000003553 person  # a shoe
000000005001 scissors  # an outline that runs over a child
000000008690 sheep  # goats
000000009772 person  # a reflection
"""
"""Seen on the contact sheet."""


def main(words: Sequence[str]) -> None:
    """Make what is missing, score all of it, write the tables."""
    coco, esc, packages, out = map(Path, words)
    out.mkdir(parents=True, exist_ok=True)
    root = out / "set"
    if not root.exists():
        sounds = gather(esc, packages, out / "sounds")
        (out / "left_out.txt").write_text(LEFT_OUT, encoding="utf-8")
        vpo.build(root, coco, [sounds], leave_out=out / "left_out.txt", takes=TAKES, per_class=PER_CLASS)
    pairs = read_folder(root)
    draw_sheet(pairs, out / "sheet.png")
    made = {name: _predict(name, pairs, out / f"{name}.safetensors") for name in METHODS}
    text = tables(pairs, made, json.loads((root / "dataset.json").read_text(encoding="utf-8"))["sources"]["counts"])
    (out / "table.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def gather(esc: Path, packages: Path, out: Path) -> Path:
    """The recordings that the default localizer never heard, as <class>/<name>.ogg."""
    share = next(iter(packages.glob("**/usr/share")), packages)
    for label, some in find_recordings([esc]).items():
        for sound in some:
            if sound.path is not None and sound.path.name.startswith("5-"):
                _copy(sound.path.read_bytes(), out / label / sound.path.name)
    for label, some in find_recordings([share / "tuxpaint/stamps"]).items():
        for sound in some:
            assert sound.path is not None
            _copy(sound.path.read_bytes(), out / ("songbird" if label in SONGBIRDS else label) / sound.path.name)
    for bundle, classes in GCOMPRIS.items():
        for full, contents in read_rcc(share / f"gcompris-qt/rcc/{bundle}.rcc", (".ogg",)).items():
            name = Path(full).stem
            if name in classes:
                _copy(contents, out / classes[name] / f"gcompris_{name}.ogg")
    return out


def _copy(contents: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)


METHODS: dict[str, dict[str, str]] = {"default": {}, "objectness": {"part": "objectness"}, "wrong_sound": {}}
"""Row -> options of the default weights."""


def _predict(name: str, pairs: Sequence[tuple[Clip, Target]], path: Path) -> Predictions:
    if path.is_file():
        return Predictions.load(path)
    clips = [clip for clip, _ in pairs]
    if name == "wrong_sound":
        clips = replace_sounds([clip for clip, target in pairs if target.kind == "visible"])
    method = weights.load(weights.find_weights("default"), options=METHODS[name])
    return predict(method, clips, batch_size=8, path=path)


def tables(
    pairs: Sequence[tuple[Clip, Target]], made: Mapping[str, Predictions], counts: Mapping[str, Mapping[str, int]]
) -> str:
    """Markdown: how many of what, a table a protocol, then gaps between rows, and rows by class and size."""
    targets = [target for _, target in pairs]
    parts = [table(name, ["count"], {k: [str(v)] for k, v in some.items()}) for name, some in counts.items()]
    for protocol in SHOWN:
        results = {
            name: score(
                made[name] if name in made else prior(name, targets, PROTOCOLS[protocol]),
                [t for t in targets if name != "wrong_sound" or t.kind == "visible"],
                protocol, name=name, intervals=False, beside=False,
            )
            for name in [*METHODS, *PRIORS]
        }  # fmt: skip
        rows = {name.replace("_", " "): _cells(result) for name, result in results.items()}
        parts += [f"### {protocol}", table("%", list(COLUMNS), rows)]
        if protocol == "strict":
            parts += [gaps(results), by_part(targets, results)]
    return "\n\n".join(parts)


COLUMNS = {
    "adaptive cIoU": "ciou_adaptive@0.5",
    "cIoU": "ciou@0.5",
    "pointing": "pointing",
    "mean IoU, adaptive": "mean_iou_adaptive",
    "AP": "ap@0.5",
    "max-F1": "max_f1@0.5",
    "AUROC all": "auroc/all",
    "off screen": "auroc/offscreen",
    "silent": "auroc/silent",
    "noise": "auroc/noise",
}


def _cells(result: Result) -> list[str]:
    """A result's numbers; of adaptive cIoU and pointing with 95 % intervals over photos."""
    spans = dict(zip(("ciou_adaptive@0.5", "pointing"), _spans(reached(result)), strict=True))
    cells = []
    for key in COLUMNS.values():
        value = result.summary.get(key)
        cell = "" if value is None or np.isnan(value.value) else f"{100 * value.value:.1f}"
        cells.append(f"{cell} ({spans[key]})" if cell and key in spans else cell)
    return cells


def reached(result: Result) -> dict[str, np.ndarray]:
    """Visible clip -> [adaptive cIoU of at least 0.5, pointing], as 0 or 1."""
    return {
        str(record["clip_id"]): np.array(
            [float(record["ciou_adaptive"] or 0) >= 0.5, float(record["pointing"] or 0)], dtype=float
        )
        for record in result.records
        if record["kind"] == "visible"
    }


def _spans(values: Mapping[str, np.ndarray]) -> list[str]:
    """95 % intervals of both means over photos: a photo's takes are drawn together, as they tell the same."""
    bootstrap = Bootstrap([photo_of(name) for name in values])
    columns = np.stack(list(values.values())).T
    return ["{:.0f} to {:.0f}".format(*(100 * edge for edge in bootstrap.of_mean(column))) for column in columns]


def photo_of(clip_id: str) -> str:
    """The photo's id, the second part of a clip's."""
    return clip_id.split("-")[1]


def gaps(results: Mapping[str, Result]) -> str:
    """How much better the default is on the same clips."""
    rows = {}
    ours = reached(results["default"])
    for name in ("objectness", "wrong_sound", "centre"):
        theirs = reached(results[name])
        difference = {clip: ours[clip] - theirs[clip] for clip in ours}
        means = 100 * np.stack(list(difference.values())).mean(axis=0)
        rows[f"default minus {name.replace('_', ' ')}"] = [
            f"{mean:+.1f} ({span})" for mean, span in zip(means, _spans(difference), strict=True)
        ]
    return table("points", ["adaptive cIoU", "pointing"], rows)


TRAINED = ("clock", "dog", "person")
"""Classes whose sounds and objects (others of them) the default localizer was trained on."""


def by_part(targets: Sequence[Target], results: Mapping[str, Result]) -> str:
    """Adaptive cIoU by class, by whether it was trained on, and by the truth's size; mixtures only by size."""
    labels = {target.clip_id: target.labels for target in targets}
    parts: dict[str, list[str]] = {}
    for record in results["default"].records:
        name = str(record["clip_id"])
        if record["kind"] == "visible":
            parts.setdefault(f"size: {record['size_bin']}", []).append(name)
            if len(labels[name]) == 1:
                (label,) = labels[name]
                parts.setdefault(label, []).append(name)
                parts.setdefault(f"trained on: {'yes' if label in TRAINED else 'no'}", []).append(name)
    shown = {name: reached(results[name]) for name in ("default", "objectness", "wrong_sound", "centre")}
    rows = {
        part: [str(len(names)), str(len({photo_of(name) for name in names}))]
        + [f"{100 * np.mean([values[name][0] for name in names]):.0f}" for values in shown.values()]
        for part, names in sorted(parts.items(), key=lambda item: (":" in item[0], item[0]))
    }
    return table("%", ["clips", "photos", *(name.replace("_", " ") for name in shown)], rows)


def draw_sheet(pairs: Sequence[tuple[Clip, Target]], path: Path, columns: int = 6) -> None:
    """A picture of all visible scenes' first takes with their masks' outlines, to look at."""
    shown = [(clip, t) for clip, t in pairs if t.kind == "visible" and not clip.id.endswith(("-2", "-3", "-4", "-5"))]
    sheet = Image.new("RGB", (240 * columns, 200 * -(-len(shown) // columns)))
    for number, (clip, target) in enumerate(shown):
        assert clip.image is not None
        assert isinstance(target.mask, Path)
        picture, mask = Image.open(clip.image).convert("RGB"), Image.open(target.mask).convert("L")
        width = max(3, picture.width // 150 | 1)
        edge = np.asarray(mask.filter(ImageFilter.MaxFilter(width))) != np.asarray(mask)
        pixels = np.asarray(picture).copy()
        pixels[edge] = 255, 0, 0
        small = Image.fromarray(pixels)
        small.thumbnail((236, 180))
        x, y = 240 * (number % columns), 200 * (number // columns)
        sheet.paste(small, (x, y + 16))
        ImageDraw.Draw(sheet).text((x, y + 2), clip.id.replace("000000", ""), fill=(255, 255, 0))
    sheet.save(path)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(sys.argv[1:])
