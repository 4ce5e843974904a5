"""The state of a run on disk: tensors and one JSON text in a safetensors file, and the one before it."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from soundspot.media.files import naming
from soundspot.misread import one_line, parse_json
from soundspot.types import UserError

CURRENT = "checkpoint.safetensors"
PREVIOUS = "checkpoint.previous.safetensors"


@dataclass(frozen=True)
class State:
    """All that a run needs to go on as if it had never stopped."""

    tensors: dict[str, torch.Tensor]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """A checkpoint that could be read, its file, and why a newer one was passed over (None: it was the newest)."""

    state: State
    path: Path
    passed_over: str | None


def write(folder: Path, state: State) -> Path:
    """Write the state aside, then move it into place; the checkpoint that was there stays as the previous one."""
    current, previous = folder / CURRENT, folder / PREVIOUS
    aside = folder / (CURRENT + ".part")
    # safetensors refuses tensors that share memory (tied weights), hence the copies
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.tensors.items()}
    text = json.dumps(state.facts)
    # not its save_file: a process killed in that leaves a whole hidden file, under a name nobody can know
    content = save(own, metadata={"state": text, "sha256": _digest(own, text)})
    with naming(current):
        _write_through(aside, content)
    if current.exists():
        current.replace(previous)
    aside.replace(current)
    return current


def _write_through(path: Path, content: bytes) -> None:
    """All of it on the disk, or nothing at all."""
    try:
        with path.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
    except OSError:
        path.unlink(missing_ok=True)  # on a full disk it would stand in the way of the next
        raise


def _digest(tensors: Mapping[str, torch.Tensor], text: str) -> str:
    """SHA-256 of a state: safetensors notices what is cut off, but no bit that has changed."""
    whole = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name}\n{tensor.dtype}\n{list(tensor.shape)}\n".encode())
        whole.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


def read_newest(folder: Path) -> Found:
    """The newest whole checkpoint of a folder; a damaged one is passed over and said so.

    Raises UserError where no checkpoint can be read.
    """
    faults: list[str] = []
    for path in (folder / CURRENT, folder / PREVIOUS):
        try:
            return Found(_read(path), path, "; ".join(faults) or None)
        except FileNotFoundError:
            faults.append(f"{path.name} is not there")
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            faults.append(f"{path.name} cannot be read ({one_line(str(error))})")
    raise UserError(f"expected a checkpoint in {folder}, got none: {'; '.join(faults)}; train without resume")


def _read(path: Path) -> State:
    if not path.exists():
        raise FileNotFoundError(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        header = file.metadata() or {}
    if _digest(tensors, header["state"]) != header["sha256"]:
        raise ValueError("its SHA-256 is another than when it was written")
    facts = parse_json(header["state"])
    if not isinstance(facts, dict):
        raise TypeError("its state is no JSON object")
    return State(tensors, facts)


def with_prefix(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under `prefix/`."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors that lie under `prefix/`, without it."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(prefix + "/")}


def optimizer_state(optimizer: torch.optim.Optimizer) -> State:
    """An optimizer's state as flat tensors `<parameter>/<name>` and plain facts."""
    whole = optimizer.state_dict()
    tensors: dict[str, torch.Tensor] = {}
    numbers: dict[str, Any] = {}
    for parameter, entries in whole["state"].items():
        for name, value in entries.items():
            (tensors if isinstance(value, torch.Tensor) else numbers)[f"{parameter}/{name}"] = value
    return State(tensors, {"numbers": numbers, "groups": whole["param_groups"]})


def restore_optimizer(optimizer: torch.optim.Optimizer, state: State) -> None:
    """Give an optimizer the state that `optimizer_state` took."""
    entries: dict[int, dict[str, Any]] = {}
    for key, value in {**state.tensors, **state.facts["numbers"]}.items():
        parameter, name = key.split("/", 1)
        entries.setdefault(int(parameter), {})[name] = value
    optimizer.load_state_dict({"state": entries, "param_groups": state.facts["groups"]})


def random_state() -> dict[str, torch.Tensor]:
    """The state of every random generator a method may draw from, as tensors."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002 (methods may use it)
    assert kind == "MT19937"
    _, words, next_gauss = random.getstate()
    state = {
        "torch": torch.get_rng_state(),
        "numpy": torch.from_numpy(np.asarray(keys, np.int64)),
        "numpy_rest": torch.tensor([position, has_gauss, gauss], dtype=torch.float64),
        "python": torch.tensor(words, dtype=torch.int64),
        "python_rest": torch.tensor([] if next_gauss is None else [next_gauss], dtype=torch.float64),
    }
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: Mapping[str, torch.Tensor]) -> None:
    """Set every random generator as `random_state` found it."""
    torch.set_rng_state(state["torch"])
    position, has_gauss, gauss = state["numpy_rest"].tolist()
    keys = state["numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, int(position), int(has_gauss), gauss))  # noqa: NPY002
    next_gauss = state["python_rest"].tolist()
    random.setstate((3, tuple(state["python"].tolist()), next_gauss[0] if next_gauss else None))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def seed_everything(seed: int) -> None:
    """Seed torch, NumPy's old generator and Python's."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)
