"""Augmentation on the device: pure functions of a batch's tensors and of its clips' own random numbers.

Every function takes `draws` (B, n) in [0, 1), a row a clip, and uses its first columns: as many as its constant says.
A torchvision transform called on a batch would draw once for all clips; here each clip has its own parameters, and
they do not depend on the batch, the worker or the rank it came in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from soundspot.types import Inputs, UserError

CROP_DRAWS, FLIP_DRAWS, JITTER_DRAWS, GREY_DRAWS, BLUR_DRAWS = 4, 1, 6, 1, 2
PICTURE_DRAWS = CROP_DRAWS + FLIP_DRAWS + JITTER_DRAWS + GREY_DRAWS + BLUR_DRAWS
SHIFT_DRAWS = 1
SPEC_DRAWS = 5
KERNEL_SHARE = 0.1
"""The blur's kernel, as a share of the picture's side (SimCLR, arXiv 2002.05709, appendix A)."""


@dataclass(frozen=True)
class Photo:
    """How strongly a picture is changed."""

    scale: tuple[float, float] = (0.08, 1.0)
    """Share of the area that a crop keeps."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    """Probability, as are `jitter`, `grey` and `blur`."""
    jitter: float = 0.8
    brightness: float = 0.8
    contrast: float = 0.8
    saturation: float = 0.8
    hue: float = 0.2
    grey: float = 0.2
    blur: float = 0.5
    sigma: tuple[float, float] = (0.1, 2.0)


PHOTOS = {
    "simclr": Photo(),
    "moco_v2": Photo(scale=(0.2, 1.0), brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    "crop_flip": Photo(jitter=0.0, grey=0.0, blur=0.0),
}
"""Sets by name: SimCLR's (arXiv 2002.05709), MoCo v2's (arXiv 2003.04297), and crops and flips alone."""


def distort(image: Tensor, draws: Tensor, inputs: Inputs, photo: Photo) -> Tensor:
    """Normalised pictures (B, 3, H, W), draws (B, PICTURE_DRAWS) -> the same shape, each changed in its own way."""
    given = _columns(draws, len(image), PICTURE_DRAWS)
    mean, std = (image.new_tensor(values).view(3, 1, 1) for values in (inputs.image_mean, inputs.image_std))
    changed = [_distort_one(one * std + mean, row, photo) for one, row in zip(image, given, strict=True)]
    return (torch.stack(changed) - mean) / std


def time_shift(audio: Tensor, draws: Tensor) -> Tensor:
    """(B, 1, F, T), draws (B, SHIFT_DRAWS) -> each spectrogram rolled along time by its own amount."""
    steps = audio.shape[-1]
    shifts = (_columns_tensor(draws, len(audio), SHIFT_DRAWS)[:, 0] * steps).long()
    index = (torch.arange(steps, device=audio.device) - shifts[:, None]) % steps
    return audio.gather(-1, index[:, None, None].expand_as(audio))


def spec_augment(
    audio: Tensor, draws: Tensor, *, time: int, frequency: int, probability: float = 1.0, fill: float = 0.0
) -> Tensor:
    """(B, 1, F, T), draws (B, SPEC_DRAWS) -> a band of up to `frequency` rows and one of up to `time` columns `fill`.

    SpecAugment (Park et al., arXiv 1904.08779) without warping; a clip is changed with `probability`.
    """
    given = _columns_tensor(draws, len(audio), SPEC_DRAWS)
    chosen = given[:, 0] < probability
    rows = _band(audio.shape[-2], frequency, given[:, 1], given[:, 2])[:, None, :, None]
    columns = _band(audio.shape[-1], time, given[:, 3], given[:, 4])[:, None, None, :]
    return audio.masked_fill((rows | columns) & chosen[:, None, None, None], fill)


def _band(size: int, widest: int, width: Tensor, place: Tensor) -> Tensor:
    """(B,), (B,) in [0, 1) -> (B, size) bool, one run of true a row."""
    widths = (width * (min(widest, size) + 1)).long()
    starts = (place * (size - widths + 1)).long()
    index = torch.arange(size, device=width.device)
    return (index >= starts[:, None]) & (index < (starts + widths)[:, None])


def _distort_one(picture: Tensor, row: list[float], photo: Photo) -> Tensor:
    """(3, H, W) in 0..1."""
    numbers = iter(row)
    picture = _crop(picture, [next(numbers) for _ in range(CROP_DRAWS)], photo)
    if next(numbers) < photo.flip:
        picture = picture.flip(-1)
    jitter = [next(numbers) for _ in range(JITTER_DRAWS)]
    if jitter[0] < photo.jitter:
        picture = _jitter(picture, jitter[1:], photo)
    if next(numbers) < photo.grey:
        picture = tv.rgb_to_grayscale(picture, num_output_channels=3)
    if next(numbers) < photo.blur:
        low, high = photo.sigma
        size = max(3, int(KERNEL_SHARE * picture.shape[-1]) // 2 * 2 + 1)
        picture = tv.gaussian_blur(picture, [size, size], [low + (high - low) * next(numbers)])
    return picture


def _crop(picture: Tensor, row: list[float], photo: Photo) -> Tensor:
    """A rectangle of drawn area and shape, resized to the whole; where it does not fit, as large as it can be."""
    height, width = picture.shape[-2:]
    area = height * width * (photo.scale[0] + (photo.scale[1] - photo.scale[0]) * row[0])
    low, high = (math.log(value) for value in photo.ratio)
    ratio = math.exp(low + (high - low) * row[1])
    cut_width = min(width, max(1, round(math.sqrt(area * ratio))))
    cut_height = min(height, max(1, round(math.sqrt(area / ratio))))
    top, left = int(row[2] * (height - cut_height + 1)), int(row[3] * (width - cut_width + 1))
    piece = picture[:, top : top + cut_height, left : left + cut_width]
    return F.interpolate(piece[None], size=(height, width), mode="bilinear", antialias=True)[0].clamp(0, 1)


def _jitter(picture: Tensor, row: list[float], photo: Photo) -> Tensor:
    """Brightness, contrast, saturation and hue, in an order that is drawn too."""
    factors = [max(0.0, 1 + strength * (2 * u - 1)) for strength, u in zip(_strengths(photo), row, strict=False)]
    steps = [
        lambda x: tv.adjust_brightness(x, factors[0]),
        lambda x: tv.adjust_contrast(x, factors[1]),
        lambda x: tv.adjust_saturation(x, factors[2]),
        lambda x: tv.adjust_hue(x, photo.hue * (2 * row[3] - 1)),
    ]
    order = int(row[4] * math.factorial(len(steps)))
    while steps:
        order, index = divmod(order, len(steps))
        picture = steps.pop(index)(picture)
    return picture


def _strengths(photo: Photo) -> tuple[float, float, float]:
    return photo.brightness, photo.contrast, photo.saturation


def _columns_tensor(draws: Tensor, size: int, count: int) -> Tensor:
    if draws.ndim != 2 or len(draws) != size or draws.shape[1] < count:
        raise UserError(f"expected draws ({size}, {count} or more), got {tuple(draws.shape)}; give a row a clip")
    return draws[:, :count]


def _columns(draws: Tensor, size: int, count: int) -> list[list[float]]:
    """As plain numbers: parameters of library calls. One transfer for the batch."""
    rows: list[list[float]] = _columns_tensor(draws, size, count).tolist()
    return rows
