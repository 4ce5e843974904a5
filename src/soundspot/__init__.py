"""soundspot: where in the picture does the sound come from, how sure is that, and is the source visible at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from soundspot.localize.localizer import Localizer
    from soundspot.localize.timeline import Calibration, Moment, Timeline
    from soundspot.types import Batch, Clip, Inputs, Missing, Target, UserError

_HOMES = {
    "Batch": "soundspot.types",
    "Calibration": "soundspot.localize.timeline",
    "Clip": "soundspot.types",
    "Inputs": "soundspot.types",
    "Localizer": "soundspot.localize.localizer",
    "Missing": "soundspot.types",
    "Moment": "soundspot.localize.timeline",
    "Target": "soundspot.types",
    "Timeline": "soundspot.localize.timeline",
    "UserError": "soundspot.types",
}

__all__ = [
    "Batch", "Calibration", "Clip", "Inputs", "Localizer", "Missing", "Moment", "Target", "Timeline", "UserError",
    "__version__",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Public names are imported at first use, so that `import soundspot` stays instant."""
    if name not in _HOMES:
        raise AttributeError(f"module 'soundspot' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
