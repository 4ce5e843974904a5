"""Backbones: any of timm's by name, and those registered here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

TOWERS: dict[str, str | Callable[..., Any]] = {"yamnet": "soundspot.nets.yamnet_tower:YAMNetTower"}
"""Towers that timm does not have: name -> "module:Class", or the class itself. Called with `output_stride` and
`pretrained` (Path | None); gives a module `(B, C_in, H, W) -> (B, C, h, w)` with the attribute `channels`. One that
runs an nn.Sequential called `stages`, and nothing else, can be trained from what its frozen stages gave."""


def registered(name: str) -> Callable[..., Any]:
    """The class of the registered tower `name`, imported only now."""
    entry = TOWERS[name]
    if not isinstance(entry, str):
        return entry
    module, _, attribute = entry.partition(":")
    return getattr(importlib.import_module(module), attribute)
