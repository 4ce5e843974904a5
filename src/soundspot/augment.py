"""Augmentation on the device: pure functions of a batch's tensors and of its clips' own random numbers.

Every function takes `draws` (B, n) in [0, 1), a row a clip, and uses its first columns: as many as its constant says.
A torchvision transform called on a batch would draw once for all clips; here each clip has its own parameters, and
they do not depend on the batch, the worker or the rank it came in.

Draws lie on the host, as `Batch.draws` does. What follows from them, which clips are changed and how, is worked out
there for the whole batch and sent to the device in small tensors: the device is never asked for a number, so that the
host never waits for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from soundspot.device import on_device
from soundspot.types import Inputs, UserError

CROP_DRAWS, FLIP_DRAWS, JITTER_DRAWS, GREY_DRAWS, BLUR_DRAWS = 4, 1, 6, 1, 2
PICTURE_DRAWS = CROP_DRAWS + FLIP_DRAWS + JITTER_DRAWS + GREY_DRAWS + BLUR_DRAWS
SHIFT_DRAWS = 1
SPEC_DRAWS = 5
KERNEL_SHARE = 0.1
"""The blur's kernel, as a share of the picture's side (SimCLR, arXiv 2002.05709, appendix A)."""
LUMA = (0.2989, 0.587, 0.114)
"""Red, green and blue in a grey: torchvision's."""


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
    given = _columns(draws, len(image), PICTURE_DRAWS).double()
    crop, flip, jitter, grey, blur = given.split([CROP_DRAWS, FLIP_DRAWS, JITTER_DRAWS, GREY_DRAWS, BLUR_DRAWS], dim=1)
    mean, std = (
        on_device(torch.tensor(values), image.device).view(3, 1, 1) for values in (inputs.image_mean, inputs.image_std)
    )
    with torch.autocast(image.device.type, enabled=False):  # half precision would show in the picture
        made = _crop(image.float() * std + mean, crop, flip[:, 0] < photo.flip, photo)
        _change(made, jitter[:, 0] < photo.jitter, lambda some, rows: _jitter(some, jitter[rows, 1:], photo))
        _change(made, grey[:, 0] < photo.grey, lambda some, _: _grey(some).expand_as(some))
        _change(made, blur[:, 0] < photo.blur, lambda some, rows: _blur(some, blur[rows, 1], photo))
        return made.sub_(mean).div_(std)


def time_shift(audio: Tensor, draws: Tensor) -> Tensor:
    """(B, 1, F, T), draws (B, SHIFT_DRAWS) -> each spectrogram rolled along time by its own amount."""
    steps = audio.shape[-1]
    shifts = (_columns(draws, len(audio), SHIFT_DRAWS) * steps).long()
    index = (torch.arange(steps, device=audio.device) - on_device(shifts, audio.device)) % steps
    return audio.gather(-1, index[:, None, None].expand_as(audio))


def spec_augment(
    audio: Tensor, draws: Tensor, *, time: int, frequency: int, probability: float = 1.0, fill: float = 0.0
) -> Tensor:
    """(B, 1, F, T), draws (B, SPEC_DRAWS) -> a band of up to `frequency` rows and one of up to `time` columns `fill`.

    SpecAugment (Park et al., arXiv 1904.08779) without warping; a clip is changed with `probability`.
    """
    given = _columns(draws, len(audio), SPEC_DRAWS)
    chosen = given[:, :1] < probability
    rows = _band(audio.shape[-2], frequency, given[:, 1], given[:, 2]) & chosen
    columns = _band(audio.shape[-1], time, given[:, 3], given[:, 4]) & chosen
    rows, columns = (on_device(band, audio.device) for band in (rows, columns))
    return audio.masked_fill(rows[:, None, :, None] | columns[:, None, None, :], fill)


def _band(size: int, widest: int, width: Tensor, place: Tensor) -> Tensor:
    """(B,), (B,) in [0, 1) -> (B, size) bool, one run of true a row."""
    widths = (width * (min(widest, size) + 1)).long()
    starts = (place * (size - widths + 1)).long()
    index = torch.arange(size)
    return (index >= starts[:, None]) & (index < (starts + widths)[:, None])


def _change(pictures: Tensor, chosen: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> None:
    """In place, the pictures that `chosen` (B,) names; `change` gets them and their numbers, which the host knows."""
    rows = chosen.nonzero()[:, 0]
    if len(rows):
        there = on_device(rows, pictures.device)
        pictures.index_copy_(0, there, change(pictures.index_select(0, there), rows))


def _crop(pictures: Tensor, draws: Tensor, mirrored: Tensor, photo: Photo) -> Tensor:
    """A rectangle of drawn area and shape, resized to the whole; where it does not fit, as large as it can be."""
    height, width = pictures.shape[-2:]
    area = height * width * (photo.scale[0] + (photo.scale[1] - photo.scale[0]) * draws[:, 0])
    low, high = (math.log(value) for value in photo.ratio)
    ratio = (low + (high - low) * draws[:, 1]).exp()
    cut_height = (area / ratio).sqrt().round().clamp(1, height)
    cut_width = (area * ratio).sqrt().round().clamp(1, width)
    top, left = (draws[:, 2] * (height - cut_height + 1)).floor(), (draws[:, 3] * (width - cut_width + 1)).floor()
    rows, columns = _places(height, top, cut_height), _places(width, left, cut_width)
    columns = torch.where(mirrored[:, None, None], columns.flip(2), columns)
    # whole rows are picked faster than single pixels, even with the picture laid on its side for it and back
    return _between(_between(pictures, rows).mT, columns).mT.contiguous().clamp_(0, 1)


def _places(size: int, start: Tensor, length: Tensor) -> Tensor:
    """(B,), (B,) -> (B, 3, size): a piece stretched to `size` pixels, each between which two, and how far (bilinear).

    A piece is never longer than what it is stretched to, so antialiasing would add no third pixel.
    """
    steps = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    places = (steps * length[:, None] - 0.5).clamp_min(0).minimum(length[:, None] - 1)
    below = places.floor()
    above = (below + 1).minimum(length[:, None] - 1)
    return torch.stack([start[:, None] + below, start[:, None] + above, places - below], dim=1)


def _between(pictures: Tensor, places: Tensor) -> Tensor:
    """(B, C, H, W), places (B, 3, H) -> (B, C, H, W): each row a mean of two."""
    count, channels, height, width = pictures.shape
    planes = torch.arange(count * channels, device=pictures.device).view(count, channels, 1) * height
    numbers = on_device(places[:, :2].long(), pictures.device)
    rows = pictures.reshape(-1, width)
    below, above = (
        rows.index_select(0, (planes + numbers[:, side, None]).view(-1)).view(pictures.shape) for side in (0, 1)
    )
    return below.lerp_(above, on_device(places[:, 2].float(), pictures.device)[:, None, :, None])


def _jitter(pictures: Tensor, draws: Tensor, photo: Photo) -> Tensor:
    """Brightness, contrast, saturation and hue, in an order that is drawn too; changes what it is given."""
    strengths = torch.tensor([photo.brightness, photo.contrast, photo.saturation])
    factors = (1 + strengths * (2 * draws[:, :3] - 1)).clamp_min(0)
    turns = photo.hue * (2 * draws[:, 3] - 1)
    order = torch.tensor(_ORDERS)[(draws[:, 4] * len(_ORDERS)).long()]
    for place in range(order.shape[1]):
        kind = order[:, place]
        weights = torch.cat([factors, torch.ones_like(factors[:, :1])], dim=1).gather(1, kind[:, None])[:, 0]
        _mix(pictures, weights, kind == _CONTRAST, kind == _SATURATION)
        _change(pictures, kind == _HUE, lambda some, rows: _turn_hue(some, turns[rows]))
    return pictures


_CONTRAST, _SATURATION, _HUE = 1, 2, 3
"""Numbers of the changes of colour; 0 is brightness."""


def _order(number: int) -> list[int]:
    """The order of four changes that has this number among all 24."""
    left, order = [0, _CONTRAST, _SATURATION, _HUE], []
    while left:
        number, index = divmod(number, len(left))
        order.append(left.pop(index))
    return order


_ORDERS = [_order(number) for number in range(math.factorial(4))]


def _mix(pictures: Tensor, weights: Tensor, to_mean: Tensor, to_grey: Tensor) -> None:
    """In place, each picture's share by `weights` (B,): the rest is its mean grey, its own greys, or black."""
    grey = _grey(pictures)
    mean = grey.mean(dim=-1, keepdim=True).mean(dim=-2, keepdim=True)  # by rows first: the same whatever the batch
    shares = torch.stack([weights, (1 - weights) * to_mean, (1 - weights) * to_grey]).float()
    own, of_mean, of_grey = on_device(shares, pictures.device)[..., None, None, None]
    pictures.mul_(own).add_(grey.mul_(of_grey).add_(mean * of_mean)).clamp_(0, 1)


def _grey(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W)."""
    red, green, blue = pictures.split(1, dim=1)
    return red.mul(LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def _turn_hue(pictures: Tensor, turns: Tensor) -> Tensor:
    """(B, 3, H, W), shares of a whole turn (B,) -> the same with other hues, by HSV and back."""
    red, green, blue = pictures.unbind(dim=1)
    low, high = pictures.aminmax(dim=1)
    spread = high - low
    divisor = torch.where(spread == 0, 1.0, spread)
    of_red, of_green, of_blue = (green - blue) / divisor, 2 + (blue - red) / divisor, 4 + (red - green) / divisor
    hue = torch.where(high == red, of_red, torch.where(high == green, of_green, of_blue))  # in sixths of a turn
    hue += on_device(6 * turns.float(), pictures.device)[:, None, None]
    # a channel is at its highest for two sixths of a turn, at its lowest for two, and goes evenly between them
    channels = [(hue + shift).remainder_(6) for shift in (5, 3, 1)]
    return torch.stack([high - spread * torch.minimum(at, 4 - at).clamp_(0, 1) for at in channels], dim=1)


def _blur(pictures: Tensor, draws: Tensor, photo: Photo) -> Tensor:
    """Each by its own Gaussian, along rows and then along columns; mirrored at the edges."""
    count, channels, height, width = pictures.shape
    size = max(3, int(KERNEL_SHARE * width) // 2 * 2 + 1)
    low, high = photo.sigma
    sigma = low + (high - low) * draws
    away = torch.linspace(-1, 1, size, dtype=torch.float64) * (size - 1) / 2
    kernels = ((away / sigma[:, None]).square() / -2).softmax(dim=1).float().repeat_interleave(channels, dim=0)
    weights = on_device(kernels, pictures.device)[:, None]
    sides = (size // 2,) * 4
    rows = F.pad(pictures, sides, mode="reflect").reshape(1, count * channels, height + size - 1, width + size - 1)
    blurred = F.conv2d(
        F.conv2d(rows, weights[..., None, :], groups=len(kernels)), weights[..., None], groups=len(kernels)
    )
    return blurred.view_as(pictures)


def _columns(draws: Tensor, size: int, count: int) -> Tensor:
    """The first `count` of each clip's numbers, on the host."""
    if draws.ndim != 2 or len(draws) != size or draws.shape[1] < count:
        raise UserError(f"expected draws ({size}, {count} or more), got {tuple(draws.shape)}; give a row a clip")
    return draws[:, :count]
