"""Find cut-outs, sounds, melodies and backgrounds in a folder and part them so that no two splits share one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from soundspot.samples import melodies
from soundspot.samples.maker import Material
from soundspot.samples.paste_choice import (
    CALTECH_CLASSES,
    CALTECH_PREFIXES,
    DROPPED_BACKGROUNDS,
    DROPPED_CUTOUTS,
    ESC_CLASSES,
    FACE_BLOCKS,
    SAME_PLACE,
)
from soundspot.samples.paste_files import read_listed
from soundspot.samples.scene import Cutout
from soundspot.samples.sound import Sound
from soundspot.textfiles import is_file, read_table
from soundspot.types import UserError

SPLITS = ("train", "calibration", "test")
SHARES = {"train": 0.6, "calibration": 0.2, "test": 0.2}
FOLDS = {"1": "train", "2": "train", "3": "train", "4": "calibration", "5": "test"}
SOUNDFONTS = {"train": "FluidR3_GM.sf2", "calibration": "FluidR3_GM.sf2", "test": "TimGM6mb.sf2"}
MELODIES = {"train": 24, "calibration": 8, "test": 8}
PICTURES = (".png", ".webp", ".jpg", ".jpeg")
SOUNDS = (".wav", ".ogg", ".mp3", ".flac")
LAYOUT = (
    "expected cutouts/<class>/*.png (or a Caltech-101 tree: 101_ObjectCategories and Annotations), sounds/<class>/*.wav"
    " (or an ESC-10 or ESC-50 tree) and backgrounds/*.jpg"
)

T = TypeVar("T")


def read_material(source: Path, *, packages: Path | None = None, seed: int = 0) -> dict[str, Material]:
    """Split -> material from a folder in the documented layout; UserError where a part of it is missing."""
    if not source.is_dir():
        raise UserError(f"{source}: expected a folder of source material, got none; {LAYOUT}")
    material = {split: Material() for split in SPLITS}
    cutouts, sounds, backgrounds = find_cutouts(source), find_sounds(source), find_backgrounds(source)
    for what, found in (("cut-outs", cutouts), ("sounds", sounds), ("backgrounds", backgrounds)):
        if not found:
            raise UserError(f"{source}: {LAYOUT}, got no {what}; see docs/samples/paste.md")
    for label, photos in sorted(cutouts.items()):
        for split, part in split_blocks(photos, near_duplicate_blocks(photos), f"cut-outs of {label}").items():
            material[split].cutouts[label] = part
    for label, recordings in sorted(sounds.items()):
        for split, some in split_sounds(recordings, label).items():
            material[split].sounds[label] = some
    for label in unplayed(cutouts, sounds):
        for split in SPLITS:
            material[split].sounds[label] = []
    add_melodies(material, source, packages, seed)
    for split, photos_of_split in split_backgrounds(backgrounds).items():
        material[split].backgrounds = photos_of_split
    return material


def unplayed(cutouts: Collection[str], sounds: Collection[str]) -> list[str]:
    """The instruments that have cut-outs but no recordings: melodies are rendered for them."""
    return sorted(set(melodies.STYLES) & set(cutouts) - set(sounds))


def needs_melodies(source: Path) -> bool:
    """Whether a folder's material wants melodies, for which fluidsynth must be there."""
    return source.is_dir() and bool(unplayed(find_cutouts(source), find_sounds(source)))


def find_cutouts(source: Path) -> dict[str, list[Cutout]]:
    """Class -> cut-outs sorted by name, without those in DROPPED_CUTOUTS."""
    found: dict[str, list[Cutout]] = {}
    for folder in (source / "cutouts", source / "cutouts_caltech101"):
        for path in sorted(p for p in folder.glob("*/*") if p.suffix.lower() in PICTURES):
            found.setdefault(path.parent.name, []).append(Cutout(path.stem, path.parent.name, path))
    photos = next((p for p in sorted(source.rglob("101_ObjectCategories")) if p.is_dir()), None)
    if photos is not None and not found:
        found = _find_caltech(photos)
    kept = {label: [c for c in some if c.name not in DROPPED_CUTOUTS] for label, some in found.items()}
    return {label: some for label, some in kept.items() if some}


def _find_caltech(photos: Path) -> dict[str, list[Cutout]]:
    """The listed photos of an original Caltech-101 tree, each with its outline's file.

    Others stay out: only the listed were looked at, and only of those it is known which show the same person.
    """
    listed = read_listed()
    outlines = next((p for p in sorted(photos.parent.rglob("Annotations")) if p.is_dir()), None)
    if outlines is None:
        raise UserError(
            f"{photos.parent}: expected the folder Annotations beside {photos.name}, got none; unpack it too"
        )
    found: dict[str, list[Cutout]] = {}
    for folder, label in CALTECH_CLASSES.items():
        # the Faces' outlines lie in a folder of another name
        marked = next((d for d in (outlines / folder, outlines / f"{folder}_2") if d.is_dir()), None)
        if marked is None:
            continue
        for path in sorted((photos / folder).glob("image_*.jpg")):
            name = f"{CALTECH_PREFIXES.get(folder, folder)}_{path.stem}"
            outline = marked / f"annotation_{path.stem.removeprefix('image_')}.mat"
            if f"cutouts/{label}/{name}" in listed and outline.is_file():
                found.setdefault(label, []).append(Cutout(name, label, path, outline))
    return found


def find_sounds(source: Path) -> dict[str, list[Sound]]:
    """Class -> recordings sorted by name, from sounds/<class>/, an ESC-10 tree, or an ESC-50 tree with its csv file."""
    found: dict[str, list[Sound]] = {}
    for path in sorted(p for p in (source / "sounds").glob("*/*") if p.suffix.lower() in SOUNDS):
        found.setdefault(path.parent.name, []).append(Sound(path.stem, path.parent.name, path))
    for listing in sorted(source.rglob("esc50.csv")):
        for row in read_table(listing, ("filename", "category")):
            path, label = listing.parent.parent / "audio" / row["filename"], ESC_CLASSES.get(_plain(row["category"]))
            if label and is_file(path):
                # "1-100032-A-0" is ESC-10's "1-100032-A"
                found.setdefault(label, []).append(Sound(path.stem.rsplit("-", 1)[0], label, path))
    for folder in sorted(p for p in [*source.glob("*/"), *source.glob("*/*/")] if p.is_dir()):
        label = ESC_CLASSES.get(_plain(folder.name.split(" - ")[-1]))  # ESC-10 names a folder "001 - Dog bark"
        if label and folder.parent.name != "sounds":
            for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in SOUNDS):
                found.setdefault(label, []).append(Sound(path.stem, label, path))
    return found


def find_backgrounds(source: Path) -> list[Path]:
    """Background photos sorted by name, without those in DROPPED_BACKGROUNDS."""
    folders = (source / "backgrounds", source / "backgrounds_apt")
    paths = [p for folder in folders if folder.is_dir() for p in folder.iterdir() if p.suffix.lower() in PICTURES]
    return sorted((p for p in paths if p.stem not in DROPPED_BACKGROUNDS), key=lambda p: p.name)


def near_duplicate_blocks(photos: Sequence[Cutout]) -> list[int]:
    """For each photo (sorted) the number of its block: Caltech's faces come in sequences of one person each."""
    return [
        int(np.searchsorted(FACE_BLOCKS, int(c.name[-4:]), side="right")) if c.name.startswith("Faces_image_") else i
        for i, c in enumerate(photos)
    ]


def split_blocks(items: Sequence[T], blocks: Sequence[int], what: str) -> dict[str, list[T]]:
    """Contiguous runs of `items` by SHARES, cut only between blocks: neighbours are often nearly the same photo."""
    edges = [i for i in range(1, len(items)) if blocks[i] != blocks[i - 1]]
    if len(edges) < 2:
        raise UserError(f"{what}: expected at least 3 unlike ones (one a split), got {len(items)}; add some")
    first = min(edges[:-1], key=lambda e: abs(e - SHARES["train"] * len(items)))
    later = [e for e in edges if e > first]
    second = min(later, key=lambda e: abs(e - (SHARES["train"] + SHARES["calibration"]) * len(items)))
    return {"train": list(items[:first]), "calibration": list(items[first:second]), "test": list(items[second:])}


def split_sounds(recordings: Sequence[Sound], label: str) -> dict[str, list[Sound]]:
    """By fold where all names begin with one as ESC's do (two parts of a recording share a fold), else by blocks."""
    folds = [r.name[0] if r.name[1:2] == "-" else "" for r in recordings]
    if all(fold in FOLDS for fold in folds):
        parts: dict[str, list[Sound]] = {split: [] for split in SPLITS}
        for fold, recording in zip(folds, recordings, strict=True):
            parts[FOLDS[fold]].append(recording)
        if all(parts.values()):
            return parts
    return split_blocks(recordings, range(len(recordings)), f"sounds of {label}")


def split_backgrounds(backgrounds: Sequence[Path]) -> dict[str, list[Path]]:
    """By a hash of the place they show, so that two photos of one castle stay together and styles mix."""

    def place(path: Path) -> str:
        return hashlib.sha256(SAME_PLACE.get(path.stem, path.stem).encode()).hexdigest()

    ordered = sorted(backgrounds, key=place)
    names = [place(p) for p in ordered]
    return split_blocks(ordered, [names.index(name) for name in names], "backgrounds")


def add_melodies(material: Mapping[str, Material], source: Path, packages: Path | None, seed: int) -> None:
    """Render melodies for the instruments that have cut-outs but no sounds; each split has its own."""
    wanted = [label for label, some in material["train"].sounds.items() if not some]
    folders = [source / "soundfonts", *([packages / "usr/share/sounds/sf2"] if packages else [])]
    for number, split in enumerate(SPLITS if wanted else ()):
        font = melodies.find_soundfont(SOUNDFONTS[split], [*folders, Path("/usr/share/sounds/sf2")])
        rng = np.random.default_rng([seed, 7, number])
        labels = [label for label in wanted for _ in range(MELODIES[split])]
        tunes = [(melodies.STYLES[label], melodies.compose(rng, melodies.STYLES[label])) for label in labels]
        for i, (label, samples) in enumerate(zip(labels, melodies.render(tunes, font, packages), strict=True)):
            name = f"melody-{seed}-{split}-{i:03d}"
            material[split].sounds[label].append(Sound(name, label, samples=samples))


def _plain(name: str) -> str:
    return name.lower().replace(" ", "_")
