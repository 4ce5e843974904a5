"""JSON Lines: a line of what made it, then a line a moment with all there is to say of it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from soundspot.localize.exports.text import writing
from soundspot.localize.timeline import Timeline


def write(timeline: Timeline, path: Path) -> None:
    """Write the lines to `path`."""
    with writing(path) as file:
        for line in itertools.chain([timeline.head()], (moment.row() for moment in timeline.moments)):
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
