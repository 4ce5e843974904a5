"""Truncations at many points, and headers with nothing after them."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import av

from torture.corpus.entry import BAD, GOOD, UNSURE, Expect, Outcome
from torture.corpus.shelf import Shelf, kind_of
from torture.corpus.source import SECONDS
from torture.corpus.write import FILMS, SOUNDS

SHARES = (0.02, 0.1, 0.3, 0.45, 0.6, 0.8, 0.97)
"""Of what follows the header."""
PICTURE_SHARES = (0.0, 0.05, 0.5, 0.95)
MIDDLE, WINDOW = SECONDS / 2, 1.0
"""What packing and predicting look at: the middle second."""
CLOSE = 0.3
"""Nearer to a limit than this many seconds, what comes out is not sure."""
MARKS = {"jpg": b"\xff\xda", "png": b"IDAT", "webp": b"VP8 ", "gif": b"\x2c\x00\x00\x00\x00", "wav": b"data"}
LENGTH_FROM_WHAT_IS_THERE = ("ts", "ogg")
"""Whose middle moves to the front where the end is cut off."""


@dataclass(frozen=True)
class Packet:
    """Where it lies in the file, and what it holds when."""

    is_picture: bool
    begin: int
    end: int
    seconds: float
    """When it ends."""


def packets(data: bytes) -> list[Packet]:
    """All packets of a whole file that have a place in it."""
    found = []
    with av.open(io.BytesIO(data)) as container:
        for packet in container.demux():
            if packet.pos is None or packet.size == 0 or packet.pts is None:
                continue
            stop = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            found.append(Packet(packet.stream.type == "video", packet.pos, packet.pos + packet.size, stop))
    found.sort(key=lambda packet: (packet.begin, packet.seconds))
    if data[:4] != b"OggS":
        return found
    # of Ogg, the place is that of the page, which is lost as a whole
    after = [*(packet.begin for packet in found[1:]), len(data)]
    ends = {
        packet.begin: next((at for at in after[n:] if at > packet.begin), len(data)) for n, packet in enumerate(found)
    }
    return [replace(packet, end=ends[packet.begin]) for packet in found]


def add_cuts(shelf: Shelf) -> None:
    """Every container at every share, and in the middle of its header."""
    for ending in (*FILMS, *SOUNDS):
        whole = shelf.whole(ending)
        found = packets(whole)
        begin = found[0].begin
        for share in SHARES if ending in FILMS else SHARES[::2]:
            at = begin + int((len(whole) - begin) * share)
            shelf.add(
                "cut", f"{share:.0%} of.{ending}".replace("%", " percent"),
                f"{_named(ending)}, cut off after {share:.0%} of what follows its header", whole[:at],
                _expected(ending, found, at), kind=kind_of(ending),
                truth={"channels": 2} if ending in FILMS and share > 0.2 else {},
            )  # fmt: skip
        if ending not in ("ts", "mp3", "ogg"):
            data = whole[: begin // 2 if begin > 64 else 12]
            shelf.add("cut", f"in header.{ending}", f"{_named(ending)}, cut off within its header", data, BAD,
                      kind=kind_of(ending))  # fmt: skip
    for ending in ("jpg", "png", "webp"):
        whole = shelf.whole(ending)
        begin = whole.index(MARKS[ending])
        for share in PICTURE_SHARES:
            at = begin + 4 + int((len(whole) - begin - 4) * share)
            shelf.add("cut", f"{share:.0%} of.{ending}".replace("%", " percent"), f"a picture ({ending}), cut off after"
                      f" {share:.0%} of its pixels", whole[:at], BAD, kind="picture")  # fmt: skip


def _named(ending: str) -> str:
    return {"fast.mp4": "mp4 with its index first", "mp4": "mp4 with its index last"}.get(ending, ending)


def _expected(ending: str, found: list[Packet], at: int) -> Expect:
    """What is still whole before byte `at` decides."""
    if ending in ("mp4", "mov"):
        return BAD  # the index is gone
    there = [packet for packet in found if packet.end <= at]
    if kind_of(ending) == "sound":
        heard = there[-1].seconds if there else 0.0
        return _sound_cut(ending, heard, at, found)
    seen = max((packet.seconds for packet in there if packet.is_picture), default=0.0)
    heard = max((packet.seconds for packet in there if not packet.is_picture), default=0.0)
    if seen < 0.2 or heard < 0.2:
        return UNSURE
    if ending in LENGTH_FROM_WHAT_IS_THERE:
        return GOOD
    reaches = min(seen, heard)
    return Expect("result", "result", *(_middle(reaches, seen),) * 2)


def _middle(reaches: float, seen: float) -> Outcome:
    """Whether the middle of the promised length is there: sound may end within its window, the picture may not."""
    if abs(seen - MIDDLE) < CLOSE or abs(reaches - (MIDDLE - WINDOW / 2)) < CLOSE:
        return "either"
    return "clip" if seen > MIDDLE and reaches > MIDDLE - WINDOW / 2 else "missing"


def _sound_cut(ending: str, heard: float, at: int, found: list[Packet]) -> Expect:
    if heard < 0.1:
        return UNSURE if at > found[0].begin else BAD
    if ending in (*LENGTH_FROM_WHAT_IS_THERE, "wav"):
        return GOOD
    if abs(heard - (MIDDLE - WINDOW / 2)) < CLOSE:
        return Expect("result", "result", "either", "either")
    middle: Outcome = "clip" if heard > MIDDLE - WINDOW / 2 else "missing"
    return Expect("result", "result", middle, middle)


def add_headers(shelf: Shelf) -> None:
    """All that comes before the first picture or sample, and nothing else."""
    for ending in (*FILMS, *SOUNDS):
        whole = shelf.whole(ending)
        begin = packets(whole)[0].begin
        if ending == "mp3":
            begin = 4
        shelf.add("headers only", f"header.{ending}", f"{_named(ending)}: its header and nothing after it",
                  whole[:begin], BAD, kind=kind_of(ending))  # fmt: skip
    for ending in ("jpg", "png", "webp", "gif"):
        whole = shelf.whole(ending)
        shelf.add("headers only", f"header.{ending}", f"a picture's header ({ending}) and nothing after it",
                  whole[: whole.index(MARKS[ending])], BAD, kind="picture")  # fmt: skip
