"""Films annotated frame by frame, in soundspot's form of AVATAR."""

from __future__ import annotations

import json
from pathlib import Path

from layouts import Tree
from layouts.made import HEIGHT, RATE, WIDTH, make_mask
from make_media import make_film, tone

DOG, CAT = [0.0, 0.25, 0.5, 1.0], [0.5, 0.0, 1.0, 0.5]


def write(folder: Path) -> Tree:
    """avatar.json with two films: boxes by time, polygons by number, a mask, an off-screen and a silent moment."""
    (folder / "video").mkdir(parents=True, exist_ok=True)
    for name, hertz in (("yard", 300.0), ("road", 900.0)):
        samples = tone(hertz, 2.0, RATE)
        make_film(
            folder / f"video/{name}.mp4", num_frames=10, rate=5, size=(WIDTH, HEIGHT), samples=samples, sample_rate=RATE
        )
    make_mask(folder / "masks/road_0.png", (0.25, 0.25, 0.75, 0.75))
    (folder / "avatar.json").write_text(json.dumps({"videos": videos()}))
    return Tree(folder, folder)


def videos() -> list[dict[str, object]]:
    """The films of the file."""
    dog = {"class": "dog", "sounding": True, "box": DOG}
    cat = {"class": "cat", "sounding": True, "box": CAT}
    truck = {"class": "truck", "sounding": True, "box": [0.25, 0.25, 0.75, 0.75]}
    roof = {"class": "truck", "sounding": True, "polygon": [[0.25, 0.5], [0.75, 0.5], [0.75, 1.0], [0.25, 1.0]]}
    yard = [
        {"time_seconds": 0.5, "scenario": "single-sound", "instances": [dog, {**cat, "sounding": False}]},
        {"time_seconds": 1.0, "scenario": "mixed-sound", "instances": [dog, cat]},
        {"time_seconds": 1.5, "scenario": "off-screen", "instances": [{**dog, "sounding": False}]},
    ]
    road = [
        {"frame": 1, "scenario": "single-sound", "instances": [truck], "mask": "masks/road_0.png"},
        {"frame": 5, "scenario": "multi-entity", "instances": [roof]},
        {"frame": 8, "instances": [], "kind": "silent"},
    ]
    return [
        {"id": "yard", "file": "video/yard.mp4", "frames": yard},
        {"id": "road", "file": "video/road.mp4", "frames_per_second": 5, "size": [WIDTH, HEIGHT], "frames": road},
        {"id": "empty", "file": "video/empty.mp4", "frames": []},
    ]
