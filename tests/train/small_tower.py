"""A tower that is compiled in seconds and has what real ones have: strides, batch norm, a sum, more than one stage."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

TOWERS = {name: f"small_tower:{name}" for name in ("small_image", "small_audio")}
"""For nets.TOWERS."""
SMALL: dict[str, int | float | str] = {
    "image_backbone": "small_image",
    "audio_backbone": "small_audio",
    "image_size": 64,
    "seconds": 0.5,
    "sample_rate": 8000,
    "dim": 32,
}
"""Options of a method of two such towers, on the clips of `pairs_root`."""


class Stage(nn.Module):
    """A convolution that strides, and one that adds to it."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels_in, channels, 3, stride=4, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.down(x)).relu()
        return (x + self.conv(x)).relu()


class SmallTower(nn.Module):
    """(B, C, H, W) -> (B, 32, H / 16, W / 16)."""

    channels = 32

    def __init__(self, channels_in: int) -> None:
        super().__init__()
        self.stages = nn.Sequential(Stage(channels_in, 16), Stage(16, self.channels))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.stages(x)
        return out


def small_image(*, output_stride: int, pretrained: Path | None) -> SmallTower:
    """Of pictures."""
    return SmallTower(3)


def small_audio(*, output_stride: int, pretrained: Path | None) -> SmallTower:
    """Of spectrograms."""
    return SmallTower(1)
