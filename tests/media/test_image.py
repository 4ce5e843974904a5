"""Reading, writing and resizing pictures."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_media import quarters
from soundspot.media.errors import MediaError
from soundspot.media.image import read_image, resize, write_image
from soundspot.types import UserError


@pytest.mark.parametrize(
    ("orientation", "apply"),
    [
        (1, lambda image: image),
        (2, lambda image: image[:, ::-1]),
        (3, lambda image: image[::-1, ::-1]),
        (6, lambda image: np.rot90(image, -1)),
        (8, lambda image: np.rot90(image)),
    ],
)
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, apply) -> None:
    image = Image.fromarray(quarters())
    exif = image.getexif()
    exif[0x0112] = orientation
    # The file holds what the camera saw; the tag says how to turn it.
    image.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), apply(quarters()))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    Image.fromarray(quarters()).save(tmp_path / "a.jpg", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff", quality=95)
    assert read_image(tmp_path / "a.jpg").shape == (64, 96, 3)


def test_alpha_is_laid_on_black(tmp_path: Path) -> None:
    rgba = np.dstack([quarters(), np.full((64, 96), 255, np.uint8)])
    rgba[:, :10, 3] = 0
    rgba[:, 10:20, 3] = 128
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    image = read_image(tmp_path / "rgba.png")
    assert not image[:, :10].any()
    np.testing.assert_array_equal(image[:, 20:], quarters()[:, 20:])
    assert image[0, 15].tolist() == [128, 0, 0]
    grey = np.dstack([np.full((4, 4), 200, np.uint8), np.array([[0, 255, 255, 255]] * 4, np.uint8)])
    Image.fromarray(grey).save(tmp_path / "la.png")
    assert read_image(tmp_path / "la.png")[0, :2].tolist() == [[0, 0, 0], [200, 200, 200]]


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(quarters()).quantize(8)
    image.save(tmp_path / "a.png")
    assert np.abs(read_image(tmp_path / "a.png").astype(int) - quarters()).max() <= 2
    clear = image.getpixel((0, 0))
    image.save(tmp_path / "b.png", transparency=clear)
    assert read_image(tmp_path / "b.png")[0, 0].tolist() == [0, 0, 0]
    assert read_image(tmp_path / "b.png")[63, 95].tolist() == [255, 255, 255]


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert np.abs(image[..., 0] - grey / 257).max() <= 0.51
    np.testing.assert_array_equal(image[..., 0], image[..., 2])
    Image.fromarray(grey.astype(np.int32)).save(tmp_path / "b.tif")
    assert read_image(tmp_path / "b.tif").max() == 255
    Image.fromarray(grey.astype(np.float32)).save(tmp_path / "c.tif")
    with pytest.raises(MediaError, match="expected 8 or 16 bits a channel"):
        read_image(tmp_path / "c.tif")


def test_cmyk_grey_and_one_bit_become_rgb(tmp_path: Path) -> None:
    Image.fromarray(quarters()).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    image = read_image(tmp_path / "cmyk.jpg")
    assert np.abs(image[8:24, 8:40].astype(int) - (255, 0, 0)).max() < 12
    assert np.abs(image[40:56, 56:88].astype(int) - 255).max() < 12
    for mode in ("L", "1"):
        Image.fromarray(quarters()).convert(mode).save(tmp_path / f"{mode}.png")
        assert read_image(tmp_path / f"{mode}.png").shape == (64, 96, 3)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_an_animation_gives_its_first_picture(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "green")]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
    assert np.abs(read_image(tmp_path / name)[16, 16].astype(int) - (255, 0, 0)).max() < 8


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    size = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_unusable_pictures_are_one_clear_line(tmp_path: Path) -> None:
    write_image(tmp_path / "whole.jpg", np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8))
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    (tmp_path / "cut.png").write_bytes(png_header(64, 64))
    (tmp_path / "bomb.png").write_bytes(png_header(60000, 60000))
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    for name, match in {
        "cut.jpg": "expected a whole picture, got",
        "cut.png": "expected a whole picture, got",
        "bomb.png": "expected a picture of at most 51380224 pixels",
        "text.jpg": "got a file of another kind",
        "empty.jpg": "got an empty file",
        "missing.jpg": "got no such file",
        ".": "got a folder",
    }.items():
        with pytest.raises(MediaError, match=match) as caught:
            read_image(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_pictures_are_written_as_they_are_and_in_one_step(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", quarters())
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), quarters())
    write_image(tmp_path / "grey.png", quarters()[..., 0])
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png")[..., 1], quarters()[..., 0])
    write_image(tmp_path / "a.jpg", quarters())
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - quarters()).mean() < 3
    with pytest.raises(MediaError, match="expected to write a picture"):
        write_image(tmp_path / "clear.jpg", np.zeros((4, 4, 4), np.uint8))  # JPEG has no alpha
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.png", "grey.png"]
    with pytest.raises(UserError, match=r"expected uint8 .* got float64"):
        write_image(tmp_path / "b.png", quarters() / 255.0)
    with pytest.raises(UserError, match=r"picture format, got '\.xyz'"):
        write_image(tmp_path / "b.xyz", quarters())


def test_resize_is_pillows_antialiased_bicubic() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (224, 320, 3)).astype(np.uint8)
    small = resize(noise, (28, 40))
    assert small.shape == (28, 40, 3)
    assert small.std() < 0.3 * noise.std()  # without antialiasing noise keeps its spread
    np.testing.assert_array_equal(resize(noise, (224, 320)), noise)


@pytest.mark.shared
def test_every_real_picture_is_read(shared: Path) -> None:
    pairs = shared / "data" / "media" / "pairs"
    paths = [path for ending in ("jpg", "jpeg") for path in pairs.glob(f"**/*.{ending}")]
    assert len(paths) == 15
    for path in paths:
        image = read_image(path)
        assert image.ndim == 3, path
        assert image.dtype == np.uint8, path
        assert image.std() > 5, path
