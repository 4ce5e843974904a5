"""Debian packages: found unpacked, taken from files, fetched by apt-get."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from soundspot.samples.packages import default_cache, fetch, unpack, version_of
from soundspot.types import UserError


def test_an_unpacked_tree_is_taken_as_it_is(made_packages: Path, tmp_path: Path) -> None:
    for folder in (made_packages, made_packages / "usr/share"):
        found = fetch(["tuxpaint-data", "mate-backgrounds"], tmp_path, source=folder)
        assert found.share == made_packages / "usr/share"
        assert found.versions == {"tuxpaint-data": "1:0.9.28-sdl2-1", "mate-backgrounds": "1.26.0-1"}
    assert not list(tmp_path.iterdir())


def test_packages_missing_from_a_tree_are_named(made_packages: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected the packages tuxpaint-data, lost, got none for lost"):
        fetch(["tuxpaint-data", "lost"], tmp_path, source=made_packages)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected \.deb files or a folder usr/share"):
        fetch(["x"], tmp_path / "cache", source=tmp_path)
    with pytest.raises(UserError, match=r"expected a folder of \.deb files"):
        fetch(["x"], tmp_path / "cache", source=tmp_path / "nowhere")


def test_a_package_without_changelog_has_no_known_version(tmp_path: Path) -> None:
    assert version_of(tmp_path, "x") == "unknown"


def evil_deb(path: Path, member: tarfile.TarInfo, content: bytes = b"") -> None:
    """A package whose data hold one member."""

    def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
        held = io.BytesIO()
        with tarfile.open(fileobj=held, mode="w:gz") as archive:
            for each, inside in members:
                each.size = len(inside)
                archive.addfile(each, io.BytesIO(inside))
        return held.getvalue()

    escape = tarfile.TarInfo(f"{member.name}/through.txt")
    control = b"Package: evil\nVersion: 1\nArchitecture: all\nMaintainer: A B <a@b.c>\nDescription: made\n"
    parts = {
        "debian-binary": b"2.0\n", "control.tar.gz": tar((tarfile.TarInfo("./control"), control)),
        "data.tar.gz": tar((member, content), *([(escape, b"in")] if member.issym() else [])),
    }  # fmt: skip
    whole = b"!<arch>\n"
    for name, inside in parts.items():
        whole += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(inside):<10}`\n".encode()
            + inside
            + b"\n" * (len(inside) % 2)
        )
    path.write_bytes(whole)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="not run: no dpkg-deb on this machine")
@pytest.mark.parametrize("name", ["../../outside.txt", "{folder}/outside.txt", "link"])
def test_no_package_writes_outside_its_folder(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    member = tarfile.TarInfo(name.format(folder=outside))
    if name == "link":
        member.type, member.linkname = tarfile.SYMTYPE, str(outside)
    evil_deb(tmp_path / "evil_1_all.deb", member, b"" if name == "link" else b"out")
    with contextlib.suppress(UserError):
        unpack(tmp_path / "evil_1_all.deb", tmp_path / "a/b/root")
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and "root" not in path.parts]
    assert kept == [tmp_path / "evil_1_all.deb"]
    assert not list(outside.iterdir())


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="not run: no dpkg-deb on this machine")
def test_deb_files_are_unpacked_once(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: tiny\nVersion: 2.5-1\nArchitecture: all\nMaintainer: A B <a@b.c>\nDescription: made\n"
    )
    (tree / "usr/share/doc/tiny").mkdir(parents=True)
    (tree / "usr/share/tiny.txt").write_text("hello")
    debs, cache = tmp_path / "debs", tmp_path / "cache"
    debs.mkdir()
    subprocess.run(["dpkg-deb", "-b", tree, debs / "tiny_2.5-1_all.deb"], check=True, capture_output=True)
    found = fetch(["tiny"], cache, source=debs)
    file = found.share / "tiny.txt"
    assert file.read_text() == "hello"
    file.write_text("not touched again")
    assert fetch(["tiny"], cache, source=debs) == found
    assert file.read_text() == "not touched again"
    with pytest.raises(UserError, match=r"got none for \['big'\]"):
        fetch(["tiny", "big"], cache, source=debs)
    (debs / "tiny_2.5-1_all.deb").write_bytes(b"no archive")
    with pytest.raises(UserError, match="expected a Debian package"):
        fetch(["tiny"], tmp_path / "other", source=debs)


def test_a_machine_without_apt_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"expected the program apt-get .*--from"):
        fetch(["tuxpaint-data"], tmp_path / "cache")


def test_the_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SOUNDSPOT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "soundspot/packages"


@pytest.mark.network
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="not run: no apt-get on this machine")
def test_apt_fetches_without_root(tmp_path: Path) -> None:
    found = fetch(["timgm6mb-soundfont"], tmp_path)
    assert (found.share / "sounds/sf2/TimGM6mb.sf2").stat().st_size > 5_000_000
    with pytest.raises(UserError, match="expected apt-get to fetch no-such-package-here"):
        fetch(["no-such-package-here"], tmp_path)
