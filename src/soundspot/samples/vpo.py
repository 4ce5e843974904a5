"""Build `vpo`: real photos whose annotated objects get matching recordings, as in VPO (CAVP, arXiv 2304.02970).

Photos with one category that can sound give a clip; those with several give a clip each, in one group, and the mixture
of all. Negatives are the same photos with sounds of what is not annotated in them, silence and noise.
"""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from soundspot.samples.coco import Mask, Photo, read_photos
from soundspot.samples.layout import SetWriter
from soundspot.samples.recordings import Stock, find_recordings
from soundspot.samples.scene import GRID, Rng, box_of, size_bin
from soundspot.samples.sound import SECONDS, Samples, make_noise, make_silence
from soundspot.samples.vpo_about import readme
from soundspot.samples.vpo_classes import (
    Pairing,
    left_out_in_vain,
    mapped_in_vain,
    match,
    read_left_out,
    read_pairings,
)
from soundspot.types import Box, Kind, UserError

VERSION = "1"
SPLIT = "test"
MIN_AREA = 0.01
"""Of the picture: on a 224 grid an object of 22 x 22."""
NEGATIVES: tuple[Kind, ...] = ("offscreen", "silent", "noise")


@dataclass(frozen=True, eq=False)
class Source:
    """What can sound in a photo: all objects of one category."""

    category: str
    masks: tuple[Mask, ...]
    """(H, W) each, an object each."""

    @property
    def mask(self) -> Mask:
        """(H, W): any of them."""
        return np.asarray(np.logical_or.reduce(self.masks))

    @property
    def boxes(self) -> list[Box]:
        """One an object."""
        return [box_of(mask) for mask in self.masks]


@dataclass(frozen=True, eq=False)
class View:
    """A photo and what can sound in it."""

    photo: Photo
    sources: tuple[Source, ...]


def build(
    out: Path,
    coco: Path,
    sounds: Sequence[Path],
    *,
    annotations: Path | None = None,
    mapping: Path | None = None,
    leave_out: Path | None = None,
    seed: int = 0,
    seconds: float = SECONDS,
    min_area: float = MIN_AREA,
    per_class: int = 100,
    takes: int = 1,
    mixtures: bool = True,
    negatives: int | None = None,
) -> Path:
    """Write the data set to the new folder `out` and give it back; docs/samples/vpo.md says what each choice does.

    At most `per_class` photos a category (or set of categories that sound together), up to `takes` recordings each;
    `negatives` clips of each kind, by default a third as many as there are visible ones, or as many as can be made.
    """
    _check(seconds, min_area, per_class, takes, negatives)
    photos, missing = read_photos(coco, annotations)
    pairings = read_pairings(mapping)
    names = sorted({name for photo in photos for name in photo.categories})
    recordings = find_recordings(sounds)
    stock = Stock(match(pairings, recordings, names, mapping), seconds)
    refused: Counter[str] = Counter()
    left_out = read_left_out(leave_out)
    in_vain = {"mapping": mapped_in_vain(pairings, recordings, names) if mapping else []}
    if leave_out is not None:
        pictures = {photo.id: photo.categories for photo in photos}
        in_vain["leave_out"] = left_out_in_vain(left_out, pictures, {*names, *pairings}, leave_out)
    looked = [look(photo, pairings, stock.sounds.keys(), left_out, min_area, refused) for photo in photos]
    views = _at_most([view for view in looked if view.sources], per_class, seed)
    if not views:
        raise UserError(
            f"{coco}: expected photos of {', '.join(sorted(stock.sounds))} to pair with sounds, got none usable"
            f" ({_told(refused)}); give other sounds or photos"
        )
    about: dict[str, Any] = {}
    with SetWriter(out, name="vpo", version=VERSION, seed=seed) as writer:
        maker = Maker(writer, stock, pairings, seed, seconds)
        for view in views:
            maker.visible(view, takes, mixtures)
        count = math.ceil(len(writer.rows) / 3) if negatives is None else negatives
        short = {kind: count - maker.negatives(kind, views, count) for kind in NEGATIVES}
        if negatives is not None and any(short.values()):
            raise UserError(
                f"negatives: expected {count} sounds of classes that the photos don't hold, got"
                f" {count - short['offscreen']}; ask for fewer or give sounds of more classes"
            )
        about |= {
            "photos": {"folder": coco.name, "listed_without_file": missing},
            "licences": dict(Counter(view.photo.licence or "not stated" for view in views)),
            "recordings": {category: len(some) for category, some in sorted(stock.sounds.items())},
            "recordings_refused": dict(sorted(stock.refused.items())),
            "sources_not_used": dict(sorted(refused.items())),
            "without_effect": in_vain,
            "negatives_short": {kind: number for kind, number in short.items() if number},
            "options": {
                "seconds": seconds, "min_area": min_area, "per_class": per_class, "takes": takes, "mixtures": mixtures,
            },
            "counts": counts(writer.rows),
        }  # fmt: skip
        writer.about["sources"] = about
        writer.place("README.md").write_text(readme(about, [view.photo for view in views]), encoding="utf-8")
    return out


def _check(seconds: float, min_area: float, per_class: int, takes: int, negatives: int | None) -> None:
    if not 1 <= seconds <= 10:
        raise UserError(f"seconds: expected 1 to 10, got {seconds:g}; VPO and the scorers take 3 to 5")
    if not 0 <= min_area < 1:
        raise UserError(f"min area: expected a share of the picture from 0 to 1, got {min_area:g}; 0.01 is the default")
    for name, value in (("per class", per_class), ("takes", takes)):
        if value < 1:
            raise UserError(f"{name}: expected 1 or more, got {value}; give a count")
    if negatives is not None and negatives < 0:
        raise UserError(f"negatives: expected 0 or more of each kind, got {negatives}; give a count")


def look(
    photo: Photo,
    pairings: Mapping[str, Pairing],
    heard: Iterable[str],
    left_out: set[tuple[str, str]],
    min_area: float,
    refused: Counter[str],
) -> View:
    """What of a photo can sound; the reason of each category that can't be used is counted in `refused`."""
    sources = []
    for category in sorted(set(heard) & photo.categories):
        reason = _unfit(photo, category, pairings, left_out)
        masks = () if reason else tuple(_masks(photo, category))
        if not reason and (not masks or np.logical_or.reduce(masks).mean() < min_area):
            reason = "too small"
        if reason:
            refused[reason] += 1
        else:
            sources.append(Source(category, masks))
    return View(photo, tuple(sources))


def _unfit(photo: Photo, category: str, pairings: Mapping[str, Pairing], left_out: set[tuple[str, str]]) -> str | None:
    """Why a category that is in the photo may not sound there; None if it may."""
    if {(photo.id, ""), (photo.id, category)} & left_out:
        return "left out by the user"
    some = [thing for thing in photo.things if thing.category == category]
    if any(thing.crowd for thing in some):
        return "a crowd"
    if not some or photo.boxed.get(category, 0) > len(some):
        return "without an outline of every one"
    if pairings[category].alone and len(some) > 1:
        return "one of several"
    if _kin(photo.categories, category, pairings):
        return "beside what sounds alike"
    return None


def _kin(categories: Iterable[str], category: str, pairings: Mapping[str, Pairing]) -> bool:
    """Whether another of the categories can be taken for this one by ear."""
    kin = pairings[category].kin
    return bool(kin) and any(
        other != category and other in pairings and pairings[other].kin == kin for other in categories
    )


def _masks(photo: Photo, category: str) -> Iterable[Mask]:
    for thing in photo.things:
        if thing.category == category:
            mask = thing.mask(photo.height, photo.width)
            if mask.any():
                yield mask


def _at_most(views: Sequence[View], per_class: int, seed: int) -> list[View]:
    """At most so many photos of each set of sounding categories, drawn at random, in the photos' order."""
    by_sources: dict[tuple[str, ...], list[int]] = {}
    for number, view in enumerate(views):
        by_sources.setdefault(tuple(source.category for source in view.sources), []).append(number)
    kept: list[int] = []
    for labels, numbers in by_sources.items():
        rng = _rng(seed, "choice", *labels)
        kept += [numbers[i] for i in rng.permutation(len(numbers))[:per_class]]
    return [views[number] for number in sorted(kept)]


def _rng(seed: int, *words: str) -> Rng:
    """Numbers that follow from the seed and a name alone: other photos or more takes leave a scene as it was."""
    return np.random.default_rng([seed, *"/".join(words).encode()])


class Maker:
    """Writes the clips of a view."""

    def __init__(
        self, writer: SetWriter, stock: Stock, pairings: Mapping[str, Pairing], seed: int, seconds: float
    ) -> None:
        self.writer, self.stock, self.pairings, self.seed, self.seconds = writer, stock, pairings, seed, seconds
        self.pictures: dict[str, str] = {}

    def visible(self, view: View, takes: int, mixtures: bool) -> None:
        """A clip a source and take, in one group a take where there are several sources; then their mixture.

        No recording serves two takes, so that there are as many as the source with the fewest has.
        """
        several = len(view.sources) > 1
        for take in range(takes):
            suffix = f"-{take + 1}" if take else ""
            heard: list[tuple[str, Samples]] = []
            for source in view.sources:
                drawn = self.stock.draw(
                    _rng(self.seed, "visible", view.photo.id, source.category), source.category, take
                )
                if drawn is None:
                    return
                heard.append(drawn)
            for source, (name, samples) in zip(view.sources, heard, strict=True):
                clip_id = f"{'ms' if several else 'ss'}-{view.photo.id}-{source.category.replace(' ', '_')}{suffix}"
                group = f"ms-{view.photo.id}{suffix}" if several else None
                self._add(clip_id, view, [source], samples, sound=name, group=group)
            if several and mixtures:
                mixed = mix([samples for _, samples in heard])
                names = " + ".join(name for name, _ in heard)
                self._add(f"mix-{view.photo.id}{suffix}", view, view.sources, mixed, sound=names)

    def _add(
        self,
        clip_id: str,
        view: View,
        sources: Sequence[Source],
        samples: Samples,
        *,
        sound: str,
        group: str | None = None,
    ) -> None:
        boxes = [box for source in sources for box in source.boxes]
        sounding = [source.category for source in sources]
        self.writer.add(
            clip_id,
            kind="visible",
            image=self._picture(view.photo),
            audio=self.writer.write_sound(clip_id, samples),
            mask=self.writer.write_mask(clip_id, np.logical_or.reduce([source.mask for source in sources])),
            boxes=boxes,
            box_labels=[source.category for source in sources for _ in source.masks],
            labels=sounding,
            group=group,
            split=SPLIT,
            size_bin=size_bin(joint_side(boxes)),
            sources=[
                {"photo": view.photo.id, "label": source.category, "sounding": source.category in sounding}
                for source in view.sources
            ],
            sound=sound,
        )

    def negatives(self, kind: Kind, views: Sequence[View], count: int) -> int:
        """`count` clips in whose picture nothing sounds: the same photos in random order, again from the first.

        Gives back how many it made: fewer off-screen ones where the photos hold all that there are sounds of.
        """
        order = _rng(self.seed, kind).permutation(len(views))
        made = 0
        for turn in range(2 * count + len(views) if count else 0):
            photo = views[order[turn % len(views)]].photo
            clip_id = f"{kind}-{photo.id}" + (f"-{turn // len(views) + 1}" if turn >= len(views) else "")
            rng = _rng(self.seed, clip_id)
            label, sound = "", None
            if kind == "offscreen":
                label = self._absent(photo, made)
                if not label:
                    continue
                drawn = self.stock.draw(rng, label)
                assert drawn is not None  # at least one can be heard
                sound, samples = drawn
            else:
                samples = (make_silence if kind == "silent" else make_noise)(rng, self.seconds)
            audio = self.writer.write_sound(clip_id, samples)
            self.writer.add(
                clip_id, kind=kind, image=self._picture(photo), audio=audio, labels=[label] if label else [],
                split=SPLIT, sound=sound,
            )  # fmt: skip
            made += 1
            if made == count:
                break
        return made

    def _absent(self, photo: Photo, number: int) -> str:
        """A category with sounds that is not annotated in the photo, nor any of its kin: each in turn."""
        labels = sorted(self.stock.sounds)
        for step in range(len(labels)):
            label = labels[(number + step) % len(labels)]
            if label not in photo.categories and not _kin(photo.categories, label, self.pairings):
                return label
        return ""

    def _picture(self, photo: Photo) -> str:
        """The photo's file as it is, once."""
        if photo.id not in self.pictures:
            self.pictures[photo.id] = f"images/{photo.id}{photo.path.suffix}"
            shutil.copyfile(photo.path, self.writer.place(self.pictures[photo.id]))
        return self.pictures[photo.id]


def mix(sounds: Sequence[Samples]) -> Samples:
    """The sum of waveforms, turned down as a whole where it would clip."""
    whole = np.sum(sounds, axis=0)
    return (whole * min(1.0, 0.95 / float(np.abs(whole).max()))).astype(np.float32)


def joint_side(boxes: Sequence[Box]) -> float:
    """The square root of the area that boxes cover together, on the 224 grid."""
    covered = np.zeros((GRID, GRID), dtype=bool)
    for x0, y0, x1, y1 in boxes:
        covered[round(y0 * GRID) : round(y1 * GRID), round(x0 * GRID) : round(x1 * GRID)] = True
    return math.sqrt(np.count_nonzero(covered))


def counts(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """How many clips of each sort, class and size."""
    sorts, classes, sizes = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        visible = row["kind"] == "visible"
        sorts[{"ss": "single", "ms": "several, one heard", "mix": "several, mixed"}[row["id"].split("-")[0]]
              if visible else row["kind"]] += 1  # fmt: skip
        if visible:
            sizes[row["size_bin"]] += 1
            classes.update(row["labels"])
    return {
        "clips": dict(sorts),
        "classes": dict(sorted(classes.items())),
        "sizes": {name: sizes[name] for name in ("small", "medium", "large", "huge") if sizes[name]},
    }


def _told(refused: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items())) or "none in view"
