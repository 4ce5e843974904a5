"""Pictures with Pillow: read upright as RGB, write, resize."""

from __future__ import annotations

import struct
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from soundspot.media.errors import MediaError, NoPictureError
from soundspot.media.files import MOST_PIXELS, require_file, written_aside
from soundspot.types import UserError

BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    KeyError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on damaged files."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""What is opened, whatever a file is called. Pillow knows dozens more, and most of its holes are in those."""
JPEG_QUALITY = 95
STRIP_ROWS = 512


_LOSSY = (".jpg", ".jpeg", ".webp")
_HALF_BRIGHT = 128


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """A picture as bool (H, W): what is not black, or, where compression has blurred edges, what is nearer to white.

    MediaError as `read_image`.
    """
    darkest = _HALF_BRIGHT if path.suffix.lower() in _LOSSY else 1
    return np.asarray(read_image(path).max(axis=2) >= darkest)


def read_image(path: Path | str) -> npt.NDArray[np.uint8]:
    """A picture as uint8 (H, W, 3) RGB: EXIF orientation applied, alpha laid on black, an animation's first frame.

    Sixteen-bit grey is scaled to eight bits; MediaError for what is no picture, is damaged or is a decompression bomb.
    """
    path = Path(path)
    require_file(path, "a picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of EXIF that is off, and the like
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                _require_sane(path, image.size)
                image.load()
                _turn_upright(image)
                return _pixels(_to_rgb(image, path))
    except MediaError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(
            f"{path}: expected a picture of at most {MOST_PIXELS} pixels, got '{error}'; make it smaller"
        ) from error
    except UnidentifiedImageError as error:
        raise NoPictureError(
            f"{path}: expected a picture, got a file of another kind; give e.g. JPEG or PNG"
        ) from error
    except BROKEN as error:
        raise MediaError(f"{path}: expected a whole picture, got '{error}'; fetch or export it again") from error


def write_image(path: Path | str, array: npt.NDArray[np.uint8]) -> None:
    """Write uint8 (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey in the format its name ends in; aside, then moved."""
    path = Path(path)
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise UserError(
            f"{path}: expected uint8 (H, W), (H, W, 3) or (H, W, 4), got {array.dtype} {array.shape}; convert it"
        )
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: expected a name that ends in a picture format, got {path.suffix!r}; use .png or .jpg")
    with written_aside(path) as partial:
        try:
            Image.fromarray(array).save(partial, format=kind, quality=JPEG_QUALITY)
        except (OSError, ValueError, KeyError) as error:
            raise MediaError(f"{path}: expected to write a picture, got '{error}'; use .png, check the disk") from error


def resize(array: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """uint8 (H, W, 3) to `size` = (height, width), bicubic and antialiased, as the papers' loaders do."""
    height, width = size
    return np.array(Image.fromarray(array).resize((width, height), Image.Resampling.BICUBIC))


def _require_sane(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise MediaError(
            f"{path}: expected a picture of at most {MOST_PIXELS} pixels, got {size[0]}x{size[1]}; make it smaller"
        )


def _pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    """(H, W, 3), a strip at a time: on its way to NumPy each is there three times."""
    found = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP_ROWS):
        strip = image.crop((0, top, image.width, min(top + STRIP_ROWS, image.height)))
        found[top : top + STRIP_ROWS] = np.asarray(strip)
    return found


def _turn_upright(image: Image.Image) -> None:
    """In place: of a large picture each copy is hundreds of megabytes."""
    # unreadable EXIF says nothing about the pixels: as stored, like every viewer
    with suppress(*BROKEN):
        ImageOps.exif_transpose(image, in_place=True)


def _to_rgb(image: Image.Image, path: Path) -> Image.Image:
    if image.mode == "F" or (image.mode == "I" and not _fits_16_bits(image)):
        raise MediaError(
            f"{path}: expected 8 or 16 bits a channel, got pixels without a known full scale; save it as PNG"
        )
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        solid = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), solid).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _fits_16_bits(image: Image.Image) -> bool:
    low, high = image.getextrema()
    return low >= 0 and high <= 65535  # type: ignore[operator]  # one band, so a pair of numbers
