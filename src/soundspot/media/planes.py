"""Frames as H.264 keeps them: brightness at full size, two colour differences at half: half the bytes of RGB.

A film that is read and written again in this form needs no conversion of colours in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from soundspot.media.container import Decoded
from soundspot.media.video import KNOWN_MATRICES, shown_at_rate, turned

Planes = npt.NDArray[np.uint8]
"""(H * 3 // 2, W), H and W even: H rows of brightness (16..235), then two colour differences (128 is none), each of
(H / 2, W / 2) packed into H / 4 rows' worth of bytes."""
BLACK, NO_COLOUR = 16, 128
BT709, BT601 = int(Colorspace.ITU709), int(Colorspace.ITU601)


@dataclass(frozen=True)
class PlanarFrame:
    """What is on screen at a moment."""

    time_seconds: float
    planes: Planes
    matrix: int
    """How colours were turned into planes: BT709 or BT601."""


def iter_planes(
    path: Path,
    *,
    size: tuple[int, int],
    frames_per_second: float,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
) -> Iterator[PlanarFrame]:
    """As `media.video.iter_frames`, in planes of `size` (width, height; both even), upright."""
    reformatter = VideoReformatter()
    held: tuple[Decoded, PlanarFrame] | None = None
    for time, item in shown_at_rate(path, frames_per_second, start_seconds, end_seconds):
        if held is None or held[0] is not item:
            held = item, _planar(time, item.frame, size, reformatter)
        yield PlanarFrame(time, held[1].planes, held[1].matrix)


def _planar(time: float, frame: Any, size: tuple[int, int], reformatter: VideoReformatter) -> PlanarFrame:
    matrix = int(frame.colorspace) if int(frame.colorspace) in KNOWN_MATRICES else BT601
    to = BT709 if matrix == BT709 else BT601
    # The size before it is turned upright: what is wide may lie on its side.
    width, height = _lying(size, frame)
    as_limited = {"src_color_range": ColorRange.JPEG, "dst_color_range": ColorRange.MPEG} if _is_full(frame) else {}
    flat = reformatter.reformat(
        frame, width, height, format="yuv420p", src_colorspace=matrix, dst_colorspace=to, **as_limited
    )
    lying: Planes = np.asarray(flat.to_ndarray(), dtype=np.uint8)
    parts = [turned(part, frame) for part in parts_of(lying)]
    upright = lying if parts[0].base is lying else np.concatenate([part.ravel() for part in parts])
    return PlanarFrame(time, upright.reshape(size[1] * 3 // 2, size[0]), to)


def _lying(size: tuple[int, int], frame: Any) -> tuple[int, int]:
    """Width and height of the frame as it is stored, if upright it shall be of `size`."""
    mark = turned(np.empty((1, 2)), frame).shape
    return size if mark == (1, 2) else (size[1], size[0])


def _is_full(frame: Any) -> bool:
    return frame.format.name.startswith("yuvj") or int(frame.color_range) == int(ColorRange.JPEG)


def parts_of(planes: Planes) -> tuple[Planes, Planes, Planes]:
    """Views: brightness (H, W), two colour differences (H / 2, W / 2)."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    flat = planes.reshape(-1)
    bright, quarter = height * width, height * width // 4
    half = (height // 2, width // 2)
    return (
        planes[:height],
        flat[bright : bright + quarter].reshape(half),
        flat[bright + quarter : bright + 2 * quarter].reshape(half),
    )


def joined(bright: Planes, blue: Planes, red: Planes) -> Planes:
    """The other way: (H, W), (H / 2, W / 2) twice -> planes."""
    height, width = bright.shape
    flat = np.concatenate([bright.ravel(), blue.ravel(), red.ravel()])
    return flat.reshape(height * 3 // 2, width)


def planes_of(picture: npt.NDArray[np.uint8], matrix: int = BT709) -> Planes:
    """(H, W, 3) RGB -> planes; an odd side repeats its last row or column."""
    height, width = picture.shape[:2]
    even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
    planar = VideoReformatter().reformat(frame, format="yuv420p", src_colorspace=BT601, dst_colorspace=matrix)
    return np.asarray(planar.to_ndarray())
