"""The default localizer in steps of fixed shapes, for a graph: the same maps as `Spot.localize`, whatever is seen.

`Spot` looks at as many regions as there are and at the classes that are heard; a graph has no such choice. Here every
picture has MAX_REGIONS regions, of which those that are not there count for nothing, and every class is looked for.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot.methods.spot import NO_MATCH, OBJECTNESS_BOUND, PARTS, Spot, combine
from soundspot.nets.bridge import COMPETITION, LEAST_WEIGHT, NUM_IMAGENET, PERSON_INDEX, Bridge
from soundspot.nets.proposals import CROP_SIZE, MARGIN, MAX_REGIONS, MIN_SHARE
from soundspot.types import Batch

SPREADS = 4
"""Times a picture's height that a region's number travels: a region that winds farther counts as two."""


class SpotSteps(nn.Module):
    """A batch -> (B, h, w) log-odds of the method's `part`."""

    def __init__(self, method: Spot) -> None:
        super().__init__()
        self.method = method
        self.image, self.sound, bridge = method.encoders()
        self.bridge = BridgeSteps(bridge)

    def forward(self, batch: Batch) -> Tensor:
        method, wanted = self.method, PARTS[self.method.part]
        frozen = method.encode(batch.image, closely="bridge" in wanted)
        sound, tags = method.heard(batch)
        objectness, cells = method._seen(frozen)
        maps = {"objectness": objectness}
        if "learned" in wanted:
            maps["learned"] = method._learned(cells, sound)
        if "bridge" in wanted:
            set_weights = self.bridge.set_weights(tags)
            weights = self.bridge.weights(set_weights)
            maps["bridge"] = self._bridged(batch.image, objectness, frozen["class_map"], set_weights, weights)
            person = method.person.expand(cells.shape[0], -1)
            heard = weights[:, PERSON_INDEX].clamp_min(math.exp(NO_MATCH)).log()
            maps["people"] = method._learned(cells, person) + heard.view(-1, 1, 1)
        return combine(maps, method.part)

    def _bridged(
        self, image: Tensor, objectness: Tensor, class_map: Tensor, set_weights: Tensor, weights: Tensor
    ) -> Tensor:
        """What `fusion` makes of regions, cells and objectness."""
        match = self._match(image, region_masks(objectness), weights)
        by_cell = self.bridge.map(class_map, set_weights)[:, None]
        cells = F.interpolate(by_cell, size=objectness.shape[1:], mode="bilinear")[:, 0]
        bounded = objectness.clamp(-OBJECTNESS_BOUND, OBJECTNESS_BOUND)
        return torch.stack([match, cells, bounded, torch.ones_like(match)], dim=-1) @ self.method.fusion

    def _match(self, image: Tensor, masks: Tensor, weights: Tensor) -> Tensor:
        """(B, 3, H, W), (B, R, h, w), (B, 1001) -> (B, h, w)."""
        crops = crops_of(image, masks)
        classes = self.image.classes(crops).softmax(dim=1).unflatten(0, (-1, MAX_REGIONS))
        agree = (classes * weights[:, None, :NUM_IMAGENET]).sum(dim=2)
        scores = (agree + math.exp(NO_MATCH)).log()[..., None, None]
        inside = masks.float()
        return (inside * scores).sum(dim=1) + NO_MATCH * (1 - inside.sum(dim=1))


class BridgeSteps(nn.Module):
    """`Bridge` over all sets of makers, heard or not."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.makers, self.people = [list(makers) for makers in bridge.makers], list(bridge.people)
        entries: list[list[tuple[int, float]]] = [[] for _ in self.makers]
        for tag, which, weight in zip(
            bridge.tags.tolist(), bridge.sets.tolist(), bridge.tag_weights.tolist(), strict=True
        ):
            entries[which].append((tag, weight))
        longest = max(map(len, entries))
        padded = [each + [(0, 0.0)] * (longest - len(each)) for each in entries]
        self.tags: Tensor
        self.tag_weights: Tensor
        self.members: Tensor
        self.register_buffer("tags", torch.tensor([[tag for tag, _ in each] for each in padded]))
        self.register_buffer("tag_weights", torch.tensor([[weight for _, weight in each] for each in padded]))
        members = torch.zeros(len(self.makers), NUM_IMAGENET + 1)
        for which, makers in enumerate(self.makers):
            members[which, makers] = 1
        self.register_buffer("members", members)

    def set_weights(self, tags: Tensor) -> Tensor:
        """(B, T) -> (B, S)."""
        return (tags[:, self.tags] * self.tag_weights).amax(dim=2)

    def weights(self, set_weights: Tensor) -> Tensor:
        """(B, S) -> (B, 1001)."""
        return (set_weights[:, :, None] * self.members).amax(dim=1)

    def map(self, class_map: Tensor, set_weights: Tensor) -> Tensor:
        """(B, 1000, h, w), (B, S) -> (B, h, w)."""
        weights = torch.where(set_weights < LEAST_WEIGHT, 0.0, set_weights)
        total = weights.sum(dim=1).clamp(min=LEAST_WEIGHT)
        places = [class_map[:, self.people if PERSON_INDEX in makers else makers].amax(dim=1) for makers in self.makers]
        others = COMPETITION * class_map.logsumexp(dim=1)
        summed = (weights[:, :, None, None] * (torch.stack(places, dim=1) - others[:, None])).sum(dim=1)
        return summed / total[:, None, None]


def region_masks(objectness: Tensor, threshold: float = 0.0) -> Tensor:
    """(B, h, w) -> (B, MAX_REGIONS, h, w) bool: the largest regions above `threshold`, none where there are fewer."""
    height, width = objectness.shape[1:]
    count = height * width
    inside = (objectness > threshold).float()
    # A region's number is that of its first cell: the larger, the earlier.
    numbers = torch.arange(count, 0, -1, dtype=torch.float32).view(1, height, width) * inside
    for _ in range(SPREADS * height):
        spread = numbers[:, None]
        across = F.max_pool2d(spread, (1, 3), stride=1, padding=(0, 1))
        down = F.max_pool2d(spread, (3, 1), stride=1, padding=(1, 0))
        numbers = torch.maximum(across, down)[:, 0] * inside
    flat = numbers.flatten(1)
    sizes = torch.zeros_like(flat[:, :1]).expand(-1, count + 1).scatter_add(1, flat.long(), torch.ones_like(flat))
    order = sizes[:, 1:] * (count + 1) + torch.arange(1, count + 1, dtype=torch.float32)
    largest = order.topk(MAX_REGIONS, dim=1).indices
    is_large = sizes[:, 1:].gather(1, largest) >= MIN_SHARE * count
    same = numbers[:, None] == (largest + 1).float()[..., None, None]
    return same & is_large[..., None, None]


def crops_of(image: Tensor, masks: Tensor, size: int = CROP_SIZE) -> Tensor:
    """(B, 3, H, W), (B, R, h, w) -> (B * R, 3, size, size), a square around each region; all of it where none is."""
    left, right = _ends(masks.any(dim=2))
    top, bottom = _ends(masks.any(dim=3))
    half = torch.maximum(bottom - top, right - left) * MARGIN
    steps = (torch.arange(size) + 0.5) / size * 2 - 1
    across = (left + right - 1)[..., None, None] + half[..., None, None] * steps[None, None, None, :]
    down = (top + bottom - 1)[..., None, None] + half[..., None, None] * steps[None, None, :, None]
    grids = torch.stack([across.expand(-1, -1, size, -1), down.expand(-1, -1, -1, size)], dim=-1)
    pictures = image[:, None].expand(-1, MAX_REGIONS, -1, -1, -1).flatten(0, 1)
    return F.grid_sample(pictures, grids.flatten(0, 1), padding_mode="border", align_corners=False)


def _ends(there: Tensor) -> tuple[Tensor, Tensor]:
    """(B, R, n) -> the first and the last of those that are there, (B, R) each, as shares of n; 0 and 1 for none."""
    count = there.shape[2]
    places = torch.arange(count, dtype=torch.float32)
    first = torch.where(there, places, float(count)).amin(dim=2)
    last = torch.where(there, places + 1, 0.0).amax(dim=2)
    is_any = last > 0
    return torch.where(is_any, first / count, 0.0), torch.where(is_any, last / count, 1.0)
