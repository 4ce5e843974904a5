"""Clips through a method to embeddings: a vector a picture and a sound, what could not be read, and what made them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from soundspot.coming import Results
from soundspot.embeddings import Embeddings, Vectors
from soundspot.lookup import find
from soundspot.methods import method_name
from soundspot.predict import Reading, check_ids, over_batches, provenance
from soundspot.types import Clip, Missing, UserError

if TYPE_CHECKING:
    from soundspot.methods.base import Embed, Method, Space

SPACES: dict[str, Space] = {"projected": "projected", "backbone": "backbone"}
"""Where vectors may live; a method has one or both."""


def embed(
    method: Method,
    clips: Sequence[Clip],
    *,
    space: str | None = None,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
    num_workers: int | None = 0,
    progress: bool = True,
) -> Embeddings:
    """Every clip's picture and sound as vectors, in the order of the clips; nothing takes the place of unread ones.

    `space` is one of SPACES, None what the method's `embed` gives. The method keeps the mode (training or evaluation)
    it came in. UserError for repeated ids and for a space that the method doesn't have.
    """
    check_ids(clips)
    name, give = space_of(method, space)
    rows: dict[str, tuple[Vectors, Vectors]] = {}
    missing: dict[str, str] = {}

    def take(ids: tuple[str, ...], results: Results) -> None:
        image, sound = results
        rows.update(zip(ids, zip(image, sound, strict=True), strict=True))

    def take_missing(lost: list[Missing]) -> None:
        missing.update({entry.clip_id: entry.reason for entry in lost})

    over_batches("embed", method, clips, Reading(batch_size, device, num_workers, progress), give, take, take_missing)
    read = [clip for clip in clips if clip.id in rows]
    labelled, grouped = any(clip.labels for clip in read), any(clip.group is not None for clip in read)
    return Embeddings(
        ids=tuple(clip.id for clip in read),
        image=_stacked([rows[clip.id][0] for clip in read]),
        sound=_stacked([rows[clip.id][1] for clip in read]),
        labels=tuple(clip.labels for clip in read) if labelled else (),
        groups=tuple(clip.group for clip in read) if grouped else (),
        missing=missing,
        provenance={**provenance(method), "space": name},
    )


def space_of(method: Method, space: str | None) -> tuple[Space, Embed]:
    """The space's name, and what gives its vectors; by default the method's own. UserError if it has no such space."""
    known = method.spaces()
    wanted = next(iter(known)) if space is None else find(SPACES, space, "space")
    if wanted not in known:
        raise UserError(
            f"{method_name(method)}: expected the space {' or '.join(known)}, the only one that it has with these"
            f" options, got {wanted}; leave the space out"
        )
    return wanted, known[wanted]


def _stacked(vectors: list[Vectors]) -> Vectors:
    return np.stack(vectors) if vectors else np.zeros((0, 0), dtype=np.float32)
