"""IS3 (arXiv 2407.13676): 3,240 generated pictures of two sources each, with the sound, box and mask of either.

A row is one source: its picture is there once a row, as <c1>_<c2>_<number>_<class>.jpg, and its id is that name without
the ending. Both rows of a picture share `group`; the class is the name's last token (111 of them by name, while the
paper counts 118). No licence is stated for pictures, sounds or annotations.
"""

from __future__ import annotations

from pathlib import Path

from soundspot.data.sets.box_json import Row, find_masks, media_below, read_rows
from soundspot.data.sets.reading import list_file
from soundspot.metrics.overlap import group_of_name
from soundspot.types import Clip, Target, UserError

ANNOTATIONS = ("synthetic3240_bbox.json", "IS3_annotation.json", "synthetic3240_seg.json")
"""The list in SSLalign's repository, that of the published archive, and the one of masks."""


def read_is3(annotations: Path, root: Path | None = None) -> list[tuple[Clip, Target]]:
    """The 6,480 rows in the list's order; `annotations` is a list of ANNOTATIONS or a folder that holds one.

    `root` is the folder with visual_frames/<id>.jpg (or images/) and audio_wav/<id>.wav; where it holds
    gt_masks/<id>.jpg (or gt_segmentation/) too, targets have masks besides boxes. UserError where some masks are
    lacking, or all of them with synthetic3240_seg.json, which has no boxes.
    """
    return read_pairs(list_file(annotations, ANNOTATIONS), root, named_class=True)


def read_pairs(path: Path, root: Path | None, *, named_class: bool) -> list[tuple[Clip, Target]]:
    """A list of box_json whose files all bear the row's id; with `named_class` the id's last token is its class."""
    rows, media = read_rows(path), media_below(root)
    masks = find_masks(media.masks, [row.image.stem for row in rows])
    if not masks and any(row.box is None for row in rows):
        raise UserError(f"{path}: expected masks for a list without boxes, got none; give the root that holds them")
    pairs = []
    for row in rows:
        clip_id = row.image.stem
        labels = (clip_id.rsplit("_", 1)[-1],) if named_class else ()
        group = group_of_name(clip_id)
        clip = Clip(clip_id, image=media.image(row), audio=media.audio(row), labels=labels, group=group)
        pairs.append((clip, _target(clip, row, masks.get(clip_id))))
    return pairs


def _target(clip: Clip, row: Row, mask: Path | None) -> Target:
    boxes = () if row.box is None else (row.box,)
    box_labels = clip.labels if boxes else ()
    return Target(clip.id, boxes=boxes, box_labels=box_labels, mask=mask, labels=clip.labels, group=clip.group)
