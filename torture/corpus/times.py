"""Variable frame rates, streams that begin late, time stamps that go back, and ten hours that are only claimed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from torture.corpus.entry import GOOD, Expect
from torture.corpus.shelf import Shelf
from torture.corpus.source import NUM_FRAMES, RATE, SAMPLE_RATE, SECONDS
from torture.corpus.write import Track, encoded, later

TEN_HOURS = 36_000
HALF_A_FRAME = 0.5 / RATE
"""Away from the moment at which frames change, which a codec's delay may move."""
CLAIMED = Expect("result", "result", "missing", "missing")
"""The middle of ten hours is not there; what is there is looked at, and no more."""
WHOLE: tuple[str, ...] = ()
"""`localize` of all of it, for what claims to be endless."""


def add_variable_rates(shelf: Shelf) -> None:
    """Frames at uneven times: what is shown at a moment is known."""
    frames, sound = shelf.material.frames, Track(sound=shelf.material.sound)
    rng = shelf.rng("variable rate")
    jitter = np.sort(rng.choice(np.arange(1, 2999), NUM_FRAMES - 1, replace=False)) / 1000
    schedules = {
        "uneven": ("at random times", [0.0, *jitter.tolist()]),
        "slower": ("ever further apart", [round(SECONDS * (n / NUM_FRAMES) ** 2, 3) for n in range(NUM_FRAMES)]),
        "pause": ("with a pause of 1.5 s", [n / 24 if n < 18 else 1.5 + (n - 18) / 24 for n in range(NUM_FRAMES)]),
    }
    for name, (about, times) in schedules.items():
        times = [number / 1000 for number in sorted({round(time * 1000) for time in times})]
        shown = int(np.searchsorted(times, 1.0, side="right")) - 1
        track = Track(frames=frames[: len(times)], times=times)
        for ending in ("mp4", "mkv"):
            shelf.add("variable rate", f"{name}.{ending}", f"{ending} with frames {about}",
                      later([track, sound], ending), GOOD,
                      truth={**shelf.seen(frames[shown]), "at_seconds": 1.0, "channels": 2, "moments": 2})  # fmt: skip
    fractional = Track(frames=frames, rate=Fraction(12000, 1001))
    shelf.add("variable rate", "11.988.mp4", "mp4 at 12000/1001 frames a second", later([fractional, sound], "mp4"),
              GOOD, truth=shelf.film_truth(frames_per_second=12000 / 1001))  # fmt: skip


def add_offsets(shelf: Shelf) -> None:
    """Streams that do not begin at zero, or not together."""
    frames, sound = shelf.material.frames, shelf.material.sound
    truth = {"channels": 2, "moments": 2, **shelf.seen(frames[6]), "at_seconds": 0.5 + HALF_A_FRAME}
    for ending in ("mp4", "mkv", "ts"):
        both = [Track(frames=frames), Track(sound=sound, start_seconds=0.5)]
        shelf.add("start offset", f"late sound.{ending}", f"{ending} whose sound begins half a second late",
                  later(both, ending), GOOD, truth=truth)  # fmt: skip
        both = [Track(frames=frames, start_seconds=0.5), Track(sound=sound)]
        shelf.add("start offset", f"late picture.{ending}", f"{ending} whose picture begins half a second late",
                  later(both, ending), GOOD, truth=truth | {"at_seconds": 1.0 + HALF_A_FRAME})  # fmt: skip
    for seconds in (10.0, 7200.0):
        both = [Track(frames=frames, start_seconds=seconds), Track(sound=sound, start_seconds=seconds)]
        for ending in ("mkv", "ts"):
            shelf.add("start offset", f"from {seconds:.0f} s.{ending}", f"{ending} whose clock begins at {seconds:g} s",
                      later(both, ending), GOOD,
                      truth=truth)  # fmt: skip


def add_backwards(shelf: Shelf) -> None:
    """Clocks that jump back: two files one after the other, and clusters whose times were changed."""
    twice = {"ts": GOOD, "mp3": GOOD, "ogg": GOOD, "flac": GOOD, "mkv": GOOD, "mp4": GOOD, "wav": GOOD, "webm": GOOD}
    for ending, expect in twice.items():
        whole = shelf.whole(ending)
        kind = "sound" if ending in ("mp3", "ogg", "flac", "wav") else "film"
        shelf.add("time goes back", f"twice.{ending}", f"{ending}: the same file twice, one after the other", whole * 2,
                  expect, kind=kind, truth={"moments": 2})  # fmt: skip
    # read from its beginning all of it is there; what is sought by its time is not, and that is said
    sought = replace(GOOD, pack="missing", predict="missing")
    for ending in ("mkv", "webm"):
        shelf.add("time goes back", f"clusters at zero.{ending}", f"{ending} all of whose clusters say they begin at 0",
                  with_cluster_times(shelf.film(ending), lambda number, time: 0), sought,
                  truth={"moments": None})  # fmt: skip


def cluster_times(data: bytes) -> list[tuple[int, int]]:
    """Where the time of each of a Matroska file's clusters stands, and how many bytes it has."""
    places, at = [], data.find(b"\x1f\x43\xb6\x75")
    while at >= 0:
        field = data.index(b"\xe7", at + 4)
        places.append((field + 2, data[field + 1] & 0x7F))
        at = data.find(b"\x1f\x43\xb6\x75", at + 4)
    return places


def with_cluster_times(data: bytes, change: Callable[[int, int], int]) -> bytes:
    """With `change(number, milliseconds)` as the time of each cluster."""
    spoilt = bytearray(data)
    for number, (at, size) in enumerate(cluster_times(data)):
        time = change(number, int.from_bytes(data[at : at + size], "big"))
        spoilt[at : at + size] = int(time).to_bytes(size, "big")
    return bytes(spoilt)


def add_claims(shelf: Shelf) -> None:
    """Ten hours where there are three seconds."""
    film = shelf.film("mp4")
    shelf.add("ten hours", "headers.mp4", "mp4 whose headers claim ten hours; its index says three seconds",
              _mp4_headers(film), GOOD, words=WHOLE, truth={"most_moments": 8})  # fmt: skip
    shelf.add("ten hours", "last frame.mp4", "mp4 whose last frame claims to last ten hours", _long_last_frame(film),
              CLAIMED, words=WHOLE, truth={"most_moments": 70})  # fmt: skip
    for ending in ("mkv", "webm"):
        shelf.add("ten hours", f"header.{ending}", f"{ending} whose header claims ten hours",
                  _matroska_duration(shelf.film(ending)), CLAIMED, words=WHOLE, truth={"most_moments": 8})  # fmt: skip
    shelf.add("ten hours", "header.avi", "avi whose header claims ten hours", _avi_frames(shelf.film("avi")),
              Expect("result", "result", "either", "either"), words=WHOLE, truth={"most_moments": 8})  # fmt: skip
    one = encoded([Track(frames=shelf.material.frames[:1]), Track(sound=shelf.material.sound)], "mkv")
    shelf.add("ten hours", "one frame.mkv", "mkv of one frame and three seconds of sound whose header claims ten hours",
              _matroska_duration(one), CLAIMED, words=WHOLE, truth={"most_moments": 8})  # fmt: skip
    late = [Track(frames=shelf.material.frames[:2], times=[0.0, float(TEN_HOURS)]), Track(sound=shelf.material.sound)]
    shelf.add("ten hours", "two frames.mkv", "mkv of two frames ten hours apart, and three seconds of sound",
              later(late, "mkv"), Expect("result", "error", "missing", "missing"), words=WHOLE)  # fmt: skip
    wav = bytearray(shelf.sound("wav"))
    struct.pack_into("<I", wav, wav.index(b"data") + 4, 0x7FFFFFF0)
    shelf.add("ten hours", "header.wav", "wav whose header claims two gigabytes of samples", bytes(wav),
              Expect("result", "result", "either", "either"), kind="sound", words=WHOLE,
              truth={"most_moments": 8})  # fmt: skip
    flac = bytearray(shelf.sound("flac"))
    at = flac.index(b"fLaC") + 8 + 13  # the last 36 bits of these eight bytes count the samples
    flac[at] = (flac[at] & 0xF0) | ((TEN_HOURS * SAMPLE_RATE) >> 32)
    struct.pack_into(">I", flac, at + 1, (TEN_HOURS * SAMPLE_RATE) & 0xFFFFFFFF)
    shelf.add("ten hours", "header.flac", "flac whose header claims ten hours", bytes(flac), CLAIMED, kind="sound",
              words=WHOLE, truth={"most_moments": 8})  # fmt: skip


def _mp4_headers(film: bytes) -> bytes:
    """The movie's, the tracks' and the media's length, each in its own unit (mvhd and mdhd: version 0)."""
    data = bytearray(film)
    units = 1000
    for name, unit_at, length_at in ((b"mvhd", 16, 20), (b"tkhd", None, 24), (b"mdhd", 16, 20), (b"elst", None, 12)):
        at = data.find(name)
        while at >= 0:
            if unit_at is not None:
                units = struct.unpack_from(">I", data, at + unit_at)[0]
            length = TEN_HOURS * (units if unit_at is not None else 1000)
            struct.pack_into(">I", data, at + length_at, length & 0xFFFFFFFF)
            at = data.find(name, at + 4)
    return bytes(data)


def _long_last_frame(film: bytes) -> bytes:
    """An stts of two rows: all frames but the last as they were, and the last of ten hours."""
    data = bytearray(_mp4_headers(film))
    at = data.index(b"stts")
    rows = struct.unpack_from(">I", data, at + 8)[0]
    step = struct.unpack_from(">I", data, at + 16)[0]
    old_size = struct.unpack_from(">I", data, at - 4)[0]
    box = struct.pack(">4sII4I", b"stts", 0, 2, NUM_FRAMES - 1, step, 1, step * RATE * TEN_HOURS)
    grown = len(box) + 4 - old_size
    assert rows == 1
    # the index lies last, so that no picture moves; every box around this one grows with it
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = data.rindex(name, 0, at)
        struct.pack_into(">I", data, place - 4, struct.unpack_from(">I", data, place - 4)[0] + grown)
    return bytes(data[: at - 4] + struct.pack(">I", old_size + grown) + box + data[at - 4 + old_size :])


def _matroska_duration(data: bytes) -> bytes:
    """The Duration element is a double, in milliseconds."""
    at = data.index(b"\x44\x89\x88") + 3
    return data[:at] + struct.pack(">d", TEN_HOURS * 1000.0) + data[at + 8 :]


def _avi_frames(data: bytes) -> bytes:
    """The main header's number of frames, and each stream's length."""
    spoilt = bytearray(data)
    struct.pack_into("<I", spoilt, data.index(b"avih") + 8 + 16, TEN_HOURS * RATE)
    at = data.find(b"strh")
    while at >= 0:
        struct.pack_into("<I", spoilt, at + 8 + 32, TEN_HOURS * 38)
        at = data.find(b"strh", at + 4)
    return bytes(spoilt)
