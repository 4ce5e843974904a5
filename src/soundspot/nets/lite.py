"""EfficientNet-Lite as a dense image encoder: features of every stage and the 1000 ImageNet classes for each cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import timm
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from soundspot.nets.tags import tagged
from soundspot.types import UserError

IMAGE_MEAN = (127 / 255,) * 3
IMAGE_STD = (128 / 255,) * 3
"""Pictures in 0..1 enter as (x - mean) / std, that is (bytes - 127) / 128: for `Inputs.image_mean` and `image_std`."""
STRIDES = (4, 8, 16, 32)


class Features(NamedTuple):
    """What one forward pass over a picture (B, 3, H, W) gives, finest first."""

    stride4: Tensor
    stride8: Tensor
    stride16: Tensor
    last: Tensor
    """The last stage, at the encoder's `output_stride`."""
    head: Tensor
    """(B, 1280, h, w): what the classifier reads, at the encoder's `output_stride`."""


class LiteEncoder(nn.Module):
    """EfficientNet-Lite0, 1 or 2 through timm, for pictures of any size; fine-tunable.

    `output_stride=16` dilates the last stages: four times the cells from the same weights.
    """

    def __init__(self, arch: str = "tf_efficientnet_lite0", *, output_stride: int = 32) -> None:
        super().__init__()
        if output_stride not in (16, 32):
            raise UserError(f"expected output_stride 16 or 32, got {output_stride}; choose one of them")
        net: Any = timm.create_model(arch, output_stride=output_stride)
        if not hasattr(net, "blocks") or not isinstance(net.classifier, nn.Linear):
            raise UserError(f"expected an EfficientNet of timm's, got {arch!r}; use tf_efficientnet_lite0")
        self.arch, self.output_stride = arch, output_stride
        self.stem = nn.Sequential(net.conv_stem, net.bn1)
        self.blocks = net.blocks
        self.head = nn.Sequential(net.conv_head, net.bn2)
        self.classifier = net.classifier

    @classmethod
    def load(cls, path: Path, arch: str = "tf_efficientnet_lite0", *, output_stride: int = 32) -> LiteEncoder:
        """The encoder with the weights of a file that `soundspot.encoders` cached (timm's names)."""
        encoder = cls(arch, output_stride=output_stride)
        encoder.load_state_dict({_renamed(name): tensor for name, tensor in load_file(path).items()})
        return encoder.eval()

    @classmethod
    def from_hub(cls, tag: str = "tf_efficientnet_lite0.in1k", *, output_stride: int = 32) -> LiteEncoder:
        """The encoder with the weights that timm's `tag` names on the Hugging Face hub, where that can be reached."""
        found = tagged(tag)  # safetensors alone; timm itself would also take a pickle
        return cls.load(found.file, found.architecture, output_stride=output_stride)

    def forward(self, image: Tensor) -> Features:
        """(B, 3, H, W), normalised -> the features of every stage."""
        maps, stages = self.stem(image), []
        for block in self.blocks:
            maps = block(maps)
            stages.append(maps)
        return Features(stages[1], stages[2], stages[4], stages[6], self.head(maps))

    def stages_and_classes(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, 3, H, W), normalised -> features at strides 8 and 16, the last stage's, and (B, 1000, h, w) class map."""
        features = self(image)
        return features.stride8, features.stride16, features.last, self.class_map(features.head)

    def class_map(self, head: Tensor) -> Tensor:
        """(B, 1280, h, w) -> (B, 1000, h, w): raw logits, the classifier applied to each cell."""
        return functional.conv2d(head, self.classifier.weight[:, :, None, None], self.classifier.bias)

    def classes(self, image: Tensor) -> Tensor:
        """(B, 3, H, W), normalised -> (B, 1000): raw logits of the whole picture."""
        return self.classifier(self(image).head.mean(dim=(2, 3)))

    @property
    def num_features(self) -> int:
        """Channels of `Features.head`."""
        return int(self.classifier.in_features)


def _renamed(name: str) -> str:
    """timm's name of a tensor under this module's names."""
    for old, new in (("conv_stem", "stem.0"), ("bn1", "stem.1"), ("conv_head", "head.0"), ("bn2", "head.1")):
        if name.startswith(old + "."):
            return new + name[len(old) :]
    return name
