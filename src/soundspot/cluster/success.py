"""What a finished job says of itself in one file: what was asked, every shard, and what could not be read."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soundspot.cluster.places import Place

SUCCESS = "_SUCCESS"


def put_json(place: Place, name: str, facts: Mapping[str, Any]) -> None:
    """Write facts to a file of a place, whole."""
    with tempfile.TemporaryDirectory(prefix="soundspot-") as folder:
        path = Path(folder) / "facts"
        path.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        place.put(name, path)


def read_json(place: Place, name: str) -> dict[str, Any]:
    """The facts in a file of a place; none where there is no such file, or only part of one."""
    try:
        found = json.loads(place.read(name) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
