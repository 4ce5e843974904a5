"""LCBM (Senocak et al., "Less Can Be More: Sound Source Localization With a Classification Model", WACV 2022).

A network that learned to tell the classes of films by sight and sound also shows where they sound. No code was released
and only the abstract is followed here, so all below it is our choice, with this reason:
- two towers and a linear head each, into one space: towers may differ in width, and a cosine needs one space;
- cells are averaged over places, then classified: so every place is classified by the same linear map, and places of a
  class point where its weights point; a sound keeps its maximum, as in the field's other methods;
- one linear classifier without bias for both modalities: what they share are then the classes' directions;
- picture and sound are classified each by itself (`fusion="each"`): where only their sum is (`"sum"`), one modality may
  do all the work, and the other's vectors need not point anywhere;
- several labels of a clip share the truth evenly; clips come from VGGSound's own list, the only one that has labels;
- the map is the cosine of place and sound, the cross-modal attention of the abstract without anything learned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.ez_vsl import audio_head, image_head
from soundspot.methods.labels import AUDIOSET_TOP, class_names, multi_hot
from soundspot.methods.towers import TwoTowers
from soundspot.types import Batch

Classifier = Callable[[Tensor], Tensor]


def _each(pictures: Tensor, sounds: Tensor, classify: Classifier, truth: Tensor) -> dict[str, Tensor]:
    return {name: _cross_entropy(classify(x), truth) for name, x in (("seen", pictures), ("heard", sounds))}


def _sum(pictures: Tensor, sounds: Tensor, classify: Classifier, truth: Tensor) -> dict[str, Tensor]:
    return {"class": _cross_entropy(classify(pictures + sounds), truth)}


FUSIONS = {"each": _each, "sum": _sum}
"""What is classified: both vectors (B, dim) by themselves, or their sum."""


def _cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """(B, K), (B, K) shares that sum to 1 -> scalar."""
    return F.cross_entropy(logits.float(), truth)


class LCBM(TwoTowers):
    """Two towers and a classifier that they share; cosines of what it reads."""

    score_range = (-1.0, 1.0)

    def __init__(self, classes: str = AUDIOSET_TOP, dim: int = 512, fusion: str = "each", **towers: Any) -> None:
        """`classes` are names of labels, see labels.class_names."""
        super().__init__(**towers)
        self.needs = frozenset({"labels"})
        self.classes = class_names(classes)
        self.terms = find(FUSIONS, fusion, "fusion")
        self.image_head = image_head(self.image.channels, dim)
        self.audio_head = audio_head(self.audio.channels, dim)
        self.classifier = nn.Linear(dim, len(self.classes), bias=False)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cells (B, dim, h, w) and sounds (B, dim), not normalised."""
        image, audio = self.features(batch)
        return self.image_head(image), self.audio_head(ops.max_pool(audio))

    def localize(self, batch: Batch) -> Tensor:
        """Cosine at every place, (B, h, w)."""
        cells, sounds = self.encode(batch)
        return ops.own_similarity(ops.unit(cells), ops.unit(sounds))

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What is classified, at length 1."""
        cells, sounds = self.encode(batch)
        return ops.unit(ops.mean_pool(cells)), ops.unit(sounds)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the classes; there are no negatives to gather from other processes."""
        truth = multi_hot(batch, self.classes)
        cells, sounds = self.encode(batch)
        return self.terms(ops.mean_pool(cells), sounds, self.classifier, truth / truth.sum(dim=1, keepdim=True))
