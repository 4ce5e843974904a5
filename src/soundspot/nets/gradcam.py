"""Grad-CAM (Selvaraju et al., ICCV 2017, arXiv 1610.02391) at a layer of any convolutional network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from timm.layers import LayerNorm2d
from torch import Tensor, nn
from torch.func import functional_call

from soundspot.nets.tower import Tower, last_stage
from soundspot.types import UserError

CHANNELS_FIRST = (nn.BatchNorm2d, nn.GroupNorm, LayerNorm2d)
"""Norm layers of maps (B, C, h, w)."""
OTHER_NORMS = (nn.LayerNorm, nn.modules.batchnorm._BatchNorm, nn.RMSNorm)


def first_norm(tower: Tower, name: str) -> nn.Module:
    """The first norm layer of the last block of the backbone called `name`.

    Raises UserError where there is none, or it doesn't see maps (B, C, h, w).
    """
    block = last_block(tower.net)
    found = next((layer for layer in block.modules() if isinstance(layer, CHANNELS_FIRST + OTHER_NORMS)), None)
    if found is block or not isinstance(found, CHANNELS_FIRST):
        got = "none" if found in (None, block) else f"{type(found).__name__}, which sees no such map"
        raise UserError(
            f"backbone {name}: expected a norm layer of maps (B, C, h, w) in its last block, got {got};"
            " choose a ResNet, or variant=code, which looks at the last block's output"
        )
    return found


def last_block(net: nn.Module) -> nn.Module:
    """The last block of the last stage: a stage, and a list of blocks, is what consists of parts of one kind."""
    block = net.get_submodule(last_stage(net))
    while parts := _parts(block):
        if len({type(part) for part in parts}) > 1 or _is_layer(parts[-1]):
            break
        block = parts[-1]
    return block


def _parts(module: nn.Module) -> list[nn.Module]:
    return [part for part in module.children() if next(part.parameters(), None) is not None]


def _is_layer(part: nn.Module) -> bool:
    """Whether it is but a convolution with its norm layer: such make a block."""
    inner = _parts(part)
    return len(inner) <= 2 and any(isinstance(each, CHANNELS_FIRST + OTHER_NORMS) for each in inner)


def grad_cam(net: nn.Module, layer: nn.Module, image: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    """(B, 3, H, W) -> (B, h, w): ReLU of the `layer`'s channels, each weighed by its mean gradient.

    The gradient is that of `score` (net's output -> scalar, a sum over pictures). No parameter gets a gradient:
    the network runs with detached ones, so that only what follows the layer is differentiated.
    """
    seen: list[Tensor] = []

    def tap(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[-1].clone()  # the next layer may write into it

    hook = layer.register_forward_hook(tap)
    try:
        with torch.enable_grad():
            constants = {name: parameter.detach() for name, parameter in net.named_parameters()}
            output = functional_call(net, constants, (image,))
            (gradient,) = torch.autograd.grad(score(output), seen)
    finally:
        hook.remove()
    weights = gradient.float().mean(dim=(-2, -1), keepdim=True)
    return (weights * seen[0].detach().float()).sum(dim=1).relu()
