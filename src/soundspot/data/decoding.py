"""One training clip from its files: what has to be decoded, and what the clip's own random numbers cut out of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from soundspot.data import views
from soundspot.data.loader import LoadedClip, fit_picture, load_clip, read_picture, read_sound, shorter_side_to
from soundspot.lookup import find
from soundspot.media.errors import MediaError
from soundspot.media.image import FORMATS, read_mask, resize
from soundspot.media.video import picture_seconds
from soundspot.types import NUM_DRAWS, Clip, Inputs, Target

Pixels = npt.NDArray[np.uint8]
Pair = tuple[Clip, Target | None]


@dataclass(frozen=True)
class Draws:
    """The random numbers of one clip in one epoch, each in [0, 1)."""

    top: float
    left: float
    flip: float
    moment: float

    def row(self) -> tuple[float, float, float, float]:
        """As in `draw_rows`."""
        return self.top, self.left, self.flip, self.moment


UNMOVED = Draws(top=0.5, left=0.5, flip=1.0, moment=0.5)
"""The middle crop, not mirrored, of the middle moment."""
Named = tuple[int, str]
"""An epoch and a clip's id: what its numbers follow from, with the seed."""


def draw(seed: int, epoch: int, clip_id: str) -> Draws:
    """The clip's numbers: a hash, so that workers, ranks and order cannot change them.

    >>> draw(0, 3, "a") == draw(0, 3, "a"), draw(0, 3, "a") == draw(0, 4, "a")
    (True, False)
    """
    return Draws(*draw_rows(seed, [(epoch, clip_id)])[0].tolist())


def draw_rows(seed: int, named: Sequence[Named]) -> npt.NDArray[np.float64]:
    """(B, 4) in [0, 1): `draw` of each."""
    digests = (hashlib.blake2b(f"{seed}/{epoch}/{name}".encode(), digest_size=32).digest() for epoch, name in named)
    words = np.frombuffer(b"".join(digests), "<u8").reshape(-1, 4)
    return (words >> np.uint64(11)) / 2**53


def augmentation_numbers(seed: int, epoch: int, clip_id: str) -> npt.NDArray[np.float32]:
    """(NUM_DRAWS,) in [0, 1) for what happens to a clip on the device; a hash as `draw` is."""
    return augmentation_rows(seed, [(epoch, clip_id)])[0]


def augmentation_rows(seed: int, named: Sequence[Named]) -> npt.NDArray[np.float32]:
    """(B, NUM_DRAWS): `augmentation_numbers` of each."""
    size = 3 * NUM_DRAWS
    digests = (hashlib.shake_256(f"{seed}/{epoch}/{name}/augment".encode()).digest(size) for epoch, name in named)
    words = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, NUM_DRAWS, 3) @ np.array([1, 2**8, 2**16])
    return (words / 2**24).astype(np.float32)  # 24 bits: float32 holds them and never rounds up to 1


@dataclass
class Decoded:
    """What has to be decoded of a clip, small enough to stay in memory."""

    image: Pixels
    """(H, W, 3), the shorter side int(image_size * train_scale)."""
    samples: npt.NDArray[np.int16]
    """(N,), the window."""
    sample_rate: int
    areas: Mapping[str, Pixels] = field(default_factory=dict)
    """(H, W) each, 255 where it is true; see LoadedClip."""
    frames: Mapping[str, list[Pixels]] = field(default_factory=dict)
    """By view, the frames it is made of, of the picture's size."""


def training_side(inputs: Inputs) -> int:
    """Pixels of a training picture's shorter side, out of which crops of `image_size` are cut."""
    return int(inputs.image_size * inputs.train_scale)


def decode(pair: Pair, inputs: Inputs, draws: Draws, areas: Collection[str] = ()) -> Decoded:
    """Read a training clip: its frame by `train_frame`, its sound by `train_sound`; raises MediaError.

    aligned: the window around the frame that was drawn, or around the picture's own moment; whole, or a picture of
    unknown moment: the window of the evaluation rule, whichever frame was drawn.
    """
    clip, target = pair
    time = clip.time_seconds
    if clip.video is not None and inputs.train_frame == "random":
        time = draws.moment * picture_seconds(clip.video)  # the sound may go on after the last frame
    sound_inputs = inputs
    if (clip.video is not None or time is not None) and inputs.train_sound == "aligned":
        sound_inputs = replace(inputs, window="frame")
    samples, sample_rate = read_sound(clip, sound_inputs, time)
    picture = read_picture(clip, time)
    size = shorter_side_to(picture.shape, training_side(inputs))
    return Decoded(
        image=resize(picture, size),
        samples=np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16),
        sample_rate=sample_rate,
        areas={name: AREAS[name](clip, target, size) for name in areas},
        frames={
            name: [resize(frame, size) for frame in find(views.READ, name, "view")(clip, inputs, time)]
            for name in inputs.views
        },
    )


def true_area(clip: Clip, target: Target | None, size: tuple[int, int]) -> Pixels:
    """(H, W) of `size`, 255 where the sounding object is: the target's mask, or else its boxes, filled.

    Raises MediaError for a visible source of which neither is known.
    """
    if target is not None and target.mask is not None:
        mask = read_mask(target.mask) if isinstance(target.mask, Path) else target.mask
        return resized_area(mask.astype(np.uint8) * 255, size)
    if target is None or (target.kind == "visible" and not target.boxes):
        raise MediaError(
            f"clip {clip.id}: expected a mask or boxes for a method that needs masks, got neither; add one"
        )
    filled = np.zeros(size, np.uint8)
    for x0, y0, x1, y1 in target.boxes:
        rows = slice(max(0, round(y0 * size[0])), max(0, round(y1 * size[0])))
        filled[rows, max(0, round(x0 * size[1])) : max(0, round(x1 * size[1]))] = 255
    return filled


def object_area(clip: Clip, target: Target | None, size: tuple[int, int]) -> Pixels:
    """(H, W) of `size`, 255 where any object of the scene is, sounding or not. MediaError where that is not known."""
    if target is None or target.objects is None:
        raise MediaError(f"clip {clip.id}: expected a picture of all objects (field objects), got none; add it")
    with Image.open(target.objects, formats=FORMATS) as numbers:
        picture = numbers.convert("L").point(lambda number: 255 if number else 0)
    return resized_area(np.asarray(picture), size)


def resized_area(area: Pixels, size: tuple[int, int]) -> Pixels:
    """(H, W) bytes -> (h, w) of `size`."""
    return np.asarray(Image.fromarray(area).resize((size[1], size[0]), Image.Resampling.BILINEAR))


AREAS: dict[str, Callable[[Clip, Target | None, tuple[int, int]], Pixels]] = {"mask": true_area, "objects": object_area}
"""What of a scene's truth a method may need for its loss, by the name it has in `Method.needs`."""


def load_labelled(pair: Pair, inputs: Inputs, areas: Collection[str]) -> LoadedClip:
    """A clip by the evaluation rule, with the `areas` of its truth at the method's size; raises MediaError."""
    clip, target = pair
    loaded = load_clip(clip, inputs)
    size = (inputs.image_size, inputs.image_size)
    loaded.areas = {name: AREAS[name](clip, target, size) for name in areas}
    loaded.draws = augmentation_numbers(0, 0, clip.id)
    return loaded


def evaluated(decoded: Decoded, inputs: Inputs) -> LoadedClip:
    """What was decoded for training, fitted by the evaluation rule: a held-out clip of which no file is at hand."""
    size = (inputs.image_size, inputs.image_size)
    return LoadedClip(
        image=fit_picture(decoded.image, inputs),
        samples=decoded.samples,
        sample_rate=decoded.sample_rate,
        areas={name: resized_area(area, size) for name, area in decoded.areas.items()},
        views={
            name: views.FINISH[name]([fit_picture(frame, inputs) for frame in frames])
            for name, frames in decoded.frames.items()
        },
    )


@dataclass(frozen=True)
class Cut:
    """Where a crop begins in its picture, and whether it is mirrored."""

    top: int
    left: int
    flipped: bool

    def of(self, array: Pixels, size: int) -> Pixels:
        """(H, W, ...) -> (size, size, ...), a view where it is not mirrored: stacking copies it anyway."""
        piece = array[self.top : self.top + size, self.left : self.left + size]
        return _mirrored(piece) if self.flipped else piece


def _mirrored(piece: Pixels) -> Pixels:
    """(H, W, ...) from right to left: by torch, which takes a tenth of NumPy's time for pixels of three bytes."""
    own = piece if piece.flags.writeable else piece.copy()  # torch warns of what it could not write to
    channels_first = torch.from_numpy(np.atleast_3d(own)).permute(2, 0, 1)[None]
    return channels_first.flip(-1)[0].permute(1, 2, 0).numpy().reshape(piece.shape)


def cut_of(shape: Sequence[int], size: int, draws: Draws) -> Cut:
    """The crop of `size` out of a picture of `shape` (H, W, ...) that the clip's numbers say."""
    corners, flipped = cut_rows(np.array([shape[:2]]), size, np.array([draws.row()]))
    top, left = corners[0].tolist()
    return Cut(top, left, bool(flipped[0]))


def cut_rows(
    sizes: npt.NDArray[np.int64], size: int, numbers: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(B, 2) heights and widths, (B, 4) draws -> (B, 2) top and left of each cut, and (B,) 1 where it is mirrored."""
    corners = (numbers[:, :2] * (sizes - size + 1)).astype(np.int64)
    return corners, (numbers[:, 2] < 0.5).astype(np.int64)


def augment(decoded: Decoded, inputs: Inputs, draws: Draws) -> LoadedClip:
    """The crop and flip that the clip's numbers say; areas go along with their picture."""
    size = inputs.image_size
    cut = cut_of(decoded.image.shape, size, draws)
    return LoadedClip(
        image=cut.of(decoded.image, size),
        samples=decoded.samples,
        sample_rate=decoded.sample_rate,
        areas={name: cut.of(area, size) for name, area in decoded.areas.items()},
        views={
            name: views.FINISH[name]([cut.of(frame, size) for frame in frames])
            for name, frames in decoded.frames.items()
        },
    )
