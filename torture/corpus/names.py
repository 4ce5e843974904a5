"""Names that shells, printers and lists trip over; what has a name but is no file; places that cannot be written."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

from torture.corpus.entry import GOOD, NO_FILE, Expect, Kind
from torture.corpus.shelf import GOOD_FILM, GOOD_PICTURE, GOOD_SOUND, Shelf

NAMES = {
    "spaces": "a film with  spaces .mp4",
    "single quotes": "it's a 'film'.mp4",
    "double quotes": 'a "film".mp4',
    "a newline": "two\nlines.mp4",
    "a tab": "a\ttab.mp4",
    "emoji": "🎬🔊 film.mp4",
    "letters with marks": "Größe naïve Ωμέγα.mp4",
    "right to left": "סרט\u202emp4.mp4",
    "a leading dash": "-o film.mp4",
    "two leading dashes": "--help.mp4",
    "a colon": "http:film.mp4",
    "a pipe's name": "pipe:0.mp4",
    "a number's pattern": "film%03d.mp4",
    "a glob": "film[0-9]*?.mp4",
    "a backslash": "back\\slash.mp4",
    "markup": "[bold red]film[/bold red].mp4",
    "a shell's words": "$(touch here); echo `id` && film.mp4",
    "a tag of HTML": "<script>alert(1)<script>.mp4",
    "an ending in capitals": "FILM.MP4",
    "no ending": "film",
    "250 letters": "f" * 240 + ".mp4",
    "bytes that are no UTF-8": os.fsdecode(b"caf\xe9.mp4"),
}


def add_names(shelf: Shelf) -> None:
    """The good film under each name."""
    data, truth = shelf.film("mp4"), shelf.film_truth()
    unnamed = replace(GOOD, pack="error", predict="error")  # by the list, whose JSON knows no such text
    for about, name in NAMES.items():
        expect = unnamed if "\udce9" in name else GOOD
        shelf.add("name", name, f"a good film whose name has {about}", data, expect, truth=truth)
    for name, kind, good in (
        ("a picture's\nname.png", "picture", GOOD_PICTURE),
        ("ein Ton 🔊.wav", "sound", GOOD_SOUND),
    ):
        shelf.add("name", name, f"a good {kind} with an odd name", (shelf.folder / good).read_bytes(), GOOD,
                  kind=kind, truth={"moments": 2})  # type: ignore[arg-type]  # fmt: skip


def add_specials(shelf: Shelf) -> None:
    """Links, folders, pipes, devices, sockets."""
    folder = shelf.folder / "no file"
    folder.mkdir()
    add = shelf.add
    (folder / "loop.mp4").symlink_to("loop.mp4")
    (folder / "one.mp4").symlink_to("other.mp4")
    (folder / "other.mp4").symlink_to("one.mp4")
    (folder / "dangling.mp4").symlink_to("gone.mp4")
    (folder / "link.mp4").symlink_to(f"../{GOOD_FILM}")
    (folder / "endless.mp4").symlink_to("/dev/zero")
    (folder / "noise.wav").symlink_to("/dev/urandom")
    (folder / "nothing.mp4").symlink_to("/dev/null")
    (folder / "endless.png").symlink_to("/dev/zero")
    (folder / "folder.mp4").mkdir()
    (folder / "folder.png").mkdir()
    for name in ("pipe.mp4", "pipe.wav", "pipe.png"):
        os.mkfifo(folder / name)
    _bind(folder / "socket.mp4")
    add("no file", "loop.mp4", "a link to itself", None, NO_FILE)
    add("no file", "one.mp4", "a link to a link to it", None, NO_FILE)
    add("no file", "dangling.mp4", "a link to nothing", None, NO_FILE)
    add("no file", "link.mp4", "a link to a good film", None, GOOD, truth=shelf.film_truth())
    add("no file", "gone.mp4", "a name of nothing", None, NO_FILE)
    add("no file", "socket.mp4", "a socket named .mp4", None, NO_FILE)
    special: dict[str, tuple[str, Kind]] = {
        "endless.mp4": ("a link to /dev/zero", "film"),
        "endless.png": ("a link to /dev/zero, named .png", "picture"),
        "noise.wav": ("a link to /dev/urandom, named .wav", "sound"),
        "nothing.mp4": ("a link to /dev/null", "film"),
        "pipe.mp4": ("a named pipe that nobody writes to", "film"),
        "pipe.png": ("the same, named .png", "picture"),
        "pipe.wav": ("the same, named .wav", "sound"),
        "folder.png": ("a folder named .png", "picture"),
    }
    for name, (about, kind) in special.items():
        add("no file", name, about, None, NO_FILE, kind=kind)
    # `localize` takes a folder of films, and says that none is in it
    add("no file", "folder.mp4", "an empty folder named .mp4", None, NO_FILE)


def _bind(path: os.PathLike[str]) -> None:
    """A socket's file; its name may be a hundred letters at most, so it is made from within its folder."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(os.path.dirname(path))  # noqa: PTH120
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.basename(path))  # noqa: PTH119
    finally:
        os.fchdir(here)
        os.close(here)


def add_places(shelf: Shelf) -> None:
    """A good film, but nowhere to put what comes of it."""
    full = Expect("result", "error", "error", "error")
    for kilobytes, expect in ((4, full), (32, replace(full, predict="clip"))):  # maps take less than that
        shelf.add("place", f"full {kilobytes}.mp4", f"a good film; the disk for results has {kilobytes} kB left",
                  shelf.film("mp4"), expect, place=f"full-{kilobytes}")  # fmt: skip
    shelf.add("place", "nearly full.mp4", "a good film; the disk for results has 200 kB left", shelf.film("mp4"),
              Expect("result", "either", "error", "clip"), words=(), place="full-200")  # fmt: skip
    shelf.add("place", "read-only.mp4", "a good film; the folder for results is read-only", shelf.film("mp4"), full,
              place="read-only")  # fmt: skip
