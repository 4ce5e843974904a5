"""Where a run starts: the method as the recipe says, and weights that somebody trained before, or none."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from soundspot import encoders, methods, weights
from soundspot.methods.base import Method
from soundspot.train.checkpoint import seed_everything
from soundspot.train.recipe import Option, Recipe
from soundspot.types import Clip, UserError

RANDOM = "random init"
ENCODER = "encoder:"


@dataclass(frozen=True)
class Start:
    """A method before its first step."""

    method: Method
    init: str
    """What it starts from, as the result row says it."""


def start_method(recipe: Recipe, init: Path | None) -> Start:
    """The recipe's method, seeded, with the weights at `init` in its picture tower, or in all of it.

    A file that `soundspot train` wrote fills the whole method; any other goes to its option `init_image`.
    """
    whole = init is not None and _is_whole_method(init)
    options = {name: _encoder_path(name, value) for name, value in recipe.options.items()}
    if init is not None and not whole:
        if "init_image" not in inspect.signature(methods.method_class(recipe.method)).parameters:
            raise UserError(
                f"expected weights of a whole {recipe.method}, which has no option init_image, got {init};"
                " give a file that training it wrote, or none"
            )
        options["init_image"] = str(init)
    seed_everything(recipe.seed)
    method = methods.build(recipe.method, **options)
    method.inputs = replace(method.inputs, **_sampling(recipe))
    if init is None or not whole:
        return Start(method, _initial_text(method))
    before = weights.load(init, method=recipe.method)  # naming it in the recipe is trusting its code
    _copy_state(before, method, init)
    return Start(method, f"whole method from {init.name} (sha256 {before.provenance.get('weights_sha256', 'unknown')})")


def with_classes(recipe: Recipe, clips: Sequence[Clip]) -> Recipe:
    """Where the method learns classes and the recipe names none: those of the training clips, in order of name."""
    if (
        "classes" in recipe.options
        or "classes" not in inspect.signature(methods.method_class(recipe.method)).parameters
    ):
        return recipe
    names = sorted({label for clip in clips for label in clip.labels})
    return replace(recipe, options={**recipe.options, "classes": ";".join(names)}) if names else recipe


def _encoder_path(option: str, value: Option) -> Option:
    """An option as it is, but for `init_...=encoder:NAME`: the file of that fetched encoder."""
    if option.startswith("init_") and isinstance(value, str) and value.startswith(ENCODER):
        return str(encoders.path(value.removeprefix(ENCODER)))
    return value


def _sampling(recipe: Recipe) -> dict[str, Any]:
    """The recipe's own way of sampling, where it has one."""
    names = ("train_frame", "train_sound", "train_scale")
    return {name: getattr(recipe, name) for name in names if getattr(recipe, name) is not None}


def _initial_text(method: Method) -> str:
    origins = method.initial
    if all(origin == RANDOM for origin in origins.values()):
        return RANDOM
    return "; ".join(f"{tower}: {origin}" for tower, origin in sorted(origins.items()))


def _is_whole_method(path: Path) -> bool:
    if not path.is_file():
        raise UserError(f"expected initial weights at {path}, got no file there; check the path, or leave init out")
    if path.suffix != ".safetensors":
        return False
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("format") == weights.FORMAT
    except SafetensorError as error:
        raise UserError(f"{path}: expected a .safetensors file, got a damaged one ({error}); fetch it again") from error


def _copy_state(before: Method, method: Method, path: Path) -> None:
    try:
        method.load_state_dict(before.state_dict())
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: expected weights that fit the recipe's method, got others ({reason})") from error
