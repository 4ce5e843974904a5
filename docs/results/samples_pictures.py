"""Pictures of hits and misses: the first clips of a set, in the order of a hash, that were got right and wrong.

python docs/results/samples_pictures.py SET WEIGHTS OUT.jpg
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from soundspot import weights
from soundspot.benchmarks import score
from soundspot.data.folder import read_folder
from soundspot.localize import draw
from soundspot.localize.timeline import Calibration
from soundspot.media.image import read_image
from soundspot.predict import predict
from soundspot.types import Target

LOOKED_AT = 60
"""Clips that are tried, from which the rows are filled: chosen by a hash of their ids, so by nobody's taste."""
COLUMNS, SIDE = 6, 200


def main(arguments: Sequence[str]) -> None:
    """Read the words, localize, draw two rows."""
    root, weights_path, out = map(Path, arguments)
    pairs = [pair for pair in read_folder(root, split="test") if pair[1].kind == "visible"]
    pairs.sort(key=lambda pair: hashlib.sha256(pair[0].id.encode()).digest())
    pairs = pairs[:LOOKED_AT]
    method = weights.load(weights_path)
    calibration = Calibration.of(method.provenance)
    assert calibration is not None
    made = predict(method, [clip for clip, _ in pairs])
    result = score(made, [target for _, target in pairs], beside=False, intervals=False)
    right = {record["clip_id"]: record["ciou_adaptive"] >= 0.5 for record in result.records}
    sheet = Image.new("RGB", (COLUMNS * SIDE, 2 * (SIDE + 18)), draw.PANEL_BACKGROUND)
    for row, wanted in enumerate((True, False)):
        chosen = [pair for pair in pairs if right[pair[0].id] == wanted][:COLUMNS]
        for column, (clip, target) in enumerate(chosen):
            assert clip.image is not None
            heat = calibration.probability(made.maps[clip.id]).astype(np.float32)
            tile = _tile(read_image(clip.image), heat, target)
            sheet.paste(tile, (column * SIDE, row * (SIDE + 18)))
    sheet.save(out, quality=85)


def _tile(picture: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32], target: Target) -> Image.Image:
    """The picture with heat, the true box, and what is heard."""
    shown = Image.fromarray(draw.overlay(picture, heat)).resize((SIDE, SIDE))
    pen = ImageDraw.Draw(shown)
    for x0, y0, x1, y1 in target.boxes:
        pen.rectangle((x0 * SIDE, y0 * SIDE, x1 * SIDE, y1 * SIDE), outline=(120, 255, 120), width=2)
    tile = Image.new("RGB", (SIDE, SIDE + 18), draw.PANEL_BACKGROUND)
    tile.paste(shown, (0, 0))
    text = f"{target.labels[0]}   visible {heat.max():.0%}"
    ImageDraw.Draw(tile).text((4, SIDE + 2), text, fill=(240, 240, 240))
    return tile


if __name__ == "__main__":
    main(sys.argv[1:])
