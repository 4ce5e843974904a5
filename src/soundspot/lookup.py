"""Look a name up in a plain table; an unknown one is the user's error and gets the nearest known name offered."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from soundspot.types import UserError

T = TypeVar("T")
SHOWN = 12
"""Names that a line still holds; of more, the nearest are shown."""


def unknown(known: Iterable[str], name: str, what: str) -> UserError:
    """The error for a `what` called `name` that is not among `known`."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "use one of them"
    shown = ", ".join(names)
    if len(names) > SHOWN:
        some = difflib.get_close_matches(name, names, n=SHOWN // 2, cutoff=0.0)
        shown = f"{len(names)}, such as {', '.join(some)}"
    return UserError(f"unknown {what} {name!r}: expected one of {shown}; {hint}")


def find(table: Mapping[str, T], name: str, what: str) -> T:
    """The entry of `table` called `name`.

    >>> find({"centre": 1}, "center", "prior")
    Traceback (most recent call last):
        ...
    soundspot.types.UserError: unknown prior 'center': expected one of centre; did you mean 'centre'?
    """
    if name not in table:
        raise unknown(table, name, what)
    return table[name]
