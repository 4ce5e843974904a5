"""How the overlay looks: the one place where the page hands the visitor's choice to the film's writer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundspot.localize import draw
from soundspot.localize.film import write_overlay
from soundspot.localize.source import Source
from soundspot.localize.timeline import Timeline
from soundspot.lookup import unknown
from soundspot.types import UserError

_STYLE: Any = getattr(draw, "Style", None)
SHOWS: tuple[str, ...] = ("heat", "outline", "box") if _STYLE else ("heat",)
"""What may be drawn where a sound comes from."""
HAS_OPACITY = _STYLE is not None


@dataclass(frozen=True)
class Look:
    """A visitor's choice. UserError for one that is not offered."""

    show: str = "heat"
    opacity: float = draw.OPACITY

    def __post_init__(self) -> None:
        if self.show not in SHOWS:
            raise unknown(SHOWS, str(self.show), "look")
        if not 0 <= self.opacity <= 1:
            raise UserError(f"expected an opacity from 0 to 1, got {self.opacity}; move the slider")


def write_film(
    source: Source, timeline: Timeline, path: Path, look: Look, progress: Callable[[int, int], None]
) -> None:
    """The overlay film in that look."""
    chosen = {} if _STYLE is None else {"style": _STYLE(show=look.show, opacity=look.opacity)}
    write_overlay(source, timeline, path, progress, **chosen)
