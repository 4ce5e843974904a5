"""Weights by timm's tags, `timm:ARCHITECTURE.TAG[@REVISION]`: from soundspot's cache, the hub's, or the hub."""

from __future__ import annotations

import difflib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import timm
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError

from soundspot.encoders import cache_folder
from soundspot.media.files import written_aside
from soundspot.types import UserError

TIMM = "timm:"
"""What a tag begins with where a file could stand too."""
HUB_FILE = "model.safetensors"


@dataclass(frozen=True)
class Tagged:
    """Weights that timm names: what they fit, what they eat, and their file."""

    architecture: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    file: Path


def tagged(name: str) -> Tagged:
    """The weights `ARCHITECTURE.TAG` (with or without TIMM; no tag: timm's default), copied into the cache.

    "@REVISION" behind it, such as a commit, pins what the hub may give; results note the file's sha256 in any case.
    Raises UserError for a name timm does not know or has no weights for, and where they are neither here nor within
    reach.
    """
    asked, _, revision = name.removeprefix(TIMM).partition("@")
    architecture, _, tag = asked.partition(".")
    known = [f"{architecture}.{each}" for each in _tags(architecture)] if timm.is_model(architecture) else []
    if not known or (tag and asked not in known):
        near = known or difflib.get_close_matches(asked, timm.list_models(), n=3, cutoff=0.5)
        raise UserError(
            f"expected weights that timm knows as ARCHITECTURE.TAG, got {asked!r}; "
            + (f"there is {', '.join(near[:6])}" if near else "see timm.list_pretrained()")
        )
    config = timm.get_pretrained_cfg(asked)
    assert config is not None, asked
    full = f"{architecture}.{config.tag}" if config.tag else architecture
    (red, green, blue), std = config.mean, config.std
    return Tagged(architecture, (red, green, blue), (std[0], std[1], std[2]), _file(full, config.hf_hub_id, revision))


def _tags(architecture: str) -> list[str]:
    return [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]


def _file(name: str, repository: str | None, revision: str) -> Path:
    if revision and not re.fullmatch(r"[\w.-]+", revision):
        raise UserError(f"expected a revision such as a commit's 40 hex digits, got {revision!r}; give one, or none")
    place = cache_folder() / "timm" / (f"{name}@{revision}.safetensors" if revision else f"{name}.safetensors")
    if place.is_file():
        return place
    if not repository:
        raise UserError(f"expected weights on the hub for {name}, got none; put them at {place}, or give their file")
    try:
        found = hf_hub_download(repository, HUB_FILE, revision=revision or None)
    except (OSError, EntryNotFoundError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"expected {HUB_FILE} of {repository} in the hub's cache or within reach, got neither ({reason}); "
            f"put it at {place}, or give its file"
        ) from error
    place.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(place) as aside:  # its own name, which result rows show, and no link into another's cache
        shutil.copyfile(found, aside)
    return place
