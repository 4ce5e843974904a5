"""A U-Net over spectrograms: what Sound of Pixels (ECCV 2018, arXiv 1804.03160) splits a sound into channels with.

Its levels halve frequency and time by a 4 x 4 convolution and double them again by enlarging and a 3 x 3 convolution;
each level's input goes along to the way up. Seven levels as published; fewer for short sounds, which seven would
shrink below one cell.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot.types import UserError

WIDEST = 8
"""Of the first level's channels, the most that a deeper level has."""
LEAK = 0.2
"""Slope of the ReLUs on the way down."""


class UNet(nn.Module):
    """(B, 1, F, T) -> (B, channels, F, T), any F and T: what lacks to a multiple of 2 ** levels repeats the edge."""

    def __init__(self, channels: int, *, levels: int = 7, width: int = 64) -> None:
        """`width`: channels of the first level; each next has twice as many, up to WIDEST times. UserError below 1."""
        super().__init__()
        if min(channels, levels, width) < 1:
            raise UserError(
                f"expected channels, levels and width of 1 or more, got {channels}, {levels} and {width}; raise them"
            )
        widths = [width * min(2**level, WIDEST) for level in range(levels)]
        self.levels = levels
        self.norm = nn.BatchNorm2d(1)
        self.down = nn.ModuleList(
            _down(1 if level == 0 else widths[level - 1], widths[level], first=level == 0, last=level == levels - 1)
            for level in range(levels)
        )
        self.up = nn.ModuleList(
            _up(
                widths[level] * (1 if level == levels - 1 else 2),  # its own input and what comes from below
                channels if level == 0 else widths[level - 1],
                last=level == 0,
            )
            for level in range(levels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, F, T) -> (B, channels, F, T)."""
        rows, columns = x.shape[-2:]
        step = 2**self.levels
        x = F.pad(self.norm(x), (0, -columns % step, 0, -rows % step), mode="replicate")
        passed: list[Tensor] = []
        for down in self.down:
            x = down(x)
            passed.append(x)
        for level in reversed(range(self.levels)):
            beside = passed[level]
            x = self.up[level](beside if level == self.levels - 1 else torch.cat([beside, x], dim=1))
        return x[..., :rows, :columns]


def _down(wide_in: int, wide_out: int, *, first: bool, last: bool) -> nn.Sequential:
    """Half as high and wide. The first has nothing to activate, the last's single cells have no statistics."""
    layers: list[nn.Module] = [] if first else [nn.LeakyReLU(LEAK)]
    layers.append(nn.Conv2d(wide_in, wide_out, kernel_size=4, stride=2, padding=1, bias=False))
    if not (first or last):
        layers.append(nn.BatchNorm2d(wide_out))
    return nn.Sequential(*layers)


def _up(wide_in: int, wide_out: int, *, last: bool) -> nn.Sequential:
    """Twice as high and wide; the last one's channels are left as they are."""
    layers: list[nn.Module] = [
        nn.ReLU(),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        nn.Conv2d(wide_in, wide_out, kernel_size=3, padding=1, bias=last),
    ]
    if not last:
        layers.append(nn.BatchNorm2d(wide_out))
    return nn.Sequential(*layers)
