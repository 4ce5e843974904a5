"""Figures of `multisource.md`: one of two mixed sounds turned off, and the ratio of two sounds from -20 to 20 dB.

    soundspot samples mixtures --of SET --split test-solo --root SWEPT --kind side_by_side --frames 2 --sounding 2 \
        --sweep -20:20:5 --count 40
    python docs/results/multisource_figures.py SET SWEPT OUT

SET and OUT are those of `multisource.py`. Writes docs/images/multisource_off.png and multisource_ratio.png, and prints
the numbers behind both.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw
from study import TestScenes

from soundspot import weights
from soundspot.data.folder import read_folder, read_rows
from soundspot.localize.classes import Layer
from soundspot.localize.draw_classes import Palette, chip, overlay
from soundspot.media.image import resize
from soundspot.methods.base import Method
from soundspot.types import Box, Clip, Target

IMAGES = Path(__file__).resolve().parent.parent / "images"
SHOWN = {"ier": "Interference Eraser", "ier_no_identifier": "without identifier", "dsol": "DSOL"}
COLOURS = {"ier": "#d62728", "ier_no_identifier": "#ff7f0e", "dsol": "#1f77b4"}
SCENES, SIDE, DRAWN = 60, 224, (0, 3, 6, 9)
Maps = npt.NDArray[np.float32]
Pair = tuple[Clip, Target]
Picture = npt.NDArray[np.uint8]


def turned_off(root: Path, count: int) -> list[Pair]:
    """Three clips a duet: as it is, then with the second of its sounds turned off, then with the first."""
    components = {}
    for line in (root / "mixtures.jsonl").read_text().splitlines():
        row = json.loads(line)
        components[row["id"]] = {each["label"]: each.get("audio") for each in row["components"]}
    made = []
    for clip, target in [pair for pair in read_folder(root, split="test-duet") if pair[1].kind == "visible"][:count]:
        made.append((clip, target))
        for label in target.box_labels:
            alone = replace(clip, id=f"{clip.id} {label}", audio=root / components[clip.id][label], labels=(label,))
            made.append((alone, replace(target, clip_id=alone.id)))
    return made


def inside(maps: Maps, box: Box) -> float:
    """The mean of (h, w) over the cells whose middle lies in the box."""
    h, w = maps.shape
    x, y = (np.arange(w) + 0.5) / w, (np.arange(h) + 0.5) / h
    within = ((y >= box[1]) & (y <= box[3]))[:, None] & ((x >= box[0]) & (x <= box[2]))
    return float(maps[within].mean()) if within.any() else float("nan")


def answers(method: Method, scenes: TestScenes) -> Iterator[tuple[Clip, Maps, npt.NDArray[np.float32]]]:
    """Of each clip its maps (K, h, w) and probabilities (K,)."""
    with torch.no_grad():
        for kept in scenes.stacks:
            batch = kept.to_batch(method.inputs, "cpu")
            yield from zip(kept.clips, method.localize(batch).numpy(), method.hear(batch).numpy(), strict=True)


def drops(method: Method, scenes: TestScenes) -> dict[str, list[float]]:
    """By how much the maps at both objects fall as one sound is turned off: of its class, and of the other."""
    maps = {clip.id: own for clip, own, _ in answers(method, scenes)}
    targets = {target.clip_id: target for target in scenes.targets}
    found: dict[str, list[float]] = {"both on": [], "turned off": [], "the other": []}
    for name, own in maps.items():
        whole, _, alone = name.partition(" ")
        if not alone:
            continue
        for label, box in zip(targets[whole].box_labels, targets[whole].boxes, strict=True):
            number = method.class_names.index(label)
            before, after = inside(maps[whole][number], box), inside(own[number], box)
            found["both on"].append(before)
            found["the other" if label == alone else "turned off"].append(after)
    return found


def draw_off(method: Method, scenes: TestScenes) -> Image.Image:
    """A row a scene: its objects, both sounds, and either alone; a colour a class."""
    maps = {clip.id: own for clip, own, _ in answers(method, scenes)}
    targets = {target.clip_id: target for target in scenes.targets}
    clips = [clip for clip in scenes.clips.values() if " " not in clip.id]
    sheet = Image.new("RGB", (4 * SIDE, len(DRAWN) * SIDE))
    for row, clip in enumerate(clips[number] for number in DRAWN):
        labels = targets[clip.id].box_labels
        frame = silhouettes(targets[clip.id])
        versions = [(clip.id, labels), *((f"{clip.id} {label}", (label,)) for label in labels)]
        sheet.paste(Image.fromarray(frame), (0, row * SIDE))
        for column, (name, heard) in enumerate(versions, start=1):
            shown = drawn(frame, maps[name], [method.class_names.index(label) for label in labels], method.class_names)
            pen = ImageDraw.Draw(picture := Image.fromarray(shown))
            chip(pen, f"heard: {' + '.join(heard)}", (0, SIDE), (SIDE, SIDE), (255, 255, 255), 11)
            sheet.paste(picture, (column * SIDE, row * SIDE))
    return sheet


def silhouettes(target: Target) -> Picture:
    """(SIDE, SIDE, 3) the objects in view in shades of grey: the photographs are not ours to show."""
    assert isinstance(target.objects, Path)
    with Image.open(target.objects) as picture:
        numbers = np.asarray(picture).astype(int)
    shades = np.where(numbers > 0, 200 - 45 * (numbers % 4), 235).astype(np.uint8)
    return resize(np.repeat(shades[..., None], 3, axis=2), (SIDE, SIDE))


def drawn(
    frame: npt.NDArray[np.uint8], maps: Maps, numbers: Sequence[int], names: Sequence[str]
) -> npt.NDArray[np.uint8]:
    """The frame with the maps of some classes, each on the scale 0..1 as it is."""
    layers = [Layer(number, names[number], np.clip(maps[number], 0, 1).astype(np.float32)) for number in numbers]
    return overlay(frame, layers, Palette(range(len(names))))


def swept(method: Method, scenes: TestScenes, ratios: Mapping[str, float]) -> dict[float, tuple[float, float]]:
    """By ratio: how probable the second class is to the ear, and its map at its object; means over the mixtures."""
    targets = {target.clip_id: target for target in scenes.targets}
    found: dict[float, list[tuple[float, float]]] = {}
    for clip, maps, heard in answers(method, scenes):
        number = method.class_names.index(clip.labels[1])
        box = dict(zip(targets[clip.id].box_labels, targets[clip.id].boxes, strict=True))[clip.labels[1]]
        found.setdefault(ratios[clip.id], []).append((float(heard[number]), inside(maps[number], box)))
    return {
        ratio: (mean(pair[0] for pair in pairs), mean(pair[1] for pair in pairs))
        for ratio, pairs in sorted(found.items())
    }


def draw_ratio(curves: Mapping[str, Mapping[float, tuple[float, float]]]) -> Image.Image:
    """Two panels: heard, and the map at the object."""
    sheet = Image.new("RGB", (1000, 400), "white")
    pen = ImageDraw.Draw(sheet)
    for panel, title in enumerate(("second sound heard", "its map at its object")):
        left, top, wide, high = 50 + 420 * panel, 40, 360, 300
        pen.text((left, 15), title, fill="black")
        for tick in (0, 0.2, 0.4, 0.6, 0.8, 1.0):
            y = top + high * (1 - tick)
            pen.line((left, y, left + wide, y), fill="#dddddd")
            pen.text((left - 28, y - 6), f"{tick:g}", fill="black")
        for ratio in (-20, -10, 0, 10, 20):
            pen.text((left + wide * (ratio + 20) / 40 - 8, top + high + 6), f"{ratio:+d}", fill="black")
        pen.text((left + 90, top + high + 24), "dB of the second to the first sound", fill="black")
        for name, points in curves.items():
            line = [(left + wide * (ratio + 20) / 40, top + high * (1 - both[panel])) for ratio, both in points.items()]
            pen.line(line, fill=COLOURS[name], width=3)
    for number, name in enumerate(curves):
        pen.text((860, 60 + 20 * number), SHOWN[name], fill=COLOURS[name])
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("set", "swept", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    methods = {name: weights.load(given.out / "named" / f"{name}_0.safetensors") for name in SHOWN}
    off, sweep = TestScenes(turned_off(given.set, SCENES)), TestScenes(read_folder(given.swept))
    for scenes in (off, sweep):
        scenes.read(methods["ier"])
    for name, method in methods.items():
        print(SHOWN[name], {key: round(mean(values), 3) for key, values in drops(method, off).items()})
    draw_off(methods["ier"], off).save(IMAGES / "multisource_off.png")
    ratios = {
        str(row["id"]): float(str(row["id"]).split("_")[-1].removesuffix("dB")) for _, row in read_rows(given.swept)
    }
    curves = {name: swept(method, sweep, ratios) for name, method in methods.items()}
    for name, points in curves.items():
        print(SHOWN[name], {ratio: [round(value, 2) for value in both] for ratio, both in points.items()})
    draw_ratio(curves).save(IMAGES / "multisource_ratio.png")


if __name__ == "__main__":
    main()
