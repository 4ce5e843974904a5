"""Build `stamps`: a test set of scenes from Debian packages that every user's machine can make again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from soundspot.media.image import FORMATS
from soundspot.samples import stamps_choice as choice
from soundspot.samples.layout import SetWriter
from soundspot.samples.maker import SCENE_KINDS, Deck, Material, SceneMaker
from soundspot.samples.packages import Packages, fetch
from soundspot.samples.rcc import read_rcc
from soundspot.samples.scene import Cutout
from soundspot.samples.sound import Sound, fill, read_sound, set_level
from soundspot.types import UserError

VERSION = "1"
SHA256_SCENES = "e33bb04be9a93de855933a326efbb0badb67bb0ea2d73115c48511b40e249b15"
"""scenes.jsonl of version 1: 300 scenes a kind, seed 0, 320 pixels, the packages of stamps_choice.VERSIONS."""
SHA256 = "ae861ae9e6d82d0432e6379e2501a17844a3fc16f819942da78116e6e59a250c"
"""All its files, made with numpy 2.4.6, pillow 13.0.0, scipy 1.17.1 and av 18.1.0: codecs of others differ in bits."""
FARM_FILE = "explore_farm_animals.rcc"
RCC_FOLDER = "gcompris-qt/rcc"


def build(
    out: Path,
    *,
    source: Path | None = None,
    cache: Path,
    scenes_per_kind: int = 300,
    seed: int = 0,
    image_size: int = 320,
) -> Path:
    """Write the data set to the new folder `out` and give it back.

    The packages are fetched below `cache`, or taken from `source`: .deb files or an unpacked usr/share tree. Scenes
    are of split "test", GCompris's farm photographs of split "farm".
    """
    if scenes_per_kind < 0:
        raise UserError(f"scenes a kind: expected 0 or more, got {scenes_per_kind}; give a count")
    packages = fetch(tuple(choice.VERSIONS), cache, source=source)
    deck = Deck(find_material(packages, cache), families())
    with SetWriter(out, name="stamps", version=VERSION, seed=seed, sources=packages.versions) as writer:
        maker = SceneMaker(writer, deck, "test", seed=seed, image_size=image_size)
        for kind in SCENE_KINDS:
            for number in range(scenes_per_kind):
                maker.make(kind, number)
        write_farm(writer, packages, cache, seed)
    return out


def families() -> dict[str, str]:
    """Class -> family."""
    return {label_of(stamp): family for family, stamps in choice.FAMILIES.items() for stamp in stamps}


def label_of(stamp: str) -> str:
    """The class of a stamp.

    >>> label_of("animals/mammals/pig_golden2"), label_of("animals/birds/owl")
    ('tamworth_pig', 'owl')
    """
    name = stamp.rsplit("/", 1)[-1]
    return choice.LABELS.get(name, name)


def find_material(packages: Packages, cache: Path) -> Material:
    """Stamps with sounds and the photo backgrounds; UserError naming what the packages lack."""
    material = Material(backgrounds=find_backgrounds(packages, cache))
    for stamp in (stamp for stamps in choice.FAMILIES.values() for stamp in stamps):
        label, base = label_of(stamp), packages.share / "tuxpaint/stamps" / stamp
        photo, sound = base.with_suffix(".png"), base.with_suffix(".ogg")
        _expect(photo, sound)
        material.cutouts.setdefault(label, []).append(Cutout(base.name, label, photo))
        material.sounds.setdefault(label, []).append(Sound(base.name, label, sound))
    return material


def find_backgrounds(packages: Packages, cache: Path) -> list[Path]:
    """The photo backgrounds, those of GCompris unpacked below `cache`."""
    share = packages.share
    files = [
        *(share / f"tuxpaint/templates/{name}.jpg" for name in choice.TUXPAINT_BACKGROUNDS),
        *(share / f"backgrounds/{name}.jpg" for name in choice.LOMIRI_BACKGROUNDS),
        *(share / f"backgrounds/mate/nature/{name}.jpg" for name in choice.MATE_BACKGROUNDS),
        *(share / f"wallpapers/{name}/contents/images/2560x1600.jpg" for name in choice.PLASMA_BACKGROUNDS),
    ]
    _expect(*files)
    details = [f"image/{name}_background.webp" for name in choice.DETAILS_BACKGROUNDS]
    files += unpack_rcc(share / RCC_FOLDER / "details.rcc", details, cache)
    monuments = [f"{name}.webp" for name in choice.MONUMENTS_BACKGROUNDS]
    return files + unpack_rcc(share / RCC_FOLDER / "explore_monuments.rcc", monuments, cache)


def unpack_rcc(bundle: Path, wanted: list[str], cache: Path) -> list[Path]:
    """The files of a Qt resource bundle whose names end in `wanted`, in that order, written below `cache`."""
    _expect(bundle)
    folder = cache / "rcc" / bundle.stem
    folder.mkdir(parents=True, exist_ok=True)
    found = read_rcc(bundle, tuple(f"/{name}" for name in wanted))
    paths = []
    for name in wanted:
        contents = next((data for full, data in found.items() if full.endswith(f"/{name}")), None)
        if contents is None:
            raise UserError(
                f"{bundle}: expected the file {name} in it, got none; use gcompris-qt-data 3.1-2 of Debian 12"
            )
        paths.append(folder / name.replace("/", "_"))
        paths[-1].write_bytes(contents)
    return paths


def write_farm(writer: SetWriter, packages: Packages, cache: Path, seed: int) -> None:
    """Write GCompris's nine farm photographs with their sounds; where several animals stand, all are boxed."""
    names = [f"animals/{name}.webp" for name in choice.FARM]
    names += [f"animals/{sound}.ogg" for sound, *_ in choice.FARM.values()]
    paths = unpack_rcc(packages.share / RCC_FOLDER / FARM_FILE, names, cache)
    for i, (name, (_, label, (width, height), boxes)) in enumerate(choice.FARM.items()):
        with Image.open(paths[i], formats=FORMATS) as opened:
            picture = np.asarray(opened.convert("RGB"))
        if picture.shape[:2] != (height, width):
            raise UserError(
                f"{paths[i]}: expected {width}x{height}, got {picture.shape[1]}x{picture.shape[0]}; use 3.1-2"
            )
        rng = np.random.default_rng([seed, *b"farm", i])
        clip_id = f"farm-{name}"
        writer.add(
            clip_id,
            kind="visible",
            image=writer.write_picture(clip_id, picture),
            audio=writer.write_sound(clip_id, set_level(rng, fill(rng, read_sound(paths[len(choice.FARM) + i])))),
            boxes=[(x0 / width, y0 / height, x1 / width, y1 / height) for x0, y0, x1, y1 in boxes],
            box_labels=[label] * len(boxes),
            labels=[label],
            split="farm",
        )


def _expect(*paths: Path) -> None:
    """UserError naming the first file that is not there."""
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: expected this file of a Debian 12 package, got none; see docs/samples/stamps.md")
