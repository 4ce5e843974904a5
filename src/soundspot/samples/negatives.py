"""Extend a labelled benchmark by clips whose source isn't in view, as SLAVC (arXiv 2209.09634, section 4) did.

Wrong pairs of picture and sound, a quarter from the picture's own class and three quarters from others, as many as are
needed for one negative a positive beside those from a list of clips that somebody looked at.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soundspot.data.lists import read_ids
from soundspot.data.sets.extended import SORTS, read_negatives
from soundspot.media.files import written_aside
from soundspot.types import Clip, Target, UserError

SAME_CLASS_SHARE = 0.25
COLUMNS = ("video", "audio", "label", "sort")
LABEL = "non-sounding"


@dataclass(frozen=True)
class Negative:
    """One clip's picture with a clip's sound."""

    video: str
    audio: str
    sort: str
    """"real", "other_class", "same_class", or "other_clip" where there are no classes."""


@dataclass(frozen=True)
class Made:
    """The negatives, those from the list first, and what the benchmark did not allow."""

    negatives: tuple[Negative, ...]
    without_same_class: int
    """Positives that no other clip can lend a sound of their class."""
    same_class_short: int
    """How many of the wanted quarter had to be of other classes for that reason."""

    def counts(self) -> dict[str, int]:
        """Negatives of each sort."""
        found = Counter(negative.sort for negative in self.negatives)
        return {sort: found[sort] for sort in SORTS if found[sort]}


def build(out: Path, pairs: Sequence[tuple[Clip, Target]], *, seed: int = 0, manual: Path | None = None) -> Made:
    """Make the negatives of a benchmark's clips and write them to the new table `out`, in SLAVC's form.

    UserError where there are wrong pairs already, as in the published extended sets.
    """
    held = sum(target.kind != "visible" and target.labels[:1] in [(sort,) for sort in SORTS] for _, target in pairs)
    if held:
        raise UserError(
            f"expected a benchmark without negatives, got one with {held}; score it as it is, or name the one that it"
            " extends"
        )
    if out.exists():
        raise UserError(f"{out}: expected a new file for the table, got one that is there; name another")
    made = extend(pairs, seed=seed, manual=read_manual(manual) if manual else ())
    with written_aside(out) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((n.video, n.audio, LABEL, n.sort) for n in made.negatives)
    return made


def read_manual(path: Path) -> list[str]:
    """Ids of clips known to have no source in view: any list of ids, or the rows video == audio of SLAVC's table."""
    if path.suffix == ".csv" and path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline()
        if {"video", "audio"} <= {word.strip() for word in first.split(",")}:
            return [row["video"] for row in read_negatives(path) if row["video"] == row["audio"]]
    return read_ids(path)


def extend(pairs: Sequence[tuple[Clip, Target]], *, seed: int = 0, manual: Sequence[str] = ()) -> Made:
    """As many negatives as there are visible clips: `manual`, then wrong pairs; every picture serves once at most.

    Two clips are of the same class if they share a label, of others if nothing that sounds in the picture (in any clip
    of its group) is among the sound's labels. A sound never comes from the same picture or film.
    """
    view = _Views(pairs)
    if len(set(manual)) < len(manual):
        raise UserError("manual negatives: expected every clip once, got some twice; remove the duplicates")
    both = [name for name in manual if name in view.number]
    if both:
        raise UserError(
            f"manual negatives: expected clips without a source in view, got {both[0]}, which the benchmark boxes;"
            " remove it from the list"
        )
    wanted = len(view.ids) - len(manual)
    if wanted < 0:
        raise UserError(
            f"manual negatives: expected at most {len(view.ids)}, one a positive, got {len(manual)}; give fewer"
        )
    rng = np.random.default_rng(seed)
    automatic, lonely, short = _automatic(view, wanted, rng)
    real = [Negative(name, name, "real") for name in manual]
    return Made((*real, *automatic), lonely, short)


class _Views:
    """The visible clips by number: what is heard of each, what sounds in its picture, which clips share that."""

    def __init__(self, pairs: Sequence[tuple[Clip, Target]]) -> None:
        visible = [(clip, target) for clip, target in pairs if target.kind == "visible"]
        if len(visible) < 2:
            raise UserError(f"expected a benchmark of at least 2 visible clips, got {len(visible)}; name another")
        self.ids = [clip.id for clip, _ in visible]
        self.number = {name: i for i, name in enumerate(self.ids)}
        self.heard = [frozenset(clip.labels or target.labels) for clip, target in visible]
        self.place = [_place(clip, target) for clip, target in visible]
        """Clips of one picture or film share it."""
        self.labelled = any(self.heard)
        unlabelled = [name for name, labels in zip(self.ids, self.heard, strict=True) if self.labelled and not labels]
        if unlabelled:
            raise UserError(f"expected labels of every clip or of none, got none of {unlabelled[0]}; complete them")
        self.seen: dict[str, frozenset[str]] = {}
        for place, labels in zip(self.place, self.heard, strict=True):
            self.seen[place] = self.seen.get(place, frozenset()) | labels
        self.by_label: dict[str, list[int]] = {}
        for i, labels in enumerate(self.heard):
            for label in sorted(labels):
                self.by_label.setdefault(label, []).append(i)

    def same_class(self, picture: int) -> list[int]:
        """Clips from elsewhere that share a label with this one."""
        found = {i for label in self.heard[picture] for i in self.by_label[label]}
        return sorted(i for i in found if self.place[i] != self.place[picture])

    def is_other(self, picture: int, sound: int) -> bool:
        """Whether nothing that sounds in the picture is what the other clip sounds like."""
        elsewhere = self.place[sound] != self.place[picture]
        return elsewhere and not self.heard[sound] & self.seen[self.place[picture]]


def _place(clip: Clip, target: Target) -> str:
    for name, value in (("film", target.video), ("group", target.group or clip.group)):
        if value is not None:
            return f"{name} {value}"
    return f"file {clip.image or clip.video}" if clip.image or clip.video else f"clip {clip.id}"


def _automatic(view: _Views, wanted: int, rng: np.random.Generator) -> tuple[list[Negative], int, int]:
    """Wrong pairs, in the order their pictures were drawn; how many lack a partner, how many of the quarter are short.

    The same-class ones are the first drawn that have a partner, then all are shuffled.
    """
    order = rng.permutation(len(view.ids)).tolist()
    if not view.labelled:
        return [_other(view, picture, "other_clip", rng) for picture in order[:wanted]], 0, 0
    partners = {picture: view.same_class(picture) for picture in order}
    lonely = sum(not some for some in partners.values())
    count = round(SAME_CLASS_SHARE * wanted)
    same = [picture for picture in order if partners[picture]][:count]
    chosen = set(same)
    others = [picture for picture in order if picture not in chosen][: wanted - len(same)]
    made = {
        picture: Negative(view.ids[picture], view.ids[_one_of(partners[picture], rng)], "same_class")
        for picture in same
    } | {picture: _other(view, picture, "other_class", rng) for picture in others}
    return [made[picture] for picture in order if picture in made], lonely, count - len(same)


def _other(view: _Views, picture: int, sort: str, rng: np.random.Generator) -> Negative:
    for sound in rng.integers(len(view.ids), size=16).tolist():  # nearly always enough, and no pass over all
        if view.is_other(picture, sound):
            return Negative(view.ids[picture], view.ids[sound], sort)
    others = [sound for sound in range(len(view.ids)) if view.is_other(picture, sound)]
    if not others:
        raise UserError(
            f"clip {view.ids[picture]}: expected a sound of another class from another picture, got none;"
            " give a benchmark of more classes"
        )
    return Negative(view.ids[picture], view.ids[_one_of(others, rng)], sort)


def _one_of(items: Sequence[int], rng: np.random.Generator) -> int:
    return items[int(rng.integers(len(items)))]


def lines(made: Made) -> Iterable[str]:
    """What was made, for people."""
    counts: Mapping[str, int] = made.counts()
    yield f"{len(made.negatives)} negatives: " + ", ".join(f"{count} {sort}" for sort, count in counts.items())
    if made.without_same_class:
        yield f"{made.without_same_class} clips are the only one of their class: no sound of it for them"
    if made.same_class_short:
        yield f"{made.same_class_short} short of a quarter of same_class for that reason: of other classes instead"
