"""How far apart pictures and sounds lie in one space: alignment of true pairs, and the gap between modalities.

SSLalign (arXiv 2407.13676, Table VI) prints "alignment", the mean cosine of true pairs after CyCLIP (arXiv 2205.14459),
and "magnitude", the gap after Zhang et al. (arXiv 2302.04269), without a formula. Here are two readings of the latter:
`gap`, how far the centroids of both modalities lie apart (Liang et al., arXiv 2203.02053), and `pair_distances`, whose
mean and deviation have the shape of the printed "0.94 ± 0.17". Of unit vectors, mean^2 + deviation^2 of the latter is
2 - 2 x alignment: true of what is printed for the paper's own method and of no other row, so neither is certain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from soundspot.types import UserError

Floats = npt.NDArray[np.float64]


def unit_rows(vectors: npt.ArrayLike) -> Floats:
    """(N, C) -> the same with rows of length 1; rows of zeros stay so. UserError for numbers that aren't finite."""
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise UserError(f"expected finite vectors (N, C), got {rows.shape} or NaN among them; check what made them")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def unit_pairs(image: npt.ArrayLike, sound: npt.ArrayLike) -> tuple[Floats, Floats]:
    """(N, C) and (N, C), row n of each a true pair -> both with rows of length 1; UserError for unequal shapes."""
    seen, heard = unit_rows(image), unit_rows(sound)
    if seen.shape != heard.shape:
        raise UserError(f"expected as many pictures as sounds, of one width, got {seen.shape} and {heard.shape}")
    return seen, heard


def pair_cosines(image: npt.ArrayLike, sound: npt.ArrayLike) -> Floats:
    """(N, C), (N, C) true pairs -> (N,) cosine of each, in -1..1."""
    seen, heard = unit_pairs(image, sound)
    return np.einsum("nc,nc->n", seen, heard)


def alignment(image: npt.ArrayLike, sound: npt.ArrayLike) -> float:
    """(N, C), (N, C) true pairs -> their mean cosine, SSLalign's "alignment"; NaN of no pair."""
    cosines = pair_cosines(image, sound)
    return float(cosines.mean()) if len(cosines) else float("nan")


def pair_distances(image: npt.ArrayLike, sound: npt.ArrayLike) -> Floats:
    """(N, C), (N, C) true pairs -> (N,) distance of each pair's unit vectors, in 0..2: the gap pair by pair."""
    seen, heard = unit_pairs(image, sound)
    return np.linalg.norm(seen - heard, axis=1)


def gap(image: npt.ArrayLike, sound: npt.ArrayLike) -> float:
    """(N, C), (N, C) -> distance of the centroids of all unit pictures and all unit sounds, in 0..2; NaN of none.

    It knows no pairs: shuffled sounds give the same. Never above the mean of `pair_distances`.
    """
    seen, heard = unit_pairs(image, sound)
    return float(np.linalg.norm(seen.mean(axis=0) - heard.mean(axis=0))) if len(seen) else float("nan")
