"""Paint over a frame: how much of the frame stays at each place, and what is added there.

So the same paint serves a picture in RGB and a film's frames in planes, is made once for many frames, and two paints
blend into each other in whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from soundspot.media.planes import BLACK, NO_COLOUR, Planes, joined, parts_of, planes_of

Picture = npt.NDArray[np.uint8]
Shares = npt.NDArray[np.float32]
_GREY = np.array((0.299, 0.587, 0.114), dtype=np.float32)


@dataclass(frozen=True)
class Paint:
    """What becomes of each pixel: `keep` of it stays, `add` comes on top."""

    keep: Shares
    """(H, W) in 0..1."""
    add: Picture
    """(H, W, 3), at most 255 * (1 - keep)."""
    fade: Shares | None = None
    """(H, W) in 0..1: which share of the frame's own colour is lost, its brightness stays."""

    def over(self, frame: Picture) -> Picture:
        """(H, W, 3) RGB with the paint on it."""
        plain = frame.astype(np.float32)
        if self.fade is not None:
            plain += ((plain @ _GREY)[..., None] - plain) * self.fade[..., None]
        return np.clip(plain * self.keep[..., None] + self.add + 0.5, 0, 255).astype(np.uint8)

    def veil(self, matrix: int) -> Veil:
        """The same for planes; H and W are even."""
        bright, blue, red = parts_of(planes_of(self.add, matrix))
        keep_colour = self.keep if self.fade is None else self.keep * (1 - self.fade)
        keep = np.rint(self.keep * 255).astype(np.uint8)
        half = np.asarray(Image.fromarray(np.rint(keep_colour * 255).astype(np.uint8)).reduce(2))
        # What is kept of black and of no colour is already there: it comes off what is added.
        added = [_less(bright, keep, BLACK), _less(blue, half, NO_COLOUR), _less(red, half, NO_COLOUR)]
        return Veil(Image.fromarray(joined(keep, half, half)), Image.fromarray(joined(*added)))


def _less(values: Planes, keep: Planes, zero: int) -> Planes:
    """`values` where `zero` stands for none, less what is kept of that."""
    table = np.rint(np.arange(256) * zero / 255).astype(np.int16)
    return np.clip(values - table[keep], 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Veil:
    """Paint for planes: both are 8-bit pictures of the planes' shape."""

    keep: Image.Image
    add: Image.Image

    def towards(self, other: Veil, part: float) -> Veil:
        """`part` of the way from this one to another."""
        if part <= 0 or other is self:
            return self
        if part >= 1:
            return other
        return Veil(Image.blend(self.keep, other.keep, part), Image.blend(self.add, other.add, part))

    def over(self, planes: Image.Image) -> Image.Image:
        """Planes as an 8-bit picture -> the same with the paint on them."""
        return ImageChops.add(ImageChops.multiply(planes, self.keep), self.add)


def stencil(drawn: Image.Image) -> Paint:
    """(H, W) RGBA that was drawn upon nothing -> paint that covers what was drawn."""
    values = np.asarray(drawn)
    alpha = values[..., 3:].astype(np.float32) / 255
    return Paint((1 - alpha[..., 0]).astype(np.float32), np.rint(values[..., :3] * alpha).astype(np.uint8))
