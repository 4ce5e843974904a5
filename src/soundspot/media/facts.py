"""What a film, a sound or a picture holds, for `soundspot probe`: its header, once a first frame was decoded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from soundspot.media.errors import MediaError, NoPictureError
from soundspot.media.files import PICTURE_ENDINGS
from soundspot.media.image import read_image
from soundspot.media.video import MediaInfo, probe


def facts_of(path: Path) -> dict[str, Any]:
    """Its kind (film, sound or picture), its size in pixels, length, rates and codecs; MediaError for what is none."""
    if path.suffix.lower() not in PICTURE_ENDINGS:
        return _streams_of(probe(path))
    try:
        height, width = read_image(path).shape[:2]
    except NoPictureError:
        with suppress(MediaError):
            info = probe(path)
            if info.has_sound:  # a film or a sound under a picture's name; else it is a spoilt picture
                return _streams_of(info)
        raise
    return {"path": str(path), "kind": "picture", "width": width, "height": height}


def _streams_of(info: MediaInfo) -> dict[str, Any]:
    facts = {name: value for name, value in asdict(info).items() if value is not None}
    return {**facts, "path": str(info.path), "kind": "film" if info.has_picture else "sound"}


def told(facts: dict[str, Any]) -> str:
    """The same in one line, whatever is in the file's name."""
    name = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in facts["path"])
    parts = [name, facts["kind"]]
    if "duration_seconds" in facts:
        parts.append(f"{facts['duration_seconds']:.3f} s")
    if "width" in facts:
        parts.append(f"{facts['width']}x{facts['height']}")
    if "video_codec" in facts:
        parts.append(f"{facts['frames_per_second']:.6g} frames/s {facts['video_codec']}")
    if "audio_codec" in facts:
        parts.append(f"{facts['sample_rate']} Hz x {facts['channels']} {facts['audio_codec']}")
    elif facts["kind"] == "film":
        parts.append("no sound")
    return "\t".join(parts)
