"""Object-guided localization (Mo and Morgado, ECCV 2022, arXiv 2203.09324): where an image network sees objects.

A prior that never hears; soundspot.methods.fusion mixes its maps with those of methods that do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from soundspot.lookup import find
from soundspot.methods.base import Method, media_inputs, weights_path
from soundspot.nets.image import ImageTower
from soundspot.types import Batch, UserError


def _norm(tower: ImageTower, maps: Tensor) -> Tensor:
    return maps.abs().mean(dim=1)


def _class(tower: ImageTower, maps: Tensor) -> Tensor:
    return tower.class_logits(maps).amax(dim=1)


SCORES: dict[str, Callable[[ImageTower, Tensor], Tensor]] = {"norm": _norm, "class": _class}
"""norm: mean absolute feature (the poster's L1-OGL). class: the largest class logit of the cell (CLS-OGL; the poster
names it, no text or code gives its formula: this is our reading)."""

NORM_RANGE = (0.0, 2.5)
"""The bounds that SLAVC's published code gives the mean absolute feature of a ResNet-18."""


class OGL(Method):
    """The image-only prior: nothing to train, and the same map whatever the sound."""

    hears: ClassVar[bool] = False
    trains: ClassVar[bool] = False

    def __init__(
        self,
        image_backbone: str = "resnet18",
        form: str = "norm",
        output_stride: int = 32,
        num_classes: int = 1000,
        init_image: str = "",
        image_size: int = 224,
        image_norm: str = "imagenet",
        resize: str = "squash",
        spectrogram: str = "psd_hop238",
        seconds: float = 3.0,
        sample_rate: int = 0,
    ) -> None:
        """`num_classes` is that of the classifier in the weights; only `form="class"` reads it."""
        super().__init__()
        self.inputs = media_inputs(
            image_size=image_size,
            image_norm=image_norm,
            resize=resize,
            spectrogram=spectrogram,
            seconds=seconds,
            sample_rate=sample_rate,
        )
        self.score = find(SCORES, form, "form")
        self.score_range = NORM_RANGE if form == "norm" else None
        self.image = ImageTower(
            image_backbone,
            output_stride=output_stride,
            pretrained=weights_path(init_image),
            num_classes=num_classes if form == "class" else 0,
            trainable="heads",
        )
        self.initial = {"image": self.image.initial}

    def localize(self, batch: Batch) -> Tensor:
        """Objectness at every place, (B, h, w)."""
        return self.score(self.image, self.image(batch.image)).float()  # whatever autocast makes of it

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Raises UserError: it knows no sounds."""
        raise UserError("ogl: expected a method that hears, got a prior of the picture alone; it has no sound vectors")

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Raises UserError: there is nothing to train."""
        raise UserError("ogl: expected a method that can be trained, got a prior made of a pretrained image network")
