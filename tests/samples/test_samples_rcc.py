"""Qt resource files: names, packing, and broken ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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


def test_a_cut_file_is_an_error(tmp_path: Path, write_rcc: Callable[..., bytes]) -> None:
    (tmp_path / "x.rcc").write_bytes(write_rcc(FILES)[:60])
    with pytest.raises(UserError, match="expected a whole Qt resource file"):
        read_rcc(tmp_path / "x.rcc")
