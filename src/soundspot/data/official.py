"""Fetch the authors' annotation files by name: each is checked by its sha256 before it gets its name.

Nothing is fetched unless a user asks. A mirror has the authors' paths, <base>/<owner>/<name>/raw/<commit>/<path>; a
folder may also hold their repositories' copies, or the files themselves.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from soundspot.data.official_files import NO_LICENCE, OFFICIAL, Annotations, File
from soundspot.encoders import cache_folder
from soundspot.lookup import find
from soundspot.media.files import written_aside
from soundspot.pinned import check_sha256
from soundspot.types import UserError

AUTHORS = "https://github.com"
"""Where the repositories of official_files lie."""
TIMEOUT_SECONDS = 30.0
"""Without a sign of life."""

BY_HAND: dict[str, str] = {
    "flickr": "boxes of Flickr-SoundNet: the archive on Google Drive that the README of"
    " ardasnck/learning_to_localize_sound_source links; put its Annotations/<id>.xml beside flickr_test.csv"
    " (`annotations fetch flickr_lists`, or flickr_extended_lists)",
    "avsbench": "masks of S4 and MS3: on request by e-mail from the authors of AVSBench (see OpenNLPLab/AVSBench)",
    "music_synthetic": "Zenodo record 4079386: boxes come with the media",
    "vggsound_synthetic": "Zenodo record 6237158: boxes come with the media",
    "dailylife": "Zenodo record 6235340: boxes come with the media",
    "realistic_music": "Zenodo record 6235313: boxes come with the media",
    "urbansas": "Zenodo record 6658386: boxes come with the media",
    "avatar": "AVATAR (arXiv 2507.04667): from its authors; write avatar.json in the form that docs/data.md names",
    "vggsound.csv": "the list of VGGSound, from hche11/VGGSound; it changes, so no sha256 is known",
}
"""What no address is known for, or what is only given to people: where to ask."""


def fetch(name: str, *, to: Path | None = None, source: str | None = None) -> Path:
    """The folder with the files of `name`: `to`, or one in soundspot's cache; files that are there are kept.

    `source` is a folder, or the base of a mirror (file:// or https://), in the place of the authors' own address.
    Raises UserError for another content than the known one (and writes nothing, no folder either), and where `to` holds
    other files of these names.
    """
    known = _find(name)
    folder = place(name) if to is None else to
    wanted = [file for file in known.files if not _is_there(folder, file)]
    contents = {file.name: _content(file, AUTHORS if source is None else source) for file in wanted}
    for name, content in contents.items():  # none is written before all are there and known
        with written_aside(folder / name) as aside:
            aside.write_bytes(content)
    return folder


def place(name: str) -> Path:
    """Where `fetch` keeps the files of `name` unless told."""
    return cache_folder() / "annotations" / name


def licences(name: str) -> list[str]:
    """A line a repository: whose files these are and under which licence, as it is stated there."""
    lines = []
    for repository, _ in _find(name).sources:
        line = f"from {repository.name}, licence of that repository: {repository.licence}"
        if repository.licence.startswith(NO_LICENCE):
            line += "; you get the files from the authors themselves: ask them before you pass them on"
        lines.append(line)
    return lines


def rows() -> list[dict[str, str]]:
    """A row an entry, for listing: what it is, for which benchmarks, licence, size, and its folder if it is here."""
    return [
        {
            "name": name,
            "what": known.title,
            "benchmarks": ", ".join(known.benchmarks),
            "licence": "; ".join(dict.fromkeys(source.licence for source, _ in known.sources)),
            "from": ", ".join(source.name for source, _ in known.sources),
            "MB": f"{sum(file.size for file in known.files) / 1e6:.1f}",
            "path": str(place(name)) if _is_complete(place(name), known) else "",
        }
        for name, known in OFFICIAL.items()
    ]


def _find(name: str) -> Annotations:
    if name in BY_HAND:
        raise UserError(f"{name}: expected annotations that can be fetched, got ones by hand: {BY_HAND[name]}")
    return find(OFFICIAL, name, "annotations")


def _is_complete(folder: Path, known: Annotations) -> bool:
    return all(_matches(folder / file.name, file) for file in known.files)


def _is_there(folder: Path, file: File) -> bool:
    """Whether the file needs no fetching; UserError where another one bears its name."""
    path = folder / file.name
    if not path.exists():
        return False
    if not _matches(path, file):
        raise UserError(
            f"{path}: expected {file.repository.name}'s file of that name, got another one; remove it, or name another"
            " folder with --to"
        )
    return True


def _matches(path: Path, file: File) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


def _content(file: File, source: str) -> bytes:
    """The file's bytes, checked, from a folder or a base address."""
    address = urllib.parse.urlsplit(source)
    if Path(source).is_dir() or not address.scheme:
        return _from_folder(file, Path(source))
    if address.scheme == "file" and address.netloc in ("", "localhost"):
        return _from_folder(file, Path(urllib.request.url2pathname(address.path)))
    if address.scheme != "https" or not address.netloc:
        raise UserError(f"expected --from as a folder, file:///... or https://..., got {source!r}; give one of them")
    content = _download(file, source.rstrip("/"))
    check_sha256(f"{file.repository.name}'s {file.path}", content, file.sha256)
    return content


def _from_folder(file: File, folder: Path) -> bytes:
    if not folder.is_dir():
        raise UserError(f"--from: expected a folder with the files, got no such folder: {folder}; check the path")
    repository = file.repository
    inside = (
        f"{repository.name}/raw/{repository.commit}/{file.path}",
        f"{repository.name}/{file.path}",
        f"{repository.name.split('/')[1]}/{file.path}",
        file.path,
        file.name,
    )
    found = next((path for path in (folder / name for name in inside) if path.is_file()), None)
    if found is None:
        raise UserError(
            f"{folder}: expected {file.name} of {repository.name} in it, got none; put the file there, or a copy of the"
            f" repository as {repository.name}"
        )
    if found.stat().st_size > file.size:
        raise _too_long(file, f"{found}: ")
    content = found.read_bytes()
    remedy = f"replace {found} by the authors' own, or leave --from out"
    check_sha256(f"{repository.name}'s {file.path}", content, file.sha256, remedy=remedy)
    return content


def _download(file: File, base: str) -> bytes:
    """From the known version, or where that address is gone from the newest: the sha256 decides."""
    versions = dict.fromkeys((file.repository.commit, "HEAD"))
    path = urllib.parse.quote(file.path)
    addresses = [f"{base}/{file.repository.name}/raw/{version}/{path}" for version in versions]
    for address in addresses[:-1]:
        try:
            return _get(address, file)
        except _Gone:
            continue
    return _get(addresses[-1], file)


class _Gone(UserError):
    """The address has no such file."""


def _get(address: str, file: File) -> bytes:
    request = urllib.request.Request(address, headers={"User-Agent": "soundspot"})
    try:
        with _opener().open(request, timeout=TIMEOUT_SECONDS) as answer:
            content = bytes(answer.read(file.size + 1))
    except urllib.error.HTTPError as error:
        kind = _Gone if error.code in (404, 410) else UserError
        raise kind(_failed(address, f"HTTP {error.code} {error.reason}")) from error
    except (OSError, http.client.HTTPException) as error:
        raise UserError(_failed(address, str(getattr(error, "reason", "") or error))) from error
    if len(content) > file.size:
        raise _too_long(file)
    return content


def _failed(address: str, what: str) -> str:
    return f"expected {address}, got: {what}; check the network, or give a folder or a mirror with --from"


def _too_long(file: File, where: str = "") -> UserError:
    return UserError(
        f"{where}expected {file.repository.name}'s {file.path} of {file.size} bytes, got more; it is not the file we"
        " know: replace it by the authors' own"
    )


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: object, code: int, msg: str, headers: object, newurl: str
    ) -> urllib.request.Request | None:
        if urllib.parse.urlsplit(newurl).scheme != "https":
            raise UserError(_failed(req.full_url, f"a redirect to {newurl}, which is not https"))
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_OnlyHttps)
