"""What some methods see beyond one picture: the motion to the next frame, or the frames of the sound's window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from soundspot.media.errors import MediaError
from soundspot.media.video import iter_frames, probe, read_frame
from soundspot.types import Clip, Inputs, UserError

Pixels = npt.NDArray[np.uint8]
View = npt.NDArray[Any]
FARNEBACK = {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2, "flags": 0}
"""Of OpenCV's dense flow, as its manual has them."""


def _pair(clip: Clip, inputs: Inputs, time_seconds: float | None) -> list[Pixels]:
    """The picture's frame and the one after it; at the film's end the one before it and itself."""
    path, rate, length = _film(clip)
    time = length / 2 if time_seconds is None else time_seconds
    first = time if time + 1.5 / rate <= length else time - 1 / rate
    if first < 0:
        raise MediaError(
            f"clip {clip.id}: expected a film of two frames and more, got {length:.3f} s; give a longer one"
        )
    return [read_frame(path, first), read_frame(path, first + 1 / rate)]


def _window_frames(clip: Clip, inputs: Inputs, time_seconds: float | None) -> list[Pixels]:
    """`inputs.num_frames` evenly spaced over `inputs.seconds` around the picture's moment."""
    path, _, length = _film(clip)
    time = length / 2 if time_seconds is None else time_seconds
    start = min(max(time - inputs.seconds / 2, 0.0), max(length - inputs.seconds, 0.0))
    found = iter_frames(
        path,
        frames_per_second=inputs.num_frames / inputs.seconds,
        start_seconds=start,
        end_seconds=start + inputs.seconds,
    )
    frames = [frame.image for frame, _ in zip(found, range(inputs.num_frames), strict=False)]
    if len(frames) < inputs.num_frames:
        raise MediaError(
            f"clip {clip.id}: expected {inputs.num_frames} frames in {inputs.seconds} s from {start:.2f} s, got "
            f"{len(frames)}; give a longer film, or lower num_frames"
        )
    return frames


def _film(clip: Clip) -> tuple[Any, float, float]:
    """Path, frames a second, seconds. A still has no motion to see, and must not pass for a film in which none is."""
    if clip.video is None:
        raise MediaError(f"clip {clip.id}: expected a film for a method that needs neighbouring frames, got a still")
    info = probe(clip.video)
    return clip.video, info.frames_per_second or 25.0, info.duration_seconds or 0.0


def _flow(frames: list[Pixels]) -> View:
    """Two frames (H, W, 3) -> float32 (2, H, W), pixels to the right and down from the first to the second."""
    try:
        import cv2
    except ImportError as error:
        raise UserError("expected opencv for optical flow, got none; pip install 'soundspot[flow]'") from error
    before, after = (cv2.cvtColor(np.ascontiguousarray(one), cv2.COLOR_RGB2GRAY) for one in frames)
    moved: Any = cv2.calcOpticalFlowFarneback(before, after, None, **FARNEBACK)  # type: ignore[call-overload]
    return np.ascontiguousarray(moved.transpose(2, 0, 1), dtype=np.float32)


def _stacked(frames: list[Pixels]) -> View:
    """(T, H, W, 3)."""
    return np.stack(frames)


READ: dict[str, Callable[[Clip, Inputs, float | None], list[Pixels]]] = {
    "flow": _pair,
    "frames": _window_frames,
}
"""The frames that a view is made of, as they are in the film; raises MediaError."""

FINISH: dict[str, Callable[[list[Pixels]], View]] = {"flow": _flow, "frames": _stacked}
"""The view, of those frames after they were cut as the picture was."""
