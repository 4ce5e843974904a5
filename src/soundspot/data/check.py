"""Is a data set what it should be: missing, unreadable, duplicate, badly boxed clips, test clips in a training list."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from soundspot.data.lists import same_id
from soundspot.textfiles import is_file
from soundspot.train.logs import Bar
from soundspot.types import Clip, Missing, Target

MOST_JOBS = 8
"""Threads unless told: more only wait for the disk."""
_TOO_LARGE = 1e6  # an integer cast of "not a number" gives such coordinates


@dataclass(frozen=True)
class Defect:
    """Something wrong with a target's truth, by clip."""

    clip_id: str
    what: str


@dataclass(frozen=True)
class Report:
    """What a check found, everything named."""

    listed: int
    found: int
    missing: list[Missing]
    unreadable: list[Missing]
    duplicates: list[Missing]
    defects: list[Defect]
    leaks: list[str]
    without_truth: list[Missing]
    clean: list[str]
    """Ids that are there, readable, with a usable truth, not in the training list; of copies the first. Each once."""

    @property
    def fine(self) -> bool:
        """Whether nothing at all is wrong."""
        return not any((self.missing, self.unreadable, self.duplicates, self.defects, self.leaks, self.without_truth))

    def lines(self, *, show: int = 5) -> list[str]:
        """One line a count, with the first `show` names each."""
        rows = [f"found {self.found} of {self.listed}"]
        for what in ("missing", "unreadable", "duplicates", "defects", "without_truth"):
            items: list[Missing | Defect] = getattr(self, what)
            rows.append(_line(what.replace("_", " "), [_named(item) for item in items], show))
        rows.append(_line("test clips in the training list", self.leaks, show))
        return [*rows, f"clean: {len(self.clean)} of {self.listed}"]


def _named(item: Missing | Defect) -> str:
    return f"{item.clip_id} ({item.reason if isinstance(item, Missing) else item.what})"


def _line(what: str, names: Sequence[str], show: int) -> str:
    more = f" and {len(names) - show} more" if len(names) > show else ""
    return f"{what}: {len(names)}" + (f": {', '.join(names[:show])}{more}" if names else "")


def defects(targets: Iterable[Target]) -> list[Defect]:
    """Boxes that cover nothing or lie outside the frame, and visible targets left with no truth at all, named."""
    found: list[Defect] = []
    for target in targets:
        bad = [(box, problem) for box in target.boxes if (problem := _problem(box)) is not None]
        found += [Defect(target.clip_id, f"{problem}: {_shown(box)}") for box, problem in bad]
        empty = sum(problem in (_NOTHING, _OVERFLOW) for _, problem in bad)
        unmasked = target.mask is None or (isinstance(target.mask, np.ndarray) and not target.mask.any())
        if target.kind == "visible" and unmasked and empty == len(target.boxes):
            found.append(Defect(target.clip_id, NO_TRUTH))
    return found


NO_MASK = "mask marks nothing: the clip can't be got right"
NO_TRUTH = "no usable box: the clip can't be got right"
_NOTHING = "box covers nothing"
_OVERFLOW = "box with an overflowed coordinate"
_OUTSIDE = "box reaches outside the frame"


def _problem(box: Sequence[float]) -> str | None:
    left, top, right, bottom = box
    if any(abs(value) >= _TOO_LARGE for value in box):
        return _OVERFLOW
    if max(left, 0) >= min(right, 1) or max(top, 0) >= min(bottom, 1):
        return _NOTHING
    return _OUTSIDE if min(box) < 0 or max(box) > 1 else None


def _shown(box: Sequence[float]) -> str:
    return "[" + ", ".join(f"{value:.6g}" for value in box) + "]"


def leaks(train_ids: Iterable[str], test_ids: Iterable[str]) -> list[str]:
    """Test ids that a training list holds too, in test order; both VGGSound spellings of an id are the same clip."""
    trained = {same_id(clip_id) for clip_id in train_ids}
    return [clip_id for clip_id in test_ids if same_id(clip_id) in trained]


def check(
    pairs: Sequence[tuple[Clip, Target]],
    *,
    train_ids: Iterable[str] = (),
    without_truth: Sequence[Missing] = (),
    read: bool = True,
    decode: bool = False,
    jobs: int | None = None,
    progress: bool = False,
) -> Report:
    """Look at every clip's files and truth, `jobs` at a time (None: as many as cores, at most 8).

    `read` decodes pictures, masks, and the middle of sounds and films; without it files only must be there. `decode`
    decodes films and sounds whole, so that every cut and damaged one is found.
    """
    with ThreadPoolExecutor(jobs or min(MOST_JOBS, os.cpu_count() or 1)) as pool:
        looks = []
        with Bar("check", len(pairs), shown=progress) as bar:
            for look in pool.map(lambda pair: _look(pair[0], pair[1], read, decode), pairs):
                looks.append(look)
                bar.advance()
        fine = [pair for pair, look in zip(pairs, looks, strict=True) if look.absent is None and look.broken is None]
        copies = _same_pictures(fine, pool) if read else []
    ids = [clip.id for clip, _ in pairs]
    missing = [Missing(name, look.absent) for name, look in zip(ids, looks, strict=True) if look.absent is not None]
    unreadable = [Missing(name, look.broken) for name, look in zip(ids, looks, strict=True) if look.broken is not None]
    empty = [Defect(name, NO_MASK) for name, look in zip(ids, looks, strict=True) if look.empty_mask]
    wrong = defects(target for _, target in pairs) + empty
    leaked = leaks(train_ids, dict.fromkeys(ids))
    unusable = {defect.clip_id for defect in wrong if defect.what in (NO_TRUTH, NO_MASK)} | set(leaked)
    unusable |= {clip.clip_id for clip in (*missing, *unreadable, *copies)}
    return Report(
        listed=len(pairs) + len(without_truth),
        found=len(pairs) - len(missing) - len(unreadable),
        missing=missing,
        unreadable=unreadable,
        duplicates=_repeated(ids) + copies,
        defects=wrong,
        leaks=leaked,
        without_truth=list(without_truth),
        clean=[name for name in dict.fromkeys(ids) if name not in unusable],
    )


def _repeated(ids: Iterable[str]) -> list[Missing]:
    return [Missing(clip_id, f"listed {times} times") for clip_id, times in Counter(ids).items() if times > 1]


class _Look(NamedTuple):
    """What is wrong with a clip's files."""

    absent: str | None
    broken: str | None
    empty_mask: bool = False


def _look(clip: Clip, target: Target, read: bool, decode: bool) -> _Look:
    from soundspot.media.errors import MediaError

    absent = _absent(clip, target)
    if absent is not None or not read:
        return _Look(absent, None)
    try:
        _read(clip, decode)
        return _Look(None, None, _is_empty(target))
    except MediaError as error:
        return _Look(None, str(error))


def _absent(clip: Clip, target: Target) -> str | None:
    """Which of the clip's files isn't there, or None."""
    files = [path for path in (clip.image, clip.video, clip.audio) if path is not None]
    if not files:
        return "no media named: give the folder that holds them"
    files += [path for path in (target.mask, target.objects) if isinstance(path, Path)]
    return next((f"no file {path}" for path in files if not is_file(path)), None)


def _read(clip: Clip, decode: bool) -> None:
    """MediaError for what can't be opened or is cut off."""
    from soundspot.media.image import read_image
    from soundspot.media.whole import check_film, check_sound

    if clip.image is not None:
        read_image(clip.image)
    if clip.video is not None:
        check_film(clip.video, clip.time_seconds, whole=decode)
    sound = clip.audio or clip.video
    if sound is not None:
        check_sound(sound, whole=decode)


def _is_empty(target: Target) -> bool:
    """Whether the mask's file is a visible source's only truth and marks nothing; every area that is named is read."""
    from soundspot.media.image import read_image, read_mask

    if target.objects is not None:
        read_image(target.objects)
    if not isinstance(target.mask, Path):
        return False
    marked = bool(read_mask(target.mask).any())
    return not marked and target.kind == "visible" and not target.boxes


def _same_pictures(pairs: Sequence[tuple[Clip, Target]], pool: Executor) -> list[Missing]:
    """Clips whose picture or film is byte for byte another's, though not the same file, group or film."""
    files = {path for clip, _ in pairs if (path := _picture(clip)) is not None}
    sizes = {path: path.stat().st_size for path in files}
    common = Counter(sizes.values())
    suspects = [path for path, size in sizes.items() if common[size] > 1]  # no need to read the others
    digests = dict(zip(suspects, pool.map(_digest, suspects), strict=True))
    first: dict[str, tuple[Clip, Target]] = {}
    same: list[Missing] = []
    for clip, target in pairs:
        path = _picture(clip)
        if path in digests:
            other, others = first.setdefault(digests[path], (clip, target))
            grouped = clip.group is not None and clip.group == other.group
            one_film = target.video is not None and target.video == others.video
            if _picture(other) != path and not grouped and not one_film:
                same.append(Missing(clip.id, f"the same picture as {other.id}"))
    return same


def _picture(clip: Clip) -> Path | None:
    return clip.image or clip.video


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
