"""SSLalign, Aligning Sight and Sound (Senocak et al., ICCV 2023, arXiv 2309.10724; TPAMI, arXiv 2407.13676).

Nine pairs of an own, an augmented and a neighbour's view, told apart both by places and as wholes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.base import Embed, Space, positive
from soundspot.methods.lvs import MASK_COPIES, TriMap
from soundspot.methods.towers import TwoTowers, directions
from soundspot.methods.views import paired_views
from soundspot.types import Batch, UserError


@dataclass(frozen=True)
class Variant:
    """In what the paper's equations and the released training code differ."""

    soft_mask: bool
    """s_L is the mean over places above a soft threshold, as in LVS; False: over all of them (paper eq. 3, M = 1)."""
    pool: Callable[[Tensor], Tensor]
    """What of a picture's places s_A projects (paper eq. 4: their mean)."""


VARIANTS = {"code": Variant(True, ops.max_pool), "paper": Variant(False, ops.mean_pool)}
RETRIEVALS = {"projected": True, "backbone": False}
"""Which vectors `embed` gives, as in the paper's table V."""


def by_pair(similarity: Tensor, views: tuple[int, int]) -> Tensor:
    """(V * B, A * M) -> (V, A, B, M): one product of all views, seen as one table a pair of views."""
    return similarity.unflatten(1, (views[1], -1)).unflatten(0, (views[0], -1)).transpose(1, 2)


def pair_losses(logits: Tensor, first: int = 0) -> Tensor:
    """(V, A, B, M) -> (V, A): cross-entropy of rows, whose row b belongs to column `first + b`, mean over rows."""
    targets = first + torch.arange(logits.shape[2], device=logits.device)
    pairs = logits.shape[0] * logits.shape[1]
    losses = F.cross_entropy(logits.flatten(0, 2), targets.repeat(pairs), reduction="none")
    return losses.unflatten(0, logits.shape[:3]).mean(dim=-1)


class SSLAlign(TwoTowers):
    """LVS's towers and map; every pair of views is contrasted by s_L, over places, and by s_A, of projected wholes.

    `variant="code"` is the default: the training code is what the authors are known to have run. Both variants
    contrast a picture with the sounds of the batch and not the other way round, as eq. 5 has it; `symmetric` adds the
    other way, which the text on eq. 2 calls possible. Augmentation is the paper's in both, SimCLR's pictures and
    shifted sounds; the code turns, flips, shifts and darkens pictures, and moves the window within ten seconds of
    sound where here the window's spectrogram is rolled.

    The ablations: table VIII is `neighbours` (semantic), `augmented` (multi-view) and `alignment`, table IX the
    values image and audio of the first two, table XI `neighbour_from="anchor"`, table XII `intra`; k (table X, and
    k = 1 of table XI) is decided where neighbours are mined.
    """

    score_range = (-1.0, 1.0)

    def __init__(
        self,
        variant: str = "code",
        augmented: str = "both",
        neighbours: str = "both",
        neighbour_from: str = "mined",
        alignment: bool = True,
        intra: bool = False,
        symmetric: bool = False,
        dim: int = 0,
        projection: int = 512,
        temperature: float = 0.07,
        eps_pos: float = 0.65,
        tau: float = 0.03,
        augmentation: str = "simclr",
        retrieval: str = "projected",
        output_stride: int = 16,
        audio_stride: int = 16,
        spectrogram: str = "psd_hop159",
        sample_rate: int = 16000,
        **towers: Any,
    ) -> None:
        """`dim` 0 compares the towers' features themselves, as the paper does; else a linear head each gives `dim`.

        `eps_pos` and `tau` are the soft mask's (variant="code"). Without `alignment` there are no projections, and
        `embed` gives the backbone's vectors.
        """
        super().__init__(
            output_stride=output_stride,
            audio_stride=audio_stride,
            spectrogram=spectrogram,
            sample_rate=sample_rate,
            **towers,
        )
        self.variant = find(VARIANTS, variant, "variant")
        self.views = paired_views(
            augmented=augmented, neighbours=neighbours, neighbour_from=neighbour_from, augmentation=augmentation
        )
        self.needs = self.views.needs
        self.intra = intra
        if intra and (not alignment or len(self.views.image) + len(self.views.audio) == 2):
            raise UserError("ssl_align: expected intra=false without alignment or further views, got true; set it")
        self.symmetric = symmetric
        self.temperature = positive(temperature, "temperature")
        self.mask = TriMap(eps_pos=eps_pos, tau=positive(tau, "tau"))
        self.projects = alignment
        self.embeds_projected = find(RETRIEVALS, retrieval, "retrieval") and alignment
        self.image_head, self.audio_head = self.heads(dim)
        if alignment:
            self.image_projection = nn.Linear(dim or self.image.channels, projection)
            self.audio_projection = nn.Linear(dim or self.audio.channels, projection)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Places (B, C, h, w) and sounds (B, C), not normalised."""
        image, audio = self.features(batch)
        return self.image_head(image), self.audio_head(ops.max_pool(audio))

    def localize(self, batch: Batch) -> Tensor:
        """Cosine at every place, (B, h, w)."""
        places, sounds = self.encode(batch)
        return ops.own_similarity(ops.unit(places), ops.unit(sounds))

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Projected wholes, or the backbone's, as `retrieval` has it."""
        return self.embed_projected(batch) if self.embeds_projected else self.embed_backbone(batch)

    def spaces(self) -> dict[Space, Embed]:
        """What s_A compares, and what s_L does: the backbone, as the paper's table V calls it."""
        if not self.projects:
            return {"backbone": self.embed_backbone}
        projected: dict[Space, Embed] = {"projected": self.embed_projected}
        backbone: dict[Space, Embed] = {"backbone": self.embed_backbone}
        return projected | backbone if self.embeds_projected else backbone | projected

    def embed_projected(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Unit vectors (B, P) each."""
        return self.project(*self.encode(batch))

    def embed_backbone(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Unit vectors (B, C) each: a picture is the mean of its unit cells."""
        return directions(*self.encode(batch))

    def project(self, places: Tensor, sounds: Tensor) -> tuple[Tensor, Tensor]:
        """Places (B, C, h, w), sounds (B, C) -> unit vectors (B, P) each, which s_A compares (paper eq. 4)."""
        wholes = self.variant.pool(places)
        return ops.unit(self.image_projection(wholes)), ops.unit(self.audio_projection(sounds))

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """What the towers' frozen stages make of every view; nothing unless both towers have such stages."""
        return self.views.frozen(self, batch) if self.keeps else {}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Sums over all pairs of views (paper eq. 5), a picture against the sounds of all processes."""
        return self.terms(*self.views.features(self, batch))

    def terms(self, images: list[Tensor], audios: list[Tensor]) -> dict[str, Tensor]:
        """The towers' maps by view, each (B, C, h, w) and (B, C', f, t) -> the sum over pairs of each term."""
        return {name: self.contrast(logits).sum() for name, logits in self.logits(images, audios).items()}

    def logits(self, images: list[Tensor], audios: list[Tensor]) -> dict[str, Tensor]:
        """The towers' maps by view -> (V, A, B, M) for each term: "localize" is s_L, "align" s_A, "intra_..." L_intra.

        M counts the sounds of all processes; B their pictures too where the loss is symmetric.
        """
        views = len(images), len(audios)
        places = torch.cat([self.image_head(maps) for maps in images])
        sounds = torch.cat([self.audio_head(ops.max_pool(maps)) for maps in audios])
        cells, heard = self._rows(ops.unit(places), views[0]), _gathered(ops.unit(sounds), views[1])
        copies = MASK_COPIES if self.variant.soft_mask else 1
        pairs = ops.pooled_similarity(cells, heard, self.over_places, copies=copies)
        found = {"localize": by_pair(pairs, views)}
        if self.projects:
            image, audio = self.project(places, sounds)
            found["align"] = by_pair(ops.products(self._rows(image, views[0]), _gathered(audio, views[1])), views)
            if self.intra:
                found |= {
                    f"intra_{name}": self._within(vectors, count)
                    for name, vectors, count in (("image", image, views[0]), ("audio", audio, views[1]))
                    if count > 1
                }
        return {name: cosine / self.temperature for name, cosine in found.items()}

    def over_places(self, scores: Tensor) -> Tensor:
        """s_L: cosines (B, M, h, w) -> (B, M)."""
        return ops.soft_pool(scores, self.mask.positive(scores)) if self.variant.soft_mask else ops.mean_pool(scores)

    def contrast(self, logits: Tensor) -> Tensor:
        """(V, A, B, M) -> (V, A): the loss of each pair of views."""
        if not self.symmetric:
            return pair_losses(logits, first=ops.rank() * logits.shape[2])
        return pair_losses(logits) + pair_losses(logits.transpose(2, 3))  # a sum, as in the papers that eq. 2 cites

    def _within(self, vectors: Tensor, views: int) -> Tensor:
        """Projected (V * B, P) -> (1, V - 1, B, M): the own view against each further one of the same modality."""
        size = len(vectors) // views
        own, further = self._rows(vectors[:size], 1), _gathered(vectors[size:], views - 1)
        return by_pair(ops.products(own, further), (1, views - 1))

    def _rows(self, x: Tensor, views: int) -> Tensor:
        return _gathered(x, views) if self.symmetric else x


def _gathered(x: Tensor, views: int) -> Tensor:
    """(V * B, ...) -> (V * M, ...), all processes' rows view by view."""
    by_row = x.unflatten(0, (views, -1)).transpose(0, 1).contiguous()  # rows first: gathering joins along the first
    return ops.gather(by_row).transpose(0, 1).flatten(0, 1)
