"""Pictures and sounds as people have them: arrays, tensors, PIL pictures, paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from soundspot.media.image import read_image
from soundspot.media.sound import Layout, resampled
from soundspot.media.video import probe, read_waveform
from soundspot.types import UserError

Picture = Any
"""(H, W, 3) uint8 array or tensor, a PIL picture, or a path."""
Sound = Any
"""(N,) or (2, N) samples in -1..1, array or tensor, or a path."""


def picture_of(image: Picture) -> npt.NDArray[np.uint8]:
    """-> (H, W, 3) uint8. UserError for what is no picture."""
    if isinstance(image, str | Path):
        return read_image(Path(image))
    if hasattr(image, "convert"):  # PIL, without importing it
        image = image.convert("RGB")
    pixels = _array(image)
    if pixels.ndim == 3 and pixels.shape[0] == 3 and pixels.shape[2] != 3:
        pixels = pixels.transpose(1, 2, 0)  # as torchvision reads them
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise UserError(
            f"expected a picture (H, W, 3) of uint8, a PIL picture or a path, got {pixels.dtype} {pixels.shape};"
            " convert it"
        )
    return np.ascontiguousarray(pixels)


def sound_of(sound: Sound, sample_rate: int | None, wanted_rate: int) -> npt.NDArray[np.float32]:
    """-> (C, N) float32 at `wanted_rate`, C 1 or 2. UserError for what is no sound."""
    if isinstance(sound, str | Path):
        layout: Layout = "stereo" if (probe(sound).channels or 1) > 1 else "mono"
        return read_waveform(sound, sample_rate=wanted_rate, layout=layout).samples
    samples = _array(sound)
    if not np.issubdtype(samples.dtype, np.floating) or samples.ndim not in (1, 2) or not samples.size:
        raise UserError(
            f"expected samples (N,) or (2, N) of floats in -1..1, or a path, got {samples.dtype} {samples.shape};"
            " convert them"
        )
    rows = np.atleast_2d(samples).astype(np.float32)
    if len(rows) > 2:
        raise UserError(f"expected one or two channels of samples, got {rows.shape}; give (N,) or (2, N)")
    if not np.isfinite(rows).all():
        raise UserError("expected finite samples, got NaN or infinity among them; mend the sound")
    return resampled(rows, wanted_rate if sample_rate is None else sample_rate, wanted_rate)


def _array(given: Any) -> npt.NDArray[Any]:
    """Of a torch tensor wherever it lies, without importing torch."""
    if hasattr(given, "detach"):
        given = given.detach().cpu()
        given = given.float() if given.is_floating_point() else given
    try:
        return np.asarray(given)
    except ValueError:  # rows of unequal lengths
        return np.asarray(given, dtype=object)
