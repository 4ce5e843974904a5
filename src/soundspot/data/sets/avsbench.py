"""AVSBench (arXiv 2207.05042): films of 5 s, one picture a second with the mask of what sounds; S4 and MS3.

S4 has one source a film (740 test films, 23 classes), MS3 several (64). `Target.video` names the film. There is no
`group`: five frames of a film are no interactive pair. SSLalign's code counts them as one all the same, since it groups
by file name, so its IIoU is something else (centre prior: 32.16 on S4 and 14.06 on MS3, adaptive 38.92 and 17.19).

Two forms of the truth, as two benchmarks a subset:

* masks, from AVSBench's own tree (on request from its authors, the code is Apache-2.0):

      Single-source/s4_meta_data.csv            Multi-sources/ms3_meta_data.csv
      s4_data/visual_frames/<split>/<class>/<film>/<film>_<n>.png     ms3_data/visual_frames/<film>/<film>.mp4_<n>.png
      s4_data/audio_wav/<split>/<class>/<film>.wav                    ms3_data/audio_wav/<split>/<film>.wav
      s4_data/gt_masks/<split>/<class>/<film>/<film>_<n>.png          ms3_data/gt_masks/<split>/<film>/<film>_<n>.png

* boxes around those masks, from SSLalign's s4_box.json and ms3_box.json (arXiv 2407.13676): pixels up to 223, counted
  inclusively but used as exclusive by that code and so here. Frames in which nothing sounds have boxes of four zeros (6
  of 3,700, 29 of 320); they stay, visible and not to be got right, as published.

Frame n, 1 to 5, is taken some 0.94 s into second n of its film, and AVSBench gives it the log-mel of that second. So a
clip's time is the middle of its second, n - .5, and `predict --set seconds=1 --set window=frame` cuts just that second.
SSLalign takes the middle 3 s of the whole sound, repeated, for all frames alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from soundspot.data.sets.box_json import Media, Row, media_below, read_rows
from soundspot.data.sets.reading import list_file
from soundspot.textfiles import is_file, read_table
from soundspot.types import Clip, Target, UserError

Subset = Literal["s4", "ms3"]
Split = Literal["train", "val", "test"]
Pair = tuple[Clip, Target]
NUM_FRAMES = 5


def read_avsbench(
    annotations: Path, root: Path | None = None, *, subset: Subset = "s4", split: Split = "test"
) -> list[Pair]:
    """The frames of a split with their masks; a frame whose mask is empty is "offscreen" and keeps that mask.

    `annotations` is <subset>_meta_data.csv (columns split and, of S4, category; the film comes first), SSLalign's
    <subset>_seg.json (test frames only), or a folder that holds one. `root` is the folder with visual_frames, audio_wav
    and gt_masks; without it masks are looked for in <subset>_data beside the table. Of S4's training films AVSBench has
    the first mask only, so those give one frame each. UserError where a listed mask is not there.
    """
    path = list_file(annotations, (f"{subset}_meta_data.csv", f"{subset}_seg.json"))
    rows = _table_rows(path, subset, split) if path.suffix == ".csv" else read_rows(path)
    beside = path.parent / f"{subset}_data"
    masks = media_below(root or (beside if beside.is_dir() else None)).masks
    if masks is None or any(row.mask is None for row in rows):
        raise UserError(f"{path}: expected masks, got none; give the root that holds gt_masks, and a list of masks")
    files = [masks / row.mask for row in rows if row.mask is not None]
    _check_masks(files)
    media = media_below(root)
    return [_masked(row, mask, media, subset) for row, mask in zip(rows, files, strict=True)]


def read_avsbench_boxes(annotations: Path, root: Path | None = None, *, subset: Subset = "s4") -> list[Pair]:
    """The test frames with SSLalign's boxes, in its order; `annotations` is <subset>_box.json or a folder with it.

    `root` is the folder with visual_frames and audio_wav, as for `read_avsbench`.
    """
    path = list_file(annotations, (f"{subset}_box.json",))
    media = media_below(root)
    pairs = []
    for row in read_rows(path):
        if row.box is None:
            raise UserError(f"{path}: expected boxes, got a list of masks; give {subset}_box.json")
        clip = _clip(row, media, subset)
        pairs.append((clip, Target(clip.id, boxes=(row.box,), labels=clip.labels, video=row.image.parent.name)))
    return pairs


def _clip(row: Row, media: Media, subset: Subset) -> Clip:
    """Of both forms: <film>_<n>, though MS3's pictures are called <film>.mp4_<n>."""
    film, number = row.image.parent.name, row.image.stem.rsplit("_", 1)[-1]
    if not film or not row.image.stem.startswith(film) or not number.isdigit():
        raise UserError(f"expected a frame as <film>/<film>_<n>.png, got {row.image}; fetch the list again")
    labels = (row.image.parent.parent.name,) if subset == "s4" else ()
    image, audio = media.image(row), media.audio(row)
    time = None if image is None else int(number) - 0.5
    return Clip(f"{film}_{number}", image=image, audio=audio, time_seconds=time, labels=labels)


def _masked(row: Row, mask: Path, media: Media, subset: Subset) -> Pair:
    from soundspot.media.image import read_image

    clip = _clip(row, media, subset)
    sounding = bool(read_image(mask).any())
    kind: Literal["visible", "offscreen"] = "visible" if sounding else "offscreen"
    return clip, Target(clip.id, kind=kind, mask=mask, labels=clip.labels, video=row.image.parent.name)


def _check_masks(files: Sequence[Path]) -> None:
    lost = [path for path in files if not is_file(path)]
    if lost:
        raise UserError(
            f"expected a mask for each of {len(files)} frames, got none for {len(lost)} (the first: {lost[0]});"
            " fetch the masks again"
        )


def _table_rows(path: Path, subset: Subset, split: Split) -> list[Row]:
    """The frames of the films that AVSBench's table lists for `split`."""
    lines = read_table(path, ("category", "split") if subset == "s4" else ("split",))
    films = [(next(iter(line.values())), line.get("category", "")) for line in lines if line["split"] == split]
    if not films:
        raise UserError(f"{path}: expected films of the split {split}, got none; give the whole table")
    frames = 1 if (subset, split) == ("s4", "train") else NUM_FRAMES
    return [_frame(subset, split, film, label, n) for film, label in films for n in range(1, frames + 1)]


def _frame(subset: Subset, split: Split, film: str, label: str, number: int) -> Row:
    """Where AVSBench's tree has the files of a film's frame."""
    if subset == "s4":
        folder = PurePosixPath(split, label)
        picture = folder / film / f"{film}_{number}.png"
        return Row(picture, folder / f"{film}.wav", mask=picture)
    picture = PurePosixPath(film, f"{film}.mp4_{number}.png")
    return Row(picture, PurePosixPath(split, f"{film}.wav"), mask=PurePosixPath(split, film, f"{film}_{number}.png"))
