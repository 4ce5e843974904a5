"""Fetch and unpack Debian packages into a folder of the user's, without root and without installing anything."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from soundspot.encoders import cache_folder
from soundspot.types import UserError

MOST_CHARACTERS = 1000
"""Of a changelog's first line."""
STATUS = Path("/var/lib/dpkg/status")


@dataclass(frozen=True)
class Packages:
    """Where packages lie unpacked, and the version of each that was asked for."""

    root: Path
    """The folder that stands for the file system's root."""
    share: Path
    """What is usr/share of the packages."""
    versions: dict[str, str]


def default_cache() -> Path:
    """The folder for fetched packages if the user names none: packages in soundspot's cache folder."""
    return cache_folder() / "packages"


def fetch(names: Sequence[str], cache: Path, *, source: Path | None = None, dependencies: bool = False) -> Packages:
    """Unpack the packages `names` below `cache`, or find them in `source`: .deb files or an unpacked usr/share tree.

    `dependencies` adds the packages that these need and this machine lacks, so that their programs run.
    """
    if source is not None and not source.is_dir():
        raise UserError(f"{source}: expected a folder of .deb files or with usr/share, got none; name another")
    if source is not None and not any(source.glob("*.deb")):
        return found_in(source, names)
    root = cache / "root"
    debs = sorted(source.glob("*.deb")) if source is not None else download(names, cache, dependencies=dependencies)
    wanted = debs if dependencies else [deb for deb in debs if deb.name.split("_")[0] in names]
    missing = sorted(set(names) - {deb.name.split("_")[0] for deb in wanted})
    if missing:
        raise UserError(
            f"{source or cache}: expected the packages {', '.join(names)}, got none for {missing}; add the .deb files"
        )
    for deb in wanted:
        unpack(deb, root)
    return found_in(root, names)


def melody_tools(cache: Path) -> Path | None:
    """None where fluidsynth and its soundfonts are installed; else the folder that they were fetched into."""
    fonts = ("FluidR3_GM.sf2", "TimGM6mb.sf2")
    if shutil.which("fluidsynth") and all((Path("/usr/share/sounds/sf2") / font).is_file() for font in fonts):
        return None
    return fetch(["fluidsynth", "fluid-soundfont-gm", "timgm6mb-soundfont"], cache, dependencies=True).root


def found_in(folder: Path, names: Sequence[str]) -> Packages:
    """The packages in an unpacked tree, their versions read from their changelogs."""
    root = folder.parent.parent if folder.name == "share" and folder.parent.name == "usr" else folder
    share = root / "usr/share"
    if not share.is_dir():
        raise UserError(
            f"{folder}: expected .deb files or a folder usr/share of unpacked packages, got neither; name another"
        )
    versions = {name: version_of(share, name) for name in names}
    missing = [name for name in names if not (share / "doc" / name).is_dir()]
    if missing:
        raise UserError(
            f"{share}: expected the packages {', '.join(names)}, got none for {', '.join(missing)}; unpack them too"
        )
    return Packages(root, share, versions)


def version_of(share: Path, name: str) -> str:
    """A package's version from the first line of its changelog, "unknown" if it has none that can be read."""
    for file in ("changelog.Debian.gz", "changelog.gz"):
        changelog = share / "doc" / name / file
        if changelog.is_file():
            try:
                with gzip.open(changelog, "rt", encoding="utf-8", errors="replace") as text:
                    first = re.match(r"\S+ \(([^)]+)\)", text.readline(MOST_CHARACTERS))
            except (EOFError, gzip.BadGzipFile, zlib.error):
                continue
            if first:
                return first[1]
    return "unknown"


def unpack(deb: Path, root: Path) -> None:
    """`dpkg-deb -x`, once a file: a mark of its name and size is left in the root."""
    mark = root / ".unpacked" / f"{deb.name}-{deb.stat().st_size}"
    if mark.exists():
        return
    root.mkdir(parents=True, exist_ok=True)
    program = _program("dpkg-deb")
    words = [program, "-x", str(deb.absolute()), str(root.absolute())]
    done = subprocess.run(words, capture_output=True, text=True)  # nosec B603 # no option among them but ours
    if done.returncode != 0:
        raise UserError(f"{deb}: expected a Debian package, got: {done.stderr.strip()[-300:]}; fetch it again")
    mark.parent.mkdir(exist_ok=True)
    mark.touch()


def download(names: Sequence[str], cache: Path, *, dependencies: bool = False) -> list[Path]:
    """The .deb files below `cache`, fetched by apt-get where they are not there yet; UserError if it can't."""
    folder = cache / "debs"
    (folder / "partial").mkdir(parents=True, exist_ok=True)
    complete = folder / f".{'+'.join(sorted(names))}{'+dependencies' if dependencies else ''}"
    have = {deb.name.split("_")[0] for deb in folder.glob("*.deb")}
    if not (complete.exists() if dependencies else set(names) <= have):
        problem = _fetch(names, folder, [], dependencies)
        if problem:  # no lists on this machine, or stale ones: keep our own
            lists = _own_lists(cache)
            _run(["update"], folder, lists)
            problem = _fetch(names, folder, lists, dependencies)
        if problem:
            raise UserError(
                f"packages: expected apt-get to fetch {', '.join(names)}, got: {problem};"
                " check the network, or fetch the .deb files elsewhere and name their folder (--from)"
            )
        complete.touch()
    return sorted(folder.glob("*.deb"))


def _fetch(names: Sequence[str], folder: Path, options: Sequence[str], dependencies: bool) -> str:
    """Download into `folder`; apt-get's last words if it failed, else empty."""
    problem = _run(["download", *names], folder, options)
    if problem or not dependencies:
        return problem
    into = ["-o", f"Dir::Cache::archives={folder}", "-o", "Debug::NoLocking=true", *options]
    return _run(["install", "--download-only", "--no-install-recommends", "-y", *names], folder, into)


def _own_lists(cache: Path) -> list[str]:
    """Options by which apt-get keeps its package lists below `cache`, where any user may write."""
    state, store = cache / "apt/state", cache / "apt/cache"
    for folder in (state / "lists/partial", store / "archives/partial"):
        folder.mkdir(parents=True, exist_ok=True)
    options = [f"Dir::State={state}", f"Dir::Cache={store}", f"Dir::State::status={STATUS}", "Debug::NoLocking=true"]
    return [part for option in options for part in ("-o", option)]


def _run(command: Sequence[str], folder: Path, options: Sequence[str]) -> str:
    """Run apt-get in `folder`; its last line of complaint, or empty if all went well."""
    # as root apt would drop to a user who may not be allowed into the cache folder
    program = [_program("apt-get"), "-q", "-o", "APT::Sandbox::User=root", *options]
    words = [*program, *command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)  # nosec B603 # names of packages of ours
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise UserError(
            f"packages: expected the program {name} (Debian, Ubuntu and their kin), got none on this machine;"
            " unpack the packages elsewhere and name the folder (--from)"
        )
    return found
