"""Wrong extensions, files of quite another kind, playlists that point elsewhere, and empty files."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import zipfile

from torture.corpus.entry import BAD, GOOD, LACKING
from torture.corpus.shelf import GOOD_FILM, Shelf

EMPTY = ("mp4", "mkv", "avi", "ts", "wav", "mp3", "jpg", "png", "webp")


def add_kinds(shelf: Shelf) -> None:
    """Right contents under wrong names, and wrong contents under right ones."""
    for ending, named in (("mp4", "avi"), ("mp4", "mkv"), ("mkv", "mp4"), ("avi", "mp4"), ("webm", "avi"),
                          ("ts", "mp4"), ("mov", "webm"), ("mp4", "txt"), ("mp4", "wav")):  # fmt: skip
        shelf.add("wrong extension", f"{ending} as.{named}", f"a film ({ending}) named .{named}", shelf.film(ending),
                  GOOD, truth=shelf.film_truth() if ending not in ("ts", "webm") else {"moments": 2})  # fmt: skip
    for ending, named in (("wav", "mp3"), ("mp3", "wav"), ("flac", "ogg"), ("wav", "mp4"), ("ogg", "png")):
        shelf.add("wrong extension", f"{ending} as.{named}", f"a sound ({ending}) named .{named}", shelf.sound(ending),
                  GOOD, kind="sound", truth={"channels": 2, "moments": 2})  # fmt: skip
    truth = shelf.seen(shelf.picture, moments=2)
    for ending, named in (("png", "jpg"), ("jpg", "png"), ("webp", "jpg"), ("gif", "png")):
        shelf.add("wrong extension", f"{ending} as.{named}", f"a picture ({ending}) named .{named}",
                  shelf.whole(ending), GOOD, kind="picture", truth=truth)  # fmt: skip
    for ending, named in (("png", "mp4"), ("jpg", "avi")):
        shelf.add("wrong extension", f"{ending} as.{named}", f"a picture ({ending}) given as a film named .{named}",
                  shelf.whole(ending), LACKING)  # fmt: skip
    shelf.add("wrong extension", "film as.jpg", "a film given as a picture named .jpg", shelf.film("mp4"), LACKING,
              kind="picture")  # fmt: skip
    shelf.add("wrong extension", "sound as.jpg", "a sound given as a picture named .jpg", shelf.sound("wav"), LACKING,
              kind="picture")  # fmt: skip
    shelf.add("wrong extension", "film as sound.wav", "a film (mkv) whose sound is given beside a picture, named .wav",
              shelf.film("mkv"), GOOD, kind="sound", truth={"channels": 2, "moments": 2})  # fmt: skip
    for name, about, data in _strangers(shelf):
        for ending in ("mp4", "png"):
            shelf.add("another kind", f"{name}.{ending}", f"{about}, named .{ending}", data, BAD,
                      kind="film" if ending == "mp4" else "picture")  # fmt: skip
    for name, about, text in PLAYLISTS:
        shelf.add("another kind", name, f"{about}: nothing that a file names is opened", text.encode(), BAD)
    for ending in EMPTY:
        kind = "picture" if ending in ("jpg", "png", "webp") else "sound" if ending in ("wav", "mp3") else "film"
        shelf.add("empty", f"empty.{ending}", f"an empty file named .{ending}", b"", BAD, kind=kind)


def _strangers(shelf: Shelf) -> list[tuple[str, str, bytes]]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("film.mp4"), shelf.film("mp4"))
    rng = shelf.rng("strangers")
    return [
        ("text", "a text", b"No film, no picture: a text.\n" * 50),
        ("page", "a page of HTML, as a failed download leaves", b"<!doctype html><html><body>404</body></html>"),
        ("json", "a JSON file", json.dumps({"error": "quota"}).encode()),
        ("zip", "an archive (zip) that holds a film", packed.getvalue()),
        ("gzip", "a film compressed (gzip)", gzip.compress(shelf.film("mp4"), mtime=0)),
        ("pickle", "a pickle", pickle.dumps({"a": [1, 2, 3]}, protocol=4)),
        ("noise", "100,000 random bytes", rng.bytes(100_000)),
        ("zeros", "100,000 zeros", bytes(100_000)),
        ("svg", "a drawing (SVG)", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        ("eps", "a program (EPS)", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"),
        ("pdf", "a PDF", b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"),
    ]  # fmt: skip


PLAYLISTS = (
    ("playlist.m3u8", "a playlist (HLS) of the film beside it",
     f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n../{GOOD_FILM}\n#EXT-X-ENDLIST\n"),
    ("playlist.mp4", "a playlist (HLS) of an address, named .mp4",
     "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
    ("concat.mp4", "a list of films (ffconcat) that names the film beside it, named .mp4",
     f"ffconcat version 1.0\nfile ../{GOOD_FILM}\n"),
    ("concat.txt", "a list of films (ffconcat) that names a system's file",
     "ffconcat version 1.0\nfile /etc/passwd\n"),
    ("manifest.mpd", "a manifest (DASH) of an address",
     '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT3S">'
     '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>http://127.0.0.1:9/a.mp4'
     "</BaseURL></Representation></AdaptationSet></Period></MPD>"),
    ("session.sdp", "a description of a network stream (SDP)",
     "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
)  # fmt: skip
