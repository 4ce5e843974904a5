"""The recipes by name, built when asked for; a variant is `dataclasses.replace` or `soundspot train NAME --set ...`."""

from __future__ import annotations

import importlib

from soundspot.lookup import find
from soundspot.train.recipe import Recipe

_DATA = ("vggsound_144k", "vggsound_full", "vggsound_10k", "heard_110", "flickr_144k", "flickr_10k", "paste")
_LISTS = ("vggsound_144k", "vggsound_10k", "flickr_144k", "flickr_10k", "paste")
_ALIGNED = ("vggsound_144k", "vggsound_144k_pretrained", "flickr_144k", "flickr_144k_pretrained", "paste")
_ERASER = ("prototypes", "identifier", "referrer")
PAPERS: dict[str, tuple[str, ...]] = {
    "attention10k": ("vggsound_144k", "flickr_144k", "flickr_10k", "paste"),
    "avobject": ("vggsound_144k", "paste"),
    "avol": ("vggsound_144k", "paste"),
    "coarse_to_fine": ("vggsound_full_coarse", "vggsound_full", "paste_coarse", "paste"),
    "dmc": ("vggsound_144k", "paste"),
    "dsol": ("music", "music_synthetic", "instruments", "instruments_synthetic", "paste"),
    "ez_vsl": _DATA,
    "fnac": tuple(data for data in _DATA if data != "vggsound_full"),
    "hard_pos": _ALIGNED,
    "hear_the_flow": _LISTS,
    "interference_eraser": (
        *(f"music_{stage}" for stage in _ERASER),
        *(f"instruments_{stage}" for stage in _ERASER),
        "paste",
    ),
    "lcbm": ("vggsound_full", "paste"),
    "lvs": _DATA,
    "margin_nce": ("vggsound_144k", "flickr_144k", "paste"),
    "rcgrad": ("vggsound_full", "paste"),
    "slavc": _DATA,
    "sound_of_pixels": ("vggsound_144k", "music", "paste"),
    "ssl_align": (*_ALIGNED, "vggsound_144k_intra"),
    "ssl_tie": _DATA,
    "sspl": _LISTS,
}
"""The data each paper's recipes train on."""

RECIPES: dict[str, str] = {
    f"{paper}_{data}": f"soundspot.recipes.{paper}:{data}" for paper, all_data in PAPERS.items() for data in all_data
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
