"""Why a file is not of the form that it should have, in words for whoever gave it."""

from __future__ import annotations

import json


def why(error: Exception) -> str:
    """What was got instead, of an error met in taking the file apart.

    >>> why(KeyError("boxes"))
    "nothing called 'boxes'"
    >>> why(TypeError("string indices must be integers"))
    'something of another form'
    """
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON ({error})"
    if isinstance(error, UnicodeDecodeError):
        return "no text"
    return f"nothing called {error.args[0]!r}" if isinstance(error, KeyError) else "something of another form"
