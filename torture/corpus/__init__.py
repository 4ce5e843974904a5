"""A corpus of bad media, made from a real film by one script with a seed: the same bytes each time."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from torture.corpus.bombs import add_bombs
from torture.corpus.cuts import add_cuts, add_headers
from torture.corpus.damage import add_damage
from torture.corpus.entry import Entry
from torture.corpus.kinds import add_kinds
from torture.corpus.names import add_names, add_places, add_specials
from torture.corpus.shapes import add_animations, add_pictures, add_pixel_formats, add_sizes
from torture.corpus.shelf import Shelf
from torture.corpus.sounds import add_sounds
from torture.corpus.source import material
from torture.corpus.streams import add_stills, add_streams, add_turns
from torture.corpus.times import add_backwards, add_claims, add_offsets, add_variable_rates

FAMILIES = (
    add_cuts,
    add_headers,
    add_damage,
    add_kinds,
    add_streams,
    add_stills,
    add_turns,
    add_variable_rates,
    add_sizes,
    add_pixel_formats,
    add_pictures,
    add_animations,
    add_sounds,
    add_offsets,
    add_backwards,
    add_claims,
    add_bombs,
    add_names,
    add_specials,
    add_places,
)


def build(folder: Path, film: Path, seed: int = 0, wanted: Collection[str] | None = None) -> list[Entry]:
    """Write the corpus (or only the `wanted` files of it) to a folder, which is emptied first; say what it lists."""
    if folder.exists():
        shutil.rmtree(folder)
    shelf = Shelf(folder, material(film), seed, wanted)
    for add in FAMILIES:
        add(shelf)
    names = [entry.name for entry in shelf.entries]
    assert len(names) == len(set(names)), "two files of one name"
    return shelf.entries
