"""Fixtures that many tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path(__file__).resolve().parent / "golden"


def shared_folder() -> Path | None:
    """Where the benchmarks' annotation files and real media lie, if they are at hand."""
    named = os.environ.get("SOUNDSPOT_SHARED")
    for folder in [Path(named)] if named else [ROOT.parent / "shared"]:
        if (folder / "data" / "annotations").is_dir():
            return folder
    return None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with `data/annotations` and `data/media`; CI must have it, others may go without."""
    folder = shared_folder()
    if folder is None:
        how = "not run: data not at hand; set SOUNDSPOT_SHARED to a folder that holds data/annotations and data/media"
        if os.environ.get("CI"):
            pytest.fail(how, pytrace=False)
        pytest.skip(how)
    return folder


@pytest.fixture(scope="session")
def annotations(shared: Path) -> Path:
    """The benchmarks' real annotation files, a folder a source."""
    return shared / "data" / "annotations"


@pytest.fixture
def golden():
    """A function from a fixture's name to its arrays (NumPy archive, no pickles)."""

    def load(name: str) -> dict[str, np.ndarray]:
        with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    return load
