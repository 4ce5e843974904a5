"""Cut an object out of a Caltech-101 photo along the outline that comes with that data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from soundspot.media.image import FORMATS
from soundspot.types import UserError


def cut_along_outline(photo: Path, annotation: Path) -> Image.Image:
    """The photo as RGBA, transparent outside the outline of a Caltech-101 annotation (.mat: box_coord, obj_contour)."""
    from scipy.io import loadmat

    fields = loadmat(annotation)
    if "obj_contour" not in fields or "box_coord" not in fields:
        raise UserError(
            f"{annotation}: expected fields obj_contour and box_coord, got {sorted(fields)}; use Annotations/"
        )
    y0, _, x0, _ = fields["box_coord"].ravel()[:4]  # the outline's points are relative to the box's corner
    points = np.asarray(fields["obj_contour"], dtype=float) + np.array([[x0], [y0]])
    with Image.open(photo, formats=FORMATS) as opened:
        picture = opened.convert("RGBA")
    alpha = Image.new("L", picture.size)
    ImageDraw.Draw(alpha).polygon([(float(x) - 1, float(y) - 1) for x, y in points.T], fill=255)  # MATLAB counts from 1
    picture.putalpha(alpha)
    return picture
