"""AVOL-Net, Objects that Sound (Arandjelovic and Zisserman, ECCV 2018, arXiv 1712.06651): does this place sound or not.

The authors released no code. The heads (two layers of 128 with a ReLU between), the affine map of the dot product and
one negative to a positive are those of DSOL's first stage on AudioSet (arXiv 2010.05466): this model on ResNets.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.methods.towers import TwoTowers
from soundspot.types import Batch, UserError


def pair_terms(own: Tensor, other: Tensor) -> dict[str, Tensor]:
    """Log-odds (B,) of pairs that belong together, (M,) of pairs that do not -> the two parts of their mean BCE."""
    count = len(own) + len(other)
    return {"positive": F.softplus(-own).sum() / count, "negative": F.softplus(other).sum() / count}


class AVOL(TwoTowers):
    """Dot products of places and sound, scaled and shifted: log-odds whose best place says if both belong together.

    Our choices, where sources are silent: the scale starts at 1 and the shift at 0; a picture's negative is the next
    clip's sound; one second at 48 kHz, 257 x 200 as `psd_hop238`.
    """

    def __init__(
        self,
        dim: int = 128,
        output_stride: int = 16,
        seconds: float = 1.0,
        sample_rate: int = 48000,
        **towers: Any,
    ) -> None:
        super().__init__(output_stride=output_stride, seconds=seconds, sample_rate=sample_rate, **towers)
        if dim < 1:
            raise UserError(f"expected dim of at least 1, got {dim}; set it to 128, say")
        self.image_head = nn.Sequential(
            nn.Conv2d(self.image.channels, dim, kernel_size=1), nn.ReLU(), nn.Conv2d(dim, dim, kernel_size=1)
        )
        self.audio_head = nn.Sequential(nn.Linear(self.audio.channels, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.scale = nn.Parameter(torch.ones(()))
        self.offset = nn.Parameter(torch.zeros(()))

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cells (B, dim, h, w) and sounds (B, dim); their lengths count."""
        image, audio = self.features(batch)
        return self.project(image, ops.max_pool(audio))

    def project(self, image_features: Tensor, audio_features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w), (B, C') -> cells (B, dim, h, w) and sounds (B, dim)."""
        return self.image_head(image_features), self.audio_head(audio_features)

    def scores(self, cells: Tensor, sounds: Tensor) -> Tensor:
        """Cells (B, dim, h, w), sounds (B, dim) -> log-odds (B, h, w)."""
        return self.scale * ops.own_similarity(cells, sounds) + self.offset

    def localize(self, batch: Batch) -> Tensor:
        """Log-odds at every place, (B, h, w): the sigmoid of the paper would round the sure ones to 1."""
        return self.scores(*self.encode(batch))

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Directions alone: a picture is the mean of its cells."""
        cells, sounds = self.encode(batch)
        return ops.unit(ops.mean_pool(cells)), ops.unit(sounds)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Binary cross-entropy of the best place, for a picture with its own sound and with the next clip's."""
        cells, sounds = self.encode(batch)
        others = ops.next_clips(sounds)
        own, other = self.scores(cells, sounds), self.scores(cells[: len(others)], others)
        return pair_terms(ops.max_pool(own), ops.max_pool(other))
