"""Text, JSON and tables that somebody gave, each read whole; what is none of them is refused in one line."""

from __future__ import annotations

import csv
import errno
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from soundspot.misread import parse_json, why
from soundspot.types import UserError

AGAIN = "fetch it again"
TEXT = "utf-8-sig"
"""UTF-8; the mark that some programs put before it is no part of the text."""


def read_text(path: Path, wanted: str, remedy: str = AGAIN) -> str:
    """What a text file holds; UserError saying what was `wanted` where it is no text."""
    try:
        return path.read_text(encoding=TEXT)
    except UnicodeDecodeError as error:
        raise refusal(path, wanted, error, remedy) from error


def read_json(path: Path, wanted: str, remedy: str = AGAIN) -> Any:
    """What a JSON file holds; UserError saying what was `wanted` where it is no JSON."""
    try:
        return parse_json(read_text(path, wanted, remedy))
    except json.JSONDecodeError as error:
        raise refusal(path, wanted, error, remedy) from error


def read_table(path: Path, columns: Collection[str], remedy: str = AGAIN) -> list[dict[str, str]]:
    """The rows of a CSV file with a head; UserError unless there are rows and each has a cell in these columns."""
    wanted = f"a table with the columns {' and '.join(columns) if len(columns) < 3 else ', '.join(columns)}"
    try:
        with path.open(newline="", encoding=TEXT) as file:
            rows = list(csv.DictReader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise refusal(path, wanted, error, remedy) from error
    lost = [name for name in columns if not rows or name not in rows[0]]
    if lost:
        raise UserError(f"{path}: expected {wanted}, got {'no ' + ', '.join(lost) if rows else 'no rows'}; {remedy}")
    for number, row in enumerate(rows, start=2):
        if any(row[name] is None for name in columns):
            raise UserError(f"{path}:{number}: expected {wanted}, got a row cut short; mend it")
    return rows


@contextmanager
def taken_apart(path: Path, wanted: str, remedy: str = AGAIN) -> Iterator[None]:
    """Around what takes a file's content apart: what fails there, since it is of another form, is a UserError."""
    try:
        yield
    except UserError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise refusal(path, wanted, error, remedy) from error


def refusal(path: Path, wanted: str, error: Exception, remedy: str) -> UserError:
    """The error of a file that is none of what was `wanted`."""
    return UserError(f"{path}: expected {wanted}, got {why(error)}; {remedy}")


def is_file(path: Path) -> bool:
    """Whether there is such a file; of a name that a table gives, and no file can have, there is none."""
    return _is_there(path.is_file)


def exists(path: Path) -> bool:
    """The same of files and folders."""
    return _is_there(path.exists)


def _is_there(look: Callable[[], bool]) -> bool:
    try:
        return look()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False
