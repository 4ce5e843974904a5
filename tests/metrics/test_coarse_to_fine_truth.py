"""CoarseToFine's boxes: whole pixels of a 256 grid, less one at every side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from soundspot.metrics import boxes_to_cells
from soundspot.metrics.truth import box_edges


def test_edges_are_one_less() -> None:
    assert box_edges([(83 / 256, 108 / 256, 167 / 256, 1)], 256, "coarse_to_fine").tolist() == [[82, 107, 166, 255]]


def test_box_from_the_very_left_vanishes() -> None:
    weights = boxes_to_cells([(0, 0.25, 0.5, 0.75)], 256, rounding="coarse_to_fine")
    assert not weights.any()
    assert boxes_to_cells([(1 / 256, 0.25, 0.5, 0.75)], 256, rounding="coarse_to_fine").sum() == 127 * 128


@pytest.mark.shared
def test_one_box_of_flickr_vanishes(annotations: Path) -> None:
    (folder,) = annotations.glob("shvdiwnkozbw+*/utils")
    (file,) = folder.glob("flickr_soundnet_anno_2786*.json")
    clips = json.loads(file.read_text())
    ids = [line.split(".")[0] for line in (folder / "gtest.txt").read_text().split()]
    boxes = [box for clip_id in ids if clip_id in clips for box in clips[clip_id]["boxes_xyxy_256"]]
    edges = box_edges(np.array(boxes) / 256, 256, "coarse_to_fine")
    assert np.array_equal(edges, np.array(boxes) - 1)
    empty = [not np.zeros((256, 256))[y0:y1, x0:x1].size for x0, y0, x1, y1 in edges]
    assert (len(boxes), sum(empty)) == (774, 1)
