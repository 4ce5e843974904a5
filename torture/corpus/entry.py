"""A file of the corpus: what it is, and how each command must end over it, decided when the file is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["film", "picture", "sound"]
Outcome = Literal["result", "error", "clip", "missing", "either"]
COMMANDS = ("probe", "localize", "pack", "predict")


@dataclass(frozen=True)
class Expect:
    """How each command ends.

    result: exit 0; error: exit 2 and one line. Of a folder with a good file beside it: clip: both are read; missing:
    the good one is read, this one is named; error: exit 2 and one line. either: any of these.
    """

    probe: Outcome
    localize: Outcome
    pack: Outcome
    predict: Outcome

    def of(self, command: str) -> Outcome:
        """By the command's name."""
        assert command in COMMANDS
        outcome: Outcome = getattr(self, command)
        return outcome


GOOD = Expect("result", "result", "clip", "clip")
BAD = Expect("error", "error", "missing", "missing")
LACKING = Expect("result", "error", "missing", "missing")
"""Fine in itself, but without the sound (or the picture) that the other commands need."""
NO_FILE = Expect("error", "error", "error", "error")
"""Not a regular file: a folder's listing that names it is refused as a whole."""
UNSURE = Expect("either", "either", "either", "either")
"""Damage in places where a reader may or may not recover; that the commands agree is asked all the same."""


@dataclass(frozen=True)
class Entry:
    """A file of the corpus."""

    name: str
    """Relative to the corpus."""
    family: str
    kind: Kind
    """What it is given as: a film, a picture beside a good sound, or a sound beside a good picture."""
    about: str
    expect: Expect
    truth: Mapping[str, Any] = field(default_factory=dict)
    """What is known to be in it; see torture.truth."""
    words: tuple[str, ...] = ("--end", "1")
    """Further words of `localize`."""
    place: str = ""
    """Where results go: "" a folder like any other; full-<kilobytes> or read-only, in a namespace of its own."""
