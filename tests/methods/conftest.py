"""Small batches, small towers and the parity tolerance, for the tests of methods."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tiny_tower import tiny_audio, tiny_image
from torch import Tensor

from any_batch import noise_batch
from soundspot import nets
from soundspot.types import Batch


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
