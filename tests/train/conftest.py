"""A small training set that is made when asked for: coloured squares that each sing their own tone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_tower import TOWERS

from soundspot import nets
from soundspot.media.audio import write_wav
from soundspot.media.image import write_image

RATE = 8000


def make_pairs(root: Path, count: int, rate: int = RATE) -> Path:
    """frames/<id>.png and audio/<id>.wav of `count` clips under `root`."""
    (root / "frames").mkdir(parents=True)
    (root / "audio").mkdir()
    generator = np.random.default_rng(5)
    for number in range(count):
        picture = generator.integers(0, 60, size=(40, 52, 3), dtype=np.uint8)
        top, left = generator.integers(0, 24, size=2)
        picture[top : top + 16, left : left + 16, number % 3] = 80 + 20 * (number % 8)
        write_image(root / "frames" / f"clip{number:03d}.png", picture)
        times = np.arange(int(0.6 * rate)) / rate
        tone = 0.5 * np.sin(2 * np.pi * (200 + 150 * (number % 12)) * times)
        write_wav(root / "audio" / f"clip{number:03d}.wav", tone[None].astype(np.float32), rate)
    return root


@pytest.fixture(scope="session")
def pairs_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """26 clips: with batches of 4 an epoch is 6 steps and two clips sit it out."""
    return make_pairs(tmp_path_factory.mktemp("pairs") / "set", 26)


@pytest.fixture
def small_towers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The towers of small_tower.py, by their names."""
    for name, where in TOWERS.items():
        monkeypatch.setitem(nets.TOWERS, name, where)
