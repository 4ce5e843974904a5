"""NumPy's own files, as anybody may have written them: arrays of numbers, never pickled objects."""

from __future__ import annotations

import tokenize
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


def load_array(path: Path, mapped: Literal["r"] | None = None) -> npt.NDArray[Any]:
    """The array of an .npy file, with `mapped` left in the file; ValueError for whatever else the file is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python 2's headers, which a damaged one is taken for
            found = np.load(path, mmap_mode=mapped, allow_pickle=False)
    except (EOFError, OSError, OverflowError, MemoryError, SyntaxError, TypeError, tokenize.TokenError) as error:
        raise ValueError(f"a damaged file: {error}") from error
    if not isinstance(found, np.ndarray):
        raise ValueError("an archive, not one array")
    return found
