"""Small made sources: drawn cut-outs, sine sounds, gradient backgrounds, and a made tree of Debian packages."""

from __future__ import annotations

import gzip
import struct
import wave
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from soundspot.samples import stamps_choice

CLASSES = ("bell", "drum", "horn", "lamp", "stone", "whistle")
SILENT = ("lamp", "stone")


def draw_cutout(path: Path, number: int, size: tuple[int, int] = (60, 45)) -> None:
    """An ellipse with a bar through it, transparent around."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGBA", size)
    colour = tuple(int(v) for v in np.random.default_rng(number).integers(40, 255, 3))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((3, 3, size[0] - 4, size[1] - 4), fill=(*colour, 255))
    draw.rectangle((size[0] // 2, 6, size[0] // 2 + 5, size[1] - 7), fill=(20, 20, 20, 255))
    picture.save(path)


def write_tone(path: Path, frequency: float, seconds: float = 1.0, rate: int = 16000) -> None:
    """Three short beeps; a WAV file whatever its name's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    beeps = np.sin(2 * np.pi * frequency * time) * (np.sin(2 * np.pi * 3 * time / seconds) > 0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((beeps * 8000).astype("<i2").tobytes())


def draw_photo(path: Path, number: int, size: tuple[int, int] = (96, 80)) -> None:
    """A coloured gradient."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 150, size[0])[None, :, None] + np.random.default_rng(number).uniform(0, 100, 3)
    Image.fromarray(np.broadcast_to(ramp, (size[1], size[0], 3)).astype(np.uint8)).save(path)


@pytest.fixture(scope="session")
def made_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source folder for `paste` with six classes, two of them without sounds, and one heard but never seen."""
    root = tmp_path_factory.mktemp("source")
    for c, label in enumerate(CLASSES):
        for i in range(4):
            draw_cutout(root / f"cutouts/{label}/{label}_{i}.png", 10 * c + i)
            if label not in SILENT:
                write_tone(root / f"sounds/{label}/{label}-tone-{i}.wav", 200 * (c + 1) + 20 * i)
    for i in range(3):
        write_tone(root / f"sounds/wind/wind-tone-{i}.wav", 90 + i)
        draw_photo(root / f"backgrounds/ground_{i}.jpg", i)
    return root


def rcc(files: Mapping[str, bytes], packed: bool = True) -> bytes:
    """A Qt resource file, version 3, with the files (names with folders) in one flat folder a level."""
    tree: dict[str, object] = {}
    for name, contents in files.items():
        node = tree
        *folders, last = name.split("/")
        for folder in folders:
            node = node.setdefault(folder, {})  # type: ignore[assignment]
        node[last] = contents
    names, data, entries, queue = bytearray(), bytearray(), [], [("", tree)]
    first_free = 1
    while queue:
        name, node = queue.pop(0)
        at = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        if isinstance(node, dict):
            entries.append(struct.pack(">IHIIQ", at, 2, len(node), first_free, 0))
            first_free += len(node)
            queue += list(node.items())
        else:
            assert isinstance(node, bytes)
            body = struct.pack(">I", len(node)) + zlib.compress(node) if packed else node
            entries.append(struct.pack(">IHHHIQ", at, int(packed), 0, 0, len(data), 0))
            data += struct.pack(">I", len(body)) + body
    listing = b"".join(entries)
    start = 24
    head = struct.pack(">4sIIIII", b"qres", 3, start, start + len(listing), start + len(listing) + len(data), 0)
    return head + listing + bytes(data) + bytes(names)


@pytest.fixture(scope="session")
def write_rcc() -> Callable[..., bytes]:
    """The function `rcc`."""
    return rcc


@pytest.fixture(scope="session")
def made_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked tree usr/share with every file that `stamps` and the sample film take, drawn small."""
    root = tmp_path_factory.mktemp("packages")
    share = root / "usr/share"
    for package, version in stamps_choice.VERSIONS.items():
        (share / "doc" / package).mkdir(parents=True)
        with gzip.open(share / "doc" / package / "changelog.Debian.gz", "wt") as text:
            text.write(f"{package} ({version}) unstable; urgency=low\n")
    stamps = [stamp for some in stamps_choice.FAMILIES.values() for stamp in some]
    for i, stamp in enumerate(stamps):
        draw_cutout(share / f"tuxpaint/stamps/{stamp}.png", i)
        write_tone(share / f"tuxpaint/stamps/{stamp}.ogg", 150 + 10 * i, seconds=0.4)
    photos = [f"tuxpaint/templates/{name}.jpg" for name in stamps_choice.TUXPAINT_BACKGROUNDS]
    photos += [f"backgrounds/{name}.jpg" for name in stamps_choice.LOMIRI_BACKGROUNDS]
    photos += ["backgrounds/aitzgorri_by_Aitzol_Berasategi.jpg"]
    photos += [f"backgrounds/mate/nature/{name}.jpg" for name in stamps_choice.MATE_BACKGROUNDS]
    photos += [f"wallpapers/{name}/contents/images/2560x1600.jpg" for name in stamps_choice.PLASMA_BACKGROUNDS]
    for i, photo in enumerate(photos):
        draw_photo(share / photo, i)
    write_bundles(share / "gcompris-qt/rcc", root / "parts")
    return root


def write_bundles(folder: Path, parts: Path) -> None:
    """GCompris's three bundles with made photos and sounds; `parts` is for files on their way into one."""
    folder.mkdir(parents=True)
    photo, sound = parts / "photo.webp", parts / "sound.wav"
    draw_photo(photo, 5)
    write_tone(sound, 300, seconds=0.5)
    above = "gcompris/src/activities"
    details = {f"{above}/details/resource/image/{n}_background.webp": photo for n in stamps_choice.DETAILS_BACKGROUNDS}
    monuments = {f"{above}/monuments/resource/{n}.webp": photo for n in stamps_choice.MONUMENTS_BACKGROUNDS}
    farm: dict[str, Path] = {}
    for name, (heard, _, size, _) in stamps_choice.FARM.items():
        farm[f"{above}/farm/resource/animals/{name}.webp"] = parts / f"{name}.webp"
        draw_photo(parts / f"{name}.webp", 7, size)
        farm[f"{above}/farm/resource/animals/{heard}.ogg"] = sound
    for bundle, files in (("details", details), ("explore_monuments", monuments), ("explore_farm_animals", farm)):
        (folder / f"{bundle}.rcc").write_bytes(rcc({name: path.read_bytes() for name, path in files.items()}))
