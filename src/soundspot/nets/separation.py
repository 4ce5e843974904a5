"""Sounds as spectrograms and back, a logarithmic axis of frequency, and masks that split a mixture.

After Sound of Pixels (ECCV 2018, arXiv 1804.03160): a network looks at the logarithm of a mixture's magnitudes on a
logarithmic axis and says which share of each point a source has; the shares go back to the linear axis, onto the
mixture's own complex spectrum, and from there to a waveform.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from soundspot.types import UserError

AXIS_BASE = 21.0
"""How much steeper the logarithmic axis is at its top than at its bottom; as published."""
MAGNITUDE_FLOOR = 1e-10
"""Added to a mixture's magnitudes before the logarithm, as published."""
WEIGHTS = (1e-3, 10.0)
"""Bounds of a point's weight in the loss, as published."""
LARGEST_RATIO = 5.0
"""Sources that cancel have shares of their mixture beyond 1; as published they are cut off here."""


@dataclass(frozen=True)
class Stft:
    """A short-time Fourier transform with a logarithmic axis beside the linear one. UserError for impossible sizes."""

    n_fft: int = 1022
    """Samples of a frame; there are n_fft / 2 + 1 linear rows, 512 as published."""
    hop: int = 256
    bins: int = 256
    """Rows of the logarithmic axis."""

    def __post_init__(self) -> None:
        if self.n_fft < 4 or self.n_fft % 2 or not 1 <= self.hop <= self.n_fft // 2 or self.bins < 2:
            raise UserError(
                "expected an even n_fft of 4 or more, a hop of 1 to n_fft / 2, and 2 bins or more, got"
                f" n_fft={self.n_fft}, hop={self.hop}, bins={self.bins}; change them"
            )

    @property
    def rows(self) -> int:
        """Of the linear axis."""
        return self.n_fft // 2 + 1

    def spectrum(self, waves: Tensor) -> Tensor:
        """(..., N) -> complex64 (..., rows, 1 + N // hop): Hann frames, centred, with silence beyond the ends."""
        with torch.autocast(waves.device.type, enabled=False):
            found = torch.stft(
                waves.float().flatten(0, -2) if waves.ndim > 1 else waves.float()[None],
                self.n_fft,
                self.hop,
                window=torch.hann_window(self.n_fft, device=waves.device),
                pad_mode="constant",
                return_complex=True,
            )
        return found.view(*waves.shape[:-1], *found.shape[-2:])

    def waves(self, spectrum: Tensor, num_samples: int) -> Tensor:
        """Complex (..., rows, T) -> (..., num_samples); inverts `spectrum`."""
        with torch.autocast(spectrum.device.type, enabled=False):
            found = torch.istft(
                spectrum.flatten(0, -3) if spectrum.ndim > 2 else spectrum[None],
                self.n_fft,
                self.hop,
                window=torch.hann_window(self.n_fft, device=spectrum.device),
                length=num_samples,
            )
        return found.view(*spectrum.shape[:-2], num_samples)

    def warp(self, linear: Tensor) -> Tensor:
        """(..., rows, T) -> (..., bins, T): the linear axis read at the logarithmic one's places, blended between."""
        return _read_rows(linear, _log_places(self.bins, self.rows))

    def unwarp(self, log: Tensor) -> Tensor:
        """(..., bins, T) -> (..., rows, T), back; fine detail at high frequencies, where rows are few, is lost."""
        return _read_rows(log, _linear_places(self.rows, self.bins))

    def energy(self, masks: Tensor, power: Tensor) -> Tensor:
        """Masks (B, R, bins, T) on a sound's squared magnitudes (B, rows, T) -> (B, R), what they let through.

        The sum of unwarp(masks)² power, multiplied out: the linear rows, of which there are more, are never made.
        """
        first, share = _blend(_linear_places(self.rows, self.bins), power)
        none = power.new_zeros(len(power), self.bins, power.shape[-1])
        squares = none.index_add(1, first, power * (1 - share).square()).index_add(1, first + 1, power * share.square())
        products = none.index_add(1, first, 2 * power * share * (1 - share))[:, :-1]
        through = torch.einsum("brft,bft->br", masks.square(), squares)
        return through + torch.einsum("brft,bft->br", masks[:, :, :-1] * masks[:, :, 1:], products)


@lru_cache(maxsize=16)
def _log_places(bins: int, rows: int) -> npt.NDArray[np.float64]:
    """Where on `rows` linear rows each of `bins` logarithmic ones lies: first on first, last on last."""
    return _within((AXIS_BASE ** np.linspace(0, 1, bins) - 1) / (AXIS_BASE - 1), rows)


@lru_cache(maxsize=16)
def _linear_places(rows: int, bins: int) -> npt.NDArray[np.float64]:
    """The inverse: where on `bins` logarithmic rows each of `rows` linear ones lies."""
    return _within(np.log1p((AXIS_BASE - 1) * np.linspace(0, 1, rows)) / np.log(AXIS_BASE), bins)


def _within(shares: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """0..1 along an axis -> its rows, the ends exactly on the first and the last whatever was rounded."""
    return np.clip(shares, 0, 1) * (count - 1)


def _read_rows(x: Tensor, places: npt.NDArray[np.float64]) -> Tensor:
    """(..., F, T) read at fractional rows -> (..., len(places), T)."""
    first, share = _blend(places, x)
    return torch.lerp(x.index_select(-2, first), x.index_select(-2, first + 1), share)


def _blend(places: npt.NDArray[np.float64], like: Tensor) -> tuple[Tensor, Tensor]:
    """Fractional rows -> the row below each (P,), and the share (P, 1) of the row after it."""
    lower = np.minimum(np.floor(places), np.ceil(places.max()) - 1)  # the last row has none after it
    share = torch.from_numpy(places - lower).to(like.device, like.dtype)
    return torch.from_numpy(lower.astype(np.int64)).to(like.device), share[:, None]


def heard(magnitude: Tensor) -> Tensor:
    """Magnitudes of a mixture -> their logarithm, what the network listens to."""
    return (magnitude + MAGNITUDE_FLOOR).log()


def loudness_weights(magnitude: Tensor) -> Tensor:
    """Magnitudes of a mixture -> each point's weight in the loss, log(1 + magnitude) within WEIGHTS."""
    return magnitude.log1p().clamp(*WEIGHTS)


def dominant(sources: Tensor, mixture: Tensor) -> Tensor:
    """(N, B, F, T), (B, F, T) magnitudes -> 1 where a source is as loud as the loudest, else 0 (the paper's rule)."""
    return (sources >= sources.amax(dim=0)).to(sources.dtype)


def half(sources: Tensor, mixture: Tensor) -> Tensor:
    """The same, 1 where a source has over half of the mixture's magnitude (the published code's rule)."""
    return (sources > 0.5 * (mixture + MAGNITUDE_FLOOR)).to(sources.dtype)


def ratio(sources: Tensor, mixture: Tensor) -> Tensor:
    """The same, each source's magnitude over the mixture's, up to LARGEST_RATIO."""
    return (sources / (mixture + MAGNITUDE_FLOOR)).clamp_max(LARGEST_RATIO)


Target = Callable[[Tensor, Tensor], Tensor]
"""What a network should say of sources (N, B, F, T) in their mixture (B, F, T)."""
