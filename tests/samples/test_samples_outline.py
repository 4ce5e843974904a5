"""Caltech-101 outlines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from soundspot.samples.outline import cut_along_outline
from soundspot.types import UserError


def test_the_outline_is_relative_to_the_box(tmp_path: Path) -> None:
    """box_coord is top, bottom, left, right; obj_contour is x and y from the box's corner; both count from 1."""
    Image.new("RGB", (50, 40), (9, 8, 7)).save(tmp_path / "photo.png")
    contour = np.array([[0, 19, 19, 0], [0, 0, 9, 9]], dtype=float)
    savemat(tmp_path / "a.mat", {"box_coord": np.array([[6, 15, 11, 30]]), "obj_contour": contour})
    alpha = np.asarray(cut_along_outline(tmp_path / "photo.png", tmp_path / "a.mat"))[..., 3]
    rows, columns = np.nonzero(alpha)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 14, 10, 29)
    assert (alpha[5:15, 10:30] == 255).all()


def test_another_mat_file_is_an_error(tmp_path: Path) -> None:
    Image.new("RGB", (5, 4)).save(tmp_path / "photo.png")
    savemat(tmp_path / "a.mat", {"other": np.zeros(3)})
    with pytest.raises(UserError, match="expected fields obj_contour and box_coord"):
        cut_along_outline(tmp_path / "photo.png", tmp_path / "a.mat")
