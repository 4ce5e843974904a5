"""Attention10k (Senocak et al., "Learning to Localize Sound Source in Visual Scenes", CVPR 2018, arXiv 1803.03849).

The sound attends to places, and what it finds must lie nearer to its own sound's vector than to another's. Ours differs
from the paper in its towers: theirs are a frozen VGG-16 (conv5_3) and frozen SoundNet vectors; here any backbones, the
picture's frozen by default as theirs is (start it from weights), the sound's trained, since nobody trained it before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.towers import TwoTowers
from soundspot.types import Batch, UserError

POSITIVE_START = 0.1
"""Bias of the sound's vector at the start: ReLU features point into the positive corner, and where every cosine is
below 0 the published ReLU passes no gradient. The paper does not say how it begins."""


def log_attention(cosines: Tensor) -> Tensor:
    """(B, h, w) -> (B, h * w): log of the softmax over places of the positive cosines."""
    return cosines.relu().flatten(1).log_softmax(dim=1)


def ratio_loss(seen: Tensor, own: Tensor, other: Tensor) -> Tensor:
    """(B, C) each -> scalar: squared error of softmax(distance to own, to other) from (0, 1).

    0 where there is no clip: a batch of one has no other sound.
    """
    with torch.autocast(seen.device.type, enabled=False):
        distances = [F.pairwise_distance(seen.float(), sounds.float()) for sounds in (own, other)]
    shares = torch.stack(distances, dim=1).softmax(dim=1)
    return (shares - shares.new_tensor([0.0, 1.0])).square().sum() / max(1, shares.numel())


def supervised_loss(log_weights: Tensor, truth: Tensor) -> Tensor:
    """(B, n) log attention, (B, n) truth in 0..1 -> scalar: their cross-entropy, not divided by the truth's area."""
    return -(truth * log_weights).sum(dim=1).mean()


def _cosine(cosines: Tensor) -> Tensor:
    return cosines


def _attention(cosines: Tensor) -> Tensor:
    return log_attention(cosines).exp().view_as(cosines)


SHOWN: dict[str, tuple[Callable[[Tensor], Tensor], tuple[float, float]]] = {
    "cosine": (_cosine, (-1.0, 1.0)),
    "attention": (_attention, (0.0, 1.0)),
}
"""What a map shows, and its bounds. attention: the published softmax, which sums to 1 in every picture and so cannot
say how sure it is; cosine: what goes into it, in the same order of places, and below 0, where ReLU makes all equal."""


class Attention10k(TwoTowers):
    """A two-layer head a modality: the sound's into the picture's space, the attended picture's into the sound's."""

    def __init__(
        self,
        supervised: float = 0.0,
        shown: str = "cosine",
        output_stride: int = 16,
        image_size: int = 320,
        trainable: str = "heads",
        **towers: Any,
    ) -> None:
        """`supervised` is the weight of the term that compares attention with masks; they are needed above 0."""
        super().__init__(output_stride=output_stride, image_size=image_size, trainable=trainable, **towers)
        if supervised < 0:
            raise UserError(f"expected supervised of 0 or above, got {supervised}; 0 leaves that term out")
        self.supervised = supervised
        self.needs = frozenset({"mask"} if supervised else ())
        self.show, self.score_range = find(SHOWN, shown, "shown")
        pictures, sounds = self.image.channels, self.audio.channels
        last = nn.Linear(sounds, pictures)
        nn.init.trunc_normal_(last.weight, std=0.01)
        nn.init.constant_(last.bias, POSITIVE_START)
        self.sound_head = nn.Sequential(nn.Linear(sounds, sounds), nn.ReLU(), last)
        self.vision_head = nn.Sequential(nn.Linear(pictures, pictures), nn.ReLU(), nn.Linear(pictures, sounds))

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cells (B, C, h, w) and sounds (B, C') as the towers give them."""
        image, audio = self.features(batch)
        return image, ops.max_pool(audio)

    def cosines(self, cells: Tensor, sounds: Tensor) -> Tensor:
        """(B, C, h, w), (B, C') -> (B, h, w), of each place with its sound."""
        return ops.own_similarity(ops.unit(cells), ops.unit(self.sound_head(sounds.relu())))

    def attended(self, cells: Tensor, log_weights: Tensor) -> Tensor:
        """(B, C, h, w), (B, h * w) -> (B, C'): what the sound attends to, in the sounds' space."""
        found = torch.einsum("bcn,bn->bc", cells.flatten(2), log_weights.exp().to(cells.dtype))
        return self.vision_head(found.relu())

    def localize(self, batch: Batch) -> Tensor:
        """What `shown` says at every place, (B, h, w)."""
        return self.show(self.cosines(*self.encode(batch)))

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A picture is attended to evenly: where a sound would look must not depend on the sound."""
        cells, sounds = self.encode(batch)
        return ops.unit(self.vision_head(ops.mean_pool(cells).relu())), ops.unit(sounds)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The ratio loss against the next clip's sound among those of all processes, and the supervised term."""
        cells, sounds = self.encode(batch)
        log_weights = log_attention(self.cosines(cells, sounds))
        others = ops.next_clips(sounds)
        seen = self.attended(cells, log_weights)[: len(others)]
        terms = {"ratio": ratio_loss(seen, sounds[: len(others)], others)}
        if self.supervised:
            terms["supervised"] = self.supervised * supervised_loss(log_weights, self._truth(batch, cells))
        return terms

    def _truth(self, batch: Batch, cells: Tensor) -> Tensor:
        """(B, h * w), 1 where half of a place or more is the sounding object's."""
        if batch.mask is None:
            raise UserError("attention10k: expected masks for supervised > 0, got none; give them, or set supervised=0")
        shares = F.adaptive_avg_pool2d(batch.mask.float(), (cells.shape[-2], cells.shape[-1]))
        return (shares >= 0.5).flatten(1).float()
