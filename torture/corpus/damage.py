"""Flipped bytes and zeroed ranges: in the header, and in the middle of what it promises."""

from __future__ import annotations

import numpy as np

from torture.corpus.cuts import MARKS, Packet, packets
from torture.corpus.entry import BAD, UNSURE, Expect
from torture.corpus.shelf import Shelf, kind_of
from torture.corpus.write import FILMS, SOUNDS

FROM_SECONDS, TO_SECONDS = 1.25, 2.5
"""The first second, which `localize` looks at, stays whole."""
LATER = Expect("result", "result", "either", "either")
"""The header and the first second are whole; the middle is damaged and may be read or not."""
COUNTS = (1, 16, 256)
"""Bytes that are flipped."""
HEADER_BYTES = 64
WITHOUT_A_HEADER = ("ts", "mp3", "flac")
"""A reader looks for the next packet, wherever it begins."""


def flipped(data: bytes, places: np.ndarray, rng: np.random.Generator) -> bytes:
    """With another value at each place."""
    spoilt = np.frombuffer(data, np.uint8).copy()
    spoilt[places] ^= rng.integers(1, 256, len(places), dtype=np.uint8)
    return spoilt.tobytes()


def add_damage(shelf: Shelf) -> None:
    """Each container, sound and picture format with several doses."""
    for ending in (*FILMS, *SOUNDS):
        whole = shelf.whole(ending)
        found = packets(whole)
        begin, stop = _middle_bytes(found)
        for count in COUNTS:
            name = f"{count} bytes in the middle.{ending}"
            rng = shelf.rng(f"flip/{name}")
            data = flipped(whole, rng.integers(begin, stop, count), rng)
            shelf.add("flipped bytes", name, f"{ending}: {count} bytes flipped from its second {FROM_SECONDS} to"
                      f" {TO_SECONDS}", data, LATER, kind=kind_of(ending))  # fmt: skip
        name = f"16 bytes in the header.{ending}"
        rng = shelf.rng(f"flip/{name}")
        data = flipped(whole, rng.integers(0, max(found[0].begin, HEADER_BYTES), 16), rng)
        shelf.add("flipped bytes", name, f"{ending}: 16 bytes flipped before its first picture or sample", data, UNSURE,
                  kind=kind_of(ending))  # fmt: skip
        shelf.add("zeroed range", f"middle.{ending}", f"{ending}: zeros from its second {FROM_SECONDS} to {TO_SECONDS}",
                  whole[:begin] + bytes(stop - begin) + whole[stop:], LATER, kind=kind_of(ending))  # fmt: skip
        shelf.add("zeroed range", f"front.{ending}", f"{ending}: zeros in place of its first {HEADER_BYTES} bytes",
                  bytes(HEADER_BYTES) + whole[HEADER_BYTES:],
                  UNSURE if ending in (*WITHOUT_A_HEADER, "ogg", "avi") else BAD, kind=kind_of(ending))  # fmt: skip
    for ending in ("jpg", "png", "webp"):
        _spoil_picture(shelf, ending)


def _middle_bytes(found: list[Packet]) -> tuple[int, int]:
    inside = [packet for packet in found if FROM_SECONDS < packet.seconds < TO_SECONDS]
    return inside[0].begin, inside[-1].end


def _spoil_picture(shelf: Shelf, ending: str) -> None:
    whole = shelf.whole(ending)
    begin = whole.index(MARKS[ending]) + 16
    for count in COUNTS:
        name = f"{count} bytes.{ending}"
        rng = shelf.rng(f"flip/{name}")
        # a PNG carries checksums; the others do not, and a changed pixel is a pixel
        data = flipped(whole, rng.integers(begin, len(whole) - 24, count), rng)
        shelf.add("flipped bytes", name, f"{count} bytes flipped among a picture's pixels ({ending})", data,
                  BAD if ending == "png" else UNSURE, kind="picture")  # fmt: skip
    shelf.add("zeroed range", f"front.{ending}", f"a picture ({ending}): zeros in place of its first 16 bytes",
              bytes(16) + whole[16:], BAD, kind="picture")  # fmt: skip
    half = (begin + len(whole)) // 2
    shelf.add("zeroed range", f"pixels.{ending}", f"a picture ({ending}): zeros in the second half of its pixels",
              whole[:half] + bytes(len(whole) - 16 - half) + whole[-16:], BAD if ending == "png" else UNSURE,
              kind="picture")  # fmt: skip
