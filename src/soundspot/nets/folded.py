"""EfficientNet-Lite for looking only: batch norm folded into the convolutions, large pictures in bands of rows.

What a CPU spends on such a network is mostly memory: the first layers of a large picture make tens of megabytes each.
In bands they stay in the cache. The features are those of `LiteEncoder`, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot.nets.lite import Features, LiteEncoder
from soundspot.types import UserError

BAND_ROWS = 16
"""Rows at stride 4 that are made at a time: at 640 pixels their widest layer takes 4 MB."""
AT_ONCE = 320 * 320
"""Pixels that pass the network together, unless one picture has more."""


class Layer(NamedTuple):
    """One convolution with what batch norm makes of it, and a ReLU6 if `clipped`; padded as TensorFlow's "same"."""

    weight: Tensor
    bias: Tensor
    stride: int
    groups: int
    clipped: bool

    @property
    def kernel(self) -> int:
        """Its side."""
        return int(self.weight.shape[-1])

    def out_size(self, size: int) -> int:
        """Rows or columns that so many become."""
        return -(-size // self.stride)

    def zeros(self, size: int) -> tuple[int, int]:
        """How many zeros stand before and after so many rows or columns; of an odd number the greater half after."""
        missing = max(0, (self.out_size(size) - 1) * self.stride + self.kernel - size)
        return missing // 2, missing - missing // 2

    def over(self, rows: Tensor, above: int, below: int) -> Tensor:
        """(B, C, R, W) rows, with so many of zeros above and below them -> their output, the whole width of it."""
        left, right = self.zeros(rows.shape[-1])
        across, down = (left if left == right else 0), (above if above == below else 0)
        aside = (left - across, right - across, above - down, below - down)
        if any(aside):  # else nothing need be copied
            rows = F.pad(rows, aside)
        return convolved(self, rows, (down, across))

    def __call__(self, maps: Tensor) -> Tensor:
        return self.over(maps, *self.zeros(maps.shape[-2]))


def convolved(layer: Layer, maps: Tensor, padding: tuple[int, int]) -> Tensor:
    """The convolution and what follows it, in one step where torch's oneDNN can: it spares a walk through memory."""
    if FUSED is None:
        made = F.conv2d(maps, layer.weight, layer.bias, layer.stride, padding, 1, layer.groups)
        return F.hardtanh_(made, 0.0, 6.0) if layer.clipped else made
    then: tuple[str, list[float], str] = ("hardtanh", [0.0, 6.0], "") if layer.clipped else ("none", [], "")
    strides = (layer.stride, layer.stride)
    made = FUSED(maps, layer.weight, layer.bias, padding, strides, (1, 1), layer.groups, *then)
    assert isinstance(made, Tensor)
    return made


def _fused() -> Callable[..., Any] | None:
    """The operator that torch's own compiler uses, if this torch has it."""
    if not torch.backends.mkldnn.is_available():
        return None
    return getattr(torch.ops.mkldnn, "_convolution_pointwise", None)


FUSED = _fused()


class Block(NamedTuple):
    """Layers, around which the input is added if it `skips`."""

    layers: tuple[Layer, ...]
    skips: bool

    def __call__(self, maps: Tensor) -> Tensor:
        made = maps
        for layer in self.layers:
            made = layer(made)
        return made.add_(maps) if self.skips else made


class FoldedLite:
    """A `LiteEncoder` as it is now, on a CPU, without gradients: later changes of its weights do not show."""

    def __init__(self, encoder: LiteEncoder) -> None:
        stages: list[Any] = list(encoder.blocks)
        self.first = [
            _folded(encoder.stem[0], encoder.stem[1]),
            *_block(stages[0][0]).layers,
            *_block(stages[1][0]).layers,
        ]
        self.stages = [[_block(block) for block in blocks] for blocks in ([*stages[1]][1:], *stages[2:])]
        self.head = _folded(encoder.head[0], encoder.head[1])

    @torch.no_grad()
    def __call__(self, image: Tensor) -> Features:
        """(B, 3, H, W), normalised -> the features of every stage."""
        count = max(1, AT_ONCE // (image.shape[-1] * image.shape[-2]))
        parts = [self._some(some) for some in image.contiguous(memory_format=torch.channels_last).split(count)]
        return parts[0] if len(parts) == 1 else Features(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def _some(self, image: Tensor) -> Features:
        maps, made = in_bands(self.first, image), []
        for blocks in self.stages:
            for block in blocks:
                maps = block(maps)
            made.append(maps)
        return Features(made[0], made[1], made[3], made[5], self.head(maps))


def in_bands(layers: Sequence[Layer], maps: Tensor, num_rows: int = BAND_ROWS) -> Tensor:
    """Maps (B, C, H, W) through the layers, so many rows of the outcome at a time: the same as all at once."""
    heights = [maps.shape[-2]]
    for layer in layers:
        heights.append(layer.out_size(heights[-1]))
    bands = [
        _band(layers, maps, heights, first, min(first + num_rows, heights[-1]))
        for first in range(0, heights[-1], num_rows)
    ]
    return torch.cat(bands, dim=2) if len(bands) > 1 else bands[0]


def _band(layers: Sequence[Layer], maps: Tensor, heights: Sequence[int], first: int, last: int) -> Tensor:
    """Rows `first` to `last` of what the layers make of the maps."""
    pads = []
    for layer, height in zip(reversed(layers), reversed(heights[:-1]), strict=True):
        before = layer.zeros(height)[0]
        first, last = first * layer.stride - before, (last - 1) * layer.stride - before + layer.kernel
        pads.append((max(0, -first), max(0, last - height)))
        first, last = max(0, first), min(height, last)
    rows = maps[:, :, first:last]
    for layer, (above, below) in zip(layers, reversed(pads), strict=True):
        rows = layer.over(rows, above, below)
    return rows


def _block(block: nn.Module) -> Block:
    names = ("conv_pw", "conv_dw", "conv_pwl") if hasattr(block, "conv_pwl") else ("conv_dw", "conv_pw")
    parts: Any = block
    layers = tuple(_folded(getattr(parts, name), getattr(parts, f"bn{n}")) for n, name in enumerate(names, 1))
    return Block(layers, bool(parts.has_skip))


def _folded(conv: Any, norm: Any) -> Layer:
    """A convolution and the batch norm (with its ReLU6, or nothing) after it, as one."""
    if conv.dilation[0] != 1 or not isinstance(norm.act, nn.ReLU6 | nn.Identity):
        raise UserError("expected an EfficientNet-Lite at output stride 32, got another; use LiteEncoder itself")
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return Layer(
        (conv.weight * scale[:, None, None, None]).detach().contiguous(memory_format=torch.channels_last),
        (norm.bias - norm.running_mean * scale).detach(),
        conv.stride[0],
        conv.groups,
        isinstance(norm.act, nn.ReLU6),
    )
