"""YAMNet: AudioSet tags and features from log-mel spectrograms (MobileNet v1, batch norm folded in)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

NUM_MELS = 64
PATCH_FRAMES = 96
"""0.96 s at 100 frames a second."""
PATCH_HOP = 48
LOG_FLOOR = -6.907755
"""log(0.001), the log-mel of silence: what YAMNet's spectrogram adds before its logarithm."""
NUM_CLASSES = 521
EMBEDDING = 1024

# (channels out, stride) of the thirteen depthwise-separable blocks.
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


class SameConv(nn.Module):
    """A convolution with bias and ReLU, padded as the original pads even-sized inputs: stride 2 after the end only."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, kernel, stride, groups=groups)
        before, after = (0, 1) if stride == 2 else (kernel // 2, kernel // 2)
        self.padding = (before, after, before, after)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(self.conv(functional.pad(maps, self.padding)))


class YAMNet(nn.Module):
    """521 AudioSet tags and a 1024-d feature from log-mel (B, 1, 64, T), 100 frames a second. Fine-tunable."""

    def __init__(self, class_names: Sequence[str] = ()) -> None:
        super().__init__()
        self.class_names = tuple(class_names)
        layers, inside = [SameConv(1, 32, 3, stride=2)], 32
        for outside, stride in BLOCKS:
            layers.append(SameConv(inside, inside, 3, stride, groups=inside))
            layers.append(SameConv(inside, outside, 1))
            inside = outside
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(EMBEDDING, NUM_CLASSES)

    @classmethod
    def load(cls, path: Path) -> YAMNet:
        """The network with the weights and class names of a file that `soundspot.encoders` cached."""
        with safe_open(path, framework="pt") as weights:
            net = cls(json.loads(weights.metadata()["class_names"]))
            net.load_state_dict({name: weights.get_tensor(name) for name in weights.keys()})  # noqa: SIM118
        return net.eval()

    @staticmethod
    def patches(log_mel: Tensor) -> Tensor:
        """(B, 1, 64, T) -> (B, P, 1, 64, 96): windows of 0.96 s every 0.48 s, the last one filled up with silence."""
        frames = log_mel.shape[-1]
        num_hops = max(0, -(-(frames - PATCH_FRAMES) // PATCH_HOP))
        missing = PATCH_FRAMES + num_hops * PATCH_HOP - frames
        filled = functional.pad(log_mel, (0, missing), value=LOG_FLOOR)
        return filled.unfold(-1, PATCH_FRAMES, PATCH_HOP).permute(0, 3, 1, 2, 4)

    def feature_map(self, log_mel: Tensor) -> Tensor:
        """(B, 1, 64, T) -> (B, 1024, 2, T / 32): the last layer's features, low frequencies first."""
        # The network was trained on pictures whose rows are time.
        return self.layers(log_mel.transpose(2, 3)).transpose(2, 3)

    def embedding(self, log_mel: Tensor) -> Tensor:
        """(B, 1, 64, T) -> (B, P, 1024): one vector a patch."""
        patches = self.patches(log_mel)
        pooled = self.feature_map(patches.flatten(0, 1)).mean(dim=(2, 3))
        return pooled.unflatten(0, patches.shape[:2])

    def tags(self, log_mel: Tensor) -> Tensor:
        """(B, 1, 64, T) -> (B, P, 521): logits of the AudioSet classes for each patch (independent: take sigmoids)."""
        return self.classifier(self.embedding(log_mel))

    def forward(self, log_mel: Tensor) -> Tensor:
        """(B, 1, 64, T) -> (B, 521): probability of each AudioSet class, averaged over the patches."""
        return self.tags(log_mel).sigmoid().mean(dim=1)
