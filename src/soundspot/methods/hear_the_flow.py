"""Hear The Flow (Fedorishin et al., WACV 2023, arXiv 2211.03019): LVS on a picture that attends to what moves in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.base import weights_path
from soundspot.methods.lvs import LVS
from soundspot.nets.tower import Tower
from soundspot.types import Batch, UserError


def _as_bytes(flow: Tensor) -> Tensor:
    return flow.clamp(0, 255).round() / 255


FLOWS: dict[str, Callable[[Tensor], Tensor]] = {"signed": lambda flow: flow, "bytes": _as_bytes}
"""signed: pixels to the next frame. bytes: as the authors' files hold it, where motion to the left or up, and less than
half a pixel, is lost."""


class FlowAttention(nn.Module):
    """Every place of a picture asks all places of the flow, and gets what the picture shows where they answer."""

    def __init__(self, channels: int, flow_channels: int) -> None:
        super().__init__()
        width = max(1, channels // 8)
        self.query = nn.Conv2d(channels, width, kernel_size=1)
        self.key = nn.Conv2d(flow_channels, width, kernel_size=1)
        self.value = nn.Conv2d(channels, channels, kernel_size=1)

    def weights(self, image: Tensor, flow: Tensor) -> Tensor:
        """(B, C, h, w), (B, C', h, w) -> (B, hw, hw), for each place of the picture a softmax over the flow's."""
        query, key = self.query(image).flatten(2), self.key(flow).flatten(2)
        with torch.autocast(image.device.type, enabled=False):
            return (torch.einsum("bcn,bcm->bnm", query.float(), key.float()) / math.sqrt(query.shape[1])).softmax(-1)

    def forward(self, image: Tensor, flow: Tensor) -> Tensor:
        """(B, C, h, w), (B, C', h, w) -> (B, C, h, w)."""
        weights, value = self.weights(image, flow), self.value(image).flatten(2)
        with torch.autocast(image.device.type, enabled=False):
            return torch.einsum("bnm,bcm->bcn", weights, value.float()).view_as(image)


class FlowPool(nn.Module):
    """The flow itself, its largest values a cell, in the place of a tower."""

    channels = 2

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def frozen(self, flow: Tensor) -> Tensor:
        """(B, 2, H, W) -> (B, 2, H / stride, W / stride)."""
        height, width = (max(1, side // self.stride) for side in flow.shape[-2:])
        return F.adaptive_max_pool2d(flow, (height, width))

    def rest(self, cells: Tensor) -> Tensor:
        """Nothing is left to do."""
        return cells


class HearTheFlow(LVS):
    """LVS's loss on cells that were told by attention where things move."""

    needs = frozenset({"flow"})

    def __init__(
        self,
        flow_encoder: str = "cnn",
        flow_backbone: str = "resnet18",
        init_flow: str = "",
        trainable_flow: str = "all",
        flow: str = "signed",
        moving_statistics: bool = False,
        output_stride: int = 32,
        audio_stride: int = 32,
        trainable: str = "heads",
        seconds: float = 3.0,
        sample_rate: int = 22050,
        window: str = "centre",
        **lvs: Any,
    ) -> None:
        """`flow_encoder` "maxpool" attends to the largest motion of each cell itself, without a tower.

        `moving_statistics` does as the code, which freezes the picture tower's weights but lets its batch norms go on
        learning their statistics; the default freezes all of it, as the paper says. `init_flow` fills all but the
        first layer, since flow has two channels.
        """
        super().__init__(
            output_stride=output_stride,
            audio_stride=audio_stride,
            trainable=trainable,
            seconds=seconds,
            sample_rate=sample_rate,
            window=window,
            **lvs,
        )
        self.inputs = replace(self.inputs, views=("flow",))
        self.read_flow = find(FLOWS, flow, "flow")
        self.moving_statistics = moving_statistics
        self.flow: Tower | FlowPool
        if find({"cnn": True, "maxpool": False}, flow_encoder, "flow_encoder"):
            self.flow = flow_tower(flow_backbone, output_stride, weights_path(init_flow), trainable_flow)
            self.initial = {**self.initial, "flow": self.flow.initial}
        else:
            self.flow = FlowPool(output_stride)
        width = self.options["dim"] or self.image.channels
        assert isinstance(width, int)
        self.attention = FlowAttention(width, self.flow.channels)

    def train(self, mode: bool = True) -> HearTheFlow:
        """As usual; under `moving_statistics` the frozen picture tower's batch norms learn on."""
        super().train(mode)
        if self.moving_statistics:
            self.image.net.train(mode)
        return self

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """As of two towers, and "flow_features"; nothing where the picture's statistics move on."""
        return {} if self.moving_statistics else super().frozen(batch)

    def through_frozen(self, batch: Batch) -> dict[str, Tensor]:
        """As of two towers, and "flow_features". Raises UserError for a batch without flow."""
        given = super().through_frozen(batch)
        if "flow_features" in batch.extra:
            return {**given, "flow_features": batch.extra["flow_features"]}
        if "flow" not in batch.extra:
            raise UserError(
                'hear_the_flow: expected batch.extra["flow"] (B, 2, H, W), got none; give films, not single pictures'
            )
        return {**given, "flow_features": self.flow.frozen(self.read_flow(batch.extra["flow"]))}

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Unit cells (B, C, h, w), which know the motion, and unit sounds (B, C)."""
        given = self.through_frozen(batch)
        sound = ops.max_pool(self.audio.rest(given["audio"]))
        image, flow = self.image.rest(given["image"]), self.flow.rest(given["flow_features"])
        return self.attended(self.image_head(image), flow), ops.unit(self.audio_head(sound))

    def attended(self, image: Tensor, flow: Tensor) -> Tensor:
        """(B, C, h, w), (B, C', h', w') -> unit cells (B, C, h, w): the picture and what it shows where things move."""
        if flow.shape[-2:] != image.shape[-2:]:
            flow = F.adaptive_max_pool2d(flow, (image.shape[-2], image.shape[-1]))
        return ops.unit(image + self.attention(image, flow))


def flow_tower(name: str, output_stride: int, pretrained: Path | None, trainable: str) -> Tower:
    """A tower of two channels; weights of a picture's tower fill all but its first layer, which must learn then."""
    if pretrained is None:
        return Tower(name, channels_in=2, output_stride=output_stride, trainable=trainable)
    if trainable != "all":
        raise UserError(
            f"hear_the_flow: expected trainable_flow=all with init_flow, got {trainable}; the first layer starts anew"
        )
    tower = Tower(name, channels_in=3, output_stride=output_stride, pretrained=pretrained)
    first = next(module for module in tower.net.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = 2
    weight = torch.empty(first.out_channels, 2, *first.kernel_size)
    first.weight = nn.Parameter(nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu"))
    tower.initial += ", but for its first layer"
    return tower
