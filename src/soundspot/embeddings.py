"""The second boundary between methods and metrics: a vector a picture and a sound, in one safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soundspot.boundary import Kind, read_header, refusal, write_file
from soundspot.types import UserError

Vectors = npt.NDArray[np.float32]

FORMAT = "soundspot embeddings 1"
_FIELDS = {"ids": list, "labels": list, "groups": list, "missing": dict, "provenance": dict}
_KIND = Kind("an embeddings file", FORMAT, "soundspot embed", _FIELDS)
_TENSORS = ("image", "sound")


@dataclass(frozen=True)
class Embeddings:
    """Vectors of N clips, row n of both being clip n's; which clips have none and why; where the vectors come from.

    `provenance` names at least the method; also, where known, space, options, weights_sha256, versions, benchmark.
    UserError for rows that don't belong together, repeated ids, and numbers that aren't finite.
    """

    ids: tuple[str, ...]
    image: Vectors
    """(N, C)"""
    sound: Vectors
    """(N, C)"""
    labels: tuple[tuple[str, ...], ...] = ()
    """Classes of each clip's sound; empty where the data set gives none."""
    groups: tuple[str | None, ...] = ()
    """Clips that share a picture share a group; empty where no clips do."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Reasons, by clip id."""
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = {name: getattr(self, name).shape for name in _TENSORS}
        if self.image.ndim != 2 or self.image.shape != self.sound.shape or len(self.image) != len(self.ids):
            raise UserError(
                f"embeddings: expected image and sound of one shape ({len(self.ids)}, C), got {shapes['image']} and"
                f" {shapes['sound']}; give a row a clip"
            )
        for name in ("labels", "groups"):
            if len(getattr(self, name)) not in (0, len(self.ids)):
                raise UserError(
                    f"embeddings: expected {name} for all {len(self.ids)} clips or none, got {len(getattr(self, name))}"
                )
        names = [*self.ids, *self.missing]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise UserError(f"embeddings: expected each clip once, got {twice} twice; remove the duplicate")
        for name in _TENSORS:
            finite = np.isfinite(getattr(self, name)).all(axis=1)
            if not finite.all():
                raise UserError(
                    f"embeddings: expected finite numbers, got others in the {name} of clip"
                    f" {self.ids[int(np.argmin(finite))]}; check the method's output"
                )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def groups_by_clip(self) -> tuple[str, ...]:
        """A name a clip, the same for clips that share a picture and for no others."""
        groups = self.groups or (None,) * len(self.ids)
        return tuple(
            f"clip {name}" if group is None else f"group {group}" for name, group in zip(self.ids, groups, strict=True)
        )

    def labels_of(self, row: int) -> tuple[str, ...]:
        """The classes of a row's sound, if the data set gives any."""
        return self.labels[row] if self.labels else ()

    def save(self, path: Path) -> None:
        """Write one file at `path`, whole or not at all."""
        fields = {
            "ids": self.ids,
            "labels": self.labels,
            "groups": self.groups,
            "missing": dict(self.missing),
            "provenance": dict(self.provenance),
        }
        shapes = {name: getattr(self, name).shape for name in _TENSORS}
        pieces = (np.ascontiguousarray(getattr(self, name), dtype="<f4").tobytes() for name in _TENSORS)
        write_file(path, _KIND, fields, shapes, pieces)

    @staticmethod
    def load(path: Path) -> Embeddings:
        """Read a file; UserError if it isn't one of ours."""
        fields, stored = read_header(path, _KIND)
        if set(stored) != set(_TENSORS) or any(len(each.shape) != 2 for each in stored.values()):
            raise UserError(f"{refusal(path, _KIND)}, got other tensors ({', '.join(sorted(stored))}); write it again")
        plain = all(isinstance(text, str) for text in (*fields["ids"], *fields["missing"].values()))
        plain = plain and all(isinstance(text, str) for text in fields["provenance"].values())
        plain = plain and all(group is None or isinstance(group, str) for group in fields["groups"])
        if not plain or not all(isinstance(labels, list) for labels in fields["labels"]):
            raise UserError(f"{refusal(path, _KIND)}, got ids, labels or groups of another form; write it again")
        image, sound = (_read(path, *stored[name]) for name in _TENSORS)
        labels = tuple(map(tuple, fields["labels"]))
        groups, missing, provenance = tuple(fields["groups"]), fields["missing"], fields["provenance"]
        return Embeddings(tuple(fields["ids"]), image, sound, labels, groups, missing, provenance)


def _read(path: Path, shape: tuple[int, ...], offset: int) -> Vectors:
    return np.fromfile(path, np.dtype("<f4"), int(np.prod(shape)), offset=offset).reshape(shape)
