"""SSPL's predictive-coding module (arXiv 2203.13412): a picture's features, corrected by its sound."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BatchNorm(nn.Module):
    """Batch norm of (B, C) or (B, C, h, w); a single value a channel has no variance: running statistics serve then."""

    def __init__(self, channels: int, *, affine: bool = True) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        norm, maps = self.norm, x if x.ndim == 4 else x[:, :, None, None]
        if self.training and maps.numel() == maps.shape[1]:
            normed = F.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        else:
            normed = norm(maps)
        return normed.view_as(x)


class PredictiveCoding(nn.Module):
    """Three levels, from the picture's grid down to a quarter of it, whose bottom predicts the sound.

    Each level holds a state and the prediction of it from above. Downwards, states move towards predictions; upwards,
    they move by what the level below (at the bottom: the sound) was predicted wrongly. At 14 x 14 this is the authors'
    module; other grids are halved in the same way, and brought to size where twice does not give it back.
    """

    def __init__(self, visual: int, sound: int, out: int, width: int, cycles: int) -> None:
        super().__init__()
        bottom, middle, top = widths = (width, width, visual)
        self.cycles = cycles
        self.predict = nn.ModuleList(
            [
                nn.Conv2d(bottom, sound, kernel_size=1),
                nn.Conv2d(middle, bottom, kernel_size=3, padding=1, bias=False),
                nn.Conv2d(top, middle, kernel_size=3, padding=1, bias=False),
            ]
        )
        self.correct = nn.ModuleList(
            [
                nn.ConvTranspose2d(sound, bottom, kernel_size=1, bias=False),
                nn.ConvTranspose2d(bottom, middle, kernel_size=3, stride=2, bias=False),
                nn.ConvTranspose2d(middle, top, kernel_size=3, padding=1, bias=False),
            ]
        )
        self.out = nn.ConvTranspose2d(top, out, kernel_size=1)
        self.down_rates = nn.ParameterList([torch.full((1, channels, 1, 1), 0.5) for channels in widths])
        self.up_rates = nn.ParameterList([torch.ones(1, channels, 1, 1) for channels in widths])
        # the first pass and every cycle have norms of their own; the top's state is not normed on the way down
        self.down_norms = nn.ModuleList([BatchNorm(each) for _ in range(cycles + 1) for each in (bottom, middle)])
        self.up_norms = nn.ModuleList([BatchNorm(each) for _ in range(cycles + 1) for each in widths])

    def forward(self, visual: Tensor, sound: Tensor | None) -> Tensor:
        """(B, visual, h, w), (B, sound) -> (B, out, h, w); without a sound as if it were what the picture predicts."""
        middle = F.gelu(self.down_norms[1](self._below(2, visual)))
        predictions = [F.gelu(self.down_norms[0](self._below(1, middle))), middle, visual]
        states = self._upwards(0, predictions, predictions, sound)
        for cycle in range(1, self.cycles + 1):
            states = self._downwards(cycle, states, predictions)
            states = self._upwards(cycle, states, predictions, sound)
        return self.out(states[2])

    def _downwards(self, cycle: int, states: Sequence[Tensor], predictions: list[Tensor]) -> list[Tensor]:
        """States towards predictions, from the top; the lower predictions are made anew, in place."""
        moved = list(states)
        moved[2] = F.gelu(self._towards(2, states[2], predictions[2]))
        for level in (1, 0):
            predictions[level] = self._below(level + 1, moved[level + 1])
            moved[level] = F.gelu(
                self.down_norms[2 * cycle + level](self._towards(level, states[level], predictions[level]))
            )
        return moved

    def _towards(self, level: int, state: Tensor, prediction: Tensor) -> Tensor:
        rate = F.relu(self.down_rates[level])
        return (1 - rate) * state + rate * prediction

    def _upwards(
        self, cycle: int, states: Sequence[Tensor], predictions: Sequence[Tensor], sound: Tensor | None
    ) -> list[Tensor]:
        """States by the errors below them, from the bottom."""
        error = self._sound_error(states[0], sound)
        moved: list[Tensor] = []
        for level, state in enumerate(states):
            lifted = self._lifted(level, error, (state.shape[-2], state.shape[-1]))
            moved.append(F.gelu(self.up_norms[3 * cycle + level](state + F.relu(self.up_rates[level]) * lifted)))
            error = moved[level] - predictions[level]
        return moved

    def _sound_error(self, bottom: Tensor, sound: Tensor | None) -> Tensor:
        """(B, sound, 1, 1)."""
        predicted = F.gelu(self.predict[0](bottom)).mean(dim=(2, 3), keepdim=True)
        return torch.zeros_like(predicted) if sound is None else sound[:, :, None, None] - predicted

    def _below(self, level: int, state: Tensor) -> Tensor:
        """What a state predicts of the level below it, on half its grid."""
        predicted = self.predict[level](state)
        kernel = (min(2, predicted.shape[-2]), min(2, predicted.shape[-1]))
        return F.max_pool2d(predicted, kernel, stride=2)

    def _lifted(self, level: int, error: Tensor, size: tuple[int, int]) -> Tensor:
        """What the error below a level says to it, on that level's grid (the sound's: the same everywhere)."""
        if level == 2:
            error = F.interpolate(error, size=size, mode="bilinear", align_corners=True)
        lifted = self.correct[level](error)
        if level == 1 and lifted.shape[-2:] != size:
            lifted = F.interpolate(lifted, size=size, mode="bilinear", align_corners=True)
        return lifted
