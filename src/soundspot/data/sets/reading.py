"""What the readers of several data sets share: JSON with a clear refusal, the first of some places, corner boxes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from soundspot.types import Box, UserError


def read_json(path: Path, wanted: str) -> Any:
    """What a JSON file holds; UserError saying what was `wanted` where it is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected {wanted}, got no JSON ({error}); fetch it again") from error


def first_there(*places: Path) -> Path:
    """The first of `places` that exists; the first of all where none does, so that it can be named as missing."""
    return next((place for place in places if place.exists()), places[0])


def corners(values: object, where: str) -> Box:
    """x, y, width, height -> x0, y0, x1, y1 in the same units; UserError naming `where` for anything else."""
    numbers = values if isinstance(values, list) and len(values) == 4 else []
    if not numbers or not all(isinstance(value, int | float) and math.isfinite(value) for value in numbers):
        raise UserError(f"{where}: expected a box of four numbers x, y, width, height, got {values!r}; fetch it again")
    x, y, width, height = (float(value) for value in numbers)
    return x, y, x + width, y + height


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Each name once, in the order of its first appearance."""
    return tuple(dict.fromkeys(names))
