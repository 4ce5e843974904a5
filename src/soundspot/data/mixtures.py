"""Several sounds at once from clips of one sound each: what is seen put together, what is heard mixed at stated ratios.

Pictures (`soundspot.data.arrangements`): mosaics as DSOL's MUSIC-Synthetic (arXiv 2010.05466: four frames of four
classes, two of them heard), side by side, or the other clips' objects cut out by their masks and pasted on the first's.

Sounds: every source is brought to the same root mean square over the whole clip, then raised by its ratio, in dB to the
first, which stands at 0 dB. One gain for all then sets the root mean square of the sum to a level in dB of full scale,
or lower where a peak would pass PEAK: nothing clips, and ratios stay exact.

Arrays in, arrays out; `soundspot.samples.mixed` reads and writes. A mixture follows from clips, seed and number alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from soundspot.data.arrangements import ARRANGEMENTS, Bools, Pixels, Samples, Seen, Single, View
from soundspot.lookup import find
from soundspot.types import Kind, UserError

PEAK = 0.9
LEVEL_DB = -20.0
"""Root mean square of a mixture, dB of full scale, unless told."""
SWEEP_DB = (-20.0, -10.0, 0.0, 10.0, 20.0)
TRIES = 200
"""Draws of classes until none is taken to fit."""


@dataclass(frozen=True, eq=False)
class Component:
    """One of the sounds in a mixture; noise has no label."""

    label: str
    waveform: Samples
    """(N,) as loud as it is in the mixture; what is given to `mixture` may be of any loudness."""
    ratio_db: float = 0.0
    name: str = ""


@dataclass(frozen=True, eq=False)
class Mixture:
    """A picture, what is heard with it, and the truth of both; made by `mixture`."""

    view: View
    components: tuple[Component, ...]
    """In view or not, noise too; their sum is the waveform."""
    level_db: float

    @property
    def image(self) -> Pixels:
        """(H, W, 3)."""
        return self.view.image

    @property
    def waveform(self) -> Samples:
        """(N,) what is heard."""
        whole: Samples = np.sum([each.waveform for each in self.components], axis=0, dtype=np.float32)
        return whole

    @property
    def sounding(self) -> tuple[Seen, ...]:
        """The objects in view that are heard."""
        return tuple(seen for seen in self.view.objects if seen.sounding)

    @property
    def mask(self) -> Bools | None:
        """(H, W) where anything sounds; None if nothing in view does, or a mask is not known."""
        masks = [seen.mask for seen in self.sounding if seen.mask is not None]
        return np.logical_or.reduce(masks) if masks and len(masks) == len(self.sounding) else None

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes in the sound, off-screen ones too."""
        return tuple(each.label for each in self.components if each.label)

    @property
    def offscreen(self) -> tuple[Component, ...]:
        """What is heard and not seen, but for noise."""
        seen = {each.label for each in self.sounding}
        return tuple(each for each in self.components if each.label and each.label not in seen)

    @property
    def kind(self) -> Kind:
        """Visible if any source is in view, noise if nothing but noise is heard."""
        if self.sounding:
            return "visible"
        return "offscreen" if self.labels else "noise"


def mix(waveforms: Sequence[Samples], ratios_db: Sequence[float], *, level_db: float = LEVEL_DB) -> Samples:
    """n waveforms (N,), each one's ratio in dB -> (n, N): as loud as each is in the mixture, which is their sum.

    UserError for silent or unequally long ones, and for such as cancel each other.
    """
    lengths = sorted({len(each) for each in waveforms})
    if len(lengths) != 1 or len(waveforms) != len(ratios_db):
        raise UserError(
            f"expected waveforms of one length and a ratio each, got lengths {lengths} of {len(waveforms)} waveforms"
            f" and {len(ratios_db)} ratios; cut them alike"
        )
    raw = np.stack(waveforms).astype(np.float64)
    powers = np.sqrt(np.mean(raw**2, axis=1))
    if not np.all(powers > 1e-6):
        raise UserError(f"expected sounds to mix, got silence as number {int(powers.argmin())}; leave it out")
    scaled = raw * (10 ** (np.asarray(ratios_db) / 20) / powers)[:, None]
    whole = scaled.sum(axis=0)
    power = float(np.sqrt(np.mean(whole**2)))
    if power < 1e-3:
        raise UserError("expected sounds to mix, got such as cancel each other; use other recordings")
    gain = min(10 ** (level_db / 20) / power, PEAK / float(np.abs(whole).max()))
    return (scaled * gain).astype(np.float32)


def mixture(view: View, heard: Sequence[Component], *, level_db: float = LEVEL_DB) -> Mixture:
    """What is seen with what is heard, the latter mixed at its ratios.

    UserError where two sounds are of one class, or an object in view sounds of which nothing is heard.
    """
    labels = [each.label for each in heard if each.label]
    if len(set(labels)) < len(labels):
        raise UserError(f"expected sounds of unlike classes, got {labels}; the truth could not tell them apart")
    unheard = {seen.label for seen in view.objects if seen.sounding} - set(labels)
    if unheard:
        raise UserError(f"expected the sound of every sounding object, got none of {sorted(unheard)}; add it")
    rows = mix([each.waveform for each in heard], [each.ratio_db for each in heard], level_db=level_db)
    components = tuple(replace(each, waveform=row) for each, row in zip(heard, rows, strict=True))
    return Mixture(view, components, level_db)


def sweep(made: Mixture, ratios_db: Sequence[float] = SWEEP_DB) -> list[Mixture]:
    """The same mixture with its second sound at each of the ratios to the first, all else as it was.

    A method that minds no volume gives the same answer to all of them. UserError if there is no second sound.
    """
    if len(made.labels) < 2:
        raise UserError(f"expected a mixture of two sounds to vary, got {list(made.labels)}; mix two or more")
    first, second, *others = made.components
    return [
        mixture(made.view, (first, replace(second, ratio_db=ratio), *others), level_db=made.level_db)
        for ratio in ratios_db
    ]


@dataclass(frozen=True)
class Wanted:
    """What a mixture is to hold: so many frames of unlike classes, and which part of them is heard."""

    frames: int = 4
    sounding: int = 2
    """Of the frames; the others' objects are silent."""
    offscreen: int = 0
    """Sounds of further classes, of which nothing is in view."""
    ratio_db: tuple[float, float] = (0.0, 0.0)
    """Lowest and highest; drawn evenly between, to a tenth."""
    level_db: tuple[float, float] = (-28.0, -14.0)

    def __post_init__(self) -> None:
        if not (0 <= self.sounding <= self.frames and self.offscreen >= 0 and self.sounding + self.offscreen > 0):
            raise UserError(
                f"expected some sound, and at most as many sounding as frames, got {self.sounding} sounding of"
                f" {self.frames} frames and {self.offscreen} off screen; change the counts"
            )
        for name, (low, high) in (("ratio_db", self.ratio_db), ("level_db", self.level_db)):
            if not low <= high:
                raise UserError(f"expected {name} from low to high, got {low:g} to {high:g}; turn them round")


@dataclass(frozen=True)
class Plan:
    """Which clips make a mixture, by their numbers."""

    frames: tuple[int, ...]
    sounding: tuple[bool, ...]
    """A frame each."""
    offscreen: tuple[int, ...]
    ratios_db: tuple[float, ...]
    """Of the sounding frames in their order, then of what is off screen; the first is 0."""
    level_db: float
    places: tuple[int, int]
    """Seed and number, from which the places of a composite follow."""


def draw(labels: Sequence[str], seen: Sequence[frozenset[str]], wanted: Wanted, *, seed: int, number: int) -> Plan:
    """Mixture `number` of clips whose class is `labels` and in which the classes `seen` are in view.

    Nothing of a class that is heard stands silent in view, or, if it is off screen, at all. UserError where the clips
    do not allow it.
    """
    rng = np.random.default_rng([seed, number])
    by_label: dict[str, list[int]] = {}
    for i, label in enumerate(labels):
        by_label.setdefault(label, []).append(i)
    names, count = sorted(by_label), wanted.frames + wanted.offscreen
    if len(names) < count:
        raise UserError(f"expected clips of {count} classes for a mixture, got {names}; give more, or fewer frames")
    for _ in range(TRIES):
        chosen = [names[i] for i in rng.permutation(len(names))[:count]]
        heard = {*chosen[: wanted.sounding], *chosen[wanted.frames :]}
        fitting = [[i for i in by_label[n] if not (seen[i] - {n}) & heard] for n in chosen[: wanted.frames]]
        if all(fitting):
            break
    else:
        raise UserError(
            "expected clips in which nothing silent is of a class that others make heard, got too few;"
            " give clips with fewer objects in view"
        )
    numbers = [some[int(rng.integers(len(some)))] for some in fitting]
    offscreen = tuple(by_label[n][int(rng.integers(len(by_label[n])))] for n in chosen[wanted.frames :])
    order = rng.permutation(wanted.frames).tolist()
    others = rng.uniform(*wanted.ratio_db, size=wanted.sounding + wanted.offscreen - 1)
    return Plan(
        frames=tuple(numbers[i] for i in order),
        sounding=tuple(i < wanted.sounding for i in order),
        offscreen=offscreen,
        ratios_db=(0.0, *(round(float(ratio), 1) for ratio in others)),
        level_db=float(rng.uniform(*wanted.level_db)),
        places=(seed, number),
    )


def make(kind: str, plan: Plan, frames: Sequence[Single], offscreen: Sequence[Single] = (), size: int = 224) -> Mixture:
    """The mixture that `plan` describes, of the clips that it names; `kind` is one of ARRANGEMENTS."""
    arrange = find(ARRANGEMENTS, kind, "arrangement")
    shown = [each if on else each.hushed() for each, on in zip(frames, plan.sounding, strict=True)]
    heard = [*(each for each, on in zip(frames, plan.sounding, strict=True) if on), *offscreen]
    components = [
        Component(each.label, each.waveform, ratio, each.name)
        for each, ratio in zip(heard, plan.ratios_db, strict=True)
    ]
    view = arrange(shown, size, np.random.default_rng([*plan.places, 1]))
    return mixture(view, components, level_db=plan.level_db)
