"""A method and its weights in one .safetensors file, whose header says how to build the method again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundspot.lookup import unknown
from soundspot.misread import parse_json
from soundspot.tensors import read_safetensors, refuse_pickle, sha256, write_safetensors
from soundspot.types import UserError

if TYPE_CHECKING:
    from soundspot.methods.base import Method

__all__ = ["find_weights", "load", "read_header", "save", "save_without_encoders", "sha256", "verify"]

FORMAT = "soundspot-1"
_UNBUILDABLE = (ArithmeticError, AssertionError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What building a method raises for options, of the right kinds, that make none."""
BUILT_IN = {"default": "spot.safetensors"}
"""Weights that ship in the package, by name."""


def save(method: Method, path: Path | str, extra: Mapping[str, str] | None = None) -> Path:
    """Write the method's tensors, and a header: method, options, what its towers started from, and `extra`.

    `extra` is for what only the caller knows: licence, source, and the like. Paths of initial weights stay out of
    the header (the file holds what came of them); their names and hashes are in it under `initial`.
    """
    write_safetensors(Path(path), method.state_dict(), {**_header(method), **(extra or {})})
    return Path(path)


def _header(method: Method) -> dict[str, str]:
    from soundspot.methods import method_name

    options = {key: "" if key.startswith("init_") else value for key, value in method.options.items()}
    return {
        "format": FORMAT,
        "method": method_name(method),
        "options": json.dumps(options),
        "initial": json.dumps(method.initial),
        "licence": "not stated",
        "source": "trained with soundspot",
    }


def save_without_encoders(
    method: Method, path: Path | str, named: Mapping[str, str], extra: Mapping[str, str] | None = None
) -> Path:
    """Write a small file: what frozen encoders hold stays out of it, the rest is in half precision.

    `named` says by option which of soundspot's encoders a tower is, {"init_image": "tf_efficientnet_lite0"} say; `load`
    takes them from the user's cache. UserError where a tower has learned something else.
    """
    import torch

    tensors = method.state_dict()
    bare = _built(method, named).state_dict()
    inside = {name for name in tensors if _in_tower(method, name)}
    learned = sum(not torch.equal(tensors[name].cpu(), bare[name]) for name in inside)
    if learned:
        raise UserError(
            f"expected towers as the encoders {', '.join(named.values())} were fetched, got {learned} of {len(inside)}"
            " tensors that differ; save the method whole"
        )
    light = {
        name: value.half() if value.is_floating_point() else value
        for name, value in tensors.items()
        if name not in inside
    }
    header = {**_header(method), **(extra or {}), "encoders": json.dumps(dict(named))}
    write_safetensors(Path(path), light, header)
    return Path(path)


def _built(method: Method, named: Mapping[str, str]) -> Method:
    """The method with fresh heads, its towers as the encoders of these names give them."""
    import torch

    from soundspot.methods import build, method_name

    with torch.random.fork_rng(devices=[]):
        return build(method_name(method), **{**method.options, **_encoder_paths(named)})


def _encoder_paths(named: Mapping[str, str]) -> dict[str, str]:
    """Options that name an encoder's cached file."""
    from soundspot import encoders

    return {option: str(encoders.path(name)) for option, name in named.items()}


def _in_tower(method: Method, name: str) -> bool:
    """Whether a tensor is one of a tower's."""
    from soundspot.nets.tower import Tower

    towers = [own for own, module in method.named_modules() if isinstance(module, Tower)]
    return any(name.startswith(f"{own}.") for own in towers)


def load(
    path: Path | str, *, method: str | None = None, device: str = "cpu", options: Mapping[str, Any] | None = None
) -> Method:
    """The method in the file, with its weights, in evaluation mode; its `provenance` says where it comes from.

    A file may name an outsider's "package.module:Class". As building it runs that code, it must be named again as
    `method`. `options` replaces some of those it was saved with. Raises UserError for anything that is not a weights
    file of soundspot.
    """
    import torch

    from soundspot.methods import METHODS, build

    path = Path(path)
    tensors, header = read_safetensors(path)
    name, saved = _checked(path, header)
    if name not in METHODS and name != method:
        raise UserError(
            f"{path}: expected one of {', '.join(METHODS)}, got the method {name!r}; if you trust that code, "
            f"pass method={name!r}"
        )
    with torch.random.fork_rng(devices=[]):  # building draws initial weights; the caller's generator must not notice
        named = _json(path, header.get("encoders", "{}"))
        try:
            loaded = build(name, **{**saved, **_encoder_paths(named), **(options or {})})
        except UserError:
            raise
        except _UNBUILDABLE as error:
            raise UserError(
                f"{path}: expected options that make a {name}, got {saved} ({error}); the file is damaged"
            ) from error
    if named:  # what encoders hold isn't in the file
        loaded.options.update(dict.fromkeys(named, ""))
        tensors = {own: value for own, value in loaded.state_dict().items() if _in_tower(loaded, own)} | tensors
    _fill(loaded, tensors, path)
    loaded.initial = _json(path, header.get("initial", "{}"))
    loaded.provenance = {**header, "weights": path.name, "weights_sha256": sha256(path)}
    return loaded.to(device).eval()


def find_weights(name_or_path: Path | str) -> Path:
    """The file of built-in weights, or of the user's own. Raises UserError where there is none."""
    name = str(name_or_path)
    if name in BUILT_IN:
        shipped = Path(__file__).with_name("shipped") / BUILT_IN[name]
        if not shipped.is_file():
            raise UserError(f"expected the built-in weights at {shipped}, got nothing there; install soundspot again")
        return shipped
    if not Path(name).is_file():
        near = unknown(BUILT_IN, name, "weights") if "." not in name and "/" not in name else None
        raise near or UserError(f"{name}: expected a weights file, got nothing there; check the path")
    return Path(name)


def read_header(path: Path | str) -> dict[str, str]:
    """The header alone. Raises UserError when the file is not soundspot's."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected a weights file, got nothing there; check the path")
    refuse_pickle(path)
    try:
        with safe_open(path, framework="numpy") as file:
            header = dict(file.metadata() or {})
    except SafetensorError as error:
        raise UserError(f"{path}: expected a .safetensors file, got something else ({error})") from error
    _checked(path, header)
    return header


def verify(path: Path | str, expected_sha256: str) -> None:
    """Raises UserError unless the file's SHA-256 is the expected one."""
    got = sha256(Path(path))
    if got != expected_sha256:
        raise UserError(f"{path}: expected sha256 {expected_sha256}, got {got}; fetch the file again")


def _checked(path: Path, header: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    if header.get("format") != FORMAT or "method" not in header or "options" not in header:
        raise UserError(
            f"{path}: expected weights of a soundspot method, got a safetensors file without that header; "
            "initial weights of a tower go into the method's options init_image and init_audio"
        )
    return header["method"], _json(path, header["options"])


def _json(path: Path, text: str) -> dict[str, Any]:
    try:
        value = parse_json(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: expected JSON in the header, got {text[:40]!r}; the file is damaged") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a JSON object in the header, got {text[:40]!r}; the file is damaged")
    return value


def _fill(method: Method, tensors: Mapping[str, Any], path: Path) -> None:
    wanted = method.state_dict()
    wrong = sorted(
        name
        for name in wanted.keys() | tensors.keys()
        if name not in wanted or name not in tensors or wanted[name].shape != tensors[name].shape
    )
    if wrong:
        raise UserError(
            f"{path}: expected the {len(wanted)} tensors of its method, got {len(tensors)} of which {len(wrong)} "
            f"differ in name or shape, such as {', '.join(wrong[:3])}; it was written by another version"
        )
    method.load_state_dict(tensors)
