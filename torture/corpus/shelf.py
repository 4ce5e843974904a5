"""Where the families put their files: the folder, what they are made of, and the list of what was made."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from torture.corpus.entry import GOOD, Entry, Expect, Kind
from torture.corpus.source import RATE, SAMPLE_RATE, SECONDS, Material, Pixels, thumb
from torture.corpus.write import FILMS, SOUNDS, encoded, tracks_of

GOOD_FILM, GOOD_PICTURE, GOOD_SOUND = "good.mp4", "good.png", "good.wav"
"""Beside which every other file is given."""


class Shelf:
    """The corpus while it is made: of all files the entries, of those `wanted` (None: of all) the files too."""

    def __init__(self, folder: Path, material: Material, seed: int, wanted: Collection[str] | None = None) -> None:
        self.folder, self.material, self.seed, self.wanted = folder, material, seed, wanted
        self.entries: list[Entry] = []
        self._films: dict[str, bytes] = {}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / GOOD_FILM).write_bytes(self.film("mp4"))
        (folder / GOOD_SOUND).write_bytes(self.sound("wav"))
        (folder / GOOD_PICTURE).write_bytes(picture_bytes(self.picture, "png"))

    def rng(self, name: str) -> np.random.Generator:
        """The numbers of one file: they do not change where another file is added."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def film(self, ending: str) -> bytes:
        """The whole film in a container."""
        if ending not in self._films:
            self._films[ending] = encoded(tracks_of(self.material), ending)
        return self._films[ending]

    def sound(self, ending: str) -> bytes:
        """The whole sound in a file of its own."""
        if ending not in self._films:
            self._films[ending] = encoded(tracks_of(self.material)[1:], ending)
        return self._films[ending]

    @cached_property
    def picture(self) -> Pixels:
        """A frame of the film."""
        return np.ascontiguousarray(self.material.frames[5])

    def whole(self, ending: str) -> bytes:
        """A film, a sound or a picture by its ending."""
        if ending in FILMS:
            return self.film(ending)
        return self.sound(ending) if ending in SOUNDS else picture_bytes(self.picture, ending)

    def add(
        self,
        family: str,
        name: str,
        about: str,
        data: bytes | Callable[[], bytes] | None,
        expect: Expect = GOOD,
        *,
        kind: Kind = "film",
        truth: Mapping[str, Any] | None = None,
        words: tuple[str, ...] = ("--end", "1"),
        place: str = "",
    ) -> None:
        """Write a file, if it is wanted (None: it is there already, or shall not be), and list it."""
        path = self.folder / family / name
        path.parent.mkdir(exist_ok=True)
        if data is not None and (self.wanted is None or f"{family}/{name}" in self.wanted):
            path.write_bytes(data if isinstance(data, bytes) else data())
        self.entries.append(Entry(f"{family}/{name}", family, kind, about, expect, truth or {}, words, place))

    def seen(self, frame: Pixels, **more: Any) -> dict[str, Any]:
        """What is true of a picture (H, W, 3)."""
        return {"width": frame.shape[1], "height": frame.shape[0], "thumb": thumb(frame), **more}

    def film_truth(self, at_seconds: float = 0.5 + 0.5 / RATE, **more: Any) -> dict[str, Any]:
        """What is true of the whole film, and what is on screen at a time."""
        frame = self.material.frames[int(at_seconds * RATE)]
        facts = {"seconds": SECONDS, "frames_per_second": float(RATE), "channels": 2, "sample_rate": SAMPLE_RATE}
        return {**facts, **self.seen(frame), "at_seconds": at_seconds, "moments": 2, **more}

    def sound_truth(self, **more: Any) -> dict[str, Any]:
        """What is true of the whole sound."""
        return {"seconds": SECONDS, "channels": 2, "sample_rate": SAMPLE_RATE, "moments": 2, **more}


def kind_of(ending: str) -> Kind:
    """How a file of this ending is given."""
    return "film" if ending in FILMS else "sound" if ending in SOUNDS else "picture"


def picture_bytes(pixels: Pixels | Image.Image, ending: str, **how: Any) -> bytes:
    """As a picture file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.ascontiguousarray(pixels))
    file = io.BytesIO()
    image.save(file, format={"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending.upper()), **how)
    return file.getvalue()
