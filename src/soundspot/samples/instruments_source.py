"""What `instruments` is made from: photos, things and backgrounds parted between training and test, and melodies."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from soundspot.samples import melodies, stamps_choice
from soundspot.samples.layout import file_hash
from soundspot.samples.maker import Material
from soundspot.samples.melodies import STYLES
from soundspot.samples.packages import Packages
from soundspot.samples.paste_source import (
    find_backgrounds,
    find_cutouts,
    find_sounds,
    near_duplicate_blocks,
    split_backgrounds,
    split_sounds,
)
from soundspot.samples.scene import Cutout, load_cutout
from soundspot.samples.sound import Sound
from soundspot.samples.stamps import label_of
from soundspot.types import UserError

CLASSES = tuple(sorted(STYLES))
PROGRAMS: dict[str, str] = {
    "accordion": "22 Accordion",
    "electric_guitar": "28 Electric Guitar (clean)",
    "euphonium": "59 Tuba",
    "grand_piano": "1 Acoustic Grand Piano",
    "mandolin": "26 Acoustic Guitar (steel)",
    "saxophone": "66 Alto Sax",
}
"""Class -> the General MIDI program that plays it, counted from 1 as musicians do (melodies.STYLES counts from 0)."""
OPEN_FAMILIES = {"strings": ("cello", "violin"), "winds": ("bassoon",), "drums": ("cymbal", "drumkit", "tom_tom")}
"""Family -> Tux Paint's instruments; no scene holds two of a family: one could be taken for the other."""
OPEN_CLASSES = tuple(sorted(label for some in OPEN_FAMILIES.values() for label in some))
OPEN_PACKAGE = "tuxpaint-stamps-default"

POOLS = ("train", "calibration", "test")
SOUNDFONTS = {"train": "FluidR3_GM.sf2", "calibration": "FluidR3_GM.sf2", "test": "TimGM6mb.sf2"}
MELODIES = {"train": 60, "calibration": 15, "test": 30}
"""Melodies a class."""
TRAIN_SHARE = 0.7
"""Of each class's photos, sorted by name, the first so many are for training, the rest for test."""
ALIKE = 0.75
"""Likeness to a training photo from which on a test photo is left out: the same photo, or the same model."""
THUMBNAIL = 24
DROPPED: dict[str, str] = {
    **dict.fromkeys(
        (f"electric_gui_image_{n}" for n in ("0009", "0017", "0034", "0052", "0053")), "an acoustic guitar"
    ),
    "electric_gui_image_0068": "hardly to be recognised",
    **dict.fromkeys(("mandolin_image_0011", "grand_piano_image_0030"), "mostly background"),
    **dict.fromkeys(("mandolin_image_0023", "accordion_image_0008", "accordion_image_0015"), "a drawing"),
    **dict.fromkeys(("mandolin_image_0031", "mandolin_image_0042"), "two instruments"),
    "mandolin_image_0013": "false colours",
}
"""Cut-out -> why it is left out here, beside those that `paste` leaves out."""

T = TypeVar("T")


@dataclass
class Sources:
    """All that the set is made from."""

    pools: dict[str, Material]
    """train, calibration and test: the six instruments' cut-outs, melodies, and the backgrounds."""
    things: dict[str, dict[str, list[Cutout]]]
    """The same pools: silent objects that are no instruments, by class."""
    opened: Material = field(default_factory=Material)
    """The instruments of the open set, with the recordings that come with them."""
    left_out: tuple[str, ...] = ()
    """Test photos that look like a training photo."""


def read_sources(
    source: Path, *, packages: Path | None = None, stamps: Packages | None = None, seed: int = 0
) -> Sources:
    """Everything from a folder in `paste`'s layout and, for the open set, from Tux Paint's stamps.

    UserError where an instrument has too few photos, or there are no backgrounds.
    """
    cutouts, backgrounds = find_photos(source)
    grounds = split_backgrounds(backgrounds)
    pools = {pool: Material(backgrounds=grounds[pool]) for pool in POOLS}
    things: dict[str, dict[str, list[Cutout]]] = {pool: {} for pool in POOLS}
    left_out: list[str] = []
    for label, photos in sorted(cutouts.items()):
        train, test = two_parts(photos, near_duplicate_blocks(photos))
        if label in CLASSES:
            alike = set(test) - set(unlike(test, train))
            left_out += sorted(photo.name for photo in alike)
            test = [photo for photo in test if photo not in alike]
            if not test:
                raise UserError(f"{source}: expected photos of {label} unlike each other, got near copies; add others")
        for pool in POOLS:
            place = pools[pool].cutouts if label in CLASSES else things[pool]
            if part := test if pool == "test" else train:
                place[label] = part
    add_melodies(pools, source, packages, seed)
    return Sources(pools, things, read_open(stamps) if stamps else Material(), tuple(left_out))


def find_photos(source: Path) -> tuple[dict[str, list[Cutout]], list[Path]]:
    """Class -> cut-outs sorted by name, and backgrounds, without those left out; UserError where there are too few."""
    if not source.is_dir():
        raise UserError(f"{source}: expected a folder of cut-outs and backgrounds, got none; see docs/samples/paste.md")
    found, backgrounds = find_cutouts(source), find_backgrounds(source)
    cutouts = {label: [photo for photo in some if photo.name not in DROPPED] for label, some in found.items()}
    lacking = [label for label in CLASSES if len(cutouts.get(label, ())) < 3]
    if lacking or not backgrounds:
        raise UserError(
            f"{source}: expected cutouts/<class>/*.png, 3 or more each of {', '.join(CLASSES)}, and backgrounds/*.jpg,"
            f" got too few of {', '.join(lacking) or 'the backgrounds'}; see docs/samples/paste.md"
        )
    return cutouts, backgrounds


def two_parts(items: Sequence[T], blocks: Sequence[int]) -> tuple[list[T], list[T]]:
    """The first TRAIN_SHARE of the items and the rest, cut between two blocks; no rest where there is but one."""
    edges = [i for i in range(1, len(items)) if blocks[i] != blocks[i - 1]]
    if not edges:
        return list(items), []
    edge = min(edges, key=lambda e: abs(e - TRAIN_SHARE * len(items)))
    return list(items[:edge]), list(items[edge:])


def unlike(test: Sequence[Cutout], train: Sequence[Cutout]) -> list[Cutout]:
    """The test photos that look like none of the training photos."""
    alike = likeness([thumbnail(c) for c in test], [thumbnail(c) for c in train]).max(axis=1)
    return [photo for photo, value in zip(test, alike, strict=True) if value < ALIKE]


def thumbnail(cutout: Cutout) -> npt.NDArray[np.float64]:
    """(THUMBNAIL, THUMBNAIL, 3) of the object squashed on grey, without its mean, of unit length."""
    picture = load_cutout(cutout.path, cutout.outline)
    ground = Image.new("RGBA", picture.size, (128, 128, 128, 255))
    ground.alpha_composite(picture)
    small = np.asarray(ground.convert("RGB").resize((THUMBNAIL, THUMBNAIL)), dtype=np.float64)
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-9)


def likeness(
    ones: Sequence[npt.NDArray[np.float64]], others: Sequence[npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    """(n, m) cosines of thumbnails, mirrored or not, whichever is higher."""
    these, those = np.stack(ones), np.stack(others)
    flat = those.reshape(len(those), -1)
    straight = these.reshape(len(these), -1) @ flat.T
    mirrored = these[:, :, ::-1].reshape(len(these), -1) @ flat.T
    return np.maximum(straight, mirrored)


def add_melodies(pools: Mapping[str, Material], source: Path, packages: Path | None, seed: int) -> None:
    """The instruments' recordings in the folder, parted as `paste` parts them, or melodies rendered for them."""
    recordings = find_sounds(source)
    for label in sorted(set(CLASSES) & set(recordings)):
        for pool, some in split_sounds(recordings[label], label).items():
            pools[pool].sounds[label] = some
    wanted = [label for label in CLASSES if label not in recordings]
    fonts = [source / "soundfonts", *([packages / "usr/share/sounds/sf2"] if packages else [])]
    for number, pool in enumerate(POOLS if wanted else ()):
        font = melodies.find_soundfont(SOUNDFONTS[pool], [*fonts, Path("/usr/share/sounds/sf2")])
        rng = np.random.default_rng([seed, 11, number])
        labels = [label for label in wanted for _ in range(MELODIES[pool])]
        tunes = [(STYLES[label], melodies.compose(rng, STYLES[label])) for label in labels]
        for i, (label, samples) in enumerate(zip(labels, melodies.render(tunes, font, packages), strict=True)):
            name = f"{label}-{seed}-{pool}-{i % MELODIES[pool]:03d}"
            pools[pool].sounds.setdefault(label, []).append(Sound(name, label, samples=samples))


def needs_melodies(source: Path) -> bool:
    """Whether melodies must be rendered, for which fluidsynth must be there."""
    return source.is_dir() and not set(CLASSES) <= set(find_sounds(source))


def read_open(stamps: Packages) -> Material:
    """Tux Paint's six instruments, a photo and a recording each; UserError naming what the package lacks."""
    material = Material()
    for stamp in (
        name for some in stamps_choice.FAMILIES.values() for name in some if name.startswith("hobbies/music")
    ):
        label, base = label_of(stamp), stamps.share / "tuxpaint/stamps" / stamp
        photo, sound = base.with_suffix(".png"), base.with_suffix(".ogg")
        for path in (photo, sound):
            if not path.is_file():
                raise UserError(f"{path}: expected this file of {OPEN_PACKAGE}, got none; give the whole package")
        material.cutouts[label] = [Cutout(base.name, label, photo)]
        material.sounds[label] = [Sound(base.name, label, sound)]
    return material


def describe(sources: Sources) -> dict[str, object]:
    """What the set's description says of its photos, things, backgrounds and recordings: counts, and a hash of each."""
    counts: dict[str, dict[str, int]] = {}
    paths: dict[str, Path] = {}
    for pool in ("train", "test"):
        material, things = sources.pools[pool], sources.things[pool]
        counts[pool] = {label: len(some) for label, some in material.cutouts.items()}
        counts[pool] |= {"things": sum(map(len, things.values())), "backgrounds": len(material.backgrounds)}
        photos = [c for some in (*material.cutouts.values(), *things.values()) for c in some]
        paths |= {f"cutouts/{c.label}/{c.name}": c.path for c in photos}
    for material in sources.pools.values():
        paths |= {f"backgrounds/{path.stem}": path for path in material.backgrounds}
    listing = "".join(f"{name} {file_hash(path)}\n" for name, path in sorted(paths.items()))
    return {
        "photos": counts,
        "left_out_as_alike": list(sources.left_out),
        "sha256_files": hashlib.sha256(listing.encode()).hexdigest(),
    }
