"""RCGrad, How to Listen? (Wu et al., Interspeech 2022, arXiv 2204.05156): pooled contrast, and Grad-CAM for the map."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.base import positive
from soundspot.methods.towers import TwoTowers, require_one_width
from soundspot.nets.gradcam import first_norm, grad_cam
from soundspot.types import Batch

STANDARDISE: dict[str, bool | None] = {"clip": False, "batch": True, "off": None}
"""Over what a spectrogram is standardised: each clip by itself, or the whole batch as the published code does (what a
clip sounds like then depends on its neighbours; the published test hears one at a time, which is `clip`)."""
NORM_LAYER = {"code": False, "paper": True}


class RCGrad(TwoTowers):
    """Pictures and sounds meet as average-pooled vectors; where the picture's vector rests is asked afterwards.

    `variant="code"` takes Grad-CAM of the last block's output, `"paper"` of the first norm layer in that block, as the
    text has it. The default is the code's, which the released weights come with; and it needs no gradients: of a
    network that ends in average pooling it is ReLU(features . sound) over the number of places.
    """

    def __init__(
        self,
        dim: int = 0,
        temperature: float = 0.07,
        variant: str = "code",
        standardise: str = "clip",
        output_stride: int = 16,
        image_norm: str = "clip",
        spectrogram: str = "stft_hop353",
        sample_rate: int = 16000,
        seconds: float = 5.0,
        **towers: Any,
    ) -> None:
        """`temperature` is where the learned scale begins; `dim` 0 compares features themselves, else by linear heads.

        It was trained on 5 s and tested on whole sounds: `seconds` may differ between the two.
        """
        super().__init__(
            output_stride=output_stride,
            image_norm=image_norm,
            spectrogram=spectrogram,
            sample_rate=sample_rate,
            seconds=seconds,
            **towers,
        )
        self.whole_batch = find(STANDARDISE, standardise, "standardise")
        self.log_scale = nn.Parameter(torch.tensor(-math.log(positive(temperature, "temperature"))))
        self.image_head, self.audio_head = self.heads(
            dim, bias=False
        )  # no bias: the map stays the product of cells and sound
        self.through_norm = find(NORM_LAYER, variant, "variant")
        if self.through_norm:
            self._layer()  # refused now rather than at the first picture

    def _layer(self) -> nn.Module:
        return first_norm(self.image, str(self.options["image_backbone"]))

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """As of any two towers; nothing where a clip's features depend on its batch."""
        return {} if self.whole_batch else super().frozen(batch)

    def through_frozen(self, batch: Batch) -> dict[str, Tensor]:
        """As of any two towers, the spectrogram standardised."""
        if self.whole_batch is not None and "audio" not in batch.extra:
            batch = replace(batch, audio=ops.standardise(batch.audio, whole_batch=self.whole_batch))
        return super().through_frozen(batch)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cells (B, C, h, w) and sounds (B, C), neither normalised."""
        image, audio = self.features(batch)
        return self.image_head(image), self.audio_head(ops.mean_pool(audio))

    def localize(self, batch: Batch) -> Tensor:
        """Grad-CAM towards the sound's vector, (B, h, w), never below 0; all 0 where everything speaks against it."""
        if not self.through_norm:
            return self.scores(*self.encode(batch))
        sounds = self.audio_head(ops.mean_pool(self.audio.rest(self.through_frozen(batch)["audio"])))

        def agreement(maps: Tensor) -> Tensor:
            return (ops.mean_pool(self.image_head(maps)).float() * sounds.detach().float()).sum()

        return grad_cam(self.image, self._layer(), batch.image, agreement)

    def scores(self, cells: Tensor, sounds: Tensor) -> Tensor:
        """Cells (B, C, h, w), sounds (B, C) -> (B, h, w): what Grad-CAM is at a layer that average pooling follows."""
        return ops.own_similarity(cells, sounds).relu() / (cells.shape[-2] * cells.shape[-1])

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The vectors that training compares: a picture's is pooled before it is normalised."""
        cells, sounds = self.encode(batch)
        return self.vectors(cells, sounds)

    def embed_backbone(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The same without the heads."""
        image, audio = self.features(batch)
        require_one_width(image, audio)
        return self.vectors(image, ops.mean_pool(audio))

    def vectors(self, cells: Tensor, sounds: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w), (B, C) -> unit vectors (B, C) of each."""
        return ops.unit(ops.mean_pool(cells.float())), ops.unit(sounds)

    def contrast(self, pictures: Tensor, sounds: Tensor) -> Tensor:
        """Unit vectors (B, C), (B, C) -> scalar: mean of both directions' InfoNCE, under the learned scale."""
        with torch.autocast(pictures.device.type, enabled=False):
            return ops.symmetric_info_nce(self.log_scale.exp() * pictures @ sounds.T) / 2

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Symmetric InfoNCE (paper section 2.2) over the pairs of all processes."""
        pictures, sounds = self.embed(batch)
        return {"nce": self.contrast(ops.gather(pictures), ops.gather(sounds))}
