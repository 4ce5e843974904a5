"""Nearest neighbours in a data set, by picture and by sound: mined once, stored beside it, read from disk when drawn.

A folder of neighbours holds `ids.txt`, and for each modality `image_index.npy` (int32 (N, k), rows of ids.txt, nearest
first, never the clip itself) with `image_score.npy` (float16, cosines), likewise for `audio`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from soundspot.arrays import load_array
from soundspot.media.files import written_aside
from soundspot.textfiles import read_json, read_text, taken_apart
from soundspot.types import UserError

Modality = Literal["image", "audio"]
MODALITIES: tuple[Modality, ...] = ("image", "audio")
ROWS = 256
"""Rows of similarities held at once: 256 x 144,000 float32 are 147 MB."""
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Mined:
    """What was mined, and how many rows of it were there already."""

    folder: Path
    rows: int
    resumed_at: int


def mine(
    vectors: Vectors,
    ids: Collection[str],
    folder: Path,
    modality: Modality,
    *,
    k: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> Mined:
    """The k nearest of every row of `vectors` (N, C) by cosine, exactly, into `folder`; an interrupted run goes on.

    Raises UserError where there are not more than k rows, where a vector is zero or not finite, or where the folder
    holds neighbours of other clips.
    """
    names = list(ids)
    _check(vectors, names, k, modality)
    folder.mkdir(parents=True, exist_ok=True)
    _write_ids(folder / "ids.txt", names)
    unit = torch.nn.functional.normalize(torch.from_numpy(np.ascontiguousarray(vectors, np.float32)))
    journal = folder / f"{modality}_progress.json"
    task = {"rows": len(names), "k": k, "vectors": _fingerprint(unit)}
    start = _resume(journal, task)
    shape = (len(names), k)
    indices = _array(folder / f"{modality}_index.npy", np.int32, shape, fresh=start == 0)
    scores = _array(folder / f"{modality}_score.npy", np.float16, shape, fresh=start == 0)
    held = torch.empty(min(ROWS, len(names)), len(names))  # one for all: memory that is new each time is slow
    for first in range(start, len(names), ROWS):
        last = min(first + ROWS, len(names))
        similar = torch.mm(unit[first:last], unit.T, out=held[: last - first])
        similar[torch.arange(last - first), torch.arange(first, last)] = -torch.inf
        near = nearest(similar, k)
        indices[first:last] = near.numpy()
        scores[first:last] = similar.gather(1, near).numpy()
        if (last // ROWS) % 16 == 0 or last == len(names):
            indices.flush()
            scores.flush()
            with written_aside(journal) as aside:
                aside.write_text(json.dumps({**task, "done": last}))
        if progress is not None:
            progress(last, len(names))
    return Mined(folder, len(names), start)


def nearest(similar: torch.Tensor, k: int) -> torch.Tensor:
    """(M, N) -> (M, k), the columns of the largest values, largest first; equal values in the order of columns.

    Which of several that equal the last one are among the k is left to torch.
    """
    values, columns = similar.topk(k, dim=1)
    columns, order = columns.sort(dim=1)
    order = values.gather(1, order).sort(dim=1, descending=True, stable=True).indices
    return columns.gather(1, order)


class Neighbours:
    """Mined neighbours, read from disk as they are asked for."""

    def __init__(
        self, folder: Path, among: Collection[str] | None = None, modalities: Sequence[Modality] = MODALITIES
    ) -> None:
        """`among`: only these clips may be drawn (those of a run: test clips and held-out ones must not come back)."""
        self.folder = folder
        self.names = _read_ids(folder / "ids.txt")
        if not self.names:
            raise UserError(f"{folder}: expected mined neighbours (ids.txt and others), got none; mine them first")
        self.row = {name: row for row, name in enumerate(self.names)}
        self.among = None if among is None else set(among)
        self.index = {modality: self._open(modality) for modality in modalities}

    def _open(self, modality: Modality) -> npt.NDArray[np.int32]:
        path, journal = (self.folder / f"{modality}_{name}" for name in ("index.npy", "progress.json"))
        if not path.is_file() or not journal.is_file():
            raise UserError(f"{self.folder}: expected neighbours by {modality}, got no {path.name}; mine them too")
        wanted = "what `soundspot neighbours` wrote"
        state = read_json(journal, wanted, "mine them anew")
        if not isinstance(state, dict) or not {"done", "rows"} <= state.keys():
            raise UserError(f"{journal}: expected {wanted}, got something else; mine them anew")
        if state["done"] != state["rows"] or state["rows"] != len(self.names):
            raise UserError(
                f"{path}: expected neighbours of all {len(self.names)} clips, got {state['done']} of {state['rows']};"
                " run the mining again, it goes on where it stopped"
            )
        try:
            opened: npt.NDArray[np.int32] = load_array(path, mapped="r")
        except ValueError as error:
            raise UserError(f"{path}: expected {wanted}, got no such file ({error}); mine them anew") from error
        if opened.ndim != 2 or len(opened) != len(self.names) or opened.dtype != np.int32:
            raise UserError(f"{path}: expected {wanted}, got {opened.dtype} {opened.shape}; mine them anew")
        return opened

    def drawn(self, modality: Modality, clip_id: str, number: float) -> str:
        """One of the clip's neighbours, by a number in [0, 1)."""
        if clip_id not in self.row:
            raise UserError(f"{self.folder}: expected neighbours of clip {clip_id}, got none; mine them for this list")
        rows = self.index[modality][self.row[clip_id]]
        if not ((rows >= 0) & (rows < len(self.names))).all():
            raise UserError(
                f"{self.folder}: expected neighbours among its {len(self.names)} clips, got others; mine anew"
            )
        allowed = [int(row) for row in rows if self.among is None or self.names[row] in self.among]
        if not allowed:
            raise UserError(
                f"{self.folder}: expected a neighbour of {clip_id} among the training clips, got none in {len(rows)};"
                " mine with a larger k, or on the training list"
            )
        return self.names[allowed[int(number * len(allowed))]]


def _check(vectors: Vectors, names: list[str], k: int, modality: str) -> None:
    if vectors.ndim != 2 or len(vectors) != len(names):
        raise UserError(f"expected {modality} vectors ({len(names)}, C), a row an id, got {vectors.shape}")
    if not 1 <= k < len(names):
        raise UserError(f"expected k from 1 to {len(names) - 1} (all other clips), got {k}; lower it")
    lengths = np.linalg.norm(vectors, axis=1)
    bad = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(bad):
        raise UserError(
            f"expected {modality} vectors that are finite and not zero, got {len(bad)} others, such as that of"
            f" {names[bad[0]]}; leave these clips out"
        )


def _fingerprint(unit: torch.Tensor) -> float:
    """A number that other vectors would hardly have."""
    weights = torch.arange(1, unit.shape[0] + 1, dtype=torch.float64)
    return float((unit.double().sum(dim=1) * weights).sum())


def _resume(journal: Path, task: dict[str, int | float]) -> int:
    if not journal.is_file():
        return 0
    state = read_json(journal, "how far the mining came", "delete it to begin anew")
    with taken_apart(journal, "how far the mining came", "delete it to begin anew"):
        done = int(state.pop("done"))
    return done if state == task else 0


def _array(path: Path, kind: type[np.generic], shape: tuple[int, int], fresh: bool) -> np.memmap:
    return np.lib.format.open_memmap(path, mode="w+" if fresh else "r+", dtype=kind, shape=shape)


def _read_ids(path: Path) -> list[str]:
    return read_text(path, "ids", "mine them anew").removesuffix("\n").split("\n") if path.is_file() else []


def _write_ids(path: Path, names: list[str]) -> None:
    if path.is_file() and _read_ids(path) != names:
        raise UserError(f"{path}: expected the same {len(names)} clips in the same order, got others; take another")
    with written_aside(path) as aside:
        aside.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
