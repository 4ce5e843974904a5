"""Where a run starts: the method as the recipe says, and weights that somebody trained before, or none."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from soundspot import encoders, methods, weights
from soundspot.methods.base import Method
from soundspot.nets.tags import TIMM, tagged
from soundspot.tensors import BACKBONE, refuse_pickle
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


def start_method(recipe: Recipe, init: Path | str | None, init_audio: Path | str | None = None) -> Start:
    """The recipe's method, seeded, with the weights at `init` in its picture tower, or in all of it.

    A file that `soundspot train` wrote fills the whole method; any other goes to its option `init_image`, and
    `init_audio` to the option of that name. Either may be `timm:ARCHITECTURE.TAG` or `encoder:NAME`; a tower whose
    backbone the recipe leaves open becomes a tag's architecture.
    """
    whole = init is not None and not _is_named(init) and _is_whole_method(Path(init))
    given = {"init_image": None if whole else init, "init_audio": init_audio}
    options = _with_initial(recipe, {name: str(value) for name, value in given.items() if value is not None})
    seed_everything(recipe.seed)
    method = methods.build(recipe.method, **options)
    method.inputs = replace(method.inputs, **_sampling(recipe))
    if init is None or not whole:
        return Start(method, _initial_text(method))
    path = Path(init)
    before = weights.load(path, method=recipe.method)  # naming it in the recipe is trusting its code
    _copy_state(before, method, path)
    return Start(method, f"whole method from {path.name} (sha256 {before.provenance.get('weights_sha256', 'unknown')})")


def with_classes(recipe: Recipe, clips: Sequence[Clip]) -> Recipe:
    """Where the method learns classes and the recipe names none: those of the training clips, in order of name."""
    if (
        "classes" in recipe.options
        or "classes" not in inspect.signature(methods.method_class(recipe.method)).parameters
    ):
        return recipe
    names = sorted({label for clip in clips for label in clip.labels})
    return replace(recipe, options={**recipe.options, "classes": ";".join(names)}) if names else recipe


def _with_initial(recipe: Recipe, given: Mapping[str, str]) -> dict[str, Option]:
    """The recipe's options and what is `given`, with files in the place of encoders' names and timm's tags."""
    known = inspect.signature(methods.method_class(recipe.method)).parameters
    for name in given:
        if name not in known:
            raise UserError(
                f"expected weights of a whole {recipe.method}, which has no option {name}, got {given[name]};"
                " give a file that training it wrote, or none"
            )
    options: dict[str, Option] = {**recipe.options, **given}
    for name, value in list(options.items()):
        if not (name.startswith("init_") and isinstance(value, str)):
            continue
        if value.startswith(ENCODER):
            options[name] = str(encoders.path(value.removeprefix(ENCODER)))
        elif value.startswith(TIMM):
            found = tagged(value)
            options[name] = str(found.file)
            backbone = f"{name.removeprefix('init_')}_backbone"
            if backbone in known:
                options.setdefault(backbone, found.architecture)
    return options


def _is_named(init: Path | str) -> bool:
    return str(init).startswith((ENCODER, TIMM))


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
    refuse_pickle(path, BACKBONE)
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
