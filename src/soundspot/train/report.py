"""What a run leaves beside its weights: a summary that says what was used, what was left out, and where it began."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from soundspot.media.files import written_aside
from soundspot.train.clips import TrainingClips
from soundspot.train.logs import without_nan
from soundspot.train.recipe import Recipe


def account(clips: TrainingClips, missing: Mapping[str, str]) -> dict[str, Any]:
    """Clips used of clips listed, and what was done about test ids among them."""
    unread = {clip.id for clip, _ in (*clips.training, *clips.validation)} & missing.keys()
    return {
        "clips_listed": clips.listed,
        "limit_clips": clips.limit,
        "clips_used": len(clips.training) + len(clips.validation) - len(unread),
        "clips_missing": len(missing),
        "clips_held_out": len(clips.validation),
        "leaks": clips.leaks,
    }


def run_facts(recipe: Recipe, init: str, num_ranks: int, device: torch.device) -> dict[str, Any]:
    """What the run was."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "recipe": recipe.name,
        "method": recipe.method,
        "init": init,
        "seed": recipe.seed,
        "chosen": recipe.choose,
        "num_ranks": num_ranks,
        "device": name,
        "soundspot": version("soundspot"),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def write_json(path: Path, value: Any) -> None:
    """Write aside, then move: a reader never sees half a file."""
    with written_aside(path) as aside:
        aside.write_text(json.dumps(without_nan(value), indent=2) + "\n")


def write_missing(path: Path, missing: Mapping[str, str]) -> None:
    """One JSON line for each clip that could not be read: its id and the reason."""
    lines = [json.dumps({"id": name, "reason": reason}) + "\n" for name, reason in sorted(missing.items())]
    with written_aside(path) as aside:
        aside.write_text("".join(lines))
