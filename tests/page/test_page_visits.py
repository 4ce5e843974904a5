"""Visitors' folders: what is taken from uploads, what is refused, and when it goes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_media import make_film, tone
from soundspot.media.audio import write_wav
from soundspot.media.image import write_image
from soundspot.page.limits import Limits, harmless, sentence
from soundspot.page.visits import Visits
from soundspot.types import UserError


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return Visits(tmp_path / "page", Limits(keep_minutes=0.5))


def upload(visits: Visits, name: str, like: Path) -> Path:
    """As the web server puts a file there."""
    folder = visits.uploads / str(len(list(visits.uploads.iterdir())))
    folder.mkdir()
    path = folder / name
    path.write_bytes(like.read_bytes())
    return path


def test_an_upload_is_taken_once_and_outlives_its_first_place(visits: Visits, red: Path) -> None:
    visit, given = visits.of("a"), upload(visits, "my film.mp4", red)
    own = visits.take(visit, str(given), "film")
    assert own.parent == visit.folder
    assert own.read_bytes() == red.read_bytes()
    assert visit.names[own] == "my film.mp4"
    given.unlink()
    assert visits.take(visit, str(given), "film") == own
    with pytest.raises(UserError, match="got one deleted since; choose the file again"):
        visits.take(visits.of("b"), str(given), "film")


def test_nothing_but_uploads_is_taken(visits: Visits, red: Path) -> None:
    visit = visits.of("a")
    upload(visits, "film.mp4", red)
    for path in (str(red), "film.mp4", "", f"{visits.uploads}/0/../../../film.mp4", f"{visits.uploads}/0"):
        with pytest.raises(UserError, match="expected an uploaded film, got something else"):
            visits.take(visit, path, "film")


def test_each_kind_is_known_by_ending_and_contents(visits: Visits, red: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "tone.wav", tone(440, 0.2, 16000), 16000)
    write_image(tmp_path / "grey.png", np.full((8, 8, 3), 90, np.uint8))
    visit = visits.of("a")
    wrong = {
        ("sound.mp4", tmp_path / "grey.png", "film"): "expected a film, got something else",
        ("film.exe", red, "film"): "expected a film, got a file ending in '.exe'",
        ("film", red, "film"): "expected a film, got a file without an ending",
        ("picture.png", red, "picture"): "expected a picture, got something else",
        ("sound.wav", tmp_path / "grey.png", "sound"): "expected a sound, got something else",
    }
    for (name, like, kind), told in wrong.items():
        with pytest.raises(UserError, match=told):
            visits.take(visit, str(upload(visits, name, like)), kind)  # type: ignore[arg-type]
    pretenders = {
        "program.mp4": b"MZ\x90\0" + bytes(200), "program.png": b"\x7fELF\x02\x01\x01" + bytes(200),
        "archive.wav": b"PK\x03\x04" + bytes(200), "page.jpg": b"<html><script>alert(1)</script></html>",
        "drawing.png": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "nothing.mp4": b"",
    }  # fmt: skip
    for name, content in pretenders.items():
        (tmp_path / name).write_bytes(content)
        kind = {"mp4": "film", "wav": "sound"}.get(name[-3:], "picture")
        with pytest.raises(UserError, match=f"expected a {kind}, got something else"):
            visits.take(visit, str(upload(visits, name, tmp_path / name)), kind)  # type: ignore[arg-type]
    for name, form in (("flat.png", "TIFF"), ("old.jpg", "PCX"), ("vector.png", "TGA")):
        Image.new("RGB", (8, 8)).save(tmp_path / name, form)
        with pytest.raises(UserError, match="expected a picture, got something else"):
            visits.take(visit, str(upload(visits, name, tmp_path / name)), "picture")
    assert visits.take(visit, str(upload(visits, "a.wav", tmp_path / "tone.wav")), "sound").suffix == ".wav"
    assert visits.take(visit, str(upload(visits, "a.PNG", tmp_path / "grey.png")), "picture").suffix == ".png"


def test_a_playlist_that_names_other_files_is_never_opened(visits: Visits, red: Path, tmp_path: Path) -> None:
    lists = {
        "hls.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{red}\n#EXT-X-ENDLIST\n",
        "list.mkv": f"ffconcat version 1.0\nfile '{red}'\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        for before in (b"", b"ID3\x04\0\0\0\0\0\0"):  # FFmpeg skips such a head, and looks behind it
            (tmp_path / name).write_bytes(before + text.encode())
            with pytest.raises(UserError, match="expected a film, got something else"):
                visits.take(visits.of("a"), str(upload(visits, name, tmp_path / name)), "film")


def test_huge_pictures_are_refused_unread(visits: Visits, tmp_path: Path) -> None:
    write_image(tmp_path / "huge.png", np.zeros((4000, 4000, 3), np.uint8))
    with pytest.raises(UserError, match="expected up to 9 million pixels, got 4000 x 4000; make it smaller"):
        visits.take(visits.of("a"), str(upload(visits, "huge.png", tmp_path / "huge.png")), "picture")


def test_who_leaves_takes_their_files_along(visits: Visits, red: Path) -> None:
    given = upload(visits, "film.mp4", red)
    one, other = visits.of("one"), visits.of("other")
    for visit in (one, other):
        visits.take(visit, str(given), "film")
    visits.end("one")
    assert one.gone.is_set()
    assert not one.folder.exists()
    assert given.exists(), "the other visitor gave the same"
    visits.end("other")
    assert not other.folder.exists()
    assert list(visits.uploads.iterdir()) == []
    assert visits.used_bytes() == 0


def test_the_page_ends_though_a_handler_is_never_gone_on_with(visits: Visits) -> None:
    visit = visits.of("a")
    with visit.busy:
        visits.close()
    assert visit.gone.is_set()
    assert not visit.folder.exists()
    assert visits.of("late").gone.is_set(), "what waited its turn ends as it begins"


def test_what_is_forgotten_is_swept_whatever_the_clock_on_the_wall_says(
    visits: Visits, red: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = upload(visits, "old.mp4", red)
    visits.sweep()
    assert old.exists()
    young = upload(visits, "young.mp4", red)
    os.utime(old, (4e9, 4e9))
    os.utime(young, (0, 0))
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    visit, busy, new = (visits.of(name) for name in ("idle", "busy", "new"))
    visit.last_seconds = busy.last_seconds = now
    with busy.busy:
        visits.sweep()
    assert (visit.folder.exists(), busy.folder.exists(), new.folder.exists()) == (False, True, True)
    assert (old.exists(), young.exists()) == (False, True)


def test_names_are_told_and_places_are_not(tmp_path: Path) -> None:
    path = tmp_path / "given-1.mp4"
    error = UserError(f"{path}: expected a film,\n got none")
    assert sentence(error, {path: "my.mp4"}) == "my.mp4: expected a film, got none"
    assert harmless("<b>'${x}{{y}}`\"&") == (
        "&lt;b&gt;&#x27;&#36;&#123;x&#125;&#123;&#123;y&#125;&#125;&#96;&quot;&amp;"
    )


def test_limits_are_above_zero() -> None:
    with pytest.raises(UserError, match="expected --max-seconds above 0, got nan"):
        Limits(max_seconds=float("nan"))
    with pytest.raises(UserError, match="expected --at-once above 0, got 0"):
        Limits(at_once=0)


def test_a_film_with_a_huge_frame_is_refused(visits: Visits, tmp_path: Path) -> None:
    film = make_film(
        tmp_path / "huge.mp4", num_frames=1, size=(4096, 2400), picture=lambda _: np.zeros((2400, 4096, 3), np.uint8)
    )
    with pytest.raises(UserError, match="got 4096 x 2400"):
        visits.take(visits.of("a"), str(upload(visits, "huge.mp4", film)), "film")


def test_beginnings_of_uploads_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    visits = Visits(tmp_path, Limits(upload_seconds=60.0))
    old, new = visits.uploads / "tmpold", visits.uploads / "tmpnew"
    old.write_bytes(b"begun")
    visits.sweep()
    new.write_bytes(b"begun")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    visits.sweep()
    assert (old.exists(), new.exists()) == (False, True)
    visits.drop_cut_off()
    assert not new.exists()
