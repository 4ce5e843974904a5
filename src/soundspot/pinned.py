"""What is fetched and known beforehand: files by their sha256, models by the revision of a name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from soundspot.types import UserError


def check_sha256(name: str, content: bytes, expected: str, *, remedy: str = "fetch it again") -> None:
    """UserError with both digests unless `content` is the file we know; `remedy` says what to do."""
    got = hashlib.sha256(content).hexdigest()
    if got != expected:
        raise UserError(f"expected {name} with sha256 {expected}, got {got}; it is not the file we know: {remedy}")


def place_and_revision(name: str) -> tuple[str, dict[str, str]]:
    """A folder, or the hub's "owner/model", and the revision if the name ends in "@revision"."""
    if Path(name).is_dir():
        return name, {}
    place, _, revision = name.partition("@")
    return place, {"revision": revision} if revision else {}
