"""Odd sizes from 1x1 to 8K, pixel formats, pictures with alpha, CMYK and sixteen bits, and animated pictures."""

from __future__ import annotations

import io
from functools import partial

import numpy as np
from PIL import Image

from torture.corpus.entry import BAD, GOOD, LACKING
from torture.corpus.shelf import Shelf, picture_bytes
from torture.corpus.source import Pixels, numbered
from torture.corpus.write import Coding, Track, encoded, later

FILM_SIZES = ((1, 1), (2, 2), (3, 5), (17, 31), (101, 67), (16, 1080), (1920, 16), (1080, 1920), (3840, 2160))
LARGE = 2000
"""Wide or high from here on: fewer frames, as they take long to encode."""
EIGHT_K = (7680, 4320)
PICTURE_SIZES = ((1, 1), (2, 3), (1, 4000), (4000, 1), (333, 777), EIGHT_K)
ANY_SIZE = Coding("libx264", "aac", pix_fmt="yuv444p")
PIXEL_FORMATS = {
    "yuv444p.mp4": ("libx264", "yuv444p"),
    "ten bits.mp4": ("libx264", "yuv420p10le"),
    "full range.mp4": ("libx264", "yuvj420p"),
    "grey.mp4": ("libx264", "gray"),
    "rgb.mkv": ("ffv1", "bgr0"),
    "png.mov": ("png", "rgb24"),
    "mjpeg.avi": ("mjpeg", "yuvj422p"),
    "alpha.webm": ("libvpx", "yuva420p"),
    "vp9.webm": ("libvpx-vp9", "yuv420p"),
    "sixteen bits.mov": ("png", "rgb48be"),
    "prores.mov": ("prores_ks", "yuv422p10le"),
}


def resized(frames: Pixels, size: tuple[int, int]) -> Pixels:
    """(N, H, W, 3) to another width and height, each with its number."""
    return np.stack([numbered(np.asarray(Image.fromarray(frame).resize(size)), 0) for frame in frames])


def add_sizes(shelf: Shelf) -> None:
    """Films and pictures of odd sizes."""
    for size in FILM_SIZES:
        name = f"{size[0]}x{size[1]}"
        count = 18 if max(size) > LARGE else None
        shelf.add("odd size", f"{name}.mp4", f"a film of {name} pixels", partial(_film_of, shelf, size, count), GOOD,
                  truth={"width": size[0], "height": size[1], "moments": 2})  # fmt: skip
    shelf.add("8K", "8k.mkv", "a film of 7680x4320 pixels, a frame a second", partial(_film_8k, shelf), GOOD,
              truth={"width": EIGHT_K[0], "height": EIGHT_K[1], "moments": 2})  # fmt: skip
    for size in PICTURE_SIZES:
        for ending in ("png", "jpg", "webp"):
            name = f"{size[0]}x{size[1]}.{ending}"
            quick = {"method": 0} if ending == "webp" else {"compress_level": 1} if ending == "png" else {}
            family = "8K" if size == EIGHT_K else "odd size"
            shelf.add(family, name, f"a picture ({ending}) of {size[0]}x{size[1]} pixels",
                      partial(_picture_of, shelf, size, ending, quick), GOOD, kind="picture",
                      truth={"width": size[0], "height": size[1], "moments": 2})  # fmt: skip


def _film_of(shelf: Shelf, size: tuple[int, int], count: int | None) -> bytes:
    frames = resized(shelf.material.frames[:count], size)
    return encoded([Track(frames=frames), Track(sound=shelf.material.sound)], "mp4", ANY_SIZE)


def _film_8k(shelf: Shelf) -> bytes:
    frames = resized(shelf.material.frames[:2], EIGHT_K)
    coding = Coding("mjpeg", "flac", pix_fmt="yuvj420p", sound_format="s16")
    return encoded([Track(frames=frames, rate=1), Track(sound=shelf.material.sound)], "mkv", coding)


def _picture_of(shelf: Shelf, size: tuple[int, int], ending: str, quick: dict[str, int]) -> bytes:
    return picture_bytes(Image.fromarray(shelf.picture).resize(size), ending, **quick)


def add_pixel_formats(shelf: Shelf) -> None:
    """Films whose pixels are kept in other ways."""
    for name, (codec, pix_fmt) in PIXEL_FORMATS.items():
        ending = name.rsplit(".", 1)[1]
        sound = {"mp4": "aac", "mkv": "flac", "avi": "mp2", "webm": "libopus", "mov": "aac"}[ending]
        coding = Coding(codec, sound, pix_fmt=pix_fmt, sound_format="s16" if sound == "flac" else None)
        data = later([Track(frames=shelf.material.frames), Track(sound=shelf.material.sound)], ending, coding)
        shelf.add("pixel format", name, f"a film ({codec}) whose pixels are {pix_fmt}", data, GOOD,
                  truth=shelf.film_truth() | ({"seconds": None} if ending == "webm" else {}))  # fmt: skip


def add_pictures(shelf: Shelf) -> None:
    """Alpha, CMYK, sixteen bits, palettes, progressive and interlaced; each looks like the same picture."""
    rgb = Image.fromarray(shelf.picture)
    grey = np.asarray(rgb.convert("L"))
    alpha = rgb.copy()
    alpha.putalpha(Image.new("L", rgb.size, 255))
    deep = (grey.astype(np.uint16) * 257).astype("<u2")
    grey_truth = shelf.seen(np.repeat(grey[..., None], 3, axis=2), moments=2)
    truth = shelf.seen(shelf.picture, moments=2)
    kinds = {
        "alpha.png": (picture_bytes(alpha, "png"), "RGBA", truth),
        "alpha.webp": (picture_bytes(alpha, "webp", lossless=True), "with alpha, lossless", truth),
        "grey with alpha.png": (picture_bytes(alpha.convert("LA"), "png"), "grey and alpha", grey_truth),
        "palette.png": (picture_bytes(rgb.quantize(256), "png"), "a palette", truth),
        "palette with transparency.png": (_clear_palette(rgb), "a palette with a transparent colour", {"moments": 2}),
        "one bit.png": (picture_bytes(rgb.convert("1"), "png"), "one bit a pixel", {"width": 192, "moments": 2}),
        "sixteen bits.png": (picture_bytes(Image.fromarray(deep), "png"), "16-bit grey", grey_truth),
        "sixteen bits.tif": (picture_bytes(Image.fromarray(deep), "tif"), "16-bit grey", grey_truth),
        "grey.jpg": (picture_bytes(rgb.convert("L"), "jpg", quality=95), "grey", grey_truth),
        "cmyk.jpg": (picture_bytes(rgb.convert("CMYK"), "jpg", quality=95), "CMYK", truth),
        "cmyk.tif": (picture_bytes(rgb.convert("CMYK"), "tif"), "CMYK", truth),
        "lab.tif": (_lab(rgb), "Lab colours", {"width": 192, "moments": 2}),
        "progressive.jpg": (picture_bytes(rgb, "jpg", quality=95, progressive=True), "progressive", truth),
        "full colour.jpg": (picture_bytes(rgb, "jpg", quality=95, subsampling=0), "4:4:4", truth),
        "picture.bmp": (picture_bytes(rgb, "bmp"), "BMP", truth),
        "picture.tif": (picture_bytes(rgb, "tif", compression="tiff_lzw"), "TIFF, LZW", truth),
    }
    for name, (data, what, facts) in kinds.items():
        shelf.add("pixel format", name, f"a picture: {what}", data, GOOD, kind="picture", truth=facts)
    floats = picture_bytes(Image.fromarray(grey.astype(np.float32)), "tif")
    shelf.add("pixel format", "float.tif", "a picture of floating-point numbers without a known scale", floats, BAD,
              kind="picture")  # fmt: skip


def _clear_palette(rgb: Image.Image) -> bytes:
    return picture_bytes(rgb.quantize(64), "png", transparency=0)


def _lab(rgb: Image.Image) -> bytes:
    from PIL import ImageCms

    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(rgb, srgb, lab, outputMode="LAB")
    return picture_bytes(converted, "tif")


def add_animations(shelf: Shelf) -> None:
    """Animated pictures: their first frame beside a sound; without one, a film that lacks a sound."""
    frames = [Image.fromarray(frame) for frame in shelf.material.frames[::6]]
    truth = shelf.seen(shelf.material.frames[0], moments=2)
    for ending in ("gif", "webp", "png"):
        file = io.BytesIO()
        frames[0].save(file, format=ending.upper(), save_all=True, append_images=frames[1:], duration=500)
        shelf.add("animated", f"animated.{ending}", f"an animated picture ({'APNG' if ending == 'png' else ending})",
                  file.getvalue(), GOOD, kind="picture", truth=truth)  # fmt: skip
        if ending != "webp":
            shelf.add("animated", f"animated {ending}.mp4", f"an animated picture ({ending}) given as a film",
                      file.getvalue(), LACKING)  # fmt: skip
    shelf.add("animated", "one frame.gif", "a GIF of one frame", picture_bytes(frames[0], "gif"), GOOD, kind="picture",
              truth=truth)  # fmt: skip
    cut = io.BytesIO()
    frames[0].save(cut, format="GIF", save_all=True, append_images=frames[1:], duration=500)
    whole = cut.getvalue()
    shelf.add("animated", "cut.gif", "an animated GIF, cut off in a later frame: its first is whole",
              whole[: len(whole) * 3 // 4], GOOD, kind="picture", truth=truth)  # fmt: skip
