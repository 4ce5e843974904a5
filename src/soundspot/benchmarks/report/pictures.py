"""A clip as something to see and hear inside a page: its frame with map and truth, its sound, as data addresses."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import cached_property
from itertools import zip_longest

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from soundspot.benchmarks.grid import mask_of
from soundspot.benchmarks.report.classes import Key
from soundspot.data.loader import read_picture, read_sound
from soundspot.localize.classes import Layer
from soundspot.localize.draw import overlay
from soundspot.localize.draw_classes import chip
from soundspot.localize.draw_classes import overlay as overlay_classes
from soundspot.media.errors import MediaError
from soundspot.media.sound import sound_frame
from soundspot.types import Clip, Inputs, Target

WIDTH = 240
LABEL_SIZE = 11
SOUND = Inputs(seconds=3.0, window="frame", sample_rate=22050)
"""What is cut out for the page: around the picture's moment, or the middle where it has none."""
_BIT_RATE = 48_000
_GREY = 90
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
Pixels = npt.NDArray[np.uint8]


class Seen:
    """One clip's picture and truth, read once."""

    def __init__(self, clip: Clip, target: Target) -> None:
        self.clip, self.target = clip, target

    @cached_property
    def frame(self) -> Pixels:
        """(H, WIDTH, 3); grey where there are no media."""
        try:
            picture = Image.fromarray(read_picture(self.clip, self.clip.time_seconds))
        except MediaError:
            return np.full((WIDTH * 3 // 4, WIDTH, 3), _GREY, dtype=np.uint8)
        height = max(1, round(picture.height * WIDTH / picture.width))
        return np.asarray(picture.resize((WIDTH, height), Image.Resampling.BICUBIC))

    def picture(self, scores: npt.NDArray[np.float32] | None = None, key: Key | None = None) -> str:
        """The frame, with a map over it if given, and the truth's outline; a data address.

        With a `key`, boxes have their class's colour and name.
        """
        shown = self.frame if scores is None else overlay(self.frame, _on_unit(scores))
        return _jpeg(self._with_truth(shown, key))

    def picture_of_classes(self, layers: Sequence[Layer], key: Key) -> str:
        """The same with maps of several classes over it, each in its colour."""
        return _jpeg(self._with_truth(overlay_classes(self.frame, layers, key.palette), key))

    def _with_truth(self, frame: Pixels, key: Key | None) -> Pixels:
        picture = Image.fromarray(frame)
        pen = ImageDraw.Draw(picture)
        labels = self.target.box_labels if key is not None else ()
        boxes = self.target.boxes if self.target.kind == "visible" else ()
        for (left, top, right, bottom), label in zip_longest(boxes, labels):
            corners = [left * picture.width, top * picture.height, right * picture.width, bottom * picture.height]
            if all(abs(value) < 1e5 for value in corners) and corners[0] < corners[2] and corners[1] < corners[3]:
                pen.rectangle(corners, outline=_BLACK, width=4)
                colour = _WHITE if key is None or label is None else key.palette[key.numbers[label]]
                pen.rectangle([corners[0] + 1, corners[1] + 1, corners[2] - 1, corners[3] - 1], outline=colour, width=2)
                if label is not None:
                    chip(pen, label, (corners[0], corners[1]), picture.size, colour, LABEL_SIZE)
        if self.target.mask is not None:
            picture.paste(_WHITE, mask=_edge(mask_of(self.target.mask), picture.size))
        return np.asarray(picture)

    def sound(self) -> str | None:
        """3 s of the sound as a data address; None where there is none to read."""
        try:
            samples, rate = read_sound(self.clip, SOUND, self.clip.time_seconds)
        except MediaError:
            return None
        return _address("audio/mpeg", _mp3(samples, rate))


def _on_unit(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    low, high = float(scores.min()), float(scores.max())
    return ((scores - low) / (high - low)).astype(np.float32) if high > low else np.zeros_like(scores)


def _edge(mask: npt.NDArray[np.bool_], size: tuple[int, int]) -> Image.Image:
    """The mask's outline, two pixels wide, at the picture's size."""
    large = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)) > 0
    padded = np.pad(large, 2, constant_values=True)  # the frame's own edge is no outline
    height, width = large.shape
    inner = padded[:height, 2:-2] & padded[4:, 2:-2] & padded[2:-2, :width] & padded[2:-2, 4:]
    return Image.fromarray((large & ~inner).astype(np.uint8) * 255)


def _jpeg(pixels: Pixels) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    return _address("image/jpeg", file.getvalue())


def _mp3(samples: npt.NDArray[np.float32], rate: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout="mono")
        stream.bit_rate = _BIT_RATE
        frame = sound_frame(samples[None], rate, 0)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
