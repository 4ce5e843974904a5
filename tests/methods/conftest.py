"""Small batches, small towers and the parity tolerance, for the tests of methods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from any_batch import noise_batch
from soundspot import nets
from soundspot.types import Batch


class TinyTower(nn.Sequential):
    """Convolution, batch norm, ReLU: a tower whose weights a test can set by hand."""

    def __init__(self, channels_in: int, kernel: tuple[int, int], channels: int = 16) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels, kernel_size=kernel, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.channels = channels


def tiny_image(*, output_stride: int, pretrained: Path | None) -> TinyTower:
    """(B, 3, H, W) -> (B, 16, H, W)."""
    return TinyTower(3, (1, 1))


def tiny_audio(*, output_stride: int, pretrained: Path | None) -> TinyTower:
    """(B, 1, 6, 1) -> (B, 16, 1, 1)."""
    return TinyTower(1, (6, 1))


@pytest.fixture
def tiny_towers(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Registers the tiny towers; gives the options that choose them."""
    monkeypatch.setitem(nets.TOWERS, "tiny_image", tiny_image)
    monkeypatch.setitem(nets.TOWERS, "tiny_audio", tiny_audio)
    return {"image_backbone": "tiny_image", "audio_backbone": "tiny_audio"}


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    """A function that makes a batch of noise: `size` clips, pictures (H, W), spectrograms (F, T), and nothing more."""

    def make(size: int = 4, image: tuple[int, int] = (64, 64), audio: tuple[int, int] = (65, 48)) -> Batch:
        whole = noise_batch(size, image, audio)
        return Batch(whole.image, whole.audio, whole.clip_ids)

    return make


@pytest.fixture
def close() -> Callable[..., None]:
    """A function that asserts |got - expected| <= atol + rtol * max|expected| over the whole array."""

    def check(got: Tensor, expected: np.ndarray, *, atol: float = 2e-5, rtol: float = 5e-5) -> None:
        assert tuple(got.shape) == expected.shape
        limit = atol + rtol * float(np.abs(expected).max())
        worst = float(np.abs(got.detach().numpy().astype(np.float64) - expected).max())
        assert worst <= limit, f"differs by {worst}, allowed {limit}"

    return check
