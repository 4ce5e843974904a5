"""Flickr-SoundNet's test set: Annotations/<id>.xml with a <bbox> a person, flickr_test.csv, frames and audio by id."""

from __future__ import annotations

from pathlib import Path

from layouts import Tree
from layouts.made import make_picture, make_sound

BOXES = {
    "10000130166": [(64, 64, 192, 192), (48, 64, 192, 208), (64, 48, 208, 192)],
    "10007936344": [(0, 128, 128, 256), (0, 112, 128, 256)],
    "3908875350": [(128, 0, 256, 128)],
}
"""On the 256 grid, one a person."""


def write(folder: Path) -> Tree:
    """Three photos, boxed by three, two and one person."""
    root = folder / "media"
    (folder / "Annotations").mkdir(parents=True)
    (folder / "flickr_test.csv").write_text("".join(f"{name},{number}\n" for number, name in enumerate(BOXES)))
    for number, (name, boxes) in enumerate(BOXES.items()):
        people = "".join(_person(who, box) for who, box in enumerate(boxes))
        (folder / "Annotations" / f"{name}.xml").write_text(f"<annotation><people>{people}</people></annotation>")
        x0, y0, x1, y1 = boxes[0]
        make_picture(root / "frames" / f"{name}.jpg", (x0 / 256, y0 / 256, x1 / 256, y1 / 256))
        make_sound(root / "audio" / f"{name}.wav", 400.0 * (number + 1))
    return Tree(folder, root)


def _person(who: int, box: tuple[int, int, int, int]) -> str:
    sides = "".join(
        f"<{side}>{value}</{side}>" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<bbox><person>{who}</person>{sides}</bbox>"


def write_extended(folder: Path) -> Tree:
    """With SLAVC's table of negatives: pictures with another clip's sound."""
    tree = write(folder)
    first, second, third = BOXES
    lines = ["video,audio,label", f"{first},{third},non-sounding", f"{second},{first},non-sounding"]
    (folder / "flickr_test_plus_silent.csv").write_text("\n".join(lines) + "\n")
    return tree
