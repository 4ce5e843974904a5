"""LVS, Localizing Visual Sounds the Hard Way (Chen et al., CVPR 2021, arXiv 2104.02691): negatives inside the picture.

The authors released no training code; the loss is what their logits imply, a cross-entropy with target column 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from soundspot import ops
from soundspot.methods.base import positive
from soundspot.methods.towers import TwoTowers
from soundspot.types import Batch

QUIRK_FACTOR = -99.0
"""The published code multiplies the easy negatives by (1 - 100 I) to hide the diagonal."""


MASK_COPIES = 4
"""Tensors of the similarities' size that the soft mask's mean takes: they, their distances from the threshold, the
mask, and both multiplied."""


@dataclass(frozen=True)
class TriMap:
    """Where a place counts as sounding, as background, or as neither."""

    eps_pos: float = 0.65
    eps_neg: float = 0.4
    tau: float = 0.03
    trimap: bool = True
    """False: everything not sounding is background."""

    def positive(self, scores: Tensor) -> Tensor:
        """Soft mask of the sounding places."""
        return torch.sigmoid((scores - self.eps_pos) / self.tau)

    def negative(self, scores: Tensor) -> Tensor:
        """Soft mask of the background; 1 - sigmoid(x) written as sigmoid(-x), which does not round to 0 everywhere."""
        return torch.sigmoid(((self.eps_neg if self.trimap else self.eps_pos) - scores) / self.tau)


def lvs_logits(
    cells: Tensor,
    sounds: Tensor,
    masks: TriMap,
    *,
    temperature: float = 0.07,
    hard_negative: bool = True,
    diagonal_quirk: bool = False,
    first: int = 0,
) -> Tensor:
    """Unit cells (B, C, h, w), unit sounds (M, C) -> (B, 1 + M (+ 1)): positive | easy negatives | hard negative.

    Picture b belongs to sound `first + b`; its easy negative is that sound itself, which is left out (-inf), or
    times -99 under `diagonal_quirk` as in the published code, which hides it only while cosines are above 0.
    """
    own = ops.own_similarity(cells, sounds[first : first + len(cells)])
    sounding = ops.soft_pool(own, masks.positive(own))

    def over_places(scores: Tensor) -> Tensor:
        return ops.soft_pool(scores, masks.positive(scores))

    easy = ops.pooled_similarity(cells, sounds, over_places, copies=MASK_COPIES)
    mine = F.one_hot(first + torch.arange(len(cells), device=cells.device), len(sounds)).bool()
    easy = torch.where(mine, easy * QUIRK_FACTOR, easy) if diagonal_quirk else easy.masked_fill(mine, -torch.inf)
    columns = [sounding[:, None], easy]
    if hard_negative:
        columns.append(ops.soft_pool(own, masks.negative(own))[:, None])
    return torch.cat(columns, dim=1) / temperature


class LVS(TwoTowers):
    """Cosines of 14 x 14 ReLU features, soft-thresholded into sounding places and background of the same picture."""

    score_range = (-1.0, 1.0)

    def __init__(
        self,
        dim: int = 0,
        eps_pos: float = 0.65,
        eps_neg: float = 0.4,
        tau: float = 0.03,
        temperature: float = 0.07,
        trimap: bool = True,
        hard_negative: bool = True,
        diagonal_quirk: bool = False,
        output_stride: int = 16,
        audio_stride: int = 16,
        seconds: float = 10.0,
        window: str = "first",
        **towers: Any,
    ) -> None:
        """`dim` 0 compares the towers' features themselves, as the paper does; else a linear head each gives `dim`.

        The published towers are of one class: that of the sound has a stride of 16 too.

        The published test crops pictures but not the boxes it compares with; `resize="crop"` does as it does,
        the default keeps maps and boxes aligned.
        """
        super().__init__(
            output_stride=output_stride, audio_stride=audio_stride, seconds=seconds, window=window, **towers
        )
        self.masks = TriMap(eps_pos, eps_neg, positive(tau, "tau"), trimap)
        self.temperature = positive(temperature, "temperature")
        self.hard_negative = hard_negative
        self.diagonal_quirk = diagonal_quirk
        self.image_head, self.audio_head = self.heads(dim)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Unit cells (B, C, h, w) and unit sounds (B, C)."""
        image, audio = self.features(batch)
        return ops.unit(self.image_head(image)), ops.unit(self.audio_head(ops.max_pool(audio)))

    def localize(self, batch: Batch) -> Tensor:
        """Cosine at every place, (B, h, w)."""
        return ops.own_similarity(*self.encode(batch))

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A picture is the mean of its unit cells: which of them sound would depend on the sound."""
        cells, sounds = self.encode(batch)
        return ops.unit(ops.mean_pool(cells)), sounds

    def logits(self, cells: Tensor, sounds: Tensor, *, first: int = 0) -> Tensor:
        """Unit cells (B, C, h, w), unit sounds (M, C) -> (B, M + 2), see lvs_logits."""
        return lvs_logits(
            cells,
            sounds,
            self.masks,
            temperature=self.temperature,
            hard_negative=self.hard_negative,
            diagonal_quirk=self.diagonal_quirk,
            first=first,
        )

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the sounding places against the sounds of all processes and the picture's background."""
        cells, sounds = self.encode(batch)
        logits = self.logits(cells, ops.gather(sounds), first=ops.rank() * len(cells))
        return {"nce": F.cross_entropy(logits, torch.zeros(len(cells), dtype=torch.long, device=cells.device))}
