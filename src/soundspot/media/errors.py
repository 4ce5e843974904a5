"""The one error of media that can't be read or written."""

from __future__ import annotations

from soundspot.types import UserError


class MediaError(UserError):
    """A picture, film or sound that can't be used; one line says what was expected, what came, and what to do."""


class NoPictureError(MediaError):
    """A file of a kind that no picture is."""
