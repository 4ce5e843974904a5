"""Build `paste`: training, calibration and test scenes from a folder of cut-outs, sounds and backgrounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from soundspot.samples.layout import SetWriter
from soundspot.samples.maker import SCENE_KINDS, Deck, Material, SceneMaker
from soundspot.samples.moving import MOVING_SIZE, MovingMaker
from soundspot.samples.packages import version_of
from soundspot.samples.paste_files import compare
from soundspot.samples.paste_source import SPLITS, read_material
from soundspot.types import UserError

VERSION = "1"
IMAGE_SIZE = 320
SCENES: dict[str, dict[str, int]] = {
    "train": {"single": 1500, "pair": 500, "offscreen": 300, "silent": 300, "noise": 300},
    "calibration": {"single": 300, "pair": 150, "offscreen": 100, "silent": 100, "noise": 100},
    "test": {"single": 300, "pair": 200, "offscreen": 150, "silent": 150, "noise": 150},
}
"""Scenes a kind in each split; a pair is two clips."""


def build(
    out: Path,
    source: Path,
    *,
    scenes: Mapping[str, Mapping[str, int]] | None = None,
    seed: int = 0,
    image_size: int | None = None,
    moving: bool = False,
    packages: Path | None = None,
) -> Path:
    """Write the data set to the new folder `out` and give it back.

    `source` is a folder in the layout of docs/samples/paste.md; `scenes` says how many of each kind (SCENE_KINDS) a
    split has, default SCENES; `image_size` is by default 320, or 224 for films (`moving`); `packages` is where
    fluidsynth and the soundfonts were unpacked, if not installed.
    """
    wanted = check_scenes(scenes if scenes is not None else SCENES)
    material = read_material(source, packages=packages, seed=seed)
    name = "paste-moving" if moving else "paste"
    size = image_size or (MOVING_SIZE if moving else IMAGE_SIZE)
    make = MovingMaker if moving else SceneMaker
    with SetWriter(out, name=name, version=VERSION, seed=seed, sources=provenance(material, packages)) as writer:
        for split, counts in wanted.items():
            maker = make(writer, Deck(material[split], {}), split, seed=seed, image_size=size)
            for kind, count in counts.items():
                for number in range(count):
                    maker.make(kind, number)
    return out


def provenance(material: Mapping[str, Material], packages: Path | None) -> dict[str, object]:
    """What the data set's description says of its sources."""
    names = ("fluidsynth", "fluid-soundfont-gm", "timgm6mb-soundfont")
    versions = {name: version_of((packages or Path("/")) / "usr/share", name) for name in names}
    rendered = any(s.path is None for part in material.values() for some in part.sounds.values() for s in some)
    return {"files": compare(material), **(versions if rendered else {})}


def check_scenes(scenes: Mapping[str, Mapping[str, int]]) -> Mapping[str, Mapping[str, int]]:
    """The same, or UserError for a split or kind that does not exist."""
    from soundspot.lookup import find

    for split, counts in scenes.items():
        find(dict.fromkeys(SPLITS), split, "split")
        for kind, count in counts.items():
            find(dict.fromkeys(SCENE_KINDS), kind, "kind of scene")
            if count < 0:
                raise UserError(f"scenes of kind {kind} in {split}: expected 0 or more, got {count}; give a count")
    return scenes
