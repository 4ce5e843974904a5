"""Fixtures that many tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

import numpy as np
import pytest

from soundspot.types import UserError

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


@pytest.fixture(scope="session")
def encoders() -> dict[str, Path]:
    """The default localizer's encoders in the user's cache; CI must be able to fetch them, others may go without."""
    from soundspot.encoders import fetch

    try:
        return fetch()
    except UserError as error:
        how = f"not run: encoders not at hand; {error}"
        if os.environ.get("CI"):
            pytest.fail(how, pytrace=False)
        pytest.skip(how)


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """A function from the words after `soundspot` to how that ends: the real entry point, in this process."""
    from soundspot.cli import main

    def run(*words: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["soundspot", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Ended(int(end.value.code or 0), *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real Chromium without a window, as Playwright drives it; machines without one skip, CI may not."""
    sync_api = pytest.importorskip("playwright.sync_api")
    binary = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := which(name))), None)
    if binary is None:
        how = "not run: no Chromium at hand; install the package chromium"
        if os.environ.get("CI"):
            pytest.fail(how, pytrace=False)
        pytest.skip(how)
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic")
    with sync_api.sync_playwright() as player:
        chromium = player.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-gpu", *quiet])
        yield chromium
        chromium.close()


@pytest.fixture
def golden():
    """A function from a fixture's name to its arrays (NumPy archive, no pickles)."""

    def load(name: str) -> dict[str, np.ndarray]:
        with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    return load
