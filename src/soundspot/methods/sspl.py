"""SSPL (Song et al., CVPR 2022, arXiv 2203.13412): what sounds in two views of a picture must agree; no negatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from soundspot import ops
from soundspot.augment import PHOTOS, PICTURE_DRAWS, distort
from soundspot.methods.towers import TwoTowers, directions
from soundspot.nets.predictive_coding import BatchNorm, PredictiveCoding
from soundspot.types import Batch, UserError

VIEWS = {"image_view1": 0, "image_view2": PICTURE_DRAWS}
"""The two views' features, and the first of the draws that each is made by."""
CROPS = replace(PHOTOS["crop_flip"], scale=(1 / 1.1**2, 1 / 1.1**2), ratio=(1.0, 1.0))
"""The code crops 224 of 246 pixels and mirrors every other picture."""


class SimSiam(nn.Module):
    """A projector and a predictor: each view guesses the other's projection, which is held fixed."""

    def __init__(self, channels: int, hidden: int, bottleneck: int) -> None:
        super().__init__()
        self.projector = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            BatchNorm(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden, bias=False),
            BatchNorm(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden, bias=False),
            BatchNorm(hidden, affine=False),
        )
        self.predictor = nn.Sequential(
            nn.Linear(hidden, bottleneck, bias=False), BatchNorm(bottleneck), nn.ReLU(), nn.Linear(bottleneck, hidden)
        )

    def forward(self, one: Tensor, two: Tensor) -> Tensor:
        """(B, C), (B, C) -> scalar in -1..1, the mean of both negative cosines."""
        targets = self.projector(one), self.projector(two)
        guesses = self.predictor(targets[0]), self.predictor(targets[1])
        cosines = [
            (ops.unit(guess) * ops.unit(target.detach())).sum(dim=1)
            for guess, target in zip(guesses, targets[::-1], strict=True)
        ]
        return -torch.stack(cosines).mean()


def attend(features: Tensor, sounds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, C, h, w), unit (B, C) -> cosines (B, h, w), these from 0 to 1, and the sum of features so weighted (B, C)."""
    scores = ops.own_similarity(ops.unit(features), sounds)
    flat = scores.flatten(1)
    low, high = (value[:, None, None] for value in (flat.min(dim=1).values, flat.max(dim=1).values))
    weights = (scores - low) / (high - low + 1e-10)
    with torch.autocast(features.device.type, enabled=False):
        return scores, weights, torch.einsum("bchw,bhw->bc", features.float(), weights)


class SSPL(TwoTowers):
    """Frozen towers, a sound's head, the predictive-coding module, and SimSiam on what each view shows of the sound."""

    needs = frozenset({"draws"})
    score_range = (-1.0, 1.0)

    def __init__(
        self,
        predictive_coding: bool = True,
        cycles: int = 4,
        dim: int = 0,
        coding_width: int = 512,
        hidden: int = 2048,
        bottleneck: int = 512,
        segments: int = 3,
        image_backbone: str = "vgg16",
        output_stride: int = 16,
        trainable: str = "heads",
        spectrogram: str = "yamnet",
        sample_rate: int = 16000,
        **towers: Any,
    ) -> None:
        """`dim` 0 is the picture tower's width; `cycles` come after the module's first pass; `segments` of the sound
        pass its tower one by one, and their mean counts.

        A VGG of timm's ends at its last convolution, before the ReLU, as in the paper. VGGish is not among timm's: the
        sound's tower is a ResNet-18 that learns, unless the options say otherwise.
        """
        vgg = image_backbone.startswith("vgg")
        if vgg and (output_stride != 16 or trainable == "last_block"):
            raise UserError(
                f"sspl: expected output_stride=16 and trainable=heads or all with {image_backbone}, got "
                f"{output_stride} and {trainable}; leave them out"
            )
        super().__init__(
            image_backbone=image_backbone,
            output_stride=32 if vgg else output_stride,  # stride 32 with the last pooling, which is cut off below
            trainable=trainable,
            spectrogram=spectrogram,
            sample_rate=sample_rate,
            **towers,
        )
        if vgg:
            self.image.net.features = self.image.net.features[:-2]
            self.image.net.pre_logits = nn.Identity()  # a hundred million weights that only classify
        if segments < 1 or cycles < 0:
            raise UserError(f"sspl: expected segments >= 1 and cycles >= 0, got {segments} and {cycles}; set them so")
        self.segments = segments
        visual, heard = self.image.channels, self.audio.channels
        width = dim or visual
        if not predictive_coding and width != visual:
            raise UserError(
                f"sspl: expected dim=0 or {visual}, the picture tower's width, without predictive coding, got {dim}"
            )
        self.coding = PredictiveCoding(visual, heard, width, coding_width, cycles) if predictive_coding else None
        self.audio_head = nn.Sequential(nn.Linear(heard, width), nn.ReLU(), nn.Linear(width, width))
        self.simsiam = SimSiam(width, hidden, bottleneck)

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """As of two towers, and the two views where the batch brings draws: kept features always show the same two."""
        kept = super().frozen(batch)
        return {**kept, **self._views(batch)} if kept and batch.draws is not None else kept

    def through_frozen(self, batch: Batch) -> dict[str, Tensor]:
        """As of two towers, but "audio" is (B, segments, ...)."""
        return super().through_frozen(replace(batch, extra={**batch.extra, "audio": self._kept_sound(batch)}))

    def _kept_sound(self, batch: Batch) -> Tensor:
        """What the sound tower's frozen stages make of each segment, (B, segments, ...), unless the batch brings it."""
        if "audio" in batch.extra:
            return batch.extra["audio"]
        windows = self._windows(batch.audio)
        return self.audio.frozen(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])

    def _windows(self, audio: Tensor) -> Tensor:
        """(B, 1, F, T) -> (B, segments, 1, F, T // segments); a rest is left out."""
        length = audio.shape[-1] // self.segments
        if length == 0:
            raise UserError(
                f"sspl: expected {self.segments} segments of sound, got {audio.shape[-1]} columns; lower segments"
            )
        return torch.stack(audio[..., : length * self.segments].split(length, dim=-1), dim=1)

    def _views(self, batch: Batch) -> dict[str, Tensor]:
        """What the picture tower's frozen stages make of the two views, unless the batch brings it."""
        if VIEWS.keys() <= batch.extra.keys():
            return {name: batch.extra[name] for name in VIEWS}
        if batch.draws is None:
            raise UserError("sspl: expected batch.draws, random numbers for its views, got none; give (B, NUM_DRAWS)")
        return {
            name: self.image.frozen(distort(batch.image, batch.draws[:, first:], self.inputs, CROPS))
            for name, first in VIEWS.items()
        }

    def hear_all(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """(B, segments, ...) of the frozen stages -> unit vectors (B, C') of the tower and (B, dim) of the head."""
        vectors = ops.max_pool(self.audio.rest(kept.flatten(0, 1))).unflatten(0, kept.shape[:2])
        return ops.unit(vectors.mean(dim=1)), self.sounds(vectors)

    def sounds(self, segments: Tensor) -> Tensor:
        """(B, segments, C') -> unit (B, dim), the mean of what the head makes of each."""
        return ops.unit(self.audio_head(segments).mean(dim=1))

    def cells(self, image: Tensor, heard: Tensor | None) -> Tensor:
        """The picture tower's features (B, C, h, w), a sound (B, C') -> (B, dim, h, w), corrected by the sound."""
        return image if self.coding is None else self.coding(image, heard)

    def localize(self, batch: Batch) -> Tensor:
        """Cosine at every place, (B, h, w)."""
        given = self.through_frozen(batch)
        heard, sounds = self.hear_all(given["audio"])
        return attend(self.cells(self.image.rest(given["image"]), heard), sounds)[0]

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A picture is the mean of its unit cells, which must not know the sound: it is taken to be as predicted."""
        given = self.through_frozen(batch)
        cells = self.cells(self.image.rest(given["image"]), None)
        return ops.unit(ops.mean_pool(ops.unit(cells))), self.hear_all(given["audio"])[1]

    def embed_backbone(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """As of two towers, but a sound is the mean over its segments."""
        given = self.through_frozen(batch)
        return directions(self.image.rest(given["image"]), self.hear_all(given["audio"])[0])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """SimSiam's loss on what sounds in each view; no other clip takes part in it."""
        heard, sounds = self.hear_all(self._kept_sound(batch))
        views = [self.image.rest(kept) for kept in self._views(batch).values()]
        return {"agreement": self.agreement([self.cells(view, heard) for view in views], sounds)}

    def agreement(self, views: Sequence[Tensor], sounds: Tensor) -> Tensor:
        """Two views' features (B, dim, h, w), unit sounds (B, dim) -> scalar."""
        return self.simsiam(*(attend(view, sounds)[2] for view in views))
