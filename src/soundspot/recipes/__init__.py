"""The recipes by name, built when asked for; a variant is `dataclasses.replace` or `soundspot train NAME --set ...`."""

from __future__ import annotations

import importlib

from soundspot.lookup import find
from soundspot.train.recipe import Recipe

_DATA = ("vggsound_144k", "vggsound_full", "vggsound_10k", "heard_110", "flickr_144k", "flickr_10k", "paste")

RECIPES: dict[str, str] = {
    f"{paper}_{data}": f"soundspot.recipes.{paper}:{data}" for paper in ("ez_vsl", "slavc", "lvs") for data in _DATA
}
RECIPES["spot"] = "soundspot.recipes.spot:spot"
"""name -> "module:function that builds it"."""


def recipe(name: str) -> Recipe:
    """The recipe called `name`. Raises UserError for an unknown one, with the nearest."""
    module, _, function = find(RECIPES, name, "recipe").partition(":")
    built = getattr(importlib.import_module(module), function)()
    assert isinstance(built, Recipe)
    assert built.name == name
    return built
