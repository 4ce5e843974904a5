"""What the page takes from strangers: how large, how long, of which kinds; and what it says when it takes it not."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
from PIL import Image, UnidentifiedImageError

from soundspot.localize.source import PICTURE_SUFFIXES
from soundspot.media.errors import MediaError
from soundspot.media.files import FILMS, SOUNDS
from soundspot.media.image import BROKEN
from soundspot.types import UserError

Kind = Literal["film", "picture", "sound"]
ENDINGS: Mapping[Kind, frozenset[str]] = {
    "film": frozenset({*FILMS, ".m4v", ".mpg", ".mpeg", ".ts", ".ogv", ".3gp", ".wmv"}),
    "picture": frozenset(PICTURE_SUFFIXES - {".tif", ".tiff"}),
    "sound": frozenset({*SOUNDS, ".mp4", ".mov", ".mkv", ".webm", ".aif", ".aiff", ".wma"}),
}
DEMUXERS = "mov,matroska,avi,ogg,flac,wav,mp3,aac,mpegts,mpeg,asf,aiff,flv,w64,caf,amr"
"""FFmpeg's readers of single files. Those of playlists and lists would open other files, named by the upload."""
MAX_PIXELS = 4096 * 2304
"""Of a picture, or a frame."""
MAX_FRAMES_PER_SECOND = 240.0
MEGABYTE = 1_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
"""Of pictures, whatever a file is called. Not TIFF, whose decoder is large and has had many holes."""


@dataclass(frozen=True)
class Limits:
    """What one visitor may ask for, and all of them together."""

    max_mb: int = 200
    """Of one upload, in megabytes."""
    max_seconds: float = 300.0
    """Of one film, or sound."""
    at_once: int = 2
    """Films that are worked on at a time; others wait."""
    waiting: int = 16
    """Visitors who may wait; more are turned away."""
    keep_minutes: float = 30.0
    """How long files stay after they were last used, where the visitor has not left before."""
    upload_seconds: float = 600.0
    """How long one upload may take."""
    stall_seconds: float = 20.0
    """How long an upload may pause."""

    def __post_init__(self) -> None:
        words = {
            "--max-mb": self.max_mb, "--max-seconds": self.max_seconds, "--at-once": self.at_once,
            "--keep-minutes": self.keep_minutes,
        }  # fmt: skip
        for word, value in words.items():
            if not 0 < value < math.inf:
                raise UserError(f"expected {word} above 0, got {value:g}; leave it out for the default")

    @property
    def max_bytes(self) -> int:
        """Of one upload."""
        return self.max_mb * MEGABYTE

    @property
    def room_bytes(self) -> int:
        """Of all that visitors have here: a full disk would stop everyone."""
        return self.max_bytes * 3 * (self.at_once + self.waiting)


def check_ending(path: Path, kind: Kind) -> str:
    """The ending, if it is one of the kind. Raises UserError."""
    ending = path.suffix.lower()
    if ending not in ENDINGS[kind]:
        given = f"a file ending in {ending[:12]!r}" if ending else "a file without an ending"
        some = {"film": "MP4, MOV or WebM", "picture": "JPEG or PNG", "sound": "WAV, MP3 or M4A"}[kind]
        raise UserError(f"expected a {kind}, got {given}; give e.g. {some}")
    return ending


def check_contents(path: Path, kind: Kind) -> None:
    """Raises UserError for what is no file of the kind, or larger than anyone needs; little of it is read."""
    if kind == "picture":
        _check_size(*_picture_size(path), path)
        return
    try:
        with av.open(f"file:{path.absolute()}", metadata_errors="replace", options=_CAREFUL) as container:
            for stream in container.streams.video if kind == "film" else ():
                _check_size(stream.width or 0, stream.height or 0, path)
                rate = float(stream.average_rate or 0)
                if rate > MAX_FRAMES_PER_SECOND:
                    raise UserError(
                        f"{path}: expected up to {MAX_FRAMES_PER_SECOND:g} frames a second, got {rate:.0f}; save it at"
                        " 30"
                    )
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise MediaError(f"{path}: expected a {kind}, got something else; is it whole, and does it play?") from error


_CAREFUL = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}


def _picture_size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path, formats=FORMATS) as image:
            return image.size
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path}: expected a picture of a sane size, got a huge one; make it smaller") from error
    except (UnidentifiedImageError, *BROKEN) as error:
        raise MediaError(f"{path}: expected a picture, got something else; give e.g. JPEG or PNG") from error


def _check_size(width: int, height: int, path: Path) -> None:
    if width * height > MAX_PIXELS:
        raise UserError(
            f"{path}: expected up to {MAX_PIXELS / 1e6:.0f} million pixels, got {width} x {height}; make it smaller"
        )


def check_seconds(seconds: float, limits: Limits) -> None:
    """Raises UserError for what is too long, or has no length."""
    if not 0 < seconds <= limits.max_seconds:
        raise UserError(f"expected up to {limits.max_seconds:g} s, got {seconds:.0f} s; cut it shorter")


def sentence(error: UserError, names: Mapping[Path, str]) -> str:
    """What a visitor is told: one line, with the file's own name in place of where it lies on this machine."""
    text = str(error)
    for path, name in names.items():
        text = text.replace(str(path), name)
    return " ".join(text.split())


def harmless(text: str) -> str:
    """Text for a page: nothing in it is markup, or a template's mark."""
    escaped = html.escape(text, quote=True)
    for mark in "`${}":
        escaped = escaped.replace(mark, f"&#{ord(mark)};")
    return escaped
