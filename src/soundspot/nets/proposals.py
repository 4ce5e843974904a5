"""Regions that look like objects, and a closer look at each: what the image encoder makes of its crop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

MIN_SHARE = 1 / 400
"""Of a picture: what is smaller is not looked at again."""
MAX_REGIONS = 8
CROP_SIZE = 160
MARGIN = 1.2
"""A crop's side over the longer side of its region: what surrounds an object helps to name it."""


class Regions(NamedTuple):
    """Regions of a batch of pictures, all in one list."""

    picture: Tensor
    """(R,) the picture each belongs to."""
    mask: Tensor
    """(R, h, w) bool."""


def find_regions(objectness: Tensor, threshold: float = 0.0) -> Regions:
    """(B, h, w) log-odds of an object -> connected regions above `threshold`, the largest MAX_REGIONS of a picture."""
    pictures: list[int] = []
    masks: list[np.ndarray] = []
    for picture, scores in enumerate(objectness.detach().float().cpu().numpy()):
        labels, count = ndimage.label(scores > threshold)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        for index in np.argsort(-sizes, kind="stable")[:MAX_REGIONS]:
            if sizes[index] >= MIN_SHARE * scores.size:
                pictures.append(picture)
                masks.append(labels == index + 1)
    empty = np.zeros((0, *objectness.shape[1:]), dtype=bool)
    return Regions(
        torch.tensor(pictures, dtype=torch.long, device=objectness.device),
        torch.from_numpy(np.stack(masks) if masks else empty).to(objectness.device),
    )


def crop_regions(image: Tensor, regions: Regions, size: int = CROP_SIZE) -> Tensor:
    """(B, 3, H, W) -> (R, 3, size, size), a square around each region; the picture's edge is continued outwards."""
    boxes = [_square(mask) for mask in regions.mask.cpu().numpy()]
    if not boxes:
        return image.new_zeros((0, 3, size, size))
    steps = (torch.arange(size, device=image.device) + 0.5) / size * 2 - 1
    grids = []
    for x, y, half_width, half_height in boxes:
        across, down = x + half_width * steps, y + half_height * steps
        grids.append(torch.stack([across.expand(size, size), down[:, None].expand(size, size)], dim=-1))
    picked = image[regions.picture]
    return F.grid_sample(picked, torch.stack(grids).to(picked.dtype), padding_mode="border", align_corners=False)


def _square(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Centre and half sides of a region's square, in the -1..1 coordinates of grid_sample."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    top, bottom, left, right = rows[0] / height, (rows[-1] + 1) / height, columns[0] / width, (columns[-1] + 1) / width
    half = max(bottom - top, right - left) * MARGIN
    return left + right - 1, top + bottom - 1, half, half
