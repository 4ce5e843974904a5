"""What is said of a film does not depend on how many looks are computed, or films looked at, at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from make_media import make_film, tone
from soundspot import weights
from soundspot.localize.folder import localize_folder
from soundspot.localize.localizer import Localizer
from soundspot.localize.run import Wanted
from soundspot.methods import build

RATE = 16000
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films whose picture and sound change all the time."""
    folder = tmp_path_factory.mktemp("films")
    for number in (1, 2):
        draw = np.random.default_rng(number)
        pictures = draw.integers(0, 255, (12, 48, 64, 3), dtype=np.uint8)
        sound = np.concatenate([tone(200 * each * number, 1, RATE) for each in (1, 3, 9)], axis=1)
        make_film(folder / f"{number}.mp4", num_frames=12, rate=4, size=(64, 48), picture=pictures.__getitem__,
                  samples=sound, sample_rate=RATE)  # fmt: skip
    return folder


def near(one: Any, other: Any) -> bool:
    """Are two rows equal, their numbers within the tolerance?"""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(near(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= TOLERANCE
    return bool(one == other)


def rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_batches_and_jobs_change_no_timeline(films: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "image_size": 64, "seconds": 1.0}
    tiny = weights.save(build("ez_vsl", dim=8, **small), tmp_path / "tiny.safetensors")
    found = []
    for number, (batch_size, jobs) in enumerate(((1, 1), (3, 2))):
        out = tmp_path / f"out{number}"
        done = list(localize_folder(films, out, Wanted(str(tiny), batch_size=batch_size, with_film=False), jobs))
        assert not any(each.error for each in done)
        found.append({path.relative_to(out): rows(path) for path in sorted(out.rglob("timeline.jsonl"))})
    one, other = found
    assert len(one) == 2
    assert one.keys() == other.keys()
    assert near(list(one.values()), list(other.values()))


def test_batches_change_no_map_of_the_default_localizer(films: Path, encoders: dict[str, Path]) -> None:
    localizer = Localizer.from_pretrained()
    one, other = (localizer.video(films / "1.mp4", every_seconds=1.0, batch_size=size) for size in (1, 3))
    for left, right in zip(one.moments, other.moments, strict=True):
        assert np.abs(left.map - right.map).max() <= TOLERANCE
        assert left.verdict == right.verdict
        assert near(left.probability, right.probability)
