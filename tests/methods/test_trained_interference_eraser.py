"""Trained weights on scenes they have not met: turning one of two mixed sounds off takes its map away, no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from soundspot import weights
from soundspot.data.folder import read_folder
from soundspot.data.loader import batches
from soundspot.samples import instruments
from soundspot.types import Clip, Target

SCENES = 24
PARTS = (
    "train",
    "train-synthetic",
    "train-wild",
    "calibration",
    "test-solo",
    "test-synthetic",
    "test-wild",
    "test-open",
)
WEIGHTS = Path(__file__).resolve().parents[1] / "golden/ier_instruments.safetensors"


@pytest.fixture(scope="module")
def duets(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Duets of photos and of a soundfont that no training has had, with each sound of them alone."""
    counts = {**dict.fromkeys(PARTS, 0), "test-duet": SCENES}
    return instruments.build(tmp_path_factory.mktemp("duets") / "set", shared / "data/media", counts=counts)


def versions(root: Path) -> Iterator[tuple[Target, list[Clip]]]:
    """Of each duet its truth; the clip as it is, then with its first class alone to be heard, then with its second."""
    rows = [json.loads(line) for line in (root / "mixtures.jsonl").read_text().splitlines()]
    sounds = {row["id"]: {each["label"]: each.get("audio") for each in row["components"]} for row in rows}
    for clip, target in read_folder(root, split="test-duet"):
        alone = [replace(clip, audio=root / sounds[clip.id][label]) for label in target.box_labels]
        yield target, [clip, *alone]


@pytest.mark.shared
def test_turning_a_sound_off_takes_its_map_away_and_not_the_others(duets: Path, encoders: dict[str, Path]) -> None:
    method = weights.load(WEIGHTS)
    both, off, other = [], [], []
    for target, clips in versions(duets):
        ((batch, _),) = batches(clips, method.inputs, batch_size=3)
        assert batch is not None
        with torch.no_grad():
            maps = method.localize(batch).numpy()
        for place, (label, box) in enumerate(zip(target.box_labels, target.boxes, strict=True)):
            x0, y0, x1, y1 = (round(10 * edge) for edge in box)
            own = maps[:, method.class_names.index(label), y0 : y1 + 1, x0 : x1 + 1].mean(axis=(1, 2))
            both.append(own[0])
            other.append(own[1 + place])  # this one alone: the other is off
            off.append(own[2 - place])
    before, without, left = (np.array(each) for each in (both, off, other))
    assert len(before) == 2 * SCENES
    assert before.mean() > 0.1, "both sounding: there is something to take away"
    assert without.mean() < 0.3 * before.mean(), "turned off"
    assert left.mean() > 0.9 * before.mean(), "the other was turned off, not this one"
    shown = before > 0.2
    assert shown.sum() >= 10
    assert (without[shown] < before[shown] / 2).mean() > 0.8, "scene by scene"
    assert (left[shown] > before[shown] / 2).mean() > 0.8
