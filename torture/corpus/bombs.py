"""Small files that claim to be huge: pictures, texts inside pictures, and films of 16384 x 16384."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial

import av
import numpy as np

from torture.corpus.entry import BAD, GOOD, UNSURE
from torture.corpus.shelf import Shelf, picture_bytes
from torture.corpus.source import Pixels
from torture.corpus.write import Coding, Track, encoded

SIDE = 16384
TEXT_BYTES = 200 * 2**20
SANE = 7168
"""A side: 51 million pixels are read, more are not."""


def chunk(name: bytes, body: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def black_png(width: int, height: int, rows: int, *, bits: int = 8, between: bytes = b"") -> bytes:
    """A grey PNG that claims its height and holds so many rows of black."""
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    row, packer, parts = bytes(1 + (width * bits + 7) // 8), zlib.compressobj(9), []
    for _ in range(rows):
        parts.append(packer.compress(row))
    body = b"".join([*parts, packer.flush()])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + between + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """So many zero bytes, compressed."""
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    return b"".join([*(packer.compress(block) for _ in range(count // 2**20)), packer.flush()])


def add_bombs(shelf: Shelf) -> None:
    """Pictures first, then films."""
    jpg, gif, webp, bmp = (bytearray(shelf.whole(ending)) for ending in ("jpg", "gif", "webp", "bmp"))
    at = jpg.index(b"\xff\xc0") + 5
    struct.pack_into(">HH", jpg, at, 65500, 65500)
    struct.pack_into("<HH", gif, 6, 65535, 65535)
    frame = webp.index(b"VP8 ") + 8 + 6
    struct.pack_into("<HH", webp, frame, 16383, 16383)
    struct.pack_into("<ii", bmp, 18, 60_000, 60_000)
    pictures: dict[str, tuple[str, bytes | Callable[[], bytes]]] = {
        "claims.png": (
            "a PNG that claims 100,000 x 100,000 and holds ten rows",
            partial(black_png, 100_000, 100_000, 10),
        ),
        "whole.png": (f"a PNG of {SIDE} x {SIDE} black pixels, a few kilobytes", partial(black_png, SIDE, SIDE, SIDE)),
        "one bit.png": (
            "a PNG of 30,000 x 30,000 pixels of one bit",
            partial(black_png, 30_000, 30_000, 30_000, bits=1),
        ),
        "claims.jpg": ("a JPEG that claims 65,500 x 65,500", bytes(jpg)),
        "claims.gif": ("a GIF that claims 65,535 x 65,535", bytes(gif)),
        "claims.bmp": ("a BMP that claims 60,000 x 60,000", bytes(bmp)),
        "claims.webp": ("a WebP that claims 16,383 x 16,383", bytes(webp)),
        "above.png": ("a PNG of 7,200 x 7,200: a little more than is read", partial(black_png, 7200, 7200, 7200)),
    }
    for name, (about, data) in pictures.items():
        shelf.add("bomb", name, about, data, BAD, kind="picture")
    sane = partial(black_png, SANE, SANE, SANE)
    shelf.add("bomb", "large.png", f"a PNG of {SANE} x {SANE}: as large as is read", sane, GOOD, kind="picture",
              truth={"width": SANE, "height": SANE, "moments": 2})  # fmt: skip
    for name, about, mark in (
        ("text.png", "a text of 200 MB", b"zTXtComment\x00\x00"),
        ("profile.png", "a colour profile of 200 MB", b"iCCPicc\x00\x00"),
    ):
        data = partial(_with_zeros, shelf.picture, mark)
        shelf.add("bomb", name, f"a small PNG with {about}, compressed", data, UNSURE, kind="picture")  # fmt: skip
    _add_films(shelf)


def _with_zeros(picture: Pixels, mark: bytes) -> bytes:
    """A PNG with a chunk of compressed zeros."""
    height, width = picture.shape[:2]
    return black_png(width, height, height, between=chunk(mark[:4], mark[4:] + zeros(TEXT_BYTES)))


def _add_films(shelf: Shelf) -> None:
    add = shelf.add
    add(
        "bomb",
        "film of png.mov",
        f"a film whose only frame is a PNG of {SIDE} x {SIDE}",
        partial(_png_film, shelf),
        BAD,
    )
    add("bomb", "film of jpg.mov", f"a film (MJPEG) whose frame claims {SIDE} x {SIDE}", partial(_jpg_film, shelf), BAD)
    for ending in ("mp4", "mkv", "avi"):
        add("bomb", f"claims.{ending}", f"{ending} whose header claims {SIDE} x {SIDE}; its frames say otherwise",
            _claiming(shelf.film(ending), ending), UNSURE)  # fmt: skip
    add("bomb", "raw.avi", f"avi of raw pixels whose header claims {SIDE} x {SIDE}", partial(_raw_film, shelf), BAD)
    add("bomb", "h264.mp4", f"mp4 whose frames truly are {SIDE // 2 + 1024} x {SIDE // 2}", partial(_large, shelf), BAD)


def _one_frame(shelf: Shelf, codec: str, pix_fmt: str, ending: str = "mov", sound: str = "aac") -> bytes:
    tracks = [Track(frames=shelf.material.frames[:1], rate=1), Track(sound=shelf.material.sound)]
    return encoded(tracks, ending, Coding(codec, sound, pix_fmt=pix_fmt))


def _png_film(shelf: Shelf) -> bytes:
    return _with_picture(_one_frame(shelf, "png", "rgb24"), black_png(SIDE, SIDE, SIDE))


def _jpg_film(shelf: Shelf) -> bytes:
    jpg = bytearray(picture_bytes(shelf.picture, "jpg"))
    struct.pack_into(">HH", jpg, jpg.index(b"\xff\xc0") + 5, SIDE, SIDE)
    return _with_picture(_one_frame(shelf, "mjpeg", "yuvj420p"), bytes(jpg))


def _raw_film(shelf: Shelf) -> bytes:
    return _claiming(_one_frame(shelf, "rawvideo", "bgr24", "avi", "mp2"), "avi")


def _with_picture(film: bytes, picture: bytes) -> bytes:
    """The mov written anew with another packet as its picture."""
    out = io.BytesIO()
    with (
        av.open(io.BytesIO(film)) as old,
        av.open(out, "w", format="mov", options={"fflags": "+bitexact"}) as new,
    ):
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "video":
                made = av.Packet(picture)
                made.pts = made.dts = packet.pts
                made.time_base, made.is_keyframe = packet.time_base, True
                made.stream = streams[packet.stream.index]
                new.mux(made)
                continue
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    return out.getvalue()


def _claiming(data: bytes, ending: str) -> bytes:
    """With another size in the container's header of the picture."""
    spoilt = bytearray(data)
    if ending == "mp4":
        at = data.index(b"avc1", data.index(b"stsd"))
        struct.pack_into(">HH", spoilt, at + 4 + 24, SIDE, SIDE)
    elif ending == "mkv":
        for mark in (b"\xb0", b"\xba"):  # PixelWidth and PixelHeight, in the picture track's Video element
            at = data.index(mark, data.index(b"\xe0", data.index(b"\x16\x54\xae\x6b")))
            size = data[at + 1] & 0x7F
            spoilt[at + 2 : at + 2 + size] = min(SIDE, 256**size - 1).to_bytes(size, "big")
    else:
        struct.pack_into("<II", spoilt, data.index(b"avih") + 8 + 32, SIDE, SIDE)
        struct.pack_into("<ii", spoilt, data.index(b"strf") + 8 + 4, SIDE, SIDE)
    return bytes(spoilt)


def _large(shelf: Shelf) -> bytes:
    frames: Pixels = np.zeros((1, SIDE // 2, SIDE // 2 + 1024, 3), np.uint8)
    return encoded([Track(frames=frames, rate=1), Track(sound=shelf.material.sound)], "mp4")
