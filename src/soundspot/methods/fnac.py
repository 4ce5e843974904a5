"""FNAC (Sun et al., CVPR 2023, arXiv 2303.11302): EZ-VSL that knows which clips are alike, so as not to part them.

"Learning Audio-Visual Source Localization via False Negative Aware Contrastive Learning". Written from what the
released code computes; whether the paper's equations differ from it was not checked.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.methods.ez_vsl import EZVSL
from soundspot.types import Batch, UserError

RANGE_FLOOR = 1e-5
"""Added to a map's range where it is stretched to 0..1, as published."""


def foreground(cells: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Unit cells (B, C, h, w), own scores (B, h, w) -> (B, C): the sum of high-scoring cells over the number of all."""
    low, high = scores.amin(dim=(1, 2), keepdim=True), scores.amax(dim=(1, 2), keepdim=True)
    chosen = (scores - low) / (high - low + RANGE_FLOOR) > threshold
    return ops.mean_pool(cells * chosen[:, None])


def false_negative_terms(
    cells: Tensor, sounds: Tensor, logits: Tensor, temperature: float, threshold: float
) -> dict[str, Tensor]:
    """Unit cells (B, C, h, w), unit sounds (B, C), their logits (B, B) -> three mean differences of (B, B) softmaxes.

    fns1: sounds among themselves against the logits; tns: sounds against foregrounds; fns2: pictures against the
    logits. Nothing is detached, as in the published code: both sides of each difference learn.
    """
    own = ops.own_similarity(cells, sounds) / temperature
    sound = _alike(sounds, temperature)
    matched = logits.softmax(dim=1)
    return {
        "fns1": F.l1_loss(sound, matched),
        "tns": F.l1_loss(sound, _alike(foreground(cells, own, threshold), temperature)),
        "fns2": F.l1_loss(_alike(ops.mean_pool(cells), temperature), matched),
    }


def _alike(vectors: Tensor, temperature: float) -> Tensor:
    """(B, C) -> (B, B), a softmax a row of the vectors' products. In float32 under autocast too."""
    with torch.autocast(vectors.device.type, enabled=False):
        return (vectors @ vectors.T / temperature).softmax(dim=1)


class FNAC(EZVSL):
    """EZ-VSL with dropout before the heads, and false-negative terms once `warmup_epochs` are over.

    The released scripts warm up for 5 epochs (their parser's default is 3). `foreground_above` is the level of a map
    stretched to 0..1 above which a place is foreground. A weight of 0 leaves its term out.
    """

    def __init__(
        self,
        dropout_image: float = 0.9,
        dropout_audio: float = 0.0,
        fns1_weight: float = 100.0,
        tns_weight: float = 100.0,
        fns2_weight: float = 100.0,
        foreground_above: float = 0.6,
        warmup_epochs: int = 5,
        **towers: Any,
    ) -> None:
        super().__init__(**towers)
        if not 0 <= foreground_above < 1:
            raise UserError(f"expected foreground_above in [0, 1), got {foreground_above}; set it to 0.6, say")
        self.image_dropout = nn.Dropout(_probability(dropout_image, "dropout_image"))
        self.audio_dropout = nn.Dropout(_probability(dropout_audio, "dropout_audio"))
        self.weights = {"fns1": fns1_weight, "tns": tns_weight, "fns2": fns2_weight}
        self.foreground_above = foreground_above
        self.warmup_epochs = warmup_epochs
        self.warming_up = False  # until a training loop says which epoch it is

    def before_epoch(self, epoch: int) -> None:
        """The first epochs have EZ-VSL's loss alone: similarities of an untrained network excuse nothing."""
        self.warming_up = epoch < self.warmup_epochs

    def project(self, image_features: Tensor, audio_features: Tensor) -> tuple[Tensor, Tensor]:
        """As EZ-VSL's, with dropout on what the heads read."""
        return super().project(self.image_dropout(image_features), self.audio_dropout(audio_features))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """EZ-VSL's loss and the false-negative terms, over the pairs of all processes."""
        cells, sounds = self.encode(batch)
        return self.terms(ops.gather(cells), ops.gather(sounds))

    def terms(self, cells: Tensor, sounds: Tensor) -> dict[str, Tensor]:
        """Cells (B, dim, h, w), not normalised, unit sounds (B, dim) -> the weighted terms of the present epoch."""
        logits = self.logits(cells, sounds)
        terms = {"nce": ops.symmetric_info_nce(logits)}
        if self.warming_up:
            return terms
        found = false_negative_terms(ops.unit(cells), sounds, logits, self.temperature, self.foreground_above)
        return terms | {name: weight * found[name] for name, weight in self.weights.items() if weight}


def _probability(value: float, what: str) -> float:
    if not 0 <= value < 1:
        raise UserError(f"expected {what} in [0, 1), got {value}; set it to 0 for none")
    return value
