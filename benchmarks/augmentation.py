"""Augmentation of a batch at once against torchvision's calls, a clip at a time.

    python benchmarks/augmentation.py [--batch 64] [--size 224] [--repeats 5] [--device cpu|cuda]

Both make the same pictures of the same numbers (tests/test_augment_reference.py). On the CPU and, where there is one,
on a GPU. Prints milliseconds a picture of each set of PHOTOS, the median of repeated rounds in which ours and the loop
alternate, and the ratio; on a GPU also what the host alone spends, until it may go on to the next batch.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from soundspot.augment import PHOTOS, Photo, distort
from soundspot.data.training import augmentation_numbers
from soundspot.device import on_device
from soundspot.train.allocation import keep_freed_memory
from soundspot.types import Inputs

INPUTS = Inputs()


def by_clip(image: Tensor, draws: Tensor, photo: Photo) -> Tensor:
    """The loop: each clip's numbers as arguments of library calls."""
    mean, std = (
        on_device(torch.tensor(each), image.device).view(3, 1, 1) for each in (INPUTS.image_mean, INPUTS.image_std)
    )
    made = [_one(each * std + mean, row, photo) for each, row in zip(image, draws.tolist(), strict=True)]
    return (torch.stack(made) - mean) / std


def _one(picture: Tensor, row: list[float], photo: Photo) -> Tensor:
    height, width = picture.shape[-2:]
    area = height * width * (photo.scale[0] + (photo.scale[1] - photo.scale[0]) * row[0])
    low, high = (math.log(value) for value in photo.ratio)
    ratio = math.exp(low + (high - low) * row[1])
    cut_width = min(width, max(1, round(math.sqrt(area * ratio))))
    cut_height = min(height, max(1, round(math.sqrt(area / ratio))))
    top, left = int(row[2] * (height - cut_height + 1)), int(row[3] * (width - cut_width + 1))
    piece = picture[:, top : top + cut_height, left : left + cut_width]
    picture = F.interpolate(piece[None], size=(height, width), mode="bilinear", antialias=True)[0].clamp(0, 1)
    if row[4] < photo.flip:
        picture = picture.flip(-1)
    if row[5] < photo.jitter:
        picture = _jitter(picture, row[6:11], photo)
    if row[11] < photo.grey:
        picture = tv.rgb_to_grayscale(picture, num_output_channels=3)
    if row[12] < photo.blur:
        size = max(3, int(0.1 * width) // 2 * 2 + 1)
        sigma = photo.sigma[0] + (photo.sigma[1] - photo.sigma[0]) * row[13]
        picture = tv.gaussian_blur(picture, [size, size], [sigma])
    return picture


def _jitter(picture: Tensor, row: list[float], photo: Photo) -> Tensor:
    brightness, contrast, saturation = (
        max(0.0, 1 + strength * (2 * number - 1))
        for strength, number in zip((photo.brightness, photo.contrast, photo.saturation), row, strict=False)
    )
    steps: list[Callable[[Tensor], Tensor]] = [
        lambda x: tv.adjust_brightness(x, brightness),
        lambda x: tv.adjust_contrast(x, contrast),
        lambda x: tv.adjust_saturation(x, saturation),
        lambda x: tv.adjust_hue(x, photo.hue * (2 * row[3] - 1)),
    ]
    order = int(row[4] * 24)
    while steps:
        order, index = divmod(order, len(steps))
        picture = steps.pop(index)(picture)
    return picture


def seconds(work: Callable[[], Tensor], device: torch.device) -> tuple[float, float]:
    """Until all is done, and until the host may go on."""
    _wait(device)
    start = time.perf_counter()
    work()
    told = time.perf_counter() - start
    _wait(device)
    return time.perf_counter() - start, told


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def compare(name: str, device: torch.device, batch: int, size: int, repeats: int) -> None:
    """One line: a set of PHOTOS on a device."""
    photo = PHOTOS[name]
    image = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    draws = torch.stack([torch.from_numpy(augmentation_numbers(0, 0, str(number))) for number in range(batch)])
    ways = {
        "ours": lambda: distort(image, draws, INPUTS, photo),
        "loop": lambda: by_clip(image, draws, photo),
    }
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for number in range(repeats + 1):  # the first round warms up
        for way, work in ways.items():
            measured = seconds(work, device)
            if number:
                taken[way].append(measured)
    ours, loop = (statistics.median(all_done for all_done, _ in taken[way]) for way in ("ours", "loop"))
    line = (
        f"{name} on {device.type}: {1e3 * ours / batch:.3f} ms a picture, torchvision by clip {1e3 * loop / batch:.3f}"
    )
    print(f"{line}, ratio {loop / ours:.2f}")
    if device.type == "cuda":
        hosts = [1e3 * statistics.median(told for _, told in taken[way]) for way in ("ours", "loop")]
        print(f"  the host may go on after {hosts[0]:.2f} ms a batch, with the loop after {hosts[1]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("--batch", 64), ("--size", 224), ("--repeats", 5)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--device", choices=("cpu", "cuda"), help="One of them only.")
    given = parser.parse_args()
    keep_freed_memory()  # as `soundspot train` does
    there = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    gpu = f", {torch.cuda.get_device_name()}" if "cuda" in there else ""
    print(f"batch {given.batch} of {given.size} x {given.size}, {torch.get_num_threads()} threads{gpu}")
    for device in [given.device] if given.device else there:
        for name in PHOTOS:
            compare(name, torch.device(device), given.batch, given.size, given.repeats)


if __name__ == "__main__":
    main()
