"""Cross-modal retrieval (SSLalign, arXiv 2407.13676, Table V): a sound looks for its picture among all, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from soundspot.metrics.embedding_space import unit_pairs, unit_rows
from soundspot.types import UserError

Ranks = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

TIE = 1e-6
"""Cosines as close as this are equal: the same picture in another batch differs by float32's last digits."""
CHUNK = 1024
"""Queries at once: 5,158 answers to them are 20 MB."""


def ranks(
    queries: npt.ArrayLike, answers: npt.ArrayLike, groups: Sequence[str] | None = None, *, chunk: int = CHUNK
) -> Ranks:
    """(N, C) queries, (N, C) answers, row n of each a true pair -> (N,) rank of the right answer by cosine, from 1.

    Only a query's own answer is right, or with `groups` (N names) any answer of its group, the best of which counts.
    A wrong answer as near as the right one (within TIE) comes before it: vectors that collapsed to one point are last
    and not first, and two clips that share a picture can't both be first unless they share a group. UserError for
    unequal shapes.
    """
    asked, answered = (vectors.astype(np.float32) for vectors in unit_pairs(queries, answers))
    members = np.arange(len(asked)) if groups is None else _numbers(groups)
    if len(members) != len(asked):
        raise UserError(f"expected a group a clip, got {len(members)} for {len(asked)} clips; name each clip's")
    found = np.empty(len(asked), dtype=np.int64)
    for start in range(0, len(asked), chunk):
        rows = slice(start, start + chunk)
        cosines = asked[rows] @ answered.T
        right = members[rows, None] == members
        best = np.where(right, cosines, -np.inf).max(axis=1, keepdims=True)
        found[rows] = 1 + np.count_nonzero(~right & (cosines >= best - TIE), axis=1)
    return found


def _numbers(groups: Sequence[str]) -> Ranks:
    return np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1].reshape(-1)


def both_ways(
    image: npt.ArrayLike, sound: npt.ArrayLike, groups: Sequence[str] | None = None, *, chunk: int = CHUNK
) -> dict[str, Ranks]:
    """(N, C) pictures, (N, C) sounds -> `ranks` of "sound_to_image" and "image_to_sound", (N,) each."""
    return {
        "sound_to_image": ranks(sound, image, groups, chunk=chunk),
        "image_to_sound": ranks(image, sound, groups, chunk=chunk),
    }


def recall_at(found: npt.ArrayLike, k: int) -> float:
    """(N,) ranks -> the share of queries whose right answer is among the first k; NaN of no query."""
    first = np.asarray(found) <= k
    return float(first.mean()) if len(first) else float("nan")


def median_rank(found: npt.ArrayLike) -> float:
    """(N,) ranks -> their median; NaN of no query."""
    values = np.asarray(found, dtype=np.float64)
    return float(np.median(values)) if len(values) else float("nan")


def chance(total: int, k: int, groups: Sequence[str] | None = None) -> float:
    """What `recall_at` k is when `total` answers come in random order: k / total, more where a group shares answers."""
    if total == 0:
        return float("nan")
    sizes = np.ones(1) if groups is None else np.bincount(members := _numbers(groups))[members].astype(np.float64)
    missed = np.ones_like(sizes)
    for place in range(min(k, total)):  # none of the group's answers at this place, given none before it
        missed *= np.clip(total - sizes - place, 0, None) / (total - place)
    return float(np.mean(1 - missed))


def nearest(
    query: npt.ArrayLike, answers: npt.ArrayLike, count: int, leave_out: Sequence[int] = ()
) -> tuple[Ranks, Floats]:
    """(C,) query, (N, C) answers -> the `count` nearest rows by cosine, and the cosines; fewer where there are fewer.

    Rows in `leave_out` aren't answers. Equally near ones come in the order of their rows.
    """
    cosines = unit_rows(answers) @ unit_rows(np.asarray(query)[None])[0]
    allowed = np.setdiff1d(np.arange(len(cosines)), np.asarray(leave_out, dtype=np.int64))
    best = allowed[np.argsort(-cosines[allowed], kind="stable")[:count]]
    return best, cosines[best]


def compose(image: npt.ArrayLike, sounds: npt.ArrayLike, *, share: float = 0.5) -> Floats:
    """(C,) picture, (S, C) sounds -> (C,) query: share * picture + (1 - share) * the sum of sounds, as unit vectors.

    SSLalign (arXiv 2407.13676, section 4.4) has one sound, and a share that it says varies from example to example;
    the default 0.5 points where the plain sum of unit vectors does.
    """
    return share * unit_rows(np.asarray(image)[None])[0] + (1 - share) * unit_rows(sounds).sum(axis=0)
