"""Who is on the page: a folder each for what they gave and what came of it, gone when they are."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from soundspot.page.limits import Kind, Limits, check_contents, check_ending
from soundspot.types import UserError

if TYPE_CHECKING:
    from soundspot.page.work import Found

CLOSING_SECONDS = 1.0
"""For what a visitor had under way when the page ends: its handler may never be gone on with, and hold it for ever."""


@dataclass
class Visit:
    """One open page of one visitor."""

    folder: Path
    """Theirs alone; its name cannot be guessed, and is the address of what lies in it."""
    found: Found | None = None
    """What was found last."""
    busy: threading.Lock = field(default_factory=threading.Lock)
    """Held while something is worked on for them: one thing at a time."""
    stale: threading.Event = field(default_factory=threading.Event)
    """Set when what is being drawn is no longer wanted: they chose something else."""
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when they left: whatever is worked on for them may stop."""
    uploads: dict[Path, Path] = field(default_factory=dict)
    """What they gave: where the page put it -> where it lies in their folder."""
    names: dict[Path, str] = field(default_factory=dict)
    """What their files are called at home."""
    last_seconds: float = field(default_factory=time.monotonic)

    num_jobs: int = 0
    """How often they asked for a film to be looked at; names the folder of what came of it."""

    @property
    def token(self) -> str:
        """The secret part of the addresses of their files."""
        return self.folder.name


class Visits:
    """All of them. Files come from `uploads` (where the web server puts them) and go to `root`/token."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self.uploads, self._visitors, self.limits = root / "uploads", root / "visits", limits
        self.uploads.mkdir(parents=True)
        self._visitors.mkdir()
        self._open: dict[str, Visit] = {}
        self._over = False
        self._first_seen: dict[Path, float] = {}
        """Of what lies among the uploads, by a clock that nobody sets."""
        self._guard = threading.Lock()

    def of(self, session: str) -> Visit:
        """The visit of a browser's session, begun if it is new."""
        with self._guard:
            if session not in self._open:
                folder = self._visitors / secrets.token_urlsafe(24)
                folder.mkdir()
                self._open[session] = Visit(folder)
                if self._over:
                    self._open[session].gone.set()
            visit = self._open[session]
            visit.last_seconds = time.monotonic()
            return visit

    def by_token(self, token: str) -> Visit | None:
        """The visit whose files have that address."""
        with self._guard:
            found = next((v for v in self._open.values() if secrets.compare_digest(v.token, token)), None)
            if found is not None:
                found.last_seconds = time.monotonic()
            return found

    def take(self, visit: Visit, given: str, kind: Kind) -> Path:
        """An upload of the visitor, as a file in their folder with a name of ours.

        Raises UserError for anything that does not lie among the uploads, whatever the browser claims, and for what is
        no file of the kind.
        """
        path = Path(given)
        if not self.is_upload(path):
            raise UserError(f"expected an uploaded {kind}, got something else; choose the file again")
        own = visit.uploads.get(path)
        if own is None or not own.exists():
            ending = check_ending(path, kind)
            own = visit.folder / f"given-{secrets.token_hex(4)}{ending}"
            try:
                os.link(path, own, follow_symlinks=False)  # no second copy on the disk
            except FileNotFoundError:
                raise UserError(f"expected an uploaded {kind}, got one deleted since; choose the file again") from None
            visit.uploads[path] = own
            visit.names[own] = path.name
        check_contents(own, kind)
        return own

    def is_upload(self, path: Path) -> bool:
        """Whether a path is that of a file among the uploads, by no detour."""
        return path.is_absolute() and path.resolve() == path and path.parent.parent == self.uploads.resolve()

    def end(self, session: str, most_seconds: float = -1.0) -> None:
        """A visitor left: so do their files, once nothing works on them, or after `most_seconds` (below 0: never)."""
        with self._guard:
            visit = self._open.pop(session, None)
            if visit is None:
                return
            others = {path for each in self._open.values() for path in each.uploads}
        visit.gone.set()
        for path in visit.uploads.keys() - others:
            _remove_upload(path)
        still = visit.busy.acquire(timeout=most_seconds)
        visit.found = None
        shutil.rmtree(visit.folder, ignore_errors=True)
        if still:
            visit.busy.release()

    def sweep(self) -> None:
        """Delete what nobody used for a while, whoever forgot it."""
        age = self.limits.keep_minutes * 60
        with self._guard:
            idle = [
                session
                for session, visit in self._open.items()
                if time.monotonic() - visit.last_seconds > age and not visit.busy.locked()
            ]
            used = {path for visit in self._open.values() for path in visit.uploads}
        for session in idle:
            self.end(session)
        self._first_seen = {path: since for path, since in self._first_seen.items() if path.exists()}
        for path in self.uploads.glob("*/*"):
            if path not in used and self._age(path) > age:
                _remove_upload(path)
        self.drop_cut_off(self.limits.upload_seconds)

    def drop_cut_off(self, age_seconds: float = -1.0) -> None:
        """Delete beginnings of uploads that old, which the web framework leaves lying; whole ones have a folder."""
        for path in self.uploads.glob("*"):
            if path.is_file() and self._age(path) > age_seconds:
                path.unlink(missing_ok=True)

    def stop(self) -> None:
        """Whatever is worked on stops, and what still waits its turn ends as it begins."""
        with self._guard:
            self._over = True
            for visit in self._open.values():
                visit.gone.set()

    def close(self) -> None:
        """All leave; whatever is worked on stops."""
        self.stop()
        with self._guard:
            sessions = list(self._open)
        for session in sessions:
            self.end(session, CLOSING_SECONDS)

    def _age(self, path: Path) -> float:
        now = time.monotonic()
        return now - self._first_seen.setdefault(path, now)

    def used_bytes(self) -> int:
        """What all of them take on the disk."""
        places = {
            (facts.st_dev, facts.st_ino): facts.st_size
            for folder in (self.uploads, self._visitors)
            for path in folder.rglob("*")
            if (facts := _facts(path)) is not None
        }
        return sum(places.values())


def _remove_upload(path: Path) -> None:
    path.unlink(missing_ok=True)
    if not any(path.parent.iterdir()):
        path.parent.rmdir()


def _facts(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:  # deleted meanwhile
        return None
