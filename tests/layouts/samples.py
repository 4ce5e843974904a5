"""soundspot's own layout: scenes.jsonl and the files it names."""

from __future__ import annotations

from pathlib import Path

from layouts import Tree
from make_scenes import make_scenes


def write(folder: Path) -> Tree:
    """Three visible scenes and one of each other kind."""
    make_scenes(folder, ["visible", "visible", "visible", "offscreen", "silent", "noise"], size=48)
    return Tree(folder, folder)
