"""Build `instruments`: a small MUSIC-like set of instrument photos and sampled melodies, alone and several at once.

Solos as MUSIC's, duets, 2x2 mosaics as DSOL's MUSIC-Synthetic (arXiv 2010.05466), an in-the-wild part with silent
instruments and off-screen sound as the Interference Eraser (arXiv 2202.06406) asks for, and an open set of instruments
that training never shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from soundspot.data.arrangements import Seen, Single, View
from soundspot.data.mixtures import Component, Mixture, Plan, make, mixture
from soundspot.lookup import find
from soundspot.samples.instruments_source import (
    CLASSES,
    MELODIES,
    OPEN_CLASSES,
    OPEN_FAMILIES,
    OPEN_PACKAGE,
    PROGRAMS,
    SOUNDFONTS,
    Sources,
    describe,
    read_sources,
)
from soundspot.samples.layout import SetWriter
from soundspot.samples.maker import Deck, Material
from soundspot.samples.mixed import MixtureWriter
from soundspot.samples.packages import Packages, version_of
from soundspot.samples.scene import Cutout, Rng, compose
from soundspot.samples.sound import SAMPLE_RATE, SECONDS, Samples, coloured_noise, fill
from soundspot.types import UserError

VERSION = "1"
IMAGE_SIZE = 224
SIDES = {1: (80.0, 165.0), 2: (65.0, 115.0), 3: (55.0, 90.0), 4: (50.0, 80.0)}
"""Instruments in view -> the range of their sides on the 224 grid: alone as large as in MUSIC, and all of one range, so
that size does not tell which sounds."""
THING_SIDES = (25.0, 70.0)
RATIO_DB = (-10.0, 10.0)
"""Of every sound after the first, drawn evenly, to a tenth."""
LEVEL_DB = (-28.0, -14.0)
FLOOR_DB = (-60.0, -40.0)
"""Noise below the first sound in every clip: no recording is free of it."""
NOISE_DB = (-25.0, -10.0)
"""Noise below the first sound in a third of the wild clips."""
PAIRS = tuple(combinations(CLASSES, 2))


@dataclass(frozen=True)
class Part:
    """A split: whose material it takes, what its scenes are, how many there are, whether each sound is written too."""

    pool: str
    form: str
    count: int
    components: bool = False


PARTS: dict[str, Part] = {
    "train": Part("train", "solo", 1200),
    "train-synthetic": Part("train", "synthetic", 600),
    "train-wild": Part("train", "wild", 600),
    "calibration": Part("calibration", "calibration", 400),
    "test-solo": Part("test", "solo", 250),
    "test-duet": Part("test", "duet", 250, components=True),
    "test-synthetic": Part("test", "synthetic", 250, components=True),
    "test-wild": Part("test", "wild", 250, components=True),
    "test-open": Part("test", "open", 120),
}


def build(
    out: Path,
    source: Path,
    *,
    counts: Mapping[str, int] | None = None,
    seed: int = 0,
    image_size: int = IMAGE_SIZE,
    packages: Path | None = None,
    stamps: Packages | None = None,
) -> Path:
    """Write the data set to the new folder `out` and give it back.

    `source` is a folder as for `paste`; `counts` says how many clips a part has, where not as PARTS; `packages` is
    where fluidsynth and the soundfonts were unpacked, if not installed; `stamps` is where Tux Paint's stamps lie, not
    needed if `test-open` is to have no clips.
    """
    wanted = check_counts(counts or {})
    if wanted["test-open"] and stamps is None:
        raise UserError(f"instruments: expected {OPEN_PACKAGE} for test-open, got none; give it, or test-open=0")
    sources = read_sources(source, packages=packages, stamps=stamps, seed=seed)
    about = provenance(sources, packages, stamps)
    with SetWriter(out, name="instruments", version=VERSION, seed=seed, sources=about) as writer:
        mixtures = MixtureWriter(writer)
        for part, count in wanted.items():
            maker = Maker(sources, part, seed=seed, image_size=image_size)
            for number in range(count):
                made, background = maker.make(number)
                name = f"{part}-{number:05d}"
                mixtures.add(name, made, part, background=background, components=PARTS[part].components)
        mixtures.close()
    return out


def check_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Clips of every part, those not named as in PARTS; UserError for a part that does not exist."""
    for part, count in counts.items():
        find(PARTS, part, "part")
        if count < 0:
            raise UserError(f"{part}: expected 0 or more clips, got {count}; give a count")
    return {name: counts.get(name, part.count) for name, part in PARTS.items()}


def read_counts(texts: Sequence[str]) -> dict[str, int]:
    """Clips by part from words such as "train=100".

    >>> read_counts(["train=100", "test-open=0"])
    {'train': 100, 'test-open': 0}
    """
    pairs = [text.partition("=") for text in texts]
    for part, _, number in pairs:
        if not number.isdecimal():
            raise UserError(f"expected PART=CLIPS, got {part!r} with {number!r}; for example train=100")
    return {part: int(number) for part, _, number in pairs}


def provenance(sources: Sources, packages: Path | None, stamps: Packages | None) -> dict[str, object]:
    """What the data set's description says of its sources."""
    rendered = any(s.path is None for some in sources.pools["train"].sounds.values() for s in some)
    names = ("fluidsynth", "fluid-soundfont-gm", "timgm6mb-soundfont")
    share = (packages or Path("/")) / "usr/share"
    played = {
        "programs": PROGRAMS, "soundfonts": SOUNDFONTS, "melodies_a_class": MELODIES,
        **{name: version_of(share, name) for name in names},
    }  # fmt: skip
    return {
        "classes": list(CLASSES),
        "open_classes": list(OPEN_CLASSES),
        **(stamps.versions if stamps else {}),
        **(played if rendered else {}),
        **describe(sources),
    }


class Maker:
    """Makes the numbered scenes of one part; scene i is the same whatever the count."""

    def __init__(self, sources: Sources, part: str, *, seed: int, image_size: int = IMAGE_SIZE) -> None:
        self.part = find(PARTS, part, "part")
        self.material = sources.pools[self.part.pool]
        self.things = [some for _, some in sorted(sources.things[self.part.pool].items())]
        self.opened = sources.opened
        self.seed = [seed, *part.encode()]
        self.image_size = image_size
        self.forms: dict[str, Callable[[Rng, int], tuple[Mixture, str]]] = {
            "solo": self.solo, "duet": self.duet, "synthetic": self.synthetic, "wild": self.wild,
            "calibration": self.calibration, "open": self.open,
        }  # fmt: skip

    def make(self, number: int) -> tuple[Mixture, str]:
        """Scene `number` and the name of its background."""
        return self.forms[self.part.form](np.random.default_rng([*self.seed, number]), number)

    def solo(self, rng: Rng, number: int) -> tuple[Mixture, str]:
        """One instrument, and in every other scene a thing that is none."""
        label = CLASSES[number % len(CLASSES)]
        view, background = self.view(rng, [self.photo(rng, label)], 1, thing=0.5)
        return self.mix(rng, view, [label]), background

    def duet(self, rng: Rng, number: int) -> tuple[Mixture, str]:
        """Two instruments play, in every other scene beside a silent one."""
        both = PAIRS[number % len(PAIRS)]
        labels = [*both, *self.others(rng, both, int(rng.random() < 0.5))]
        view, background = self.view(rng, [self.photo(rng, label) for label in labels], 2, thing=0.3)
        return self.mix(rng, view, both), background

    def synthetic(self, rng: Rng, number: int) -> tuple[Mixture, str]:
        """Four solo frames of four instruments, two of them heard."""
        both = PAIRS[number % len(PAIRS)]
        labels = [*both, *self.others(rng, both, 2)]
        frames, grounds = [], []
        for label in labels:
            view, background = self.view(rng, [self.photo(rng, label)], 1, thing=0.5, size=self.image_size // 2)
            heard = self.hear(rng, label)
            frames.append(Single(view, label, heard.waveform, heard.name))
            grounds.append(background)
        order = rng.permutation(4).tolist()
        plan = Plan(
            frames=tuple(order), sounding=tuple(i < 2 for i in order), offscreen=(), ratios_db=(0.0, draw_ratio(rng)),
            level_db=float(rng.uniform(*LEVEL_DB)), places=(0, number),
        )  # fmt: skip
        made = make("mosaic", plan, [frames[i] for i in order], size=self.image_size)
        noisy = [*made.components, self.noise(rng, FLOOR_DB)]
        return mixture(made.view, noisy, level_db=made.level_db), " + ".join(grounds[i] for i in order)

    def wild(self, rng: Rng, number: int) -> tuple[Mixture, str]:
        """No, one or two instruments play among silent ones, at times one more off screen, at times in noise."""
        num_sounding = int(rng.choice(3, p=(0.15, 0.5, 0.35)))
        num_silent = int(rng.integers(1, 3)) + (num_sounding == 0)
        num_offscreen = int(num_sounding == 0 or rng.random() < 0.4)
        labels = self.others(rng, (), num_sounding + num_silent + num_offscreen)
        in_view, offscreen = labels[: num_sounding + num_silent], labels[num_sounding + num_silent :]
        view, background = self.view(rng, [self.photo(rng, label) for label in in_view], num_sounding, thing=0.5)
        noise = NOISE_DB if rng.random() < 1 / 3 else FLOOR_DB
        heard = rng.permutation([*in_view[:num_sounding], *offscreen]).tolist()
        return self.mix(rng, view, heard, noise), background

    def calibration(self, rng: Rng, number: int) -> tuple[Mixture, str]:
        """Three solos, then a scene in which nothing in view sounds: another instrument, every fourth time noise."""
        solo, fourth = divmod(number, 4)
        if fourth < 3:
            return self.solo(rng, 3 * solo + fourth)
        seen, heard = self.others(rng, (), 2)
        view, background = self.view(rng, [self.photo(rng, seen)], 0, thing=0.5)
        if solo % 4 < 3:
            return self.mix(rng, view, [heard]), background
        return mixture(view, [self.noise(rng, FLOOR_DB)], level_db=float(rng.uniform(*LEVEL_DB))), background

    def open(self, rng: Rng, number: int) -> tuple[Mixture, str]:
        """An instrument that training does not know, in every other scene beside a silent known or unknown one."""
        label = OPEN_CLASSES[number % len(OPEN_CLASSES)]
        photos = [Deck.pick(rng, self.opened.cutouts[label])]
        if rng.random() < 0.5:
            kin = next(some for some in OPEN_FAMILIES.values() if label in some)
            strange = [name for name in OPEN_CLASSES if name not in kin]
            known = rng.random() < 0.5
            silent = Deck.pick(rng, CLASSES if known else strange)
            photos.append(Deck.pick(rng, (self.material if known else self.opened).cutouts[silent]))
        view, background = self.view(rng, photos, 1, thing=0.5)
        return self.mix(rng, view, [label], material=self.opened), background

    def others(self, rng: Rng, without: Sequence[str], count: int) -> list[str]:
        """`count` classes that are not in `without`, in random order."""
        left = [label for label in CLASSES if label not in without]
        return [left[i] for i in rng.permutation(len(left))[:count]]

    def photo(self, rng: Rng, label: str) -> Cutout:
        """One of the class's photos."""
        return Deck.pick(rng, self.material.cutouts[label])

    def view(
        self, rng: Rng, photos: Sequence[Cutout], num_sounding: int, *, thing: float, size: int | None = None
    ) -> tuple[View, str]:
        """A picture of the instruments, of which the first so many sound, with a thing by the chance of `thing`."""
        cutouts = list(photos)
        sides = rng.uniform(*SIDES[len(photos)], size=len(photos)).tolist()
        if self.things and rng.random() < thing:
            cutouts.append(Deck.pick(rng, Deck.pick(rng, self.things)))
            sides.append(float(rng.uniform(*THING_SIDES)))
        background = Deck.pick(rng, self.material.backgrounds)
        scene = compose(rng, cutouts, sides, background, size or self.image_size)
        objects = tuple(
            Seen(each.cutout.label, each.box, each.mask, i < num_sounding, each.cutout.name)
            for i, each in enumerate(scene.objects)
        )
        return View(scene.image, objects), background.stem

    def hear(self, rng: Rng, label: str, material: Material | None = None) -> Component:
        """SECONDS of one of the class's recordings."""
        sound = Deck.pick(rng, (material or self.material).sounds[label])
        return Component(label, fill(rng, sound.load()), name=sound.name)

    def noise(self, rng: Rng, ratio_db: tuple[float, float]) -> Component:
        """Noise from white to brown, so far below the first sound."""
        samples: Samples = coloured_noise(rng, round(SECONDS * SAMPLE_RATE), float(rng.choice([0.0, 1.0, 2.0])))
        return Component("", samples, round(float(rng.uniform(*ratio_db)), 1), "noise")

    def mix(
        self,
        rng: Rng,
        view: View,
        labels: Sequence[str],
        noise: tuple[float, float] = FLOOR_DB,
        material: Material | None = None,
    ) -> Mixture:
        """The picture with recordings of the classes, the first at 0 dB, over noise."""
        sounds = [self.hear(rng, label, material) for label in labels]
        heard = [
            Component(each.label, each.waveform, draw_ratio(rng) if i else 0.0, each.name)
            for i, each in enumerate(sounds)
        ]
        return mixture(view, [*heard, self.noise(rng, noise)], level_db=float(rng.uniform(*LEVEL_DB)))


def draw_ratio(rng: Rng) -> float:
    """A ratio within RATIO_DB, to a tenth."""
    return round(float(rng.uniform(*RATIO_DB)), 1)
