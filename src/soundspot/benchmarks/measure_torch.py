"""The same measurements as `measure`, by torch on a device: for who has a GPU and very many maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from soundspot.benchmarks.grid import Truth, check_single
from soundspot.benchmarks.protocols import Protocol
from soundspot.metrics.maps import enlarging_weights
from soundspot.predictions import Predictions

Tensor = torch.Tensor


class TorchMeasurer:
    """Measures chunks of maps on a device; holds what all chunks share."""

    def __init__(self, protocol: Protocol, device: str) -> None:
        self.protocol, self.device = protocol, torch.device(device)

    def __call__(self, predictions: Predictions, ids: Sequence[str], truth: Truth) -> dict[str, np.ndarray]:
        """What a `measure.Kernel` gives."""
        maps = [predictions.maps[clip_id] for clip_id in ids]
        for clip_id, scores in zip(ids, maps, strict=True):
            check_single(clip_id, scores, predictions)
        large = self._enlarged(maps)
        columns = {"confidence": self._confidence(large, predictions).cpu().numpy()}
        if len(truth):
            flat = self._stretched(large[: len(truth)], predictions.score_range).flatten(1)
            wanted = torch.from_numpy(truth).to(self.device)
            counts = (wanted > 0).sum(dim=1)
            columns["ciou"] = _ciou(self._claimed(flat), wanted)
            columns["ciou_adaptive"] = _ciou(self._adaptive(flat, counts), wanted)
            highest = flat.argmax(dim=1, keepdim=True)
            columns["pointing"] = (wanted.gather(1, highest)[:, 0] > 0).cpu().numpy()
        return columns

    def _enlarged(self, maps: Sequence[np.ndarray]) -> Tensor:
        grid = self.protocol.grid
        large = torch.empty((len(maps), grid, grid), device=self.device)
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for row, scores in enumerate(maps):
            by_shape.setdefault(scores.shape, []).append(row)
        for (height, width), rows in by_shape.items():
            small = torch.from_numpy(np.stack([maps[row] for row in rows])).to(self.device)
            if (height, width) != (grid, grid):
                down, across = (
                    torch.from_numpy(enlarging_weights(side, grid, self.protocol.enlarge)).to(self.device)
                    for side in (height, width)
                )
                # from the minimum up, as on the processor: else weights that sum to 1 only nearly would break ties
                low = small.amin(dim=(1, 2), keepdim=True)
                small = down @ ((small - low) @ across.T) + low
            large[rows] = small
        return large

    def _confidence(self, large: Tensor, predictions: Predictions) -> Tensor:
        flat = large.flatten(1)
        if self.protocol.confidence == "max":
            raw = flat.amax(dim=1).double()
        else:
            raw = flat.topk(max(flat.shape[1] // 4, 1), dim=1, sorted=False).values.double().mean(dim=1)
        if predictions.score_range is None:
            return raw
        low, high = predictions.score_range
        return (raw - low) / (high - low)

    def _stretched(self, maps: Tensor, score_range: tuple[float, float] | None) -> Tensor:
        how = self.protocol.stretch
        if how == "none":
            return maps
        if how == "range":
            assert score_range is not None, "checked before scoring"
            return (maps - score_range[0]) / (score_range[1] - score_range[0])
        return 1 - _minmax(-maps) if how == "minmax_inverted" else _minmax(maps)

    def _claimed(self, scores: Tensor) -> Tensor:
        rule, level, pixels = self.protocol.area, self.protocol.level, scores.shape[1]
        if rule == "level":
            return scores >= level
        if rule == "level_gt":
            return scores > level
        if rule == "share_of_max":
            return scores > level * scores.amax(dim=1, keepdim=True)
        if rule == "half_exact":
            return _top_exactly(scores, torch.full((len(scores),), pixels // 2, device=scores.device))
        middle = scores.kthvalue(pixels // 2 + 1, dim=1, keepdim=True).values
        if rule == "half_ge":
            return scores >= middle
        if rule == "half_ge_and_level":
            return (scores >= middle) & (scores >= level)
        above = scores > middle
        return above | (scores >= 1) if rule == "half_gt_or_one" else above

    def _adaptive(self, scores: Tensor, counts: Tensor) -> Tensor:
        if self.protocol.adaptive == "exact":
            return _top_exactly(scores, counts)
        pixels = scores.shape[1]
        asked = torch.where(counts > 0, counts, pixels // 2)
        return scores > _descending(scores).gather(1, (asked - 1)[:, None])


def _descending(scores: Tensor) -> Tensor:
    return scores.sort(dim=1, descending=True).values


def _top_exactly(scores: Tensor, counts: Tensor) -> Tensor:
    """(n, P), (n,) -> bool (n, P) with exactly counts[n] highest pixels; ties go to the first in reading order."""
    bounds = _descending(scores).gather(1, (counts.clamp(min=1) - 1)[:, None])
    above, equal = scores > bounds, scores == bounds
    rest = (counts - above.sum(dim=1))[:, None]
    return (above | (equal & (equal.cumsum(dim=1) <= rest))) & (counts > 0)[:, None]


def _minmax(maps: Tensor) -> Tensor:
    low = maps.amin(dim=(1, 2), keepdim=True)
    spread = maps.amax(dim=(1, 2), keepdim=True) - low
    return torch.where(spread == 0, maps, (maps - low) / torch.where(spread == 0, torch.ones_like(spread), spread))


def _ciou(predicted: Tensor, truth: Tensor) -> np.ndarray:
    inside = (predicted * truth).sum(dim=1, dtype=torch.float64)
    union = truth.sum(dim=1, dtype=torch.float64) + (predicted & (truth == 0)).sum(dim=1)
    return torch.where(union > 0, inside / union, torch.zeros_like(union)).cpu().numpy()
