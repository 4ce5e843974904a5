"""Make scenes of every kind from a split's material and write them: what `stamps` and `paste` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from soundspot.samples.layout import SetWriter
from soundspot.samples.scene import Cutout, Placed, Rng, compose, draw_sides, size_bin
from soundspot.samples.sound import Samples, Sound, make_noise, make_silence, make_sound
from soundspot.types import Kind, UserError

SCENE_KINDS = ("single", "pair", "offscreen", "silent", "noise")
T = TypeVar("T")


@dataclass
class Material:
    """What one split may use."""

    cutouts: dict[str, list[Cutout]] = field(default_factory=dict)
    sounds: dict[str, list[Sound]] = field(default_factory=dict)
    backgrounds: list[Path] = field(default_factory=list)


@dataclass
class Deck:
    """Draws evenly from a split's material: the class that sounds in turn, all else at random."""

    material: Material
    kin: Mapping[str, str]
    """Class -> family; no picture holds two of a family, so that only one object can be meant."""

    def __post_init__(self) -> None:
        m = self.material
        self.sounding = sorted(label for label in m.sounds if m.cutouts.get(label) and m.sounds[label])
        if len(self.sounding) < 2:
            raise UserError(
                f"sources: expected at least 2 classes with both cut-outs and sounds, got {self.sounding};"
                " name the folders of a class alike"
            )

    def family(self, label: str) -> str:
        """What must not stand twice in a picture."""
        return self.kin.get(label, label)

    def cutouts(self, rng: Rng, first: Sequence[str], count: int, without: Sequence[str] = ()) -> list[Cutout]:
        """Cut-outs of the classes in `first`, then of random other families, `count` in all."""
        taken = {self.family(label) for label in (*first, *without)}
        labels = list(first)
        others = sorted(self.material.cutouts)
        for i in rng.permutation(len(others)):
            if len(labels) < count and self.family(others[i]) not in taken:
                labels.append(others[i])
                taken.add(self.family(others[i]))
        if len(labels) < count:
            raise UserError(f"sources: expected {count} unlike classes for a picture, got {labels}; add cut-outs")
        return [self.pick(rng, self.material.cutouts[label]) for label in labels]

    def partner(self, rng: Rng, label: str) -> str:
        """Another class that can sound, of another family."""
        return self.pick(rng, [other for other in self.sounding if self.family(other) != self.family(label)])

    @staticmethod
    def pick(rng: Rng, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(rng.integers(len(items)))]


@dataclass(frozen=True, eq=False)
class Heard:
    """A clip's sound, (N,) at 16 kHz, and the name of its recording."""

    samples: Samples
    name: str | None = None


@dataclass(frozen=True, eq=False)
class View:
    """A written picture or film and what is to be seen in it (in the film's middle)."""

    objects: tuple[Placed, ...]
    background: str
    image: str | None = None
    video: str | None = None
    picture_of_objects: str | None = None


class SceneMaker:
    """Makes numbered scenes of every kind for one split and writes them; scene i is the same whatever the count."""

    def __init__(self, writer: SetWriter, deck: Deck, split: str, *, seed: int, image_size: int) -> None:
        self.writer, self.deck, self.split, self.image_size = writer, deck, split, image_size
        self.seed = [seed, *split.encode()]
        self.makers: dict[str, Callable[[str, Rng, int], None]] = {
            "single": self.single,
            "pair": self.pair,
            "offscreen": self.offscreen,
            "silent": self.silent,
            "noise": self.noise,
        }

    def make(self, kind: str, number: int) -> None:
        """Make and write scene `number` of `kind`."""
        rng = np.random.default_rng([*self.seed, SCENE_KINDS.index(kind), number])
        self.makers[kind](f"{self.split}-{kind}-{number:05d}", rng, number)

    def single(self, name: str, rng: Rng, number: int) -> None:
        """One sounding object among two or three silent ones."""
        label = self.deck.sounding[number % len(self.deck.sounding)]
        cutouts = self.deck.cutouts(rng, [label], int(rng.integers(3, 5)))
        heard = {0: self.hear(rng, label)}
        view = self.view(rng, name, cutouts, heard)
        self.write_visible(name, view, 0, heard[0])

    def pair(self, name: str, rng: Rng, number: int) -> None:
        """One picture, two clips: first one object sounds, then another; one or two more are silent in both."""
        label = self.deck.sounding[number % len(self.deck.sounding)]
        both = [label, self.deck.partner(rng, label)]
        cutouts = self.deck.cutouts(rng, both, int(rng.integers(3, 5)))
        heard = {i: self.hear(rng, both[i]) for i in (0, 1)}
        view = self.view(rng, name, cutouts, heard)
        for i, letter in enumerate("ab"):
            self.write_visible(f"{name}-{letter}", view, i, heard[i], group=name)

    def offscreen(self, name: str, rng: Rng, number: int) -> None:
        """The sound of a class of which nothing is in view."""
        labels = sorted(label for label, some in self.deck.material.sounds.items() if some)
        label = labels[number % len(labels)]
        cutouts = self.deck.cutouts(rng, [], int(rng.integers(3, 5)), [label])
        heard = self.hear(rng, label)
        self.write_unseen(name, "offscreen", self.view(rng, name, cutouts, {}), heard, [label])

    def silent(self, name: str, rng: Rng, number: int) -> None:
        """A picture of objects and no sound."""
        cutouts = self.deck.cutouts(rng, [], int(rng.integers(3, 5)))
        self.write_unseen(name, "silent", self.view(rng, name, cutouts, {}), Heard(make_silence(rng)))

    def noise(self, name: str, rng: Rng, number: int) -> None:
        """A picture of objects and stationary noise."""
        cutouts = self.deck.cutouts(rng, [], int(rng.integers(3, 5)))
        self.write_unseen(name, "noise", self.view(rng, name, cutouts, {}), Heard(make_noise(rng)))

    def hear(self, rng: Rng, label: str) -> Heard:
        """What a random recording of the class gives."""
        sound = self.deck.pick(rng, self.deck.material.sounds[label])
        return Heard(make_sound(rng, sound), sound.name)

    def view(self, rng: Rng, name: str, cutouts: Sequence[Cutout], heard: Mapping[int, Heard]) -> View:
        """Compose and write the picture; neither sizes nor places depend on which object sounds (`heard` by number)."""
        background = self.deck.pick(rng, self.deck.material.backgrounds)
        scene = compose(rng, cutouts, draw_sides(rng, len(cutouts)), background, self.image_size)
        picture = self.writer.write_picture(name, scene.image)
        numbered = self.writer.write_objects(name, [placed.mask for placed in scene.objects])
        return View(scene.objects, background.stem, image=picture, picture_of_objects=numbered)

    def write_visible(self, name: str, view: View, index: int, heard: Heard, *, group: str | None = None) -> None:
        """Write a clip in which object `index` of the view sounds."""
        source = view.objects[index]
        self.writer.add(
            name,
            kind="visible",
            image=view.image,
            video=view.video,
            audio=self.writer.write_sound(name, heard.samples),
            mask=self.writer.write_mask(name, source.mask),
            objects=view.picture_of_objects,
            boxes=[source.box],
            box_labels=[source.cutout.label],
            labels=[source.cutout.label],
            group=group,
            split=self.split,
            size_bin=size_bin(source.side),
            sources=describe(view.objects, index),
            sound=heard.name,
            background=view.background,
        )

    def write_unseen(self, name: str, kind: Kind, view: View, heard: Heard, labels: Sequence[str] = ()) -> None:
        """Write a clip in which nothing in view sounds."""
        self.writer.add(
            name,
            kind=kind,
            image=view.image,
            video=view.video,
            audio=self.writer.write_sound(name, heard.samples),
            objects=view.picture_of_objects,
            labels=labels,
            split=self.split,
            sources=describe(view.objects),
            sound=heard.name,
            background=view.background,
        )


def describe(objects: Sequence[Placed], sounding: int | None = None) -> list[dict[str, object]]:
    """A row an object in view: photo, class, box, side on the 224 grid, and whether it sounds."""

    def row(i: int, placed: Placed) -> dict[str, object]:
        box = [round(float(v), 6) for v in placed.box]
        return {
            "photo": placed.cutout.name, "label": placed.cutout.label, "box": box,
            "side": round(placed.side, 1), "sounding": i == sounding,
        }  # fmt: skip

    return [row(i, placed) for i, placed in enumerate(objects)]
