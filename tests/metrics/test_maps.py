"""Enlarging and stretching equal the papers' code and torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.metrics import confidence_max, confidence_top_quarter, enlarge, stretch

Golden = Callable[[str], dict[str, np.ndarray]]
HOW = {
    "bilinear_acT": "bilinear_corners",
    "bilinear_acF": "bilinear",
    "bicubic_acT": "bicubic_corners",
    "bicubic_acF": "bicubic",
    "cv2_linear": "bilinear",
    "cv2_cubic": "bicubic",
}


@pytest.mark.parametrize("case", ["upsample__s7", "upsample__s14"])
@pytest.mark.parametrize("peer", HOW)
def test_enlarged_maps_equal_the_peers(golden: Golden, case: str, peer: str) -> None:
    arrays = golden(case)
    probes = arrays["par_probe_rows_cols"]
    large = enlarge(arrays["in_map"], (224, 224), HOW[peer])
    at_probes = large[:, probes][:, :, probes]
    assert np.abs(at_probes - arrays[f"out_raw_{peer}"]).max() < 1e-5
    stretched = stretch(large, "minmax")
    assert np.abs(stretched[:, probes][:, :, probes] - arrays[f"out_minmax_{peer}"]).max() < 1e-5
    assert np.abs(stretched.mean(axis=(1, 2)) - arrays[f"out_mean_minmax_{peer}"]).max() < 1e-5
    ranges = np.stack([large.min(axis=(1, 2)), large.max(axis=(1, 2))], axis=1)
    assert np.abs(ranges - arrays[f"out_range_{peer}"]).max() < 1e-5


@pytest.mark.parametrize("case", ["upsample__s7", "upsample__s14"])
def test_lvs_score_is_the_inverted_minmax(golden: Golden, case: str) -> None:
    arrays = golden(case)
    probes = arrays["par_probe_rows_cols"]
    scores = stretch(enlarge(arrays["in_map"], (224, 224), "bilinear"), "minmax_inverted")
    assert np.abs(scores[:, probes][:, :, probes] - arrays["out_lvs_score"]).max() < 1e-5


@pytest.mark.parametrize("how", ["bilinear", "bilinear_corners", "bicubic", "bicubic_corners"])
@pytest.mark.parametrize("shape", [(14, 14), (7, 7), (1, 1), (28, 10), (300, 256)])
def test_enlarge_equals_torch(how: str, shape: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).random((3, *shape), dtype=np.float32)
    mode, _, corners = how.partition("_")
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[:, None].double(), (224, 224), mode=mode, align_corners=bool(corners)
    )
    assert np.abs(enlarge(maps, (224, 224), how) - expected[:, 0].numpy()).max() < 1e-6


def test_map_of_the_wanted_size_is_untouched() -> None:
    maps = np.random.default_rng(0).random((2, 224, 224), dtype=np.float32)
    assert np.array_equal(enlarge(maps, (224, 224), "bicubic"), maps)


@given(value=st.floats(-100, 100, width=32), side=st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_constant_map_stays_constant(value: float, side: int) -> None:
    for how in ("bilinear", "bilinear_corners", "bicubic", "bicubic_corners"):
        large = enlarge(np.full((1, side, side), value, dtype=np.float32), (56, 56), how)
        assert np.all(large == np.float32(value))
        assert np.array_equal(stretch(large, "minmax"), large)


def test_stretch_by_range_keeps_what_maps_say_of_each_other() -> None:
    maps = np.array([[[-1.0, 0.0]], [[0.5, 1.0]]], dtype=np.float32)
    assert np.allclose(stretch(maps, "range", (-1.0, 1.0)), [[[0, 0.5]], [[0.75, 1]]])
    with pytest.raises(ValueError, match="expected the method's score range"):
        stretch(maps, "range")


def test_confidences() -> None:
    maps = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    assert confidence_max(maps) == [15]
    assert confidence_top_quarter(maps) == [13.5]
    assert confidence_top_quarter(maps[:, :1, :2]) == [1]
