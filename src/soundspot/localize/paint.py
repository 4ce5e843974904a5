"""Paint over a frame: how much of the frame stays at each place, and what is added there.

So the same paint serves a picture in RGB and a film's frames in planes, is made once for many frames, and two paints
blend into each other in whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

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
        return Veil(joined(keep, half, half), joined(*added))


def _less(values: Planes, keep: Planes, zero: int) -> Planes:
    """`values` where `zero` stands for none, less what is kept of that; low enough that no sum runs over."""
    kept = ((keep * np.uint16(zero) + np.uint16(128)) >> 8).astype(np.uint8)
    return np.minimum(values - np.minimum(values, kept), 254 - np.minimum(keep, 254))


@dataclass(frozen=True)
class Veil:
    """Paint for planes, of which it has the shape: 255 of `keep` is all."""

    keep: Planes
    add: Planes


class Painter:
    """Lays veils over planes of one shape, in whole numbers and in its own memory."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._keep, self._add, self._more = (np.empty(shape, np.uint16) for _ in range(3))

    def lay(self, planes: Planes, veil: Veil, later: Veil, part: float = 0.0) -> Planes:
        """Planes -> the same under what is `part` of the way from one veil to a later one."""
        keep, add, more = self._keep, self._add, self._more
        share = round(part * 256)
        self._mix(veil.keep, later.keep, share, keep)
        keep >>= 8
        np.right_shift(keep, 7, out=more)
        keep += more  # 255 becomes 256: all is kept as it is
        self._mix(veil.add, later.add, share, add)
        np.multiply(planes, keep, out=more)
        more += add
        more += 127
        more >>= 8
        return more.astype(np.uint8)

    def _mix(self, one: Planes, other: Planes, share: int, out: npt.NDArray[np.uint16]) -> None:
        """256 times what lies `share` of 256 on the way from one to the other."""
        np.multiply(one, np.uint16(256 - share), out=out, dtype=np.uint16)
        if share:
            np.multiply(other, np.uint16(share), out=self._more, dtype=np.uint16)
            out += self._more


def stencil(drawn: Image.Image) -> Paint:
    """(H, W) RGBA that was drawn upon nothing -> paint that covers what was drawn."""
    values = np.asarray(drawn)
    alpha = values[..., 3:].astype(np.float32) / 255
    return Paint((1 - alpha[..., 0]).astype(np.float32), np.rint(values[..., :3] * alpha).astype(np.uint8))
