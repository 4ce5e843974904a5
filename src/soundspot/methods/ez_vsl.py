"""EZ-VSL (Mo and Morgado, ECCV 2022, arXiv 2203.09324): the best-matching place must match; all else is background."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.base import positive
from soundspot.methods.towers import TwoTowers
from soundspot.types import Batch


def _max_sim(cells: Tensor, sounds: Tensor) -> Tensor:
    return ops.pooled_similarity(ops.unit(cells), sounds, ops.max_pool)


def _avg_sim(cells: Tensor, sounds: Tensor) -> Tensor:
    return ops.pooled_similarity(ops.unit(cells), sounds, ops.mean_pool)


def _max_feature(cells: Tensor, sounds: Tensor) -> Tensor:
    return ops.unit(ops.max_pool(cells)) @ sounds.T


MATCHINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "max_sim": _max_sim,
    "avg_sim": _avg_sim,
    "max_feature": _max_feature,
}
"""How places become one similarity of a picture and a sound: (B, C, h, w) cells, (M, C) unit sounds -> (B, M).

The three rows of the paper's matching table: MaxPool(sim(V, A)), the method itself; AvgPool(sim(V, A));
sim(MaxPool(V), A).
"""


def image_head(channels: int, dim: int) -> nn.Conv2d:
    """A linear map of every cell, initialised as published."""
    head = nn.Conv2d(channels, dim, kernel_size=1)
    nn.init.kaiming_normal_(head.weight, mode="fan_out", nonlinearity="relu")
    return head


def audio_head(channels: int, dim: int) -> nn.Linear:
    """A linear map of a sound's vector, initialised as published."""
    head = nn.Linear(channels, dim)
    nn.init.trunc_normal_(head.weight, std=0.01)
    return head


class EZVSL(TwoTowers):
    """Two towers, a linear head each, and the symmetric InfoNCE of the best place's cosine."""

    def __init__(self, dim: int = 512, temperature: float = 0.03, matching: str = "max_sim", **towers: Any) -> None:
        super().__init__(**towers)
        self.temperature = positive(temperature, "temperature")
        self.score_range = (-1 / temperature, 1 / temperature)
        self.pooled = find(MATCHINGS, matching, "matching")
        self.image_head = image_head(self.image.channels, dim)
        self.audio_head = audio_head(self.audio.channels, dim)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cells (B, dim, h, w), not normalised, and unit sounds (B, dim)."""
        image, audio = self.features(batch)
        return self.project(image, ops.max_pool(audio))

    def project(self, image_features: Tensor, audio_features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w), (B, C') -> cells (B, dim, h, w), not normalised, and unit sounds (B, dim)."""
        return self.image_head(image_features), ops.unit(self.audio_head(audio_features))

    def localize(self, batch: Batch) -> Tensor:
        """Cosine over temperature at every place, (B, h, w)."""
        return self.scores(*self.encode(batch))

    def scores(self, cells: Tensor, sounds: Tensor) -> Tensor:
        """Cells (B, dim, h, w), unit sounds (B, dim) -> (B, h, w)."""
        return ops.own_similarity(ops.unit(cells), sounds) / self.temperature

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A picture is the mean of its unit cells: the place that matches best would depend on the sound."""
        cells, sounds = self.encode(batch)
        return ops.unit(ops.mean_pool(ops.unit(cells))), sounds

    def logits(self, cells: Tensor, sounds: Tensor) -> Tensor:
        """Cells (B, dim, h, w), unit sounds (M, dim) -> (B, M)."""
        return self.pooled(cells, sounds) / self.temperature

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Symmetric InfoNCE over the pairs of all processes (paper eq. 2)."""
        cells, sounds = self.encode(batch)
        return {"nce": ops.symmetric_info_nce(self.logits(ops.gather(cells), ops.gather(sounds)))}
