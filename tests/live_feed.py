"""Play a film into a pipe as a camera would: each packet when it would be shown."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO

import av


def feed(film: Path, pipe: IO[bytes], speed: float = 1.0) -> dict[float, float]:
    """Write the film as MPEG-TS; gives back when (time.monotonic) the picture of each time was written."""
    written: dict[float, float] = {}
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
            if packet.stream.type == "video":
                written[float(packet.pts * packet.time_base)] = time.monotonic()
            packet.stream = streams[packet.stream.index]
            sink.mux(packet)
    return written


def written_at(written: dict[float, float], time_seconds: float) -> float:
    """When the picture that is on screen at a time was written."""
    first = min(written)
    return written[max(at for at in written if at - first <= time_seconds + 1e-3)]
