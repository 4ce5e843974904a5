"""Missing, several and odd streams; still pictures, mute films, single frames; what stands on its head."""

from __future__ import annotations

import struct

import numpy as np
from PIL import Image

from torture.corpus.entry import GOOD, LACKING, Expect
from torture.corpus.shelf import Shelf, picture_bytes
from torture.corpus.source import RATE, SAMPLE_RATE, SECONDS, thumb
from torture.corpus.write import Track, later

TURNS = {
    "a quarter turn right": (0, 1, -1, 0, 3),
    "a quarter turn left": (0, -1, 1, 0, 1),
    "upside down": (-1, 0, 0, -1, 2),
}
"""a, b, c, d of the display matrix, and how often numpy.rot90 has to turn what is stored."""


def add_streams(shelf: Shelf) -> None:
    """Which streams there are."""
    film, sound = Track(frames=shelf.material.frames), Track(sound=shelf.material.sound)
    half = Track(sound=shelf.material.sound[:, :SAMPLE_RATE])
    add, truth = shelf.add, shelf.film_truth()
    for ending in ("mp4", "mkv", "avi", "webm"):
        add("streams", f"no sound.{ending}", f"{ending} without a sound stream", later([film], ending), LACKING,
            truth=shelf.seen(shelf.material.frames[6]) | {"at_seconds": 0.5})  # fmt: skip
    for ending in ("mp4", "mkv", "ts"):
        add("streams", f"no picture.{ending}", f"{ending} without a picture stream", later([sound], ending), LACKING,
            truth={"channels": 2})  # fmt: skip
    add("streams", "two sounds.mkv", "mkv with two sound streams", later([film, sound, half], "mkv"), truth=truth)
    add("streams", "two pictures.mkv", "mkv with two picture streams", later([film, film, sound], "mkv"), truth=truth)
    add("streams", "six streams.mp4", "mp4 with three picture and three sound streams",
        later([film, film, film, sound, sound, half], "mp4"), truth=truth)  # fmt: skip
    add("streams", "sound first.mp4", "mp4 whose sound stream comes first", later([sound, film], "mp4"), truth=truth)
    add("streams", "sound first.mkv", "mkv whose sound stream comes first", later([sound, film], "mkv"), truth=truth)
    short = Track(frames=shelf.material.frames[:RATE])
    add("streams", "short picture.mp4", "mp4: a second of picture under three of sound", later([short, sound], "mp4"),
        GOOD, truth={"channels": 2, "moments": 2})  # fmt: skip
    add("streams", "short sound.mp4", "mp4: three seconds of picture over one of sound", later([film, half], "mp4"),
        Expect("result", "result", "clip", "clip"), truth={**truth})  # fmt: skip
    cover = _with_cover(shelf)
    add("streams", "cover.mp3", "a music file with a cover picture", cover, LACKING, truth={"channels": 2})
    add("streams", "cover as sound.mp3", "the same beside a picture", cover, GOOD, kind="sound", truth={"moments": 2})


def _with_cover(shelf: Shelf) -> bytes:
    """An ID3 tag with a picture before the sound."""
    picture = picture_bytes(shelf.picture, "png")
    body = b"\x00image/png\x00\x03\x00" + picture
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\x00\x00" + body
    size = bytes((len(frame) >> shift) & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + frame + shelf.sound("mp3")


def add_stills(shelf: Shelf) -> None:
    """Films in which little happens."""
    frames, sound = shelf.material.frames, shelf.material.sound
    mute = np.zeros_like(sound)
    truth = shelf.film_truth()
    for ending in ("mp4", "mkv", "avi", "webm"):
        data = later([Track(frames=frames), Track(sound=mute)], ending)
        shelf.add("mute", f"mute.{ending}", f"{ending} whose sound is digital silence", data, GOOD,
                  truth={"moments": 2, "silent": True})  # fmt: skip
    shelf.add("mute", "mute.wav", "a wav of digital silence", later([Track(sound=mute)], "wav"), GOOD, kind="sound",
              truth={"moments": 2, "silent": True})  # fmt: skip
    still = np.repeat(frames[5:6], len(frames), axis=0)
    shelf.add("still", "still.mp4", "mp4: the same picture throughout",
              later([Track(frames=still), Track(sound=sound)], "mp4"),
              truth=truth | {"thumb": thumb(frames[5])})  # fmt: skip
    for ending in ("mp4", "mkv"):
        shelf.add("one frame", f"one frame.{ending}", f"{ending}: one frame under three seconds of sound",
                  later([Track(frames=frames[5:6]), Track(sound=sound)], ending),
                  truth={**shelf.seen(frames[5]), "at_seconds": 2.0, "moments": 2})  # fmt: skip
    for name, shade in (("black", 0), ("white", 255)):
        plain = np.full_like(frames, shade)
        shelf.add("still", f"{name}.mp4", f"mp4: {name} throughout",
                  later([Track(frames=plain), Track(sound=sound)], "mp4"),
                  truth=truth | {"thumb": thumb(plain[0])})  # fmt: skip
    tick = SAMPLE_RATE // RATE
    shelf.add("one frame", "one short frame.mp4", "mp4: one frame under a twelfth of a second of sound",
              later([Track(frames=frames[:1]), Track(sound=sound[:, :tick])], "mp4"), truth={"moments": 1})  # fmt: skip
    shelf.add("one frame", "two frames.mp4", "mp4: two frames under a sixth of a second of sound",
              later([Track(frames=frames[:2]), Track(sound=sound[:, : 2 * tick])], "mp4"),
              truth={"moments": 1})  # fmt: skip
    shelf.add("one frame", "one sample.wav", "a wav of a single sample", later([Track(sound=sound[:, :1])], "wav"),
              GOOD, kind="sound", truth={"moments": 1})  # fmt: skip


def turned_film(shelf: Shelf, matrix: tuple[int, int, int, int], ending: str = "mp4") -> bytes:
    """The film with another display matrix in its picture's header."""
    data = bytearray(shelf.film(ending))
    at = data.index(b"tkhd")
    a, b, c, d = (value << 16 for value in matrix)
    data[at + 44 : at + 80] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    return bytes(data)


def add_turns(shelf: Shelf) -> None:
    """Films and pictures that are stored turned or mirrored."""
    frame = shelf.material.frames[6]
    for ending in ("mp4", "mov"):
        for name, (a, b, c, d, times) in TURNS.items():
            upright = np.rot90(frame, times)
            shelf.add("rotated", f"{name}.{ending}", f"{ending} stored {name}: shown upright",
                      turned_film(shelf, (a, b, c, d), ending),
                      truth=shelf.film_truth() | shelf.seen(upright))  # fmt: skip
    shelf.add("rotated", "mirrored.mp4", "mp4 stored mirrored", turned_film(shelf, (-1, 0, 0, 1)),
              truth=shelf.film_truth() | shelf.seen(frame[:, ::-1]))  # fmt: skip
    for number in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = number
        stored = Image.fromarray(shelf.picture)
        upright = _upright(shelf.picture, number)
        shelf.add("rotated", f"exif {number}.jpg", f"a JPEG with EXIF orientation {number}",
                  picture_bytes(stored, "jpg", quality=95, exif=exif), GOOD, kind="picture",
                  truth=shelf.seen(upright, moments=2))  # fmt: skip
    shelf.add("rotated", "exif 99.jpg", "a JPEG with an EXIF orientation that there is not",
              _odd_exif(shelf), GOOD, kind="picture", truth=shelf.seen(shelf.picture, moments=2))  # fmt: skip
    singular = turned_film(shelf, (0, 0, 0, 0))
    shelf.add("rotated", "no matrix.mp4", "mp4 whose display matrix is all zeros", singular,
              truth={"moments": 2, "seconds": SECONDS})  # fmt: skip


def _odd_exif(shelf: Shelf) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 99
    return picture_bytes(Image.fromarray(shelf.picture), "jpg", quality=95, exif=exif)


def _upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """By the definition of EXIF: where row 0 and column 0 of what is stored are to be seen."""
    return {
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, 3),
        7: np.rot90(stored, 2).transpose(1, 0, 2),
        8: np.rot90(stored, 1),
    }[orientation]
