"""VPO (arXiv 2304.02970): photos of COCO with sounds of VGGSound put to their objects, of one source (SS) or more (MS).

Two forms of the same set are read here.

* SSLalign's lists (arXiv 2407.13676): a row a sounding object, named <COCO image>_<COCO annotation>, with a box: 890 of
  SS and 2,157 of MS. Of MS's 1,432 pictures 759 have one source, 623 two, 49 three, 1 five; two boxes are all zero and
  stay. The paper counts 1,437 pictures and 2,164 rows. Classes are not given.
* CAVP's own tables (a row a sounding object too), read as its published code does; no such table was at hand here, so
  this is checked on made files alone.

Rows of one picture share `group`; which groups count for IIoU is the protocol's choice (SSLalign counts lone rows too).
Each COCO photo has a licence of its own, VGGSound's sounds are YouTube's; no licence is stated for the annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from soundspot.data.sets.is3 import read_pairs
from soundspot.data.sets.reading import list_file
from soundspot.media.image import FORMATS
from soundspot.textfiles import is_file, read_table
from soundspot.types import Clip, Target, UserError

Part = Literal["ss", "ms"]
Pair = tuple[Clip, Target]

COLUMNS = ("img_Id", "ann_Ids", "cateName", "vgg_file", "split")
SPLITS: dict[str, tuple[str, ...]] = {"train": ("train",), "test": ("test", "val")}
"""CAVP's code takes "val" for "test"."""
CLASS_NUMBERS: dict[str, int] = {
    "car": 3, "motorcycle": 4, "airplane": 5, "bus": 6, "bird": 16, "cat": 17, "dog": 18, "horse": 19, "sheep": 20,
    "cow": 21, "elephant": 22, "zebra": 24, "sports ball": 37, "skateboard": 41, "tennis racket": 43, "mouse": 74,
    "keyboard": 76, "cell phone": 77, "male": 92, "female": 93, "baby": 94,
}  # fmt: skip
"""What a mask's pixels hold: COCO's numbers, with CAVP's own 92 to 94 for people."""


def read_vpo(annotations: Path, root: Path | None = None, *, part: Part = "ms") -> list[Pair]:
    """The rows of one part in the list's order; `annotations` is a list, CAVP's table, or a folder that holds the list.

    With SSLalign's lists `root` holds visual_frames/<id>.jpg, audio_wav/<id>.wav and, for masks besides boxes,
    gray_masks/<id>.jpg (one tree a part). A .csv is read by `read_vpo_table`.
    """
    path = list_file(annotations, (f"vpo_{part}_bbox.json", f"vpo_{part}_seg.json"))
    if path.suffix == ".csv":
        return read_vpo_table(path, root, part=part)
    return read_pairs(path, root, named_class=False)


def read_vpo_table(table: Path, root: Path | None, *, part: Part = "ms", split: str = "test") -> list[Pair]:
    """The rows of CAVP's table (columns COLUMNS) that are of `split`, with masks; truth lies below `root`, so give it.

    SS: root/data/<class>/<image>.jpg and root/mask/<class>/<image>_<annotation>.png; MS: root/data/<image>.jpg and
    root/mask/<image>.png; numbers have twelve digits. Sounds: root/audios/<vgg_file>.wav, or vggsound_bench/VGGSound/
    audios two folders above root, where CAVP keeps its VGGSound. A row is true where its mask holds its class's number.
    CAVP adds up the middle 3 s of a picture's sounds and asks for all classes at once; here each sound is asked alone.
    """
    if root is None:
        raise UserError(
            f"{table}: expected the folder with data and mask, got no root; masks are all the truth there is"
        )
    rows = [row for row in read_table(table, COLUMNS) if row["split"] in SPLITS[split]]
    if not rows:
        raise UserError(f"{table}: expected rows of the split {split}, got none; give the whole table")
    sounds = _sounds(root)
    return [_table_pair(row, root, sounds, part) for row in rows]


def _sounds(root: Path) -> Path:
    places = (root / "audios", root.parent.parent / "vggsound_bench" / "VGGSound" / "audios")
    return next((place for place in places if place.is_dir()), places[0])


def _table_pair(row: Mapping[str, str], root: Path, sounds: Path, part: Part) -> Pair:
    image, annotation, name = row["img_Id"].zfill(12), row["ann_Ids"], row["cateName"]
    if name not in CLASS_NUMBERS:
        raise UserError(
            f"row {image}_{annotation}: expected one of VPO's 21 classes, got {name!r}; fetch the table again"
        )
    folder = Path(name) if part == "ss" else Path()
    mask_name = f"{image}_{annotation.zfill(12)}.png" if part == "ss" else f"{image}.png"
    clip = Clip(
        f"{image}_{annotation}",
        image=root / "data" / folder / f"{image}.jpg",
        audio=sounds / f"{row['vgg_file']}.wav",
        labels=(name,),
        group=image,
    )
    mask = _mask_of(root / "mask" / folder / mask_name, CLASS_NUMBERS[name])
    return clip, Target(clip.id, mask=mask, labels=clip.labels, group=clip.group)


def _mask_of(path: Path, number: int) -> npt.NDArray[np.bool_]:
    """(H, W), true where the picture of class numbers holds `number`."""
    from PIL import Image, UnidentifiedImageError

    wanted = f"{path}: expected a picture of class numbers"
    if not is_file(path):
        raise UserError(f"{wanted}, got no such file; check the root")
    try:
        with Image.open(path, formats=FORMATS) as picture:
            numbers = np.asarray(picture)
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"{wanted}, got '{error}'; fetch it again") from error
    if numbers.ndim != 2:
        raise UserError(f"{wanted}, got {numbers.shape[2]} channels; fetch it again")
    return np.asarray(numbers == number)
