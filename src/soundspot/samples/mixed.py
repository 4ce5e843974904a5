"""Write several sounds at once in soundspot's own layout: mixtures of any folder of clips of one source each."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from soundspot.data.arrangements import ARRANGEMENTS, Bools, Seen, Single, View, box_of
from soundspot.data.folder import read_folder, read_rows
from soundspot.data.mixtures import Mixture, Wanted, draw, make, sweep
from soundspot.lookup import find
from soundspot.media.image import FORMATS, read_mask
from soundspot.media.sound import rms_db
from soundspot.samples.layout import SetWriter
from soundspot.samples.scene import GRID, size_bin
from soundspot.samples.sound import SAMPLE_RATE, SECONDS, write_wav
from soundspot.samples.vpo import joint_side
from soundspot.types import Clip, Inputs, Target, UserError

VERSION = "1"
LISTING = "mixtures.jsonl"
Row = Mapping[str, Any]


def build(
    out: Path,
    folder: Path,
    *,
    split: str | None = None,
    kind: str = "mosaic",
    wanted: Wanted | None = None,
    ratios_db: Sequence[float] = (),
    count: int = 100,
    seed: int = 0,
    image_size: int = 224,
) -> Path:
    """Write `count` mixtures of the clips in `folder` (of one split, if named) to the new folder `out`; give it back.

    With `ratios_db` each mixture is written once a ratio of its second sound, in one group. `kind` is one of
    ARRANGEMENTS. UserError where the clips do not allow it.
    """
    find(ARRANGEMENTS, kind, "kind of mixture")
    wanted = wanted or Wanted()
    if count < 1:
        raise UserError(f"mixtures: expected 1 or more, got {count}; give a count")
    if ratios_db and wanted.sounding + wanted.offscreen < 2:
        raise UserError("mixtures: expected two sounds to vary their ratio, got one; ask for --sounding 2")
    stock = Stock(folder, split)
    with SetWriter(out, name=f"mixtures of {folder.name}", version=VERSION, seed=seed) as writer:
        mixtures = MixtureWriter(writer)
        for number in range(count):
            name, made = f"{kind}-{number:05d}", stock.make(kind, wanted, seed, number, image_size)
            for ratio, each in zip(ratios_db, sweep(made, ratios_db) if ratios_db else (), strict=True):
                mixtures.add(f"{name}_{ratio:+g}dB", each, split or "mixtures", group=name, components=True)
            if not ratios_db:
                mixtures.add(name, made, split or "mixtures", components=True)
        mixtures.close()
        writer.about["sources"] = {
            "folder": folder.name, "split": split, "clips": len(stock.labels), "kind": kind, **vars(wanted),
            "sweep_db": list(ratios_db), "image_size": image_size,
        }  # fmt: skip
    return out


def read_range(text: str) -> tuple[float, float]:
    """Two numbers from "LOW:HIGH", or one twice.

    >>> read_range("-10:10"), read_range("-6")
    ((-10.0, 10.0), (-6.0, -6.0))
    """
    low, *rest = _numbers(text, "a ratio in dB as NUMBER or LOW:HIGH", (1, 2))
    return low, rest[0] if rest else low


def read_sweep(text: str) -> tuple[float, ...]:
    """The ratios of "LOW:HIGH:STEP", both ends among them.

    >>> read_sweep("-20:20:10")
    (-20.0, -10.0, 0.0, 10.0, 20.0)
    """
    low, high, step = _numbers(text, "a sweep in dB as LOW:HIGH:STEP", (3,))
    if not (low < high and step > 0):
        raise UserError(f"expected a sweep from low to high by a step above 0, got {text!r}; for example -20:20:10")
    return tuple(round(low + i * step, 6) for i in range(int((high - low) / step + 1e-6) + 1))


def _numbers(text: str, what: str, counts: Sequence[int]) -> list[float]:
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in counts or not all(map(math.isfinite, numbers)):
        raise UserError(f"expected {what}, got {text!r}; for example {'-20:20:10' if 3 in counts else '-10:10'}")
    return numbers


class Stock:
    """The clips of a folder that have one source, and it in view."""

    def __init__(self, folder: Path, split: str | None = None) -> None:
        rows = {str(row.get("id")): row for _, row in read_rows(folder)}
        pairs = read_folder(folder, split=split)
        self.clips = [(clip, target, rows[clip.id]) for clip, target in pairs if _is_single(clip, target)]
        if not self.clips:
            raise UserError(
                f"{folder}: expected clips of one visible source with its class, got none of {len(pairs)}; name another"
                " folder or split"
            )
        self.labels = [clip.labels[0] for clip, _, _ in self.clips]
        self.seen = [frozenset(_labels_in_view(*each)) for each in self.clips]
        self.load: Callable[[int], Single] = lru_cache(maxsize=256)(self._load)

    def _load(self, number: int) -> Single:
        return load_single(*self.clips[number])

    def make(self, kind: str, wanted: Wanted, seed: int, number: int, size: int) -> Mixture:
        """Mixture `number`, which follows from the clips, the seed and the number alone."""
        plan = draw(self.labels, self.seen, wanted, seed=seed, number=number)
        frames = [self.load(i) for i in plan.frames]
        return make(kind, plan, frames, [self.load(i) for i in plan.offscreen], size)


def _is_single(clip: Clip, target: Target) -> bool:
    return target.kind == "visible" and len(clip.labels) == 1 and set(target.box_labels) <= set(clip.labels)


def _labels_in_view(clip: Clip, target: Target, row: Row) -> list[str]:
    return [*clip.labels, *(str(source["label"]) for source in row.get("sources", ()) if "label" in source)]


def load_single(clip: Clip, target: Target, row: Row) -> Single:
    """A clip by the rule of evaluation: its picture, SECONDS of its sound, and what is in view as its row lists it."""
    from soundspot.data.loader import read_picture, read_sound

    image = read_picture(clip, clip.time_seconds)
    heard = Inputs(sample_rate=SAMPLE_RATE, seconds=SECONDS, window="centre" if clip.time_seconds is None else "frame")
    samples, _ = read_sound(clip, heard, clip.time_seconds)
    if not np.any(np.abs(samples) > 1e-4):
        raise UserError(f"{clip.id}: expected a sound, got digital silence; leave the clip out")
    objects = (*_sounding(clip, target), *_silent(target, row))
    return Single(View(image, objects), clip.labels[0], samples, clip.id)


def _sounding(clip: Clip, target: Target) -> list[Seen]:
    label = clip.labels[0]
    mask = _mask_of(target)
    if not target.boxes:
        assert mask is not None  # the folder's reader asks for one of them
        return [Seen(label, box_of(mask), mask, True, clip.id)]
    if len(target.boxes) == 1 or mask is None:
        return [Seen(label, box, mask, True, clip.id) for box in target.boxes]
    return [Seen(label, box, mask & _inside(box, mask.shape), True, clip.id) for box in target.boxes]


def _mask_of(target: Target) -> Bools | None:
    if not isinstance(target.mask, Path):
        return target.mask
    return read_mask(target.mask)


def _inside(box: Sequence[float], shape: tuple[int, ...]) -> Bools:
    """(H, W) the pixels of a box."""
    area, (h, w) = np.zeros(shape, dtype=bool), shape[:2]
    x0, y0, x1, y1 = box
    area[round(y0 * h) : round(y1 * h), round(x0 * w) : round(x1 * w)] = True
    return area


def _silent(target: Target, row: Row) -> list[Seen]:
    """What else the row lists; its mask from the picture of objects, which counts them in the row's order from 1."""
    numbers: npt.NDArray[Any] | None = None
    if target.objects is not None:
        with Image.open(target.objects, formats=FORMATS) as picture:
            numbers = np.asarray(picture)
    found = []
    for i, source in enumerate(row.get("sources", ()), start=1):
        if not source.get("sounding") and {"label", "box"} <= source.keys():
            mask = None if numbers is None or not np.any(numbers == i) else np.asarray(numbers == i)
            found.append(Seen(source["label"], tuple(source["box"]), mask, False, str(source.get("photo", ""))))
    return found


class MixtureWriter:
    """Writes mixtures into a data set, and beside it in mixtures.jsonl what each is made of."""

    def __init__(self, writer: SetWriter) -> None:
        self.writer = writer
        self.lines: list[str] = []

    def add(
        self,
        clip_id: str,
        made: Mixture,
        split: str,
        *,
        group: str | None = None,
        background: str | None = None,
        components: bool = False,
    ) -> None:
        """Write a mixture: picture, sound, mask, objects and row; with `components` each of its sounds alone, too.

        Rows of a group share picture, mask and objects.
        """
        writer, first = self.writer, group or clip_id
        masks = [seen.mask for seen in made.view.objects if seen.mask is not None]
        whole = bool(masks) and len(masks) == len(made.view.objects)
        is_new = not (writer.root / f"images/{first}.jpg").is_file()
        boxes = [seen.box for seen in made.sounding]
        writer.add(
            clip_id,
            kind=made.kind,
            split=split,
            image=writer.write_picture(first, made.image) if is_new else f"images/{first}.jpg",
            audio=writer.write_sound(clip_id, made.waveform),
            mask=None if made.mask is None else writer.write_mask(first, made.mask),
            objects=writer.write_objects(first, masks) if whole else None,
            boxes=boxes,
            box_labels=[seen.label for seen in made.sounding],
            labels=made.labels,
            group=group,
            size_bin=size_bin(joint_side(boxes)) if boxes else None,
            sources=[describe(seen, made) for seen in made.view.objects],
            sound=" + ".join(each.name for each in made.components if each.label) or None,
            background=background,
        )
        self.lines.append(json.dumps(self._about(clip_id, made, components)) + "\n")

    def _about(self, clip_id: str, made: Mixture, components: bool) -> dict[str, Any]:
        rows = []
        offscreen = {each.label for each in made.offscreen}
        for i, each in enumerate(made.components):
            row: dict[str, Any] = {
                "label": each.label or None, "name": each.name, "ratio_db": each.ratio_db,
                "rms_db": round(rms_db(each.waveform), 2), "in_view": bool(each.label) and each.label not in offscreen,
            }  # fmt: skip
            if components and each.label and len(made.components) > 1:
                row["audio"] = self._write_component(f"components/{clip_id}-{i}.wav", each.waveform)
            rows.append(row)
        return {"id": clip_id, "components": rows}

    def _write_component(self, relative: str, samples: npt.NDArray[np.float32]) -> str:
        write_wav(self.writer.place(relative), samples)
        return relative

    def close(self) -> None:
        """Write mixtures.jsonl."""
        self.writer.place(LISTING).write_text("".join(self.lines), encoding="utf-8")


def describe(seen: Seen, made: Mixture) -> dict[str, Any]:
    """An object in view, as `sources` has it: where it comes from, class, box, side, whether and how loud it sounds."""
    x0, y0, x1, y1 = (float(value) for value in seen.box)
    row: dict[str, Any] = {
        "photo": seen.name, "label": seen.label, "box": [round(value, 6) for value in (x0, y0, x1, y1)],
        "side": round(GRID * float(np.sqrt((x1 - x0) * (y1 - y0))), 1), "sounding": seen.sounding,
    }  # fmt: skip
    ratio = next((each.ratio_db for each in made.components if each.label == seen.label), None)
    return row | ({"ratio_db": ratio} if seen.sounding and ratio is not None else {})
