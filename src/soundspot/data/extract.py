"""Films of VGGSound to EZ-VSL's layout: frames/<id>.jpg and audio/<id>.wav, an id being <YouTube id>_<second>.

Films are named <YouTube id>_<second> or <YouTube id>_<ms>_<ms>, in whatever folder. Papers differ in the frame they
take: EZ-VSL the middle one, SSLalign that at 5.0 s, SSL-TIE the 125th of 25 a second.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from soundspot.data import in_processes
from soundspot.data.lists import read_ids, same_id
from soundspot.media.errors import MediaError
from soundspot.media.files import FILMS, written_aside
from soundspot.media.image import write_image
from soundspot.media.sound import read_waveform, write_wav
from soundspot.media.video import read_frame
from soundspot.media.whole import check_sound
from soundspot.train.logs import Bar
from soundspot.types import Missing, UserError

SETTINGS = "extract.json"
"""In the output's folder: how its media were made, so that a later run does not mix."""
FRAMES, SOUNDS = "frames", "audio"


@dataclass(frozen=True)
class Extracted:
    """What a run did."""

    root: Path
    made: int
    already: int
    """Whose picture and sound were there."""
    failed: list[Missing]
    """Films without a picture or a sound now, by their path below the folder, and listed ids without a film."""


def extract(
    videos: Path,
    root: Path,
    *,
    ids: Path | None = None,
    time_seconds: float | None = None,
    sample_rate: int = 16000,
    jobs: int | None = None,
    progress: bool = False,
) -> Extracted:
    """The frame at `time_seconds` (None: the middle) and the whole sound, mono, of each film below `videos`.

    `ids` is a list to choose by; `jobs` processes work (None: as many as cores). What an earlier run made is kept, so
    an interrupted run goes on. Raises UserError where that run had other settings.
    """
    if time_seconds is not None and not (math.isfinite(time_seconds) and time_seconds >= 0):
        raise UserError(f"expected the frame's time of 0 seconds or more, got {time_seconds}; give e.g. 5, or middle")
    if sample_rate < 1:
        raise UserError(f"expected a sample rate in Hz, got {sample_rate}; give e.g. 16000")
    found, twice = _find_films(videos)
    failed: list[Missing] = []
    if ids is not None:
        found, twice, failed = _listed(found, twice, ids)
    if not found and not failed:
        raise UserError(f"{videos}: expected films ({', '.join(FILMS)}), got none; check the path")
    _prepare(root, {"frame": "middle" if time_seconds is None else float(time_seconds), "sample_rate": sample_rate})
    rest = {clip_id: film for clip_id, film in found.items() if not _is_complete(root, clip_id)}
    for film, clip_id in twice.items():  # a film is told of, not its id: the id is made of another film
        other = f"expected one film of the id {clip_id}, got {found[clip_id]} too; it was taken"
        failed.append(Missing(_name(film, videos), other))
    work = partial(extract_one, root=root, time_seconds=time_seconds, sample_rate=sample_rate)
    with Bar("extract", len(found), done=len(found) - len(rest), shown=progress) as bar:
        for clip_id, reason in in_processes.each(rest, work, _crashed, jobs):
            if reason is not None:
                failed.append(Missing(_name(found[clip_id], videos), reason))
            bar.advance(1, f"{len(failed)} failed")
    made = sum(_is_complete(root, clip_id) for clip_id in rest)
    return Extracted(root, made, len(found) - len(rest), sorted(failed, key=lambda entry: entry.clip_id))


def extract_one(clip_id: str, film: Path, *, root: Path, time_seconds: float | None, sample_rate: int) -> str | None:
    """Write one film's picture and sound; why it could not be done, or None."""
    try:
        check_sound(film, whole=True)  # a film that breaks off would give a shorter sound
        picture = read_frame(film, time_seconds)
        sound = read_waveform(film, sample_rate=sample_rate)
    except MediaError as error:
        return str(error)
    write_wav(_sound_of(root, clip_id), sound.samples, sound.sample_rate)
    write_image(_frame_of(root, clip_id), picture)
    return None


def _crashed(clip_id: str, film: Path) -> str:
    return f"{film}: the process that read it came to an end; the film is damaged"


def _name(film: Path, videos: Path) -> str:
    return film.relative_to(videos).as_posix()


def _find_films(videos: Path) -> tuple[dict[str, Path], dict[Path, str]]:
    """Films by id in seconds, and ids by film of those whose id another film has."""
    if not videos.is_dir():
        raise UserError(f"{videos}: expected a folder of films, got none; check the path")
    found: dict[str, Path] = {}
    twice: dict[Path, str] = {}
    films = (path for path in videos.rglob("*") if path.suffix.lower() in FILMS and path.name[0] != ".")
    for film in sorted(path for path in films if path.is_file()):
        clip_id = same_id(film.stem)
        if found.setdefault(clip_id, film) != film:
            twice[film] = clip_id
    return found, twice


def _listed(
    found: dict[str, Path], twice: dict[Path, str], ids: Path
) -> tuple[dict[str, Path], dict[Path, str], list[Missing]]:
    """Those of a list, and what it lists without a film."""
    wanted = dict.fromkeys(same_id(name.rsplit("/", 1)[-1]) for name in read_ids(ids))
    lost = [Missing(name, f"no film of this name, which {ids.name} lists") for name in wanted if name not in found]
    others = {film: clip_id for film, clip_id in twice.items() if clip_id in wanted}
    return {name: found[name] for name in wanted if name in found}, others, lost


def _prepare(root: Path, settings: dict[str, str | float]) -> None:
    """Make the folders; UserError where media there were made with other settings. A run that made none fixes none."""
    for name in (FRAMES, SOUNDS):
        (root / name).mkdir(parents=True, exist_ok=True)
    place, text = root / SETTINGS, json.dumps(settings)
    begun = any(any((root / name).glob("[!.]*")) for name in (FRAMES, SOUNDS))
    if begun and place.is_file() and place.read_text(encoding="utf-8") != text:
        raise UserError(
            f"{root}: expected media made with {text}, got {place.read_text(encoding='utf-8')[:200]} (in {SETTINGS});"
            " use the same settings, or another --out"
        )
    with written_aside(place) as aside:
        aside.write_text(text, encoding="utf-8")


def _frame_of(root: Path, clip_id: str) -> Path:
    return root / FRAMES / f"{clip_id}.jpg"


def _sound_of(root: Path, clip_id: str) -> Path:
    return root / SOUNDS / f"{clip_id}.wav"


def _is_complete(root: Path, clip_id: str) -> bool:
    """Files bear their names only when they are whole."""
    return _frame_of(root, clip_id).is_file() and _sound_of(root, clip_id).is_file()
