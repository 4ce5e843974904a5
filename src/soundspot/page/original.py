"""The original beside the overlay: as it came, where browsers play that, and otherwise written anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from soundspot.localize.source import Source
from soundspot.media.container import find_stream, open_media
from soundspot.media.video import FilmWriter

PLAYED = {"h264": ("yuv420p", "yuvj420p"), "vp8": ("yuv420p",), "vp9": ("yuv420p",)}
"""Pictures that every browser of today plays: codec -> pixel formats."""
CONTAINERS = {".mp4", ".m4v", ".mov", ".webm"}


def as_browsers_play(source: Source, path: Path, progress: Callable[[int, int], None]) -> None:
    """Put a film at `path` that browsers play: another name of the same file if that will do."""
    path.unlink(missing_ok=True)
    if _plays(source.path):
        os.link(source.path, path)
        return
    rate = min(source.frames_per_second, 30.0)
    total = max(1, round(source.seconds * rate))
    with FilmWriter(path, width=source.width, height=source.height, frames_per_second=rate) as film:
        for number, (_, picture) in enumerate(source.frames(rate)):
            film.write_frame(picture)  # without its sound: the overlay beside it has that
            progress(min(number + 1, total), total)


def _plays(path: Path) -> bool:
    if path.suffix.lower() not in CONTAINERS:
        return False
    with open_media(path) as container:
        stream = find_stream(container, "picture")
        if stream is None:
            return False
        context = stream.codec_context
        return context.pix_fmt in PLAYED.get(context.codec.canonical_name, ())
