"""Towers whose weights a test can set by hand."""

from __future__ import annotations

from pathlib import Path

from torch import nn


class TinyTower(nn.Sequential):
    """Convolution, batch norm, ReLU: a tower whose weights a test can set by hand."""

    def __init__(self, channels_in: int, kernel: tuple[int, int], channels: int = 16) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels, kernel_size=kernel, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.channels = channels


def tiny_image(*, output_stride: int, pretrained: Path | None) -> TinyTower:
    """(B, 3, H, W) -> (B, 16, H, W)."""
    return TinyTower(3, (1, 1))


def tiny_audio(*, output_stride: int, pretrained: Path | None) -> TinyTower:
    """(B, 1, 6, 1) -> (B, 16, 1, 1)."""
    return TinyTower(1, (6, 1))
