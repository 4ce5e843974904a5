"""Boxes and masks on the grid equal the peers' maps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.data.sets.flickr import parse_xml
from soundspot.metrics import boxes_to_cells, boxes_to_weights, mask_to_cells, size_bin
from soundspot.metrics.truth import area_average, box_edges

Golden = Callable[[str], dict[str, np.ndarray]]


def unpacked(packed: np.ndarray) -> np.ndarray:
    return np.unpackbits(packed, axis=-1).astype(np.float32)


def test_vggss_boxes_equal_the_peers(golden: Golden) -> None:
    arrays = golden("gt_vggss__a")
    rows = json.loads(str(arrays["in_rows_json"]))
    maps = np.stack([boxes_to_cells(row["bbox"], 224) for row in rows])
    assert np.array_equal(maps, unpacked(arrays["out_ez_packed"]))
    assert np.array_equal(maps, unpacked(arrays["out_lvs_packed"]))
    assert np.array_equal(maps.sum(axis=(1, 2)), arrays["out_area"])
    assert [size_bin(area) for area in maps.sum(axis=(1, 2))] == list(arrays["out_size_bin"])
    unclamped = np.stack([boxes_to_cells(row["bbox"], 224, rounding="unclamped_floor") for row in rows])
    assert np.array_equal(unclamped, unpacked(arrays["out_kccv_train_packed"]))


def test_flickr_boxes_equal_the_peers(golden: Golden) -> None:
    arrays = golden("gt_flickr__a")
    texts = json.loads(str(arrays["in_xml_json"]))
    for row, clip_id in enumerate(arrays["out_ids"]):
        boxes = np.array(parse_xml(texts[str(clip_id)].encode(), str(clip_id))) / 256
        assert len(boxes) == arrays["out_nbox"][row]
        assert np.array_equal(box_edges(boxes, 224), arrays["out_boxes224"][row][: len(boxes)])
        weights = boxes_to_weights(boxes, 224, consensus=2)
        assert np.array_equal(2 * weights, arrays["out_map_x2"][row])
        assert weights.sum(dtype=np.float64) == arrays["out_weighted_area_f64"][row]


def test_pixel_boxes_come_back_from_fractions(golden: Golden) -> None:
    arrays = golden("gt_pixel224__a")
    maps = np.stack([boxes_to_cells([box / 224], 224) for box in arrays["in_box"].astype(np.float64)])
    assert np.array_equal(maps, unpacked(arrays["out_packed"]))
    assert np.array_equal(maps.sum(axis=(1, 2)), arrays["out_area"])


@given(edges=st.tuples(*[st.integers(0, 224)] * 4))
@settings(deadline=None)
def test_any_whole_pixels_survive_fractions(edges: tuple[int, ...]) -> None:
    assert list(box_edges([[edge / 224 for edge in edges]], 224)[0]) == list(edges)


@pytest.mark.shared
def test_forgiving_whole_pixels_changes_no_vggss_map(annotations: Path) -> None:
    rows = json.loads((annotations / "stoneMo+EZ-VSL/metadata/vggss.json").read_text())
    boxes = np.array([box for row in rows for box in row["bbox"]])
    assert len(boxes) == 5941
    assert np.array_equal(box_edges(boxes, 224), (np.clip(boxes, 0, 1) * 224).astype(int))


def test_degenerate_boxes_cover_nothing() -> None:
    overflowed = (0.4, 0.6, -2.8823037615171176e16, 0.9)
    assert not boxes_to_cells([overflowed, (0.2, 0.5, 0.2, 0.9), (0.5, 0.5, 0.4, 0.9)], 224).any()
    assert boxes_to_cells([overflowed, (0, 0, 0.5, 1)], 224).sum() == 112 * 224


def test_consensus_counts_boxes_up_to_full_weight() -> None:
    weights = boxes_to_weights([(0, 0, 1, 1), (0, 0, 0.5, 1), (0, 0, 0.5, 0.5)], 8, consensus=2)
    assert set(weights[:, 4:].ravel()) == {0.5}
    assert set(weights[:, :4].ravel()) == {1.0}


def test_mask_of_another_size_keeps_its_place() -> None:
    mask = np.zeros((448, 896), dtype=bool)
    mask[:224, :448] = True
    for sampling in ("area", "nearest"):
        weights = mask_to_cells(mask, 224, sampling)
        assert weights[:112, :112].all()
        assert weights.sum() == 112 * 112


def test_mask_on_the_grid_is_itself() -> None:
    mask = np.random.default_rng(0).random((224, 224)) < 0.3
    assert np.array_equal(mask_to_cells(mask, 224), mask)
    assert np.array_equal(mask_to_cells(mask, 224, "nearest"), mask)


def test_small_object_never_vanishes() -> None:
    mask = np.zeros((2240, 2240), dtype=bool)
    mask[1003, 2001] = True
    for sampling in ("area", "nearest"):
        weights = mask_to_cells(mask, 224, sampling)
        assert list(zip(*np.nonzero(weights), strict=True)) == [(100, 200)]
    assert not mask_to_cells(np.zeros((10, 10), dtype=bool), 224).any()


@pytest.mark.parametrize("size", [(7, 7), (14, 10), (300, 5)])
def test_area_average_keeps_the_mean(size: tuple[int, int]) -> None:
    values = np.random.default_rng(0).random((31, 45))
    assert area_average(values, size).mean() == pytest.approx(values.mean())
    assert np.allclose(area_average(np.ones((31, 45)), size), 1)


def test_mask_that_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a mask \(H, W\), got \(3, 4, 5\)"):
        mask_to_cells(np.zeros((3, 4, 5), dtype=bool), 224)
