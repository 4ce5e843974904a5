"""Any folder of films, or of pictures with a sound of the same name beside: clips without truth, to predict on."""

from __future__ import annotations

import math
from pathlib import Path

from soundspot.media.files import FILMS, PICTURES, SOUNDS
from soundspot.types import Clip, UserError


def read_videos(root: Path, *, recursive: bool = True, every_seconds: float | None = None) -> list[Clip]:
    """Every film and every picture beside a sound, by name; ids are the files' paths below `root`.

    A film is one clip, its middle; with `every_seconds` a clip at 0, every, 2 x every ... of its picture, named
    <path>@<seconds>. A film that can't be read stays one clip, so that it is named as missing when it is read. Hidden
    files, and sounds and pictures without the other, are no clips. UserError where there is none.
    """
    if every_seconds is not None and not (math.isfinite(every_seconds) and every_seconds > 0):
        raise UserError(f"expected every_seconds above 0, got {every_seconds}; give e.g. 1")
    if not root.is_dir():
        raise UserError(f"{root}: expected a folder of films, got none; check --root")
    found = [path for path in root.glob("**/*" if recursive else "*") if _counts(path, root)]
    files = sorted(found, key=lambda path: path.relative_to(root).as_posix())
    clips = [clip for path in files for clip in _clips(path, root, every_seconds)]
    if not clips:
        raise UserError(f"{root}: expected films, or pictures with a sound of the same name beside, got none; add some")
    return clips


def _counts(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return not hidden and path.suffix.lower() in (*FILMS, *PICTURES) and path.is_file()


def _clips(path: Path, root: Path, every_seconds: float | None) -> list[Clip]:
    name = path.relative_to(root).as_posix()
    if path.suffix.lower() in PICTURES:
        sound = _sound_beside(path)
        return [] if sound is None else [Clip(name, image=path, audio=sound)]
    moments = [] if every_seconds is None else _moments(path, every_seconds)
    return [Clip(f"{name}@{moment:.3f}", video=path, time_seconds=moment) for moment in moments] or [
        Clip(name, video=path)
    ]


def _sound_beside(path: Path) -> Path | None:
    """The sound of the same name; the first kind in SOUNDS where there are several."""
    spellings = (path.with_suffix(spelled) for ending in SOUNDS for spelled in (ending, ending.upper()))
    return next((sound for sound in spellings if sound.is_file()), None)


def _moments(path: Path, every_seconds: float) -> list[float]:
    """Seconds at which to look; none where the film can't be read."""
    from soundspot.media.errors import MediaError
    from soundspot.media.video import picture_seconds

    try:
        length = picture_seconds(path)
    except MediaError:
        return []
    return [number * every_seconds for number in range(max(1, math.ceil(length / every_seconds - 1e-6)))]
