"""CoarseToFine (Qian et al., "Multiple Sound Sources Localization from Coarse to Fine", ECCV 2020, arXiv 2007.06355).

First whole pictures and sounds are matched and classified; then, class by class, what was activated. The authors take
their labels from pretrained classifiers of either modality; here both modalities have the clip's own labels. Widths of
the heads' inputs follow the towers (theirs: 512). Of the released code the newer form is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.base import positive
from soundspot.methods.labels import AUDIOSET_TOP, class_names, multi_hot
from soundspot.methods.towers import TwoTowers, directions
from soundspot.types import Batch

HEARD = 0.3
"""A class counts as present above this probability, in the distances and where a sound is located."""
POOL_FLOOR = 1e-10


def class_pool(features: Tensor, activations: Tensor) -> Tensor:
    """(B, C, h, w), (B, K, h, w) -> (B, K, C): the mean over places, weighted by a class's activation above 0.

    The code divides by the number of places once more, which the unit vectors made of it do not keep.
    """
    weights = activations.float().relu().flatten(2)
    with torch.autocast(features.device.type, enabled=False):  # half precision has no room for the floor
        sums = torch.einsum("bcn,bkn->bkc", features.float().flatten(2), weights)
    return sums / (weights.sum(dim=-1, keepdim=True) + POOL_FLOOR)


def match_loss(logits: Tensor) -> Tensor:
    """(N, N, 2), sounds x pictures -> scalar: cross-entropy, half of it the true pairs', half all others'."""
    wrong, right = logits.float().log_softmax(dim=-1).neg().unbind(dim=-1)
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    return (_mean(right, own) + _mean(wrong, ~own)) / 2


def distance_loss(sounds: Tensor, pictures: Tensor, heard: Tensor, seen: Tensor, margin: float) -> Tensor:
    """Unit vectors (N, K, C) each, present (N, K) each -> scalar: near for the same clip and class, far for all others.

    Over pairs of (clip, class) both of which are present: mean d^2 + mean relu(margin - d)^2, d^2 = 2 - 2 cos.
    """
    with torch.autocast(sounds.device.type, enabled=False):
        squares = 2 - 2 * sounds.float().flatten(0, 1) @ pictures.float().flatten(0, 1).T
    valid = heard.flatten()[:, None] & seen.flatten()[None]
    own = torch.eye(len(squares), dtype=torch.bool, device=squares.device)
    apart = (margin - squares.clamp(min=1e-8).sqrt()).relu().square()  # the root of 0 has no gradient
    return _mean(squares, own & valid) + _mean(apart, ~own & valid)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the chosen values; 0 where none is."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)


def _relu(cosines: Tensor) -> Tensor:
    return cosines.relu()


def _signed(cosines: Tensor) -> Tensor:
    return cosines


SHOWN: dict[str, tuple[Callable[[Tensor], Tensor], tuple[float, float]]] = {
    "relu": (_relu, (0.0, 1.0)),
    "cosine": (_signed, (-1.0, 1.0)),
}
"""What counts of a class's cosines, and the bounds of a map. relu: as published; cosine: below 0 too."""


class CoarseToFine(TwoTowers):
    """A match head, a class map a modality, and a two-layer head a modality into the space where classes align."""

    stages = ("coarse", "fine")

    def __init__(
        self,
        stage: str = "fine",
        classes: str = AUDIOSET_TOP,
        dim: int = 128,
        hidden: int = 1024,
        match_hidden: int = 128,
        margin: float = 1.4,
        shown: str = "relu",
        output_stride: int = 16,
        image_size: int = 256,
        spectrogram: str = "logmel",
        seconds: float = 5.0,
        sample_rate: int = 22050,
        **towers: Any,
    ) -> None:
        """`classes` are names of labels, see labels.class_names; stage `fine` starts from the weights of `coarse`."""
        super().__init__(
            output_stride=output_stride,
            image_size=image_size,
            spectrogram=spectrogram,
            seconds=seconds,
            sample_rate=sample_rate,
            **towers,
        )
        self.needs = frozenset({"labels"})
        self.classes = class_names(classes)
        self.fine = find({"coarse": False, "fine": True}, stage, "stage")
        self.show, self.score_range = find(SHOWN, shown, "shown")
        if not self.fine:
            self.score_range = (0.0, 1.0)
        self.margin = positive(margin, "margin")
        sounds, pictures, count = self.audio.channels, self.image.channels, len(self.classes)
        self.match_head = nn.Sequential(
            nn.Linear(sounds + pictures, match_hidden), nn.ReLU(), nn.Linear(match_hidden, 2)
        )
        self.sound_classes = nn.Conv2d(sounds, count, kernel_size=1, bias=False)
        self.image_classes = nn.Conv2d(pictures, count, kernel_size=1, bias=False)
        self.sound_head, self.image_head = _head(sounds, hidden, dim), _head(pictures, hidden, dim)
        if not self.fine:
            nn.ModuleList([self.sound_head, self.image_head]).requires_grad_(False)

    def match_logits(self, sounds: Tensor, pictures: Tensor) -> Tensor:
        """(N, C'), (M, C) -> (N, M, 2): every sound with every picture, does not belong and belongs."""
        shape = (len(sounds), len(pictures), -1)
        pairs = torch.cat([sounds[:, None].expand(shape), pictures[None].expand(shape)], dim=-1)
        return self.match_head(pairs)

    def sound_vectors(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C', f, t) -> class logits (B, K) and a unit vector a class (B, K, dim)."""
        return _by_class(maps, self.sound_classes(maps), self.sound_head)

    def image_vectors(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) -> class logits (B, K) and a unit vector a class (B, K, dim)."""
        return _by_class(maps, self.image_classes(maps), self.image_head)

    def class_maps(self, image: Tensor, vectors: Tensor) -> Tensor:
        """(B, C, h, w), (B, K, dim) -> (B, K, h, w): what `shown` counts of a place's cosine with a class."""
        cells = ops.unit(self.image_head(image.movedim(1, -1)).movedim(-1, 1))
        with torch.autocast(cells.device.type, enabled=False):
            return self.show(torch.einsum("bchw,bkc->bkhw", cells.float(), vectors.float()))

    def localize(self, batch: Batch) -> Tensor:
        """Class maps weighted by the probabilities of the classes heard, (B, h, w).

        In stage coarse the vectors have not been learned: there a place's own class probabilities are weighted.
        """
        image, audio = self.features(batch)
        logits, vectors = self.sound_vectors(audio)
        maps = self.class_maps(image, vectors) if self.fine else self.image_classes(image).float().sigmoid()
        return weighted(maps, logits.float().sigmoid())

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Class vectors, one after the other, each as long as the class is probable; in stage coarse the logits."""
        image, audio = self.features(batch)
        return self._joined(*self.image_vectors(image)), self._joined(*self.sound_vectors(audio))

    def embed_backbone(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """As of two towers, but a sound is averaged, as the match head hears it."""
        image, audio = self.features(batch)
        return directions(image, ops.mean_pool(audio))

    def _joined(self, logits: Tensor, vectors: Tensor) -> Tensor:
        """(B, K), (B, K, dim) -> (B, K * dim) or (B, K), unit vectors."""
        return ops.unit((logits.float().sigmoid()[..., None] * vectors).flatten(1) if self.fine else logits)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Match and classes; in stage fine also the distances of class vectors, over the clips of all processes."""
        truth = multi_hot(batch, self.classes)
        image, audio = self.features(batch)
        pairs = self.match_logits(ops.gather(ops.mean_pool(audio)), ops.gather(ops.mean_pool(image)))
        heard, sound_vectors = self.sound_vectors(audio)
        seen, image_vectors = self.image_vectors(image)
        terms = {
            "match": match_loss(pairs),
            "heard": F.binary_cross_entropy_with_logits(heard.float(), truth),
            "seen": F.binary_cross_entropy_with_logits(seen.float(), truth),
        }
        if self.fine:
            sounding, visible = (ops.gather((logits.float().sigmoid() > HEARD).float()) > 0 for logits in (heard, seen))
            vectors = ops.gather(sound_vectors), ops.gather(image_vectors)
            terms["distance"] = distance_loss(*vectors, sounding, visible, self.margin)
        return terms


def weighted(maps: Tensor, probabilities: Tensor) -> Tensor:
    """(B, K, h, w), (B, K) -> (B, h, w): the mean over the classes above HEARD, or over the likeliest alone."""
    likeliest = F.one_hot(probabilities.argmax(dim=1), probabilities.shape[1]).bool()
    weights = probabilities * ((probabilities > HEARD) | likeliest)
    shares = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return (maps * shares[..., None, None]).sum(dim=1)


def _by_class(maps: Tensor, activations: Tensor, head: nn.Module) -> tuple[Tensor, Tensor]:
    """Class logits (B, K), the mean activation; unit vectors (B, K, dim) of what was activated, which moves no map."""
    pooled = class_pool(maps, activations.detach())
    with torch.autocast(pooled.device.type, enabled=False):  # gradients of 1e12 where a class is nowhere
        return ops.mean_pool(activations), F.normalize(head(pooled), dim=-1, eps=1e-12)


def _head(channels: int, hidden: int, dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, dim, bias=False))
