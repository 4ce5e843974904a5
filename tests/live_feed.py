"""Play a film into a pipe as a camera would: each packet when it would be shown."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO, NamedTuple

import av

Times = dict[float, float]
"""When (time.monotonic) what begins at a time of the film was written."""


class Written(NamedTuple):
    """What was written when."""

    pictures: Times
    sounds: Times


def feed(film: Path, pipe: IO[bytes], speed: float = 1.0) -> Written:
    """Write the film as MPEG-TS."""
    written = Written({}, {})
    with (
        av.open(str(film)) as source,
        av.open(pipe, "w", format="mpegts", options={"flush_packets": "1", "muxdelay": "0", "muxpreload": "0"}) as sink,
    ):
        streams = {s.index: sink.add_stream_from_template(s) for s in source.streams if s.type in ("video", "audio")}
        began = time.monotonic()
        for packet in source.demux():
            if packet.dts is None or packet.stream.index not in streams:
                continue
            at = float(packet.dts * packet.time_base)
            time.sleep(max(0.0, at / speed - (time.monotonic() - began)))
            times = written.pictures if packet.stream.type == "video" else written.sounds
            times[float(packet.pts * packet.time_base)] = time.monotonic()
            packet.stream = streams[packet.stream.index]
            sink.mux(packet)
    return written


def written_at(times: Times, time_seconds: float) -> float:
    """When the picture that is on screen at a time, or the sound that is heard then, was written."""
    first = min(times)
    return times[max(at for at in times if at - first <= time_seconds + 1e-3)]
