"""A small tree of COCO's own form: pictures, and instances_val2017.json with outlines of every kind."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image


def pack(runs: list[int]) -> str:
    """The inverse of unpack_runs, from the format's description."""
    text = ""
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        while True:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
            if not more:
                break
    return text


def write_coco(root: Path, things: dict[str, list[dict]], size: tuple[int, int] = (24, 16)) -> Path:
    """Pictures val2017/<id>.jpg and instances_val2017.json; each thing: category, segmentation, iscrowd."""
    (root / "val2017").mkdir(parents=True)
    names = ["person", "bicycle", "car", "dog", "cat", "clock", "laptop", "truck"]
    rows, annotations = [], []
    for number, (name, some) in enumerate(things.items(), start=1):
        Image.new("RGB", size, (40 * number % 255, 90, 120)).save(root / f"val2017/{name}.jpg")
        rows.append({"id": number, "file_name": f"{name}.jpg", "width": size[0], "height": size[1], "license": 4,
                     "flickr_url": f"http://example.org/{name}"})  # fmt: skip
        for thing in some:
            annotations.append({"image_id": number, "iscrowd": 0, **thing,
                                "category_id": names.index(thing["category"]) + 1})  # fmt: skip
    whole = {
        "images": rows, "annotations": annotations, "licenses": [{"id": 4, "name": "Attribution License"}],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names, start=1)],
    }  # fmt: skip
    (root / "annotations").mkdir()
    (root / "annotations/instances_val2017.json").write_text(json.dumps(whole))
    return root


def square(category: str, x: int, y: int, side: int = 6, crowd: int = 0) -> dict:
    """A thing for `write_coco`."""
    corners = [x, y, x + side, y, x + side, y + side, x, y + side]
    return {"category": category, "segmentation": [corners], "iscrowd": crowd}
