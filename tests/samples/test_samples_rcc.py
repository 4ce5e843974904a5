"""Qt resource files: names, packing, and broken ones."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from soundspot.samples import rcc
from soundspot.samples.rcc import read_rcc
from soundspot.types import UserError

FILES = {"app/res/cat.webp": b"meow" * 50, "app/res/sub/Ton-ä.ogg": b"\x00\x01", "app/readme": b""}


@pytest.mark.parametrize("packed", [True, False])
def test_reads_names_and_contents(tmp_path: Path, write_rcc: Callable[..., bytes], packed: bool) -> None:
    (tmp_path / "x.rcc").write_bytes(write_rcc(FILES, packed))
    assert read_rcc(tmp_path / "x.rcc") == FILES


def test_reads_only_the_endings_asked_for(tmp_path: Path, write_rcc: Callable[..., bytes]) -> None:
    (tmp_path / "x.rcc").write_bytes(write_rcc(FILES))
    assert list(read_rcc(tmp_path / "x.rcc", ("/cat.webp",))) == ["app/res/cat.webp"]


def test_another_kind_of_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.rcc").write_bytes(b"RIFF" + bytes(40))
    with pytest.raises(UserError, match="expected a Qt resource file, got one that begins with b'RIFF'"):
        read_rcc(tmp_path / "x.rcc")


def test_bombs_are_refused(tmp_path: Path, write_rcc: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.rcc").write_bytes(write_rcc({"app/zeros": bytes(5_000_000)}, True))
    assert len(read_rcc(tmp_path / "x.rcc")["app/zeros"]) == 5_000_000
    monkeypatch.setattr(rcc, "MOST_BYTES", 1_000_000)
    with pytest.raises(UserError, match="expected files of up to 1000000 bytes, got more"):
        read_rcc(tmp_path / "x.rcc")
    claimed = (tmp_path / "x.rcc").read_bytes().replace((5_000_000).to_bytes(4, "big"), (900_000).to_bytes(4, "big"))
    (tmp_path / "x.rcc").write_bytes(claimed)
    with pytest.raises(UserError, match="expected 900000 bytes unpacked, got 900001"):
        read_rcc(tmp_path / "x.rcc")


@pytest.mark.skipif(shutil.which("zstd") is None, reason="not run: no zstd on this machine")
def test_a_zstd_bomb_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = subprocess.run(["zstd", "-q", "-c"], input=bytes(5_000_000), capture_output=True, check=True).stdout
    assert rcc._unpack_zstd(packed) == bytes(5_000_000)
    monkeypatch.setattr(rcc, "MOST_BYTES", 1_000_000)
    with pytest.raises(UserError, match="expected files of up to 1000000 bytes, got more"):
        rcc._unpack_zstd(packed)


def test_a_folder_within_itself_is_an_error(tmp_path: Path) -> None:
    name = b"\0\1" + bytes(4) + "a".encode("utf-16-be")
    root, loop = (struct.pack(">IHIII", 0, rcc.FOLDER, 1, 1, 0)[:14] for _ in range(2))
    head = b"qres" + struct.pack(">4I", 1, 20, 20 + 28 + len(name), 20 + 28)
    (tmp_path / "x.rcc").write_bytes(head + root + loop + name)
    with pytest.raises(UserError, match="a folder that lies in itself"):
        read_rcc(tmp_path / "x.rcc")


def test_a_cut_file_is_an_error(tmp_path: Path, write_rcc: Callable[..., bytes]) -> None:
    (tmp_path / "x.rcc").write_bytes(write_rcc(FILES)[:60])
    with pytest.raises(UserError, match="expected a whole Qt resource file"):
        read_rcc(tmp_path / "x.rcc")
