"""DMC, Deep Multimodal Clustering (Hu, Nie and Li, CVPR 2019, arXiv 1807.03094): what is seen and heard, in clusters.

After the authors' simplified code, which the tests compare with. Their first code (Keras, called a primary version) has
ten clusters shared by both modalities and a max-margin loss on cosines instead; that one is not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.base import positive
from soundspot.methods.towers import TwoTowers, directions
from soundspot.types import Batch, UserError

DISTANCE_FLOOR = 1e-5
"""Smallest distance, as published: a centre may lie on a cell, where a distance has no gradient."""
SQUARE_FLOOR = 1e-9
"""Added to a squared distance before its root, as published."""
SHOWN: dict[str, tuple[float, float] | None] = {"log_odds": None, "assignment": (0.0, 1.0)}
"""What a map shows of the matched cluster's share of a cell, and its bounds."""


@dataclass(frozen=True)
class Clusters:
    """Centres (B, K, C), and the logarithm of each centre's share of a cell, (B, K, N)."""

    centres: Tensor
    log_shares: Tensor


def distances(some: Tensor, others: Tensor) -> Tensor:
    """(B, K, C), (B, N, C) -> Euclidean distances (B, K, N), in float32 under autocast too."""
    with torch.autocast(some.device.type, enabled=False):
        exact = "donot_use_mm_for_euclid_dist"
        return torch.cdist(some.float(), others.float(), compute_mode=exact).clamp_min(DISTANCE_FLOOR)


def cluster(cells: Tensor, count: int, *, sharpness: float = 30.0, rounds: int = 4) -> Clusters:
    """Soft k-means of (B, N, C) from evenly spaced cells on: a softmax over centres of -sharpness times distance.

    The shares are those of the last round, before its centres moved. Gradients flow through all rounds.
    """
    cells = cells.float()
    centres = cells[:, torch.arange(count, device=cells.device) * (cells.shape[1] // count)]
    for _ in range(rounds):
        log_shares = (-sharpness * distances(centres, cells)).log_softmax(dim=1)
        with torch.autocast(cells.device.type, enabled=False):
            # shares over their sum, in logarithms: a centre that every cell has left would divide 0 by 0
            centres = log_shares.softmax(dim=2) @ cells
    return Clusters(centres, log_shares)


def squared_match(image_centres: Tensor, audio_centres: Tensor) -> Tensor:
    """(B, K, C), (B, L, C) -> (B,): squared distance to the nearest visual centre, summed over those of the sound."""
    return distances(image_centres, audio_centres).amin(dim=1).square().sum(dim=1)


def contrastive_terms(own: Tensor, other: Tensor, margin: float) -> dict[str, Tensor]:
    """Squared distances (B,) of own pairs, (M,) of others -> pull own together, push others `margin` apart."""
    count = len(own) + len(other)
    push = F.relu(margin - (other + SQUARE_FLOOR).sqrt()).square()
    return {"positive": 0.5 * own.sum() / count, "negative": 0.5 * push.sum() / count}


class DMC(TwoTowers):
    """Clusters a picture's cells and a sound's, and contrasts the distance of their nearest centres.

    `image_clusters` is the number of objects plus one for the background. The published code leaves open which
    cluster makes the map; here it is the one whose centre is nearest to any of the sound's. `shown="log_odds"` is its
    share of a cell as log-odds, since shares round to 0 and 1 almost everywhere and leave no order among cells;
    "assignment" is the share itself. Both towers have a stride of 16, as published.
    """

    def __init__(
        self,
        dim: int = 512,
        image_clusters: int = 2,
        audio_clusters: int = 1,
        sharpness: float = 30.0,
        rounds: int = 4,
        margin: float = 5.0,
        shown: str = "log_odds",
        output_stride: int = 16,
        audio_stride: int = 16,
        **towers: Any,
    ) -> None:
        super().__init__(output_stride=output_stride, audio_stride=audio_stride, **towers)
        self.image_clusters = _at_least(2, image_clusters, "image_clusters (objects and background)")
        self.audio_clusters = _at_least(1, audio_clusters, "audio_clusters")
        self.rounds = _at_least(1, rounds, "rounds")
        self.sharpness = positive(sharpness, "sharpness")
        self.margin = positive(margin, "margin")
        self.score_range = find(SHOWN, shown, "shown")
        self.shown = shown
        self.image_head = nn.Linear(self.image.channels, dim)
        self.audio_head = nn.Linear(self.audio.channels, dim)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Cells of the picture (B, h * w, dim), of the sound (B, f * t, dim), and the picture's (h, w)."""
        image, audio = self.features(batch)
        return *self.project(image, audio), (image.shape[-2], image.shape[-1])

    def project(self, image_features: Tensor, audio_features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w), (B, C', f, t) -> (B, h * w, dim), (B, f * t, dim), row by row."""
        return self.image_head(_cells(image_features)), self.audio_head(_cells(audio_features))

    def clusters(self, image_cells: Tensor, audio_cells: Tensor) -> tuple[Clusters, Clusters]:
        """(B, N, dim), (B, M, dim) -> the picture's and the sound's."""
        how = partial(cluster, sharpness=self.sharpness, rounds=self.rounds)
        return how(image_cells, self.image_clusters), how(audio_cells, self.audio_clusters)

    def localize(self, batch: Batch) -> Tensor:
        """How much each place belongs to the cluster that matches the sound, (B, h, w), see `shown`."""
        *cells, size = self.encode(batch)
        return self.scores(*self.clusters(*cells)).unflatten(1, size)

    def scores(self, seen: Clusters, heard: Clusters) -> Tensor:
        """The picture's and the sound's clusters -> (B, N)."""
        matched = distances(seen.centres, heard.centres).amin(dim=2).argmin(dim=1)
        index = matched[:, None, None].expand(-1, 1, seen.log_shares.shape[2])
        own = seen.log_shares.gather(1, index)[:, 0]
        if self.shown == "assignment":
            return own.exp()
        return own - seen.log_shares.scatter(1, index, -torch.inf).logsumexp(dim=1)

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Directions of mean cells: which cluster sounds would depend on the sound."""
        image, audio, _ = self.encode(batch)
        return ops.unit(image.mean(dim=1)), ops.unit(audio.mean(dim=1))

    def embed_backbone(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """As of two towers, but the sound's cells are averaged here too."""
        image, audio = self.features(batch)
        return directions(image, ops.mean_pool(audio))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Contrastive loss of a picture with its own sound and with the next clip's, as many of one as of the other."""
        image, audio, _ = self.encode(batch)
        seen, heard = self.clusters(image, audio)
        others = ops.next_clips(heard.centres)
        own = squared_match(seen.centres, heard.centres)
        return contrastive_terms(own, squared_match(seen.centres[: len(others)], others), self.margin)


def _cells(maps: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h * w, C)."""
    return maps.flatten(2).transpose(1, 2)


def _at_least(least: int, value: int, what: str) -> int:
    if value < least:
        raise UserError(f"expected {what} of at least {least}, got {value}; raise it")
    return value
