"""Tensor files: safetensors read and written whole, published PyTorch files read without running code from them."""

from __future__ import annotations

import hashlib
import json
import pickle  # nosec B403 # only its error is caught
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from soundspot.media.files import written_aside
from soundspot.types import UserError

if TYPE_CHECKING:  # names of weights are listed where torch must not be imported
    from torch import Tensor

PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""
BACKBONE = "backbone"
"""What `convert` calls a tower's initial weights."""
PICKLED = frozenset((".pth", ".pt", ".ckpt", ".pkl", ".pickle", ".bin", ".tar"))
"""Endings of files that PyTorch writes as pickles."""
PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""First bytes of such files, whatever they are called: a zip of pickles, or a bare one."""

_MISREAD = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
    TypeError, ValueError, pickle.UnpicklingError, struct.error,
)  # fmt: skip
"""What torch's reader raises where a pickle, or the archive around it, is damaged."""


def sha256(path: Path) -> str:
    """The file's SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_safetensors(path: Path, convert_as: str = "METHOD") -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, and the header's own text fields. Raises UserError when it is no such file.

    `convert_as` is what a PyTorch file in its place should have been converted as.
    """
    from safetensors import SafetensorError, safe_open

    _must_exist(path)
    refuse_pickle(path, convert_as)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(
            f"{path}: expected a .safetensors file, got something else ({error}); "
            "bring published PyTorch files in with `soundspot convert`"
        ) from error


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write beside `path`, then move there: a reader never sees half a file."""
    from safetensors.torch import save

    own = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with written_aside(path) as aside:
        # not its save_file: a process killed in that leaves a whole hidden file, under a name nobody can know
        content = save(own, dict(header))
        text = _sorted_header(content)
        with aside.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.write(memoryview(content)[8 + int.from_bytes(content[:8], "little") :])


def _sorted_header(content: bytes) -> bytes:
    """A safetensors file's header with its fields in order of name: the library gives them in another each time."""
    whole = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    whole["__metadata__"] = dict(sorted(whole.get("__metadata__", {}).items()))
    text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()
    return text + b" " * (-len(text) % 8)


def refuse_pickle(path: Path, convert_as: str = "METHOD") -> None:
    """Raises UserError, with the command that helps, for a PyTorch file: only `convert` opens one, and with care."""
    with path.open("rb") as file:
        first = file.read(4)
    if path.suffix.lower() in PICKLED or first.startswith(PICKLE_STARTS):
        converted = path.with_name(path.name.split(".")[0] + ".safetensors")
        raise UserError(
            f"{path}: expected a .safetensors file, got a PyTorch file, a pickle, which can run code when it is opened;"
            f" bring published PyTorch files in with `soundspot convert {quote(str(path))} {convert_as}"
            f" {quote(str(converted))}`" + (", METHOD being the one it is of" if convert_as == "METHOD" else "")
        )


def read_published(path: Path) -> Any:
    """Whatever a PyTorch file holds, built only from tensors, plain containers and NumPy scalars.

    For `soundspot convert` alone; everything else takes what that wrote. Raises UserError for files that would need
    anything else: such a file can run code when it is opened.
    """
    import torch

    _must_exist(path)
    try:
        with torch.serialization.safe_globals(_numpy_scalars()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle's protocol: what can't be read is refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except _MISREAD as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"{path}: expected a PyTorch checkpoint of tensors and numbers, got: {reason}; fetch it again, or save its"
            " state dict alone"
        ) from error


def flat_state(content: object, path: Path) -> dict[str, Tensor]:
    """`content` itself if it maps names to tensors; else the one entry of it that checkpoints keep them under."""
    from torch import Tensor

    if isinstance(content, dict):
        state = next((content[key] for key in ("model", "model_state_dict", "state_dict") if key in content), content)
        if isinstance(state, dict) and state and all(isinstance(value, Tensor) for value in state.values()):
            return state
    raise UserError(
        f"{path}: expected a state dict, plain or under 'model', 'model_state_dict' or 'state_dict', got none; use one"
    )


def without_prefixes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, named as before they were wrapped."""
    names = dict(state)
    for prefix in PREFIXES:
        if names and all(name.startswith(prefix) for name in names):
            names = {name.removeprefix(prefix): value for name, value in names.items()}
    return names


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path}: expected a weights file, got nothing there; check the path")


def _numpy_scalars() -> list[Any]:
    """The globals of a pickled NumPy number, under the names of NumPy 1 and of NumPy 2."""
    import numpy as np
    from numpy._core import multiarray

    return [
        (multiarray.scalar, "numpy.core.multiarray.scalar"),
        (multiarray.scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *(type(np.dtype(name)) for name in ("float32", "float64", "int32", "int64", "bool")),
    ]
