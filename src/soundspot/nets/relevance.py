"""Relevance of a transformer's tokens by its attention (Chefer et al., ICCV 2021, arXiv 2103.15679)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def relevance(attentions: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """Layers of (B, heads, N, N) attention and its gradients, first to last -> (B, N - 1): what token 0 rests on.

    R starts at the identity; every layer adds A R, where A is the mean over heads of ReLU(gradient * attention)
    (the paper's self-attention rule); the row of token 0, without itself.
    """
    batch, _, tokens, _ = attentions[0].shape
    total = torch.eye(tokens, device=attentions[0].device).expand(batch, tokens, tokens)
    with torch.autocast(total.device.type, enabled=False):
        for attention, gradient in zip(attentions, gradients, strict=True):
            total = total + (gradient.float() * attention.float()).relu().mean(dim=1) @ total
    return total[:, 0, 1:]
