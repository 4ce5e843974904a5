"""SLAVC's extended test sets (arXiv 2209.09634): a labelled benchmark, and clips whose source isn't in view.

A negative row `video,audio` shows one clip's picture with a sound. `Target.labels` says which sort it is: "real" (the
clip's own sound, its source not in view), "other_class" or "same_class" (another clip's sound), or "other_clip" where
there are no classes. Mind that of "same_class" something in view may look like the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from soundspot.data.sets.flickr import read_flickr
from soundspot.data.sets.reading import list_file
from soundspot.data.sets.vggss import read_vggss
from soundspot.lookup import find
from soundspot.textfiles import read_table
from soundspot.types import Clip, Target, UserError

VGGSS_NEGATIVES = "vggss_test_plus_silent.csv"
FLICKR_NEGATIVES = "flickr_test_plus_silent.csv"
SORTS = ("real", "other_class", "same_class", "other_clip")
Pair = tuple[Clip, Target]


def read_vggss_extended(annotations: Path, root: Path | None = None) -> list[Pair]:
    """VGG-SS, then the 5,158 negatives; `annotations` is a folder with vggss.json and vggss_test_plus_silent.csv."""
    return read_extended(read_vggss(annotations, root), _beside(annotations, VGGSS_NEGATIVES))


def read_flickr_extended(annotations: Path, root: Path | None = None) -> list[Pair]:
    """Flickr-SoundNet's clips with boxes, then the 250 negatives; the folder also holds flickr_test_plus_silent.csv."""
    return read_extended(read_flickr(annotations, root), _beside(annotations, FLICKR_NEGATIVES))


def read_extended(pairs: Sequence[Pair], negatives: Path) -> list[Pair]:
    """Any benchmark's `pairs`, then the rows of a table `video,audio[,sort]` that name clips by id, or new ones.

    A new id's media stand where the benchmark's own do: its name takes the place of a known id in the paths. Without a
    column `sort` the sort follows from the classes. UserError for another table, an id whose media can't be told, or a
    pair of picture and sound that is there already.
    """
    rows = read_negatives(negatives)
    clips = {clip.id: clip for clip, _ in pairs}
    seen = set(clips)
    for number, row in enumerate(rows, start=2):
        name = _id_of(row)
        if name in seen:
            raise UserError(
                f"{negatives}:{number}: expected every pair once, and none that the benchmark has, got {name} again;"
                " remove the row"
            )
        seen.add(name)
    model = next(iter(clips.values()), None)
    return [*pairs, *(_negative(row, clips, model, negatives) for row in rows)]


def read_negatives(path: Path) -> list[dict[str, str]]:
    """The rows of a table of negatives, with at least `video` and `audio`."""
    if not path.is_file():
        raise UserError(f"{path}: expected a table of negatives (video,audio,label), got no such file; check the path")
    rows = read_table(path, ("video", "audio"))
    for number, row in enumerate(rows, start=2):
        if not row["video"] or not row["audio"]:
            raise UserError(f"{path}:{number}: expected a clip's id under video and audio, got none; mend the row")
        if row.get("sort"):
            find(dict.fromkeys(SORTS), row["sort"], f"sort in {path}:{number}:")
    return rows


def count_negatives(pairs: Iterable[Pair]) -> dict[str, int]:
    """How many negatives of each sort."""
    return dict(Counter(target.labels[0] for _, target in pairs if target.kind != "visible"))


def _beside(annotations: Path, name: str) -> Path:
    return list_file(annotations if annotations.is_dir() else annotations.parent, (name,))


def _negative(row: dict[str, str], clips: dict[str, Clip], model: Clip | None, table: Path) -> Pair:
    """A clip of its own: its id names picture and sound, since the picture is also some positive's."""
    video, audio = row["video"], row["audio"]
    picture, sound = (clips.get(name) or _like(model, name, table) for name in (video, audio))
    sort = row.get("sort") or _sort(video, audio, clips)
    clip_id = _id_of(row)
    clip = replace(
        picture, id=clip_id, audio=sound.audio or sound.video, labels=sound.labels, group=None
    )  # a film's own sound is its file's
    return clip, Target(clip_id, kind="offscreen", labels=(sort,))


def _id_of(row: dict[str, str]) -> str:
    return f"{row['video']}+{row['audio']}"


def _sort(video: str, audio: str, clips: dict[str, Clip]) -> str:
    if video == audio:
        return "real"
    if video in clips and audio in clips and clips[video].labels and clips[audio].labels:
        return "same_class" if set(clips[video].labels) & set(clips[audio].labels) else "other_class"
    return "other_clip"


def _like(model: Clip | None, name: str, table: Path) -> Clip:
    """A clip that the benchmark does not list, in the same layout as `model`, one that it does."""
    if model is None:
        raise UserError(f"{table}: expected a benchmark's clips to add negatives to, got none; check the annotations")
    media = [model.image, model.video, model.audio]
    moved = [None if path is None else _renamed(path, model.id, name) for path in media]
    if any(new is None and old is not None for new, old in zip(moved, media, strict=True)):
        raise UserError(
            f"{table}: expected ids of the benchmark's clips, got {name!r}; of another clip's media it can't be told"
            " where they lie"
        )
    return Clip(name, image=moved[0], video=moved[1], audio=moved[2], time_seconds=model.time_seconds)


def _renamed(path: Path, old: str, new: str) -> Path | None:
    """The path with the id in it, as a folder's name or a file's, replaced; None if it is not in it."""
    parts = [new + part.removeprefix(old) if Path(part).stem == old or part == old else part for part in path.parts]
    return Path(*parts) if tuple(parts) != path.parts else None
