"""Why a file is not of the form that it should have, in words for whoever gave it; JSON that anybody may have made."""

from __future__ import annotations

import csv
import json
from typing import Any

MOST_CHARACTERS = 2000
"""Of a message: what a file holds may be quoted in it."""
HALVES = ("\\ud", "\\uD")
"""How JSON writes the halves of a character beyond the basic plane begins."""


def why(error: Exception) -> str:
    """What was got instead, of an error met in taking the file apart.

    >>> why(KeyError("boxes"))
    "nothing called 'boxes'"
    >>> why(TypeError("string indices must be integers"))
    'something of another form'
    """
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON ({error})"
    if isinstance(error, UnicodeError):
        return "no text"
    if isinstance(error, csv.Error):
        return f"no table ({error})"
    return f"nothing called {error.args[0]!r}" if isinstance(error, KeyError) else "something of another form"


def parse_json(text: str | bytes) -> Any:
    """What JSON holds; JSONDecodeError for everything else: bytes that are no text, nesting that nobody means too.

    >>> parse_json('[1, "two"]')
    [1, 'two']
    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
        ...
    json.decoder.JSONDecodeError: nested too deeply: line 1 column 1 (char 0)
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        found = json.loads(text)
        if any(half in text for half in HALVES):
            json.dumps(found, ensure_ascii=False).encode()  # half a character alone can't be written or printed
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None
    except UnicodeError:
        raise json.JSONDecodeError("no text", "", 0) from None
    except ValueError:
        raise json.JSONDecodeError("a number of too many digits", "", 0) from None
    return found


def one_line(text: str) -> str:
    """The same for a terminal: in one line, of a length that can be read, and with nothing in it that steers one.

    >>> one_line("got a name\\nof two lines, and \\x1b[2J")
    'got a name of two lines, and \\\\x1b[2J'
    """
    if len(text) > MOST_CHARACTERS:
        text = f"{text[: MOST_CHARACTERS * 2 // 3]} ... {text[-MOST_CHARACTERS // 3 :]}"
    if text.isprintable():
        return text
    text = " ".join(text.splitlines())
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
