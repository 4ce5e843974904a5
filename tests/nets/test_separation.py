"""Spectrograms with a logarithmic axis, masks, and the U-Net that looks at them, by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.nets.separation import Stft, dominant, half, heard, loudness_weights, ratio
from soundspot.nets.unet import UNet

PUBLISHED = Stft()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5000), st.sampled_from([(1022, 256), (126, 63), (64, 16)]), st.integers(0, 99))
def test_a_mask_of_ones_gives_the_sound_back(num_samples, sizes, seed):
    stft = Stft(*sizes, bins=16)
    waves = torch.randn(2, num_samples, generator=torch.Generator().manual_seed(seed))
    spectrum = stft.spectrum(waves)
    assert spectrum.shape == (2, sizes[0] // 2 + 1, 1 + num_samples // sizes[1])
    ones = stft.unwarp(torch.ones(2, 16, spectrum.shape[-1]))
    torch.testing.assert_close(stft.waves(ones * spectrum, num_samples), waves, rtol=0, atol=1e-4)


def test_the_axis_is_the_published_one():
    """Row u of 0..1 lies at (21^u - 1) / 20 of the linear axis; the inverse is log(1 + 20 f) / log 21."""
    ramp = torch.linspace(0, 1, 512, dtype=torch.float64)[:, None]
    warped = PUBLISHED.warp(ramp)[:, 0]
    torch.testing.assert_close(warped, (21 ** torch.linspace(0, 1, 256, dtype=torch.float64) - 1) / 20)
    back = PUBLISHED.unwarp(torch.linspace(0, 1, 256, dtype=torch.float64)[:, None])[:, 0]
    torch.testing.assert_close(back, torch.log1p(20 * ramp[:, 0]) / math.log(21))


def test_there_and_back_smooth_masks_are_nearly_the_same():
    rows = torch.linspace(0, 1, 512)[:, None]
    smooth = 0.5 + 0.5 * torch.cos(2 * math.pi * (3 * rows + torch.linspace(0, 1, 7)))
    assert (PUBLISHED.unwarp(PUBLISHED.warp(smooth)) - smooth).abs().max() < 5e-3
    bands = 0.5 + 0.5 * torch.cos(2 * math.pi * 2 * torch.linspace(0, 1, 256)[:, None].expand(-1, 7))
    assert (PUBLISHED.warp(PUBLISHED.unwarp(bands)) - bands).abs().max() < 5e-3


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 40), st.integers(2, 20), st.integers(0, 99))
def test_energy_is_that_of_the_masked_spectrum(bins, half_frame, seed):
    draw = torch.Generator().manual_seed(seed)
    stft = Stft(2 * half_frame, 1, bins)
    masks = torch.rand(2, 3, bins, 5, generator=draw, dtype=torch.float64)
    power = torch.rand(2, stft.rows, 5, generator=draw, dtype=torch.float64)
    expected = (stft.unwarp(masks).square() * power[:, None]).sum(dim=(-2, -1))
    torch.testing.assert_close(stft.energy(masks, power), expected)


def test_masks_by_hand():
    sources = torch.tensor([3.0, 1.0, 2.0, 0.0])[:, None, None, None] * torch.tensor([1.0, 1.0])
    sources[:, ..., 1] = torch.tensor([1.0, 1.0, 0.5, 8.0])[:, None, None]
    mixture = torch.tensor([4.0, 1.0])[None, None]
    assert dominant(sources, mixture)[:, 0, 0].T.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]
    assert half(sources, mixture)[:, 0, 0].T.tolist() == [[1, 0, 0, 0], [1, 1, 0, 1]]
    torch.testing.assert_close(ratio(sources, mixture)[:, 0, 0, 1], torch.tensor([1.0, 1.0, 0.5, 5.0]))
    torch.testing.assert_close(ratio(sources, mixture)[:, 0, 0, 0], torch.tensor([0.75, 0.25, 0.5, 0.0]))
    torch.testing.assert_close(loudness_weights(torch.tensor([0.0, 1.0, 1e9])), torch.tensor([1e-3, math.log(2), 10]))
    torch.testing.assert_close(heard(torch.tensor([0.0, 1.0])), torch.tensor([math.log(1e-10), 0.0]))


@pytest.mark.parametrize(("height", "width"), [(256, 256), (32, 33), (17, 1), (1, 5)])
def test_the_u_net_takes_any_size(height, width):
    net = UNet(3, levels=5, width=2).eval()
    assert net(torch.randn(2, 1, height, width)).shape == (2, 3, height, width)


def test_the_u_net_has_the_published_widths():
    """4 x 4 down, 3 x 3 up, norms but at the ends, a bias for the last; two inputs on every way up but the lowest."""
    down = [1, 64, 128, 256, 512, 512, 512, 512]
    convolutions = sum(16 * a * b for a, b in pairwise(down))
    up = [(512, 512), (1024, 512), (1024, 512), (1024, 256), (512, 128), (256, 64), (128, 32)]
    convolutions += sum(9 * a * b for a, b in up) + 32
    norms = 2 * (1 + sum(down[2:7]) + sum(b for _, b in up[:-1]))
    assert sum(parameter.numel() for parameter in UNet(32).parameters()) == convolutions + norms
