"""How text is written: UTF-8, a line feed a line, aside and then moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from soundspot.media.files import written_aside


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """A file to write text to; what a file's name holds that is no Unicode is written as an escape."""
    with written_aside(path) as aside:
        with aside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
