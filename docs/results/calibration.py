"""Do the default localizer's probabilities come true? On composites and on real films apart.

    python docs/results/films.py SHARED --out FILMS
    python docs/results/calibration.py PASTE STAMPS FILMS/looks.csv OUT

PASTE and STAMPS are folders of `samples paste` and `samples stamps`; of their test scenes COUNTS are drawn by SEED.
Writes below OUT predictions (what is there is not made again), table.md and reliability.png. Silence is left out: it is
judged by its level. Visible and not visible weigh the same everywhere, as they do in `soundspot calibrate`.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from study import table

from soundspot import weights
from soundspot.data.folder import read_folder
from soundspot.localize.draw import font
from soundspot.localize.timeline import Calibration
from soundspot.media.files import written_aside
from soundspot.metrics.calibration import Reliability, reliability
from soundspot.metrics.detection import auroc
from soundspot.metrics.intervals import Bootstrap
from soundspot.predict import predict
from soundspot.predictions import Predictions
from soundspot.types import Clip, Target

SEED = 0
COUNTS = {"visible": 300, "offscreen": 150, "noise": 150}
NUM_BINS = 10
SIDE, MARGIN = 300, 46
INK, GREY, BLUE, ORANGE = (30, 30, 30), (190, 190, 190), (0, 114, 178), (230, 159, 0)


@dataclass(frozen=True)
class Judged:
    """Probabilities with what is true, and which of them are drawn together in a resample."""

    probabilities: npt.NDArray[np.float64]
    visible: npt.NDArray[np.bool_]
    units: tuple[str, ...]

    def reliability(self) -> Reliability:
        """In NUM_BINS bins, both kinds weighing the same."""
        return reliability(self.probabilities, self.visible, num_bins=NUM_BINS, balanced=True)

    def cells(self, curve: Calibration) -> list[str]:
        """For the table: how many, error with interval, AUROC with interval, unsure, and wrong of the rest."""
        bootstrap = Bootstrap(self.units)
        low, high = bootstrap.of_statistic(lambda some: self._of(some).reliability().error)
        least, most = bootstrap.of_statistic(lambda some: auroc(self.probabilities[some], self.visible[some]))
        weight = 0.5 / np.where(self.visible, self.visible.sum(), (~self.visible).sum())
        verdicts = np.array([curve.verdict(float(each)) for each in self.probabilities])
        unsure = verdicts == "unsure"
        wrong = ~unsure & ((verdicts == "on-screen") != self.visible)
        return [
            f"{self.visible.sum()} / {(~self.visible).sum()}",
            f"{len(set(self.units))}",
            f"{self.reliability().error:.3f} ({low:.3f} to {high:.3f})",
            f"{auroc(self.probabilities, self.visible):.2f} ({least:.2f} to {most:.2f})",
            f"{weight[unsure].sum():.2f}",
            f"{weight[wrong].sum() / weight[~unsure].sum():.2f}",
        ]

    def _of(self, some: npt.NDArray[np.int64]) -> Judged:
        return Judged(self.probabilities[some], self.visible[some], ())


def of_scenes(root: Path, curve: Calibration, kept: Path) -> Judged:
    """Test scenes drawn by SEED; scenes of one picture are drawn together."""
    pairs = read_folder(root, split="test")
    draw, chosen = random.Random(SEED), []
    for kind, count in COUNTS.items():
        some = sorted((pair for pair in pairs if pair[1].kind == kind), key=lambda pair: pair[0].id)
        chosen += draw.sample(some, min(count, len(some)))
    return judged(chosen, _predicted(chosen, kept), curve)


def judged(pairs: Sequence[tuple[Clip, Target]], made: Predictions, curve: Calibration) -> Judged:
    """The scenes whose maps are there."""
    there = [(clip, target) for clip, target in pairs if clip.id in made.maps]
    scores = np.array([made.maps[clip.id].max() for clip, _ in there])
    visible = np.array([target.kind == "visible" for _, target in there])
    return Judged(curve.probability(scores), visible, tuple(clip.group or clip.id for clip, _ in there))


def _predicted(pairs: Sequence[tuple[Clip, Target]], path: Path) -> Predictions:
    if path.is_file():
        return Predictions.load(path)
    method = weights.load(weights.find_weights("default"))
    return predict(method, [clip for clip, _ in pairs], batch_size=8, path=path)


def of_films(path: Path) -> Judged:
    """The looks that films.py wrote; those of one film are drawn together."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return Judged(
        np.array([float(row["probability"]) for row in rows]),
        np.array([row["visible"] == "1" for row in rows]),
        tuple(row["film"] for row in rows),
    )


def draw_diagrams(found: Mapping[str, Judged]) -> Image.Image:
    """A square a set: what is stated against what comes true, and below how much is stated so."""
    width, height = SIDE + 2 * MARGIN, SIDE + 3 * MARGIN
    sheet = Image.new("RGB", (width * len(found), height), (255, 255, 255))
    for number, (name, each) in enumerate(found.items()):
        sheet.paste(_diagram(name, each), (width * number, 0))
    return sheet


def _diagram(name: str, judged: Judged) -> Image.Image:
    picture = Image.new("RGB", (SIDE + 2 * MARGIN, SIDE + 3 * MARGIN), (255, 255, 255))
    pen, left, top = ImageDraw.Draw(picture), MARGIN, MARGIN
    bottom = top + SIDE
    lines = judged.reliability()
    for number, share in enumerate(lines.share):
        x0, x1 = (left + SIDE * edge / NUM_BINS for edge in (number, number + 1))
        pen.rectangle((x0 + 3, bottom - SIDE * share, x1 - 3, bottom), fill=(225, 225, 225))
    pen.line((left, bottom, left + SIDE, top), fill=GREY, width=2)
    points = [
        (left + SIDE * stated, bottom - SIDE * true)
        for stated, true in zip(lines.stated, lines.true, strict=True)
        if not np.isnan(stated)
    ]
    pen.line(points, fill=BLUE, width=3)
    for x, y in points:
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=ORANGE, outline=INK)
    pen.rectangle((left, top, left + SIDE, bottom), outline=INK)
    for tick in (0.0, 0.5, 1.0):
        pen.text((left + SIDE * tick, bottom + 5), f"{tick:g}", fill=INK, font=font(13), anchor="mt")
        pen.text((left - 6, bottom - SIDE * tick), f"{tick:g}", fill=INK, font=font(13), anchor="rm")
    pen.text((left + SIDE / 2, 6), name, fill=INK, font=font(18), anchor="mt")
    said = f"expected calibration error {lines.error:.3f}"
    pen.text((left + SIDE / 2, 28), said, fill=INK, font=font(13), anchor="mt")
    pen.text(
        (left + SIDE / 2, bottom + 26), "stated probability of a visible source", fill=INK, font=font(13), anchor="mt"
    )
    pen.text((left + 6, top + 6), "share visible", fill=BLUE, font=font(13))
    pen.text((left + SIDE / 2, bottom + 46), "bars: share of looks", fill=(130, 130, 130), font=font(13), anchor="mt")
    return picture


def main(words: Sequence[str]) -> None:
    """Predict what is missing, write the table and the picture."""
    paste, stamps, looks, out = map(Path, words)
    out.mkdir(parents=True, exist_ok=True)
    curve = Calibration.of(weights.read_header(weights.find_weights("default")))
    assert curve is not None
    found = {
        "paste, test scenes": of_scenes(paste, curve, out / "paste.safetensors"),
        "stamps": of_scenes(stamps, curve, out / "stamps.safetensors"),
        "real films": of_films(looks),
    }
    columns = ["visible / not", "drawn by", "error (95 %)", "AUROC (95 %)", "unsure", "wrong of the others"]
    text = table(f"{NUM_BINS} bins", columns, {name: each.cells(curve) for name, each in found.items()})
    (out / "table.md").write_text(text + "\n", encoding="utf-8")
    with written_aside(out / "reliability.png") as aside:
        draw_diagrams(found).save(aside, format="PNG", optimize=True)
    print(text)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(sys.argv[1:])
