"""Is a data set what it should be: missing, unreadable, duplicate, badly boxed clips, test clips in a training list."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from soundspot.types import Clip, Missing, Target

_MILLISECONDS = re.compile(r"(?P<video>.{11})_(?P<start>\d+)_(?P<end>\d+)")
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
        return [*rows, _line("test clips in the training list", self.leaks, show)]


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
        if target.kind == "visible" and target.mask is None and empty == len(target.boxes):
            found.append(Defect(target.clip_id, NO_TRUTH))
    return found


NO_TRUTH = "no usable box: the clip can't be got right"
_NOTHING = "box covers nothing"
_OVERFLOW = "box with an overflowed coordinate"
_OUTSIDE = "box reaches outside the frame"


def _problem(box: Sequence[float]) -> str | None:
    left, top, right, bottom = box
    if any(not abs(value) < _TOO_LARGE for value in box):
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


def same_id(clip_id: str) -> str:
    """A VGGSound id in milliseconds as one in seconds; any other id as it is.

    >>> same_id("zpWuikVorYg_32000_42000")
    'zpWuikVorYg_000032'
    """
    spelled = _MILLISECONDS.fullmatch(clip_id)
    if spelled is None or int(spelled["end"]) - int(spelled["start"]) != 10_000:
        return clip_id
    return f"{spelled['video']}_{int(spelled['start']) // 1000:06d}"


def check(
    pairs: Sequence[tuple[Clip, Target]],
    *,
    train_ids: Iterable[str] = (),
    without_truth: Sequence[Missing] = (),
    read: bool = True,
) -> Report:
    """Look at every clip's files and truth; `read` decodes pictures and opens sounds, else they only must be there."""
    missing = [Missing(clip.id, reason) for clip, _ in pairs if (reason := _absent(clip)) is not None]
    absent = {clip.clip_id for clip in missing}
    present = [clip for clip, _ in pairs if clip.id not in absent] if read else []
    unreadable = [Missing(clip.id, reason) for clip in present if (reason := _unreadable(clip)) is not None]
    broken = {clip.clip_id for clip in unreadable}
    ids = [clip.id for clip, _ in pairs]
    return Report(
        listed=len(pairs) + len(without_truth),
        found=len(pairs) - len(missing) - len(unreadable),
        missing=missing,
        unreadable=unreadable,
        duplicates=_repeated(ids) + _same_pictures([clip for clip in present if clip.id not in broken]),
        defects=defects(target for _, target in pairs),
        leaks=leaks(train_ids, dict.fromkeys(ids)),
        without_truth=list(without_truth),
    )


def _repeated(ids: Iterable[str]) -> list[Missing]:
    return [Missing(clip_id, f"listed {times} times") for clip_id, times in Counter(ids).items() if times > 1]


def _same_pictures(clips: Iterable[Clip]) -> list[Missing]:
    """Clips whose picture is byte for byte another's, though not the same file nor of the same group."""
    first: dict[str, Clip] = {}
    same: list[Missing] = []
    for clip in clips:
        if clip.image is None:
            continue
        other = first.setdefault(hashlib.sha256(clip.image.read_bytes()).hexdigest(), clip)
        if other.image != clip.image and (clip.group is None or clip.group != other.group):
            same.append(Missing(clip.id, f"the same picture as {other.id}"))
    return same


def _absent(clip: Clip) -> str | None:
    """Which of the clip's files isn't there, or None."""
    files = [path for path in (clip.image, clip.video, clip.audio) if path is not None]
    if not files:
        return "no media named: give the folder that holds them"
    return next((f"no file {path}" for path in files if not path.is_file()), None)


def _unreadable(clip: Clip) -> str | None:
    """Why the clip's picture or sound can't be opened, or None."""
    from soundspot.media.errors import MediaError
    from soundspot.media.image import read_image
    from soundspot.media.video import probe

    try:
        if clip.image is not None:
            read_image(clip.image)
        for path in (clip.video, clip.audio):
            if path is not None and not probe(path).has_sound and path == (clip.audio or clip.video):
                return f"{path}: no sound in it"
    except MediaError as error:
        return str(error)
    return None
