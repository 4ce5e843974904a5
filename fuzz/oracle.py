"""What a reader may do with hostile bytes: give a value, or refuse in one line; all else is a finding."""

from __future__ import annotations

import resource
import time
import warnings
from collections.abc import Callable
from typing import Literal

from soundspot.types import UserError

MOST_SECONDS = 5.0
"""Of processor time, for files of a few kilobytes."""
MOST_BYTES = 500 * 2**20
"""By which the process may grow."""
MOST_CHARACTERS = 4000
"""Of a message that somebody is to read."""


class Finding(Exception):
    """A reader did what it must not do."""


def outcome(read: Callable[[], object]) -> Literal["value", "refused"]:
    """Call `read` and say how it ended; raises Finding for all but a value and a refusal of the right form.

    Warnings are findings too. Other exceptions come out as the cause of the Finding.
    """
    began, grown = time.process_time(), _peak_bytes()
    ended: Literal["value", "refused"] = "value"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read()
    except UserError as error:
        must_be_refusal(str(error))
        ended = "refused"
    except Finding:
        raise
    except Exception as error:
        raise Finding(f"{type(error).__name__}: {str(error)[:300]}") from error
    if (seconds := time.process_time() - began) > MOST_SECONDS:
        raise Finding(f"took {seconds:.1f} s")
    if (more := _peak_bytes() - grown) > MOST_BYTES:
        raise Finding(f"took {more / 2**20:.0f} MB")
    return ended


def must_be_refusal(text: str) -> None:
    """Finding unless it is one line that says what was expected and what came."""
    if not text.isprintable():
        raise Finding(f"a refusal that is not one printable line: {text[:300]!r}")
    if not ("unknown " in text or ("expected" in text and "got" in text)):
        raise Finding(f"a refusal without 'expected' and 'got': {text[:300]!r}")
    if len(text) > MOST_CHARACTERS:
        raise Finding(f"a refusal of {len(text)} characters: {text[:300]!r}")


def must(fine: object, what: str) -> None:
    """Finding unless `fine`: a value was read that is none."""
    if not fine:
        raise Finding(f"a value that is none: {what}")


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
