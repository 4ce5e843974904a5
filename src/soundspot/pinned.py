"""Files known by their sha256: whatever came under such a name is that very file, or an error."""

from __future__ import annotations

import hashlib

from soundspot.types import UserError


def check_sha256(name: str, content: bytes, expected: str, *, remedy: str = "fetch it again") -> None:
    """UserError with both digests unless `content` is the file we know; `remedy` says what to do."""
    got = hashlib.sha256(content).hexdigest()
    if got != expected:
        raise UserError(f"expected {name} with sha256 {expected}, got {got}; it is not the file we know: {remedy}")
