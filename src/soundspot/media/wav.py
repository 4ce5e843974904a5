"""Plain WAV files read as they stand: of ten seconds, the three that are asked for, without opening a decoder.

Data sets of this field keep sound as 16-bit WAV. FFmpeg takes some milliseconds to open one, as it first makes sure
that nothing else is in it: longer than decoding the picture beside it takes. What is not plain is left to FFmpeg.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

PCM = 1
BYTES = 2
"""A sample and channel."""
MOST_CHANNELS = 2
HIGHEST_RATE = 192_000
"""Hz."""
PASSED_OVER = (b"LIST", b"fact", b"JUNK", b"PAD ", b"FLLR", b"bext", b"cue ")
"""Chunks that say nothing of how the samples are to be read."""
BLOCK = 2**16
"""Samples that are read at a time."""
PACKED = (b"\x72\xf8\x1f\x4e", b"\xfe\x7f\x01\x80", b"\x7f\xfe\x80\x01", b"\xff\x1f\x00\xe8", b"\x1f\xff\xe8\x00")
"""How S/PDIF and DTS begin, which discs hide in WAV files: a decoder's work."""
LOOKED_THROUGH = 2**15
"""Bytes in which one of these would stand."""


@dataclass(frozen=True)
class PlainWav:
    """Where a WAV file's 16-bit samples are."""

    path: Path
    sample_rate: int
    channels: int
    """1 or 2."""
    num_samples: int
    """A channel."""
    begin: int
    """The first sample's byte."""

    @property
    def duration_seconds(self) -> float:
        """To the microsecond, as FFmpeg has it."""
        return (self.num_samples * 2_000_000 + self.sample_rate) // (2 * self.sample_rate) / 1e6

    def blocks(self, start: int, stop: float) -> Iterator[npt.NDArray[np.float32]]:
        """Consecutive (C, n) pieces from sample `start` to `stop` or the end, full scale at 1."""
        stop = int(min(stop, self.num_samples))
        wide = BYTES * self.channels
        with self.path.open("rb") as file:
            file.seek(self.begin + start * wide)
            for position in range(start, stop, BLOCK):
                data = file.read(min(BLOCK, stop - position) * wide)
                pcm = np.frombuffer(data[: len(data) // wide * wide], "<i2").reshape(-1, self.channels)
                yield (pcm.T / np.float32(32768)).astype(np.float32)


def plain_wav(path: Path) -> PlainWav | None:
    """The file, if it is a whole WAV of one or two channels of 16 bits; None for all else, and for what is damaged."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return _parsed(path, file)
    except (OSError, struct.error):
        return None


def riff_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk of a WAV file, which then stands at the chunk's first byte; none of other files."""
    start = file.read(12)
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        return
    while len(head := file.read(8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        begin = file.tell()
        yield name, size
        file.seek(begin + size + size % 2)


def _parsed(path: Path, file: BinaryIO) -> PlainWav | None:
    form: tuple[int, ...] | None = None
    for name, size in riff_chunks(file):
        if name == b"data":
            return None if form is None else _checked(path, file, form, size)
        if name == b"fmt " and form is None:
            form = struct.unpack("<HHIIHH", file.read(16))
        elif name not in PASSED_OVER:
            return None
    return None


def _checked(path: Path, file: BinaryIO, form: tuple[int, ...], size: int) -> PlainWav | None:
    """The samples from here on, if the format is plain and all `size` bytes of them are there."""
    kind, channels, rate, _, wide, bits = form
    begin = file.tell()
    plain = kind == PCM and bits == 8 * BYTES and 1 <= channels <= MOST_CHANNELS and wide == BYTES * channels
    whole = 0 < size <= os.fstat(file.fileno()).st_size - begin
    if not (plain and whole and size % wide == 0 and 1 <= rate <= HIGHEST_RATE):
        return None
    first = file.read(min(size, LOOKED_THROUGH))
    if any(mark in first for mark in PACKED):
        return None
    return PlainWav(path, rate, channels, size // wide, begin)
