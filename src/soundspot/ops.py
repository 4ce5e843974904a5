"""The tensor algebra that methods share: unit vectors, similarity, pooling, InfoNCE, gathering across processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

CHUNK_ELEMENTS = 2**26
"""How much of all similarities is held at once, with what is made of them on the way (256 MiB of float32)."""


def unit(x: Tensor) -> Tensor:
    """(B, C, ...) -> the same shape in float32, length 1 along C (zero vectors stay zero)."""
    return F.normalize(x.float(), dim=1, eps=1e-12)


def standardise(x: Tensor, *, whole_batch: bool = False) -> Tensor:
    """(B, ...) -> the same shape in float32, less its mean, over its standard deviation: each row's, or the batch's.

    What is constant, such as the spectrogram of silence, becomes 0.
    """
    x = x.float()
    axes = tuple(range(0 if whole_batch else 1, x.ndim))
    std, mean = torch.std_mean(x, dim=axes, keepdim=True)
    return (x - mean) / std.clamp_min(1e-3)


def max_pool(maps: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C), the largest over places."""
    return maps.flatten(-2).max(dim=-1).values  # keeps its indices for the backward pass, where amax keeps the maps


def mean_pool(maps: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C), the mean over places."""
    return maps.mean(dim=(-2, -1))


def similarity(cells: Tensor, sounds: Tensor) -> Tensor:
    """(B, C, h, w), (M, C) -> (B, M, h, w), every place of every picture against every sound.

    In float32 under autocast too: what follows divides by a temperature and exponentiates.
    """
    with torch.autocast(cells.device.type, enabled=False):
        return torch.einsum("bchw,mc->bmhw", cells.float(), sounds.float())


def products(vectors: Tensor, others: Tensor) -> Tensor:
    """(B, C), (M, C) -> (B, M), each against each, in float32 under autocast too: cosines where all are unit."""
    return similarity(vectors[..., None, None], others).flatten(1)


def own_similarity(cells: Tensor, sounds: Tensor) -> Tensor:
    """(B, C, h, w), (B, C) -> (B, h, w), every picture against its own sound."""
    with torch.autocast(cells.device.type, enabled=False):
        return torch.einsum("bchw,bc->bhw", cells.float(), sounds.float())


def by_pictures(
    function: Callable[..., Tensor],
    pictures: Sequence[Tensor],
    others: Sequence[Tensor],
    elements_a_picture: int,
    *,
    chunk_elements: int = CHUNK_ELEMENTS,
) -> Tensor:
    """`function(*pictures, *others)` -> (B, ...), where each of `pictures` is (B, ...), a few pictures at a time.

    For functions whose rows do not see each other, and which make and keep `elements_a_picture` numbers for each on
    their way. A batch that needs more than one chunk is recomputed in the backward pass instead of kept.
    """
    size = max(1, chunk_elements // elements_a_picture)
    if size >= len(pictures[0]):
        return function(*pictures, *others)
    chunks = zip(*(each.split(size) for each in pictures), strict=True)
    return torch.cat([_recomputed(function, *some, *others) for some in chunks])


def _recomputed(function: Callable[..., Tensor], *given: Tensor) -> Tensor:
    # these functions draw no random numbers: to keep the generators' state would make a GPU wait
    made: Tensor = checkpoint(function, *given, use_reentrant=False, preserve_rng_state=False)
    return made


def pooled_similarity(
    cells: Tensor,
    sounds: Tensor,
    pool: Callable[[Tensor], Tensor],
    *,
    copies: int = 1,
    chunk_elements: int = CHUNK_ELEMENTS,
) -> Tensor:
    """(B, C, h, w), (M, C) -> (B, M): `pool` of the (b, M, h, w) similarities, a few pictures at a time.

    `copies`: how many tensors of the similarities' size there are at once, with those that `pool` makes. A batch that
    needs more than one chunk is recomputed in the backward pass instead of kept.
    """

    def pooled(some: Tensor, all_sounds: Tensor) -> Tensor:
        return pool(similarity(some, all_sounds))

    elements = copies * len(sounds) * cells.shape[-2] * cells.shape[-1]
    return by_pictures(pooled, [cells], [sounds], elements, chunk_elements=chunk_elements)


def soft_pool(scores: Tensor, weights: Tensor) -> Tensor:
    """(..., h, w), (..., h, w) -> (...), the weighted mean over places."""
    return (scores * weights).sum(dim=(-2, -1)) / weights.sum(dim=(-2, -1))


def info_nce(logits: Tensor) -> Tensor:
    """(B, B) -> scalar: cross-entropy of each row against its diagonal."""
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def symmetric_info_nce(logits: Tensor) -> Tensor:
    """(B, B) -> scalar: rows plus columns, a sum and not a mean, as the papers of this field have it."""
    return info_nce(logits) + info_nce(logits.T)


def is_distributed() -> bool:
    """Whether several processes train together."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def rank() -> int:
    """This process's number, 0 where there is one only."""
    return torch.distributed.get_rank() if is_distributed() else 0


def gather(x: Tensor) -> Tensor:
    """(B, ...) -> (B * processes, ...), every process's rows in order of rank; gradients flow to every process.

    The backward pass sums over processes. DistributedDataParallel then averages, so a loss that every process takes
    over the gathered rows, or over its own rows against the gathered ones (mean over its own), has the gradient
    of one process with the whole batch. Every process must bring the same number of rows. Alone: `x` itself.
    """
    if not is_distributed():
        return x
    return _Gather.apply(x)


def next_clips(x: Tensor) -> Tensor:
    """(B, ...) -> (B, ...): for each row the next one among those of all processes, after the last the first.

    Negatives of the methods that take one each. Where there is one clip only, and so no other: no rows.
    """
    everyone = gather(x)
    after = rank() * len(x) + torch.arange(len(x), device=x.device) + 1
    return everyone[after % len(everyone)] if len(everyone) > 1 else x[:0]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.rows = len(x)
        parts = [torch.empty_like(x) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        torch.distributed.all_reduce(total)
        start = rank() * ctx.rows
        return total[start : start + ctx.rows]
