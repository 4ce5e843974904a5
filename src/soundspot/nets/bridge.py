"""A training-free bridge from sound to picture: AudioSet tags name ImageNet classes, whose class maps say where.

For sounds that no trained head ever met. The table is `soundspot.nets.bridge_table`; the tags come from
`soundspot.nets.yamnet`, the class maps from `soundspot.nets.lite`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from soundspot.lookup import unknown
from soundspot.nets.bridge_table import GENERIC, GROUPS, PEOPLE, PERSON, SPECIFIC
from soundspot.types import UserError

NUM_IMAGENET = 1000
PERSON_INDEX = NUM_IMAGENET
"""The pseudo class of human beings, after ImageNet's."""
GENERIC_WEIGHT = 0.2
"""What a tag of many makers (Animal, Music) counts beside a specific one of the same probability."""
COMPETITION = 0.3
"""Share of the log-sum over all classes taken off a class's logit: a cell that is surely something else says less."""
LEAST_WEIGHT = 0.01
"""Tags less probable than this are not looked for."""


def imagenet_names() -> list[str]:
    """ImageNet's 1000 class names in the order of the classifier's outputs: synonyms separated by commas."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return [info.index_to_description(index) for index in range(NUM_IMAGENET)]


def resolve(row: str, names: Sequence[str]) -> tuple[int, ...]:
    """The sorted indices of a row of the table; PERSON is 1000. Raises UserError for a name that is none or several.

    >>> resolve("@bears | tench", imagenet_names())
    (0, 294, 295, 296, 297)
    """
    return tuple(sorted(_indices(row, _by_name(names))))


def _by_name(names: Sequence[str]) -> dict[str, list[int]]:
    """Class indices by first name and by the whole list of synonyms."""
    table: dict[str, list[int]] = {PERSON: [PERSON_INDEX]}
    for index, name in enumerate(names):
        for key in {name, name.split(",")[0]}:
            table.setdefault(key, []).append(index)
    return table


def _indices(row: str, by_name: Mapping[str, list[int]]) -> set[int]:
    found: set[int] = set()
    for item in row.split(" | "):
        if item.startswith("@"):
            found |= _indices(GROUPS[item[1:]], by_name)
        elif item[0].isdigit():
            first, last = map(int, item.split("-"))
            found |= set(range(first, last + 1))
        elif item not in by_name:
            raise unknown(by_name, item, "ImageNet class")
        elif len(by_name[item]) > 1:
            raise UserError(f"expected one ImageNet class, got {item!r} for {by_name[item]}; give all its synonyms")
        else:
            found.update(by_name[item])
    return found


class Bridge:
    """Tag probabilities (B, T) and class maps (B, 1000, h, w) to maps of the sound's makers (B, h, w)."""

    def __init__(self, tag_names: Sequence[str]) -> None:
        rows = {**SPECIFIC, **GENERIC}
        if absent := sorted(set(rows) - set(tag_names)):
            raise UserError(
                f"expected AudioSet's tag names, but {absent[0]!r} is not among them; use YAMNet.class_names"
            )
        by_name = _by_name(imagenet_names())
        self.people = sorted(_indices(PEOPLE, by_name))
        # Many tags name the same makers (Dog, Bark, Yip): each set of makers is looked for once.
        makers: dict[tuple[int, ...], int] = {}
        entries = []
        for tag, name in enumerate(tag_names):
            if name in rows:
                classes = tuple(sorted(_indices(rows[name], by_name)))
                weight = 1.0 if name in SPECIFIC else GENERIC_WEIGHT
                entries.append((tag, makers.setdefault(classes, len(makers)), weight))
        self.makers = list(makers)
        """The sets of classes that the table knows, as indices 0..1000."""
        self.tags = torch.tensor([tag for tag, _, _ in entries])
        self.sets = torch.tensor([which for _, which, _ in entries])
        self.tag_weights = torch.tensor([weight for _, _, weight in entries])

    def set_weights(self, tags: Tensor) -> Tensor:
        """(B, T) probabilities -> (B, S): how strongly each of `makers` is heard, its most probable tag's weight."""
        weights = tags[:, self.tags.to(tags.device)] * self.tag_weights.to(tags)
        sets = self.sets.to(tags.device).expand_as(weights)
        return tags.new_zeros(len(tags), len(self.makers)).scatter_reduce(1, sets, weights, "amax")

    def weights(self, tags: Tensor) -> Tensor:
        """(B, T) probabilities -> (B, 1001): how strongly each ImageNet class, and last PERSON, is asked for."""
        by_set = self.set_weights(tags)
        weights = tags.new_zeros(len(tags), NUM_IMAGENET + 1)
        for which, classes in enumerate(self.makers):
            index = torch.tensor(classes, device=tags.device)
            weights[:, index] = torch.maximum(weights[:, index], by_set[:, which : which + 1])
        return weights

    __call__ = weights

    def map(self, class_map: Tensor, tags: Tensor, people: Tensor | None = None) -> Tensor:
        """Raw logits (B, 1000, h, w), tag probabilities (B, T) -> (B, h, w), higher where a maker of the sound is.

        `people` (B, h, w), in logits, is asked for human sounds; without it, what people wear stands in. A sound
        without any known maker gets a map of zeros.
        """
        weights = self.set_weights(tags)
        weights = torch.where(weights < LEAST_WEIGHT, 0.0, weights)
        total = weights.sum(dim=1).clamp(min=LEAST_WEIGHT)
        others = COMPETITION * class_map.logsumexp(dim=1)
        summed = class_map.new_zeros(class_map.shape[0], *class_map.shape[2:])
        for which in torch.nonzero(weights.amax(dim=0))[:, 0].tolist():
            place = self._class_logits(class_map, self.makers[which], people) - others
            summed = summed + weights[:, which, None, None] * place
        return summed / total[:, None, None]

    def _class_logits(self, class_map: Tensor, classes: tuple[int, ...], people: Tensor | None) -> Tensor:
        """(B, h, w): the highest logit among `classes` at each cell."""
        if PERSON_INDEX not in classes:
            return class_map[:, list(classes)].amax(dim=1)
        return class_map[:, self.people].amax(dim=1) if people is None else people
