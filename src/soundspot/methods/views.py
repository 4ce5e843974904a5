"""Further views of a clip, for losses that pair several: its augmented picture and sound, and those of a neighbour."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from soundspot.augment import PHOTOS, PICTURE_DRAWS, Photo, distort, time_shift
from soundspot.lookup import find
from soundspot.methods.towers import TwoTowers
from soundspot.types import Batch, Inputs, UserError

MODALITIES: dict[str, tuple[str, ...]] = {
    "both": ("image", "audio"),
    "image": ("image",),
    "audio": ("audio",),
    "none": (),
}
"""In which modalities a kind of further view is used, by the option's value."""
SOURCES = {"mined": "_neighbour", "anchor": ""}
"""Where neighbours come from: the loader, which mined them; or the clip itself, a control without new content."""


@dataclass(frozen=True)
class Views:
    """The views that a loss pairs, by name; the first of each modality is the clip's own. A name may come twice."""

    image: tuple[str, ...] = ("image",)
    audio: tuple[str, ...] = ("audio",)
    photo: Photo = PHOTOS["simclr"]

    @property
    def needs(self) -> frozenset[str]:
        """What the loader must bring for them, as in Method.needs."""
        kinds = {"_augmented": "draws", "_neighbour": "neighbour"}
        names = (*self.image, *self.audio)
        return frozenset(need for end, need in kinds.items() if any(name.endswith(end) for name in names))

    def frozen(self, method: TwoTowers, batch: Batch) -> dict[str, Tensor]:
        """By view, what the frozen stages of its tower make of it: as the batch brings it, or made now.

        Raises UserError where the batch lacks what a view is made of.
        """
        image, audio = method.towers()
        found: dict[str, Tensor] = {}
        for name in dict.fromkeys((*self.image, *self.audio)):
            if "image" in batch.extra:  # features were kept: all views' are, under their own names
                found[name] = _brought(batch, name)
            else:
                tower = image if name.startswith("image") else audio
                found[name] = tower.frozen(self._raw(name, batch, method.inputs))
        return found

    def features(self, method: TwoTowers, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """The towers' maps by view: each (B, C, h, w) of pictures, each (B, C', f, t) of sounds.

        A view passes its tower by itself, as in the published code: batch norm sees one kind of picture at a time.
        """
        given = self.frozen(method, batch)
        image, audio = method.towers()
        pictures = {name: image.rest(given[name]) for name in dict.fromkeys(self.image)}
        sounds = {name: audio.rest(given[name]) for name in dict.fromkeys(self.audio)}
        return [pictures[name] for name in self.image], [sounds[name] for name in self.audio]

    def _raw(self, name: str, batch: Batch, inputs: Inputs) -> Tensor:
        if name == "image":
            return batch.image
        if name == "audio":
            return batch.audio
        if not name.endswith("_augmented"):
            return _brought(batch, name)
        if batch.draws is None:
            raise UserError(
                f"expected random numbers (draws) in the batch for {name}, got none; use a loader that reads the "
                "method's needs, or set augmented=none"
            )
        if name == "image_augmented":
            return distort(batch.image, batch.draws, inputs, self.photo)
        return time_shift(batch.audio, batch.draws[:, PICTURE_DRAWS:])


def paired_views(
    *, augmented: str = "none", neighbours: str = "none", neighbour_from: str = "mined", augmentation: str = "simclr"
) -> Views:
    """Own, then augmented, then neighbours' views, in the modalities that the options (keys of MODALITIES) name."""
    source = find(SOURCES, neighbour_from, "neighbour_from")
    further = {
        "_augmented": find(MODALITIES, augmented, "augmented"),
        source: find(MODALITIES, neighbours, "neighbours"),
    }

    def names(modality: str) -> tuple[str, ...]:
        return (modality, *(modality + end for end, modalities in further.items() if modality in modalities))

    return Views(names("image"), names("audio"), find(PHOTOS, augmentation, "augmentation"))


def _brought(batch: Batch, name: str) -> Tensor:
    if name not in batch.extra:
        raise UserError(
            f"expected {name} in the batch, got {', '.join(sorted(batch.extra)) or 'nothing'} beside picture and "
            "sound; use a loader that reads the method's needs, or set neighbours=none"
        )
    return batch.extra[name]
