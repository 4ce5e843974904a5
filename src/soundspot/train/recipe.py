"""A whole training run as one frozen dataclass; a variant is `dataclasses.replace` or some `key=value` settings."""

from __future__ import annotations

import inspect
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, Union

from soundspot.lookup import unknown
from soundspot.types import UserError

Option = int | float | str | bool


@dataclass(frozen=True)
class DataSpec:
    """Which clips to train on, and which ids must not be among them."""

    kind: Literal["folder", "vggsound", "flickr"] = "folder"
    """folder: what `soundspot samples` writes; others: frames/<id>.jpg and audio/<id>.wav, or video/<id>.mp4."""
    ids: str | None = None
    """File with the training ids (one a line, or VGGSound's CSV), relative to the root; None: all that lies there."""
    split: str | None = None
    """Of a folder whose listing has splits: the one to train on."""
    kinds: tuple[str, ...] = ()
    """Of a folder that says what is true of each clip: the kinds to train on, such as visible; empty: all."""
    neighbours: str | None = None
    """Folder that `soundspot neighbours` wrote, relative to the root: for methods that need them."""
    root: str | None = None
    """Where the media lies, unless `train(root=...)` says so."""
    test_ids: tuple[str, ...] = ()
    """Files of ids that will be tested on (.txt, .csv, .json, .jsonl), relative to the root: no leak goes unseen."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training run computes; with the data it decides every bit."""

    name: str
    method: str
    """A name of soundspot.methods.METHODS or `package.module:Class`."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """The method's constructor arguments; as settings `method.<argument>=...`."""
    data: DataSpec = field(default_factory=DataSpec)

    epochs: int = 20
    batch_size: int = 128
    """Clips in one forward pass over all ranks together: the negatives of a clip are the others of its batch."""
    accumulate: int = 1
    """Batches whose gradients are averaged for one step."""
    drop_last: bool = True

    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    momentum: float = 0.9
    """Of sgd only."""
    schedule: Literal["constant", "cosine", "step"] = "constant"
    warmup_steps: int = 0
    """The rate grows linearly over this many steps, under every schedule."""
    decay_epochs: int = 10
    """Under `step`: epochs between two decays."""
    decay_factor: float = 0.1
    clip_norm: float = 0.0
    """Largest gradient norm of a step; 0 does not clip."""
    autocast: Literal["off", "bfloat16", "float16", "measured"] = "off"
    """measured: bfloat16 if this device is measured faster in it, when the run begins; else off."""
    compile: Literal["off", "on", "auto"] = "off"
    """Whether the towers train as torch.compile makes them; auto: where it pays and can be done."""

    seed: int = 0
    num_workers: int = 2
    cache: Literal["off", "memory", "features"] = "off"
    """memory: decoded pictures (uint8) and sounds (int16) stay resident after they were first read, on the device where
    they fit there; features: what the
    method's frozen parts say of each clip does (in half precision), so that later epochs run only what learns."""
    train_frame: Literal["centre", "random"] | None = None
    """None: as the method's Inputs say; the same for the next two."""
    train_sound: Literal["aligned", "whole"] | None = None
    train_scale: float | None = None

    validation_fraction: float = 0.0
    """Share of the training ids, chosen by a hash of the id, that is held out of training."""
    choose: Literal["last", "retrieval", "loss"] = "last"
    """The checkpoint that counts: the last, or the best on held-out ids by R@1 or by loss; test sets never choose."""
    on_leak: Literal["stop", "drop"] = "stop"
    """What happens when training ids are test ids: the run stops, or goes on without them."""
    allow_leak: tuple[str, ...] = ()
    """Names of test lists that may overlap with the training ids; said in the result."""

    checkpoint_steps: int = 0
    """Steps between two checkpoints inside an epoch; 0: at the end of every epoch only."""
    log_steps: int = 10

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if not least <= getattr(self, name):
                raise UserError(f"recipe {self.name}: expected {name} >= {least}, got {getattr(self, name)}")
        if not 0 <= self.validation_fraction < 1:
            raise UserError(
                f"recipe {self.name}: expected validation_fraction in [0, 1), got {self.validation_fraction}"
            )
        if self.choose != "last" and self.validation_fraction == 0:
            raise UserError(
                f"recipe {self.name}: choose={self.choose} needs held-out clips, got validation_fraction=0;"
                " set validation_fraction=0.05 or choose=last"
            )


LEAST: dict[str, float] = {
    "epochs": 1,
    "batch_size": 1,
    "accumulate": 1,
    "learning_rate": 0.0,
    "weight_decay": 0.0,
    "warmup_steps": 0,
    "decay_epochs": 1,
    "clip_norm": 0.0,
    "num_workers": 0,
    "checkpoint_steps": 0,
    "log_steps": 1,
}

FREE_ON_RESUME = frozenset({"name", "num_workers", "checkpoint_steps", "log_steps"})
"""Fields that cannot change what is computed, so a resumed run may have them otherwise."""


def apply_settings(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """The recipe with each `key=value` applied; `data.<key>` and `method.<argument>` reach inside.

    >>> apply_settings(Recipe("mine", "ez_vsl"), ["epochs=3", "data.ids=ids.txt", "clip_norm=0.5"]).epochs
    3
    """
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"expected a setting as key=value, got {setting!r}; write for example epochs=3")
        recipe = _apply(recipe, key.strip(), text.strip())
    return recipe


def recipe_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values (tuples as lists)."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(recipe)))
    return plain


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names of the fields, apart from the free ones, in which two recipes' JSON differ."""
    return sorted(key for key in set(old) | set(new) if key not in FREE_ON_RESUME and old.get(key) != new.get(key))


def _apply(recipe: Recipe, key: str, text: str) -> Recipe:
    head, dot, rest = key.partition(".")
    if dot and head == "data":
        return replace(recipe, data=_with_field(recipe.data, rest, text, key))
    if dot and head == "method":
        hints = _argument_types(recipe.method)
        if rest not in hints:
            raise unknown([f"method.{name}" for name in hints], key, "setting")
        return replace(recipe, options={**recipe.options, rest: _parse(text, hints[rest], key)})
    return _with_field(recipe, key, text, key)


def _with_field(thing: Any, name: str, text: str, key: str) -> Any:
    hints = typing.get_type_hints(type(thing))
    if name not in hints or name in ("options", "data"):
        raise unknown(_all_keys(), key, "setting")
    return replace(thing, **{name: _parse(text, hints[name], key)})


def _all_keys() -> list[str]:
    own = [entry.name for entry in fields(Recipe) if entry.name not in ("options", "data")]
    return [*own, *(f"data.{entry.name}" for entry in fields(DataSpec)), "method.<argument>"]


def _argument_types(method: str) -> dict[str, Any]:
    """Constructor arguments of a method and their types."""
    from soundspot.methods import method_class  # here, because it imports torch

    parameters = inspect.signature(method_class(method)).parameters
    return {name: _kind_of(parameter) for name, parameter in parameters.items()}


def _kind_of(parameter: inspect.Parameter) -> type:
    """What kind of value an option takes, by its default."""
    return str if parameter.default in (inspect.Parameter.empty, None) else type(parameter.default)


def _parse(text: str, hint: Any, key: str) -> Any:
    """`text` as the type `hint` of the setting `key`."""
    origin, choices = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if text not in choices:
            raise unknown(choices, text, f"value of {key}")
        return text
    if origin in (Union, types.UnionType):
        if text.lower() == "none":
            return None
        return _parse(text, next(choice for choice in choices if choice is not type(None)), key)
    if origin is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise UserError(f"expected {key}=true or {key}=false, got {text!r}")
        return text.lower() == "true"
    if hint in (int, float):
        return _number(text, hint, key)
    return text


def _number(text: str, kind: type[int] | type[float], key: str) -> int | float:
    try:
        value = kind(text)
        if not math.isfinite(value):
            raise ValueError
        return value
    except (OverflowError, ValueError):
        what = "a whole number" if kind is int else "a number"
        raise UserError(f"expected {what} for {key}, got {text!r}; write {key}={kind(1)}, say") from None
