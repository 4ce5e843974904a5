"""Writing a film: H.264 picture and AAC sound in an MP4 that starts to play before it is fully loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Colorspace, VideoReformatter

from soundspot.media.errors import MediaError
from soundspot.media.files import written_aside
from soundspot.media.sound import sound_frame
from soundspot.types import UserError

FILM_SUFFIXES = (".mp4", ".m4v", ".mov")
AAC_SAMPLE_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
QUALITY = {"crf": "20", "preset": "veryfast"}
QUICK = {"crf": "20", "preset": "superfast", "mbtree": "1", "rc-lookahead": "10"}
"""Two thirds of the work for a file a quarter larger. Without its short look ahead the file would be twice
as large."""
QUICK_SOUND = {"aac_coder": "fast"}
BT709 = 1
"""FFmpeg's number for its matrix, primaries and transfer: what players assume for video of today."""
LIMITED_RANGE = 1


class FilmWriter:
    """A film being written, as a context manager: the file appears under `path` when all went well, or not at all.

    `layout` says whether `write_sound` gets one row or two; `matrix`, how colours were turned into the planes that
    `write_planes` gets; `quick` takes less time for a larger file.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        width: int,
        height: int,
        frames_per_second: float | Fraction,
        sample_rate: int | None = None,
        layout: Literal["mono", "stereo"] = "mono",
        matrix: int = BT709,
        quick: bool = False,
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in FILM_SUFFIXES:
            raise UserError(f"{path}: expected a name ending in one of {', '.join(FILM_SUFFIXES)}; rename it")
        if width < 1 or height < 1:
            raise UserError(
                f"{path}: expected a picture of at least 1x1, got {width}x{height}; give its size in pixels"
            )
        if not frames_per_second > 0:
            raise UserError(f"{path}: expected frames_per_second above 0, got {frames_per_second}; give e.g. 25")
        if sample_rate is not None and sample_rate not in AAC_SAMPLE_RATES:
            raise UserError(
                f"{path}: expected a sample rate AAC has {AAC_SAMPLE_RATES}, got {sample_rate}; resample to one"
            )
        self.width, self.height = width, height
        # 29.97 and its like become the exact n * 1000 / 1001.
        self.rate = Fraction(frames_per_second).limit_denominator(1001)
        self.sample_rate = sample_rate
        self.layout = layout
        self.matrix = matrix
        self.quick = quick
        self.num_frames = 0
        self.num_samples = 0
        self._reformatter = VideoReformatter()

    def __enter__(self) -> FilmWriter:
        self._stack = ExitStack()
        with ExitStack() as stack:
            partial = stack.enter_context(written_aside(self.path))
            stack.enter_context(_as_media_errors(self.path))
            self._container = stack.enter_context(
                av.open(f"file:{partial.absolute()}", "w", format="mp4", options={"movflags": "+faststart"})
            )
            self._add_streams()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)  # closes, and the partial file goes
            return
        with self._stack:
            if self.num_frames == 0:
                raise MediaError(f"{self.path}: expected at least one frame, got none; call write_frame")
            self._mux(self._picture, None)
            if self.num_samples:
                self._mux(self._sound, None)

    def write_frame(self, image: npt.NDArray[np.uint8]) -> None:
        """Add the next frame: uint8 (height, width, 3). H.264 needs even sides: an odd one repeats its last row."""
        if image.shape != (self.height, self.width, 3) or image.dtype != np.uint8:
            raise UserError(
                f"{self.path}: expected a uint8 frame of {(self.height, self.width, 3)}, got {image.dtype}"
                f" {image.shape}; resize it, or open the film at its size"
            )
        even = np.pad(image, ((0, self.height % 2), (0, self.width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(even, format="rgb24")
        yuv = self._reformatter.reformat(
            frame, format="yuv420p", src_colorspace=int(Colorspace.ITU601), dst_colorspace=self.matrix
        )
        self._write(yuv)

    def write_planes(self, planes: npt.NDArray[np.uint8]) -> None:
        """Add the next frame as `media.planes` has it: uint8 (height * 3 // 2, width), both even."""
        if planes.shape != (self.height * 3 // 2, self.width) or planes.dtype != np.uint8:
            raise UserError(
                f"{self.path}: expected uint8 planes of {(self.height * 3 // 2, self.width)}, got {planes.dtype}"
                f" {planes.shape}; open the film at its size"
            )
        self._write(av.VideoFrame.from_ndarray(planes, format="yuv420p"))

    def _write(self, yuv: Any) -> None:
        yuv.pts = self.num_frames
        yuv.time_base = 1 / self.rate
        self._mux(self._picture, yuv)
        self.num_frames += 1

    def write_sound(self, samples: npt.NDArray[np.float32]) -> None:
        """Add float (C, N) samples at the film's rate after those written; beyond full scale they are clipped."""
        if self.sample_rate is None:
            raise UserError(f"{self.path}: expected no sound, got some; open the film with sample_rate=")
        channels = 1 if self.layout == "mono" else 2
        if samples.ndim != 2 or samples.shape[0] != channels or not np.isfinite(samples).all():
            raise UserError(
                f"{self.path}: expected finite samples ({channels}, N) for {self.layout}, got {samples.shape}; open the"
                " film with layout='mono' or 'stereo' as the sound is"
            )
        if samples.shape[1] == 0:
            return
        self._mux(self._sound, sound_frame(np.clip(samples, -1, 1), self.sample_rate, self.num_samples))
        self.num_samples += samples.shape[1]

    def _add_streams(self) -> None:
        options = QUICK if self.quick else QUALITY
        self._picture: Any = self._container.add_stream("libx264", rate=self.rate, options=options)
        self._picture.width = self.width + self.width % 2
        self._picture.height = self.height + self.height % 2
        self._picture.pix_fmt = "yuv420p"
        context = self._picture.codec_context
        context.color_primaries = context.color_trc = BT709
        context.colorspace = self.matrix
        context.color_range = LIMITED_RANGE
        if self.sample_rate is not None:
            self._sound: Any = self._container.add_stream(
                "aac", rate=self.sample_rate, layout=self.layout, options=QUICK_SOUND if self.quick else {}
            )

    def _mux(self, stream: Any, frame: Any) -> None:
        self._container.mux(stream.encode(frame))


@contextmanager
def _as_media_errors(path: Path) -> Iterator[None]:
    """FFmpeg's errors in its block (no space left, no encoder) become MediaError."""
    try:
        yield
    except av.FFmpegError as error:
        raise MediaError(
            f"{path}: expected to write a film, got '{error.strerror}'; check the disk and the path"
        ) from error
