"""Films: what is in them, one frame, frames at a chosen rate, and (from `sound`, `film`) their sound and writing them.

Frames come as uint8 (H, W, 3) RGB with the file's rotation applied.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Colorspace, VideoReformatter

from soundspot.media.container import (
    Decoded,
    decode,
    find_stream,
    frame_rate,
    open_media,
    packets_of,
    require_stream,
    time_origin,
)
from soundspot.media.errors import MediaError
from soundspot.media.film import FilmWriter
from soundspot.media.sound import Waveform, iter_waveform, read_waveform
from soundspot.media.wav import plain_wav
from soundspot.types import UserError

__all__ = [
    "FilmWriter",
    "Frame",
    "MediaInfo",
    "Waveform",
    "iter_frames",
    "iter_waveform",
    "picture_seconds",
    "probe",
    "read_frame",
    "read_waveform",
    "there_seconds",
]

KNOWN_MATRICES = (1, 4, 5, 7, 9)
"""YUV matrices with the same number as a frame's tag and as swscale's option: BT.709, FCC, BT.601, SMPTE 240M, BT.2020.
Everything else is read as BT.601, FFmpeg's own default."""
MAX_SHOWN_SECONDS = 3600.0
"""A frame that stands longer is a broken clock, as a gap in the sound is."""
LATE_SECONDS = 1.0
"""A beginning that is later is no encoder's delay."""
MAX_LAST_SECONDS = 30.0
"""A last frame that claims to last longer is not believed: nothing comes after it."""
MAX_TIME_SLACK_SECONDS = 1e-3
"""A frame this little late still counts as shown: containers round timestamps (Matroska to milliseconds)."""


@dataclass(frozen=True)
class MediaInfo:
    """What a film or sound file holds; None where it has no picture or no sound."""

    path: Path
    duration_seconds: float
    width: int | None = None
    """Pixels, after rotation."""
    height: int | None = None
    frames_per_second: float | None = None
    """The average, where the rate varies."""
    video_codec: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    audio_codec: str | None = None

    @property
    def has_picture(self) -> bool:
        """Whether there are frames to look at."""
        return self.video_codec is not None

    @property
    def has_sound(self) -> bool:
        """Whether there is a sound track (it may be silent)."""
        return self.audio_codec is not None


@dataclass(frozen=True)
class Frame:
    """What is on screen at a moment."""

    time_seconds: float
    image: npt.NDArray[np.uint8]
    """(H, W, 3) RGB."""


def probe(path: Path | str) -> MediaInfo:
    """Length, picture size and rate, sound rate and channels, codecs; MediaError if neither picture nor sound."""
    path = Path(path)
    plain = plain_wav(path)
    if plain is not None:
        return MediaInfo(
            path,
            plain.duration_seconds,
            sample_rate=plain.sample_rate,
            channels=plain.channels,
            audio_codec="pcm_s16le",
        )
    with open_media(path) as container:
        picture, sound = find_stream(container, "picture"), find_stream(container, "sound")
        if picture is None and sound is None:
            require_stream(container, "picture", path)
        facts: dict[str, Any] = {"duration_seconds": _film_seconds(container)}
        if sound is not None:
            context = sound.codec_context
            facts |= {"sample_rate": context.sample_rate, "channels": context.layout.nb_channels}
            facts["audio_codec"] = context.name
        if picture is not None:
            facts |= {"frames_per_second": float(frame_rate(picture)), "video_codec": picture.codec_context.name}
    if picture is None:
        _require_first(path)
    else:
        # Rotation is known for sure only on a decoded frame.
        first = _first(path)
        facts["height"], facts["width"] = turned(np.empty((first.frame.height, first.frame.width)), first.frame).shape
    return MediaInfo(path, **facts)


def read_frame(path: Path | str, time_seconds: float | None = None) -> npt.NDArray[np.uint8]:
    """The frame on screen at `time_seconds` (None: the middle of the picture track), uint8 (H, W, 3).

    The first frame also stands for the time before it, the last one for one more frame length after it, a lone picture
    for the whole film; later moments raise MediaError.
    """
    path = Path(path)
    if time_seconds is None:
        time_seconds = picture_seconds(path) / 2
    _check_time("time_seconds", time_seconds)
    shown: Decoded | None = None
    with closing(decode(path, "picture", time_seconds)) as frames:
        for item in frames:
            if shown is not None and item.time_seconds > time_seconds + _slack(item):
                return to_rgb(shown, VideoReformatter())
            shown = item
    if shown is None:
        raise _nothing_decoded(path)
    end = shown.time_seconds + shown.duration_seconds
    if time_seconds > end + shown.duration_seconds and time_seconds > _still_end(path):
        raise MediaError(
            f"{path}: expected a moment within the film's picture, got {time_seconds:.3f} s where it ends at"
            f" {end:.3f} s; ask for an earlier one"
        )
    return to_rgb(shown, VideoReformatter())


def iter_frames(
    path: Path | str,
    *,
    frames_per_second: float,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
) -> Iterator[Frame]:
    """What is on screen at start, start + 1/rate, ... before `end_seconds` (None: the film's end), one at a time.

    Each is the last frame shown by then, so a variable frame rate is followed; memory does not grow with length. An end
    past the film's is the film's; MediaError if the range holds no frame.
    """
    reformatter = VideoReformatter()
    shown = shown_at_rate(Path(path), frames_per_second, start_seconds, end_seconds)
    return (Frame(time, to_rgb(item, reformatter)) for time, item in shown)


def shown_at_rate(
    path: Path, frames_per_second: float, start_seconds: float = 0.0, end_seconds: float | None = None
) -> Iterator[tuple[float, Decoded]]:
    """The same, of each moment its time and the frame as it was decoded."""
    _check_time("start_seconds", start_seconds)
    if not (math.isfinite(frames_per_second) and frames_per_second > 0):
        raise UserError(f"expected frames_per_second above 0, got {frames_per_second}; give e.g. 5")
    if end_seconds is not None and not end_seconds > start_seconds:
        raise UserError(f"expected end_seconds after start_seconds={start_seconds}, got {end_seconds}; swap them?")
    return _at_rate(path, frames_per_second, start_seconds, math.inf if end_seconds is None else end_seconds)


def _at_rate(path: Path, rate: float, start: float, end: float) -> Iterator[tuple[float, Decoded]]:
    given = 0
    with closing(_shown_spans(path, start)) as spans:
        for item, until in spans:
            # Multiplied, not summed: an hour of steps must not drift.
            while (time := start + given / rate) < min(until, end) - 1e-9:
                yield time, item
                given += 1
            if start + given / rate >= end - 1e-9:
                break
    if given == 0:
        raise MediaError(f"{path}: expected a picture from {start:.3f} s on, got none; ask for an earlier start")


def _shown_spans(path: Path, start: float) -> Generator[tuple[Decoded, float]]:
    """Each decoded frame and until when it is shown."""
    shown: Decoded | None = None
    with closing(decode(path, "picture", start)) as frames:
        for item in frames:
            if shown is not None:
                if item.time_seconds - shown.time_seconds > MAX_SHOWN_SECONDS:
                    raise MediaError(
                        f"{path}: expected a film without gaps, got a jump from {shown.time_seconds:.0f} s to"
                        f" {item.time_seconds:.0f} s; write the file anew"
                    )
                yield shown, item.time_seconds - _slack(item)
            shown = item
    if shown is None:
        raise _nothing_decoded(path)
    yield shown, max(shown.time_seconds + _believed_seconds(shown), _still_end(path)) - _slack(shown)


def _believed_seconds(item: Decoded) -> float:
    """How long the last frame is shown: what follows it, no file can say but by its length."""
    return min(item.duration_seconds, MAX_LAST_SECONDS)


def _still_end(path: Path) -> float:
    """The film's length if it holds a single frame (a still with sound), then shown throughout; 0 otherwise.

    The length is that of what is there, not what a header claims.
    """
    with closing(decode(path, "picture")) as frames:
        if next(frames, None) is None or next(frames, None) is not None:
            return 0.0
    with open_media(path) as container:
        claimed = _film_seconds(container)
    return min(claimed, there_seconds(path))


def _slack(item: Decoded) -> float:
    return min(float(item.frame.time_base) / 2, MAX_TIME_SLACK_SECONDS) + 1e-6


def to_rgb(item: Decoded, reformatter: VideoReformatter) -> npt.NDArray[np.uint8]:
    """A decoded picture as (H, W, 3), turned as it is to be shown."""
    frame = item.frame
    matrix = int(frame.colorspace) if int(frame.colorspace) in KNOWN_MATRICES else int(Colorspace.ITU601)
    # RGB has no such matrix, but older PyAV looks at the source's only where the destination's differs.
    rgb = reformatter.reformat(frame, format="rgb24", src_colorspace=matrix, dst_colorspace=int(Colorspace.ITU601))
    return np.ascontiguousarray(turned(rgb.to_ndarray(), frame))


def turned(image: npt.NDArray[Any], frame: Any) -> npt.NDArray[Any]:
    """(H, W, ...) `image` as the frame's display matrix wants it shown: any of the eight turns and mirrorings."""
    for side_data in frame.side_data:
        if side_data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(bytes(side_data), np.int32)[:5].tolist()
            break
    else:
        return image
    # x' = a x + c y, y' = b x + d y, with y down; flips undo the offset that a negative factor needs.
    swapped = abs(b) + abs(c) > abs(a) + abs(d)
    if swapped:
        image = image.swapaxes(0, 1)
    across, down = (c, b) if swapped else (a, d)
    return image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def _require_first(path: Path) -> None:
    """MediaError for a sound of which nothing can be decoded."""
    with closing(decode(path, "sound")) as pieces:
        if next(pieces, None) is None:
            raise MediaError(f"{path}: expected sound, got none that can be decoded; fetch the file or export it again")


def _first(path: Path) -> Decoded:
    with closing(decode(path, "picture")) as frames:
        first = next(frames, None)
    if first is None:
        raise _nothing_decoded(path)
    return first


def _film_seconds(container: Any) -> float:
    if container.duration is None or (_ends_count(container) and time_origin(container) > LATE_SECONDS):
        return _scanned_seconds(container)
    return container.duration / av.time_base


def _ends_count(container: Any) -> bool:
    """Matroska states when a film ends, wherever it begins."""
    return "matroska" in container.format.name


def there_seconds(path: Path) -> float:
    """How long a film or a sound is by the packets that are there, however long its header claims it to be."""
    with open_media(path) as container:
        return _scanned_seconds(container)


def _scanned_seconds(container: Any) -> float:
    """The length of a file that does not state it (browser recordings, raw streams), from its packets."""
    origin, end, num_untimed = time_origin(container), 0.0, 0
    picture = find_stream(container, "picture")
    for packet in packets_of(container):
        if packet.pts is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base - origin))
        elif packet.size and picture is not None and packet.stream.index == picture.index:
            num_untimed += 1
    return end or (float(num_untimed / frame_rate(picture)) if picture is not None else 0.0)


def picture_seconds(path: Path) -> float:
    """How long the picture track is, which the sound may outlast; MediaError if there is none."""
    with open_media(path) as container:
        stream = require_stream(container, "picture", path)
        if stream.duration:
            return float(stream.duration * stream.time_base)
        return _film_seconds(container)


def _check_time(name: str, seconds: float) -> None:
    if not (math.isfinite(seconds) and seconds >= 0):
        raise UserError(f"expected {name} of 0 or more, got {seconds}; count seconds from the film's start")


def _nothing_decoded(path: Path) -> MediaError:
    return MediaError(f"{path}: expected a film, got one without a frame that can be decoded; fetch or export it again")
