"""Mixing a batch's sounds while training: at stated or random ratios, by a curriculum of how many and how often."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from soundspot.types import UserError

SILENT_RMS = 1e-5
"""Root mean square below which a sound is silence, and nothing that a mixture could hold."""


class Level(NamedTuple):
    """How hard mixtures are."""

    share: float
    """Of the clips, how many become mixtures."""
    most: int
    """Sources of a mixture: 2 up to so many, each as likely."""


class Curriculum(NamedTuple):
    """From solos to `top` over `epochs` epochs: the share grows evenly, and so does the number of sources from 2 on."""

    top: Level
    epochs: int

    def at(self, epoch: int) -> Level:
        """The level of epoch number `epoch`, from 0; with `epochs` of 0 or 1 it is the top at once.

        >>> [Curriculum(Level(0.8, 4), 5).at(epoch) for epoch in (0, 2, 4, 9)][1:3]
        [Level(share=0.4, most=3), Level(share=0.8, most=4)]
        """
        done = min(1.0, epoch / (self.epochs - 1)) if self.epochs > 1 else 1.0
        return Level(done * self.top.share, 2 + int(done * (self.top.most - 2)))


class Plan(NamedTuple):
    """Which of a batch's sounds make up each mixture, and how loud each is in it."""

    members: Tensor
    """(B, n) rows; the first is the clip itself."""
    ratios_db: Tensor
    """(B, n) in dB to the first, which stands at 0; minus infinity where a member is left out."""


def draw(count: int, level: Level, spread_db: float, device: torch.device | str = "cpu") -> Plan:
    """A plan for `count` clips, from torch's generator on the CPU: each clip with others, at ratios in +-`spread_db`.

    Clips that become no mixture stay as they are. Where there are fewer clips than `level.most`, so many are mixed.
    """
    most = min(level.most, count)
    if most < 2:
        return Plan(torch.arange(count)[:, None].to(device), torch.zeros(count, 1, device=device))
    order = torch.rand(count, count).fill_diagonal_(-1.0).argsort(dim=1)  # the clip itself comes first
    mixed = torch.rand(count) < level.share
    sizes = torch.where(mixed, torch.randint(2, most + 1, (count,)), 1)
    ratios = (2 * torch.rand(count, most) - 1) * spread_db
    ratios[:, 0] = 0.0
    ratios = ratios.masked_fill(torch.arange(most) >= sizes[:, None], -torch.inf)
    return Plan(order[:, :most].to(device), ratios.to(device))


def mix(waveforms: Tensor, plan: Plan) -> Tensor:
    """(S, N) -> (B, N): every member at the same root mean square, raised by its ratio, added up.

    The sum is as loud as the clip itself was. So the loudness of the others does not matter, nor does any gain but the
    clip's own. Silent members add nothing; a silent clip stays silent. UserError for other shapes.
    """
    if waveforms.ndim != 2 or plan.members.shape != plan.ratios_db.shape:
        raise UserError(
            f"expected waveforms (S, N) and a ratio a member, got {tuple(waveforms.shape)},"
            f" {tuple(plan.members.shape)} members and {tuple(plan.ratios_db.shape)} ratios; make them fit"
        )
    waves = waveforms.float()
    loudness = _rms(waves)
    even = torch.where(loudness > SILENT_RMS, waves / loudness.clamp_min(SILENT_RMS), 0.0)
    whole = torch.zeros_like(waves[plan.members[:, 0]])
    for rows, ratios in zip(plan.members.T, plan.ratios_db.T, strict=True):
        whole = whole + even[rows] * (10 ** (ratios / 20))[:, None]
    return whole / _rms(whole).clamp_min(SILENT_RMS) * loudness[plan.members[:, 0]]


def _rms(waves: Tensor) -> Tensor:
    """(B, N) -> (B, 1)."""
    return waves.square().mean(dim=1, keepdim=True).sqrt()


def union(labels: Tensor, plan: Plan, waveforms: Tensor, count: int) -> Tensor:
    """(S,) class numbers -> (B, count), 1 for the classes of all members that are heard in each mixture."""
    heard = plan.ratios_db.isfinite() & (_rms(waveforms.float())[:, 0] > SILENT_RMS)[plan.members]
    return (F.one_hot(labels[plan.members], count) * heard[..., None]).amax(dim=1).float()
