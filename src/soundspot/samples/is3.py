"""Grow IS3 (SSLalign, arXiv 2407.13676): pictures of two things that sound, drawn by a model, checked by people.

Two steps. `draft` draws pictures of class pairs, gives each class a random recording, and writes a page to review them
on. `build` takes the accepted ones with a mask of each thing and writes the test set: two clips a picture, one group.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from soundspot.lookup import unknown
from soundspot.media.files import written_aside
from soundspot.media.image import read_image
from soundspot.samples.diffusion import Painter
from soundspot.samples.is3_page import review_page
from soundspot.samples.is3_prompts import Prompt, make_prompts, words
from soundspot.samples.layout import JPEG_QUALITY, SetWriter, file_hash
from soundspot.samples.recordings import Stock, find_recordings
from soundspot.samples.scene import box_of, size_bin
from soundspot.samples.sound import SECONDS, write_wav
from soundspot.samples.vpo import joint_side
from soundspot.textfiles import read_json
from soundspot.train.logs import Bar
from soundspot.types import UserError

VERSION = "1"
DRAFT, PAGE, PLAN = "draft.json", "review.html", "plan.json"
_VERDICTS = {"kept": "keep", "rejected": "reject", "undecided": "undecided"}
Segment = Callable[[npt.NDArray[np.uint8], str], npt.NDArray[np.bool_]]
"""(H, W, 3) picture and a thing's name in words -> (H, W), true where it is seen."""


def draft(
    out: Path,
    sounds: Sequence[Path],
    paint: Painter,
    *,
    count: int,
    seed: int = 0,
    seconds: float = SECONDS,
    model: str = "a function",
    progress: bool = True,
) -> Path:
    """Draw `count` pictures into the folder `out`, with their sounds and review.html; gives `out` back.

    A second call with the same words goes on from what an interrupted one left. `model` is what the draft's description
    says of `paint`.
    """
    stock = Stock(find_recordings(sounds), seconds)
    prompts = make_prompts(list(stock.sounds), count, seed)
    plan = {"name": "is3-draft", "version": VERSION, "seed": seed, "seconds": seconds, "model": model}
    _begin(out, _text_of(plan, prompts))
    pictures = []
    with Bar("draw", count, shown=progress) as bar:
        for prompt in prompts:
            pictures.append(_draw(out, prompt, paint, stock, seed))
            bar.advance(1, "")
    refused = {"recordings_refused": stock.refused}
    with written_aside(out / DRAFT) as part:
        part.write_text(json.dumps({**plan, **refused, "pictures": pictures}, indent=1) + "\n", encoding="utf-8")
    (out / "masks").mkdir(exist_ok=True)
    (out / PAGE).write_text(review_page(pictures, _mark(out)), encoding="utf-8")
    return out


def check_draft(
    out: Path,
    sounds: Sequence[Path],
    *,
    count: int,
    seed: int = 0,
    seconds: float = SECONDS,
    model: str = "a function",
) -> None:
    """UserError wherever `draft` would refuse these words, before there is a `paint` (a model is slow to load)."""
    prompts = make_prompts(list(find_recordings(sounds)), count, seed)
    plan = {"name": "is3-draft", "version": VERSION, "seed": seed, "seconds": seconds, "model": model}
    _is_begun(out, _text_of(plan, prompts))


def _text_of(plan: Mapping[str, Any], prompts: Sequence[Prompt]) -> str:
    return json.dumps({**plan, "prompts": [asdict(prompt) for prompt in prompts]}, indent=1) + "\n"


def _begin(out: Path, plan: str) -> None:
    """Make the folder, or make sure that it is this draft's."""
    if _is_begun(out, plan):
        return
    (out / "images").mkdir(parents=True, exist_ok=True)
    (out / "audio").mkdir(exist_ok=True)
    (out / PLAN).write_text(plan, encoding="utf-8")


def _is_begun(out: Path, plan: str) -> bool:
    """Does the folder hold this draft? UserError where it holds anything else; a draft without a picture is nothing."""
    kept = out / PLAN
    if kept.is_file() and not any((out / "images").glob("[!.]*")):
        return False
    if kept.is_file():
        if kept.read_text(encoding="utf-8") != plan:
            raise UserError(f"{out}: expected a new folder or a draft made with these words, got another; name another")
        return True
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: expected a new or empty folder for the draft, got one in use; name another")
    return False


def _draw(out: Path, prompt: Prompt, paint: Painter, stock: Stock, seed: int) -> dict[str, Any]:
    """A picture's row in draft.json; the picture is drawn unless it is there."""
    image = f"images/{prompt.id}.jpg"
    if not (out / image).is_file():
        with written_aside(out / image) as part:
            paint(prompt.text).convert("RGB").save(part, quality=JPEG_QUALITY, subsampling=0)
    things = []
    for label in prompt.labels:
        rng = np.random.default_rng([seed, *f"{prompt.id}/{label}".encode()])
        drawn = stock.draw(rng, label)
        assert drawn is not None  # at least one can be heard
        name, samples = drawn
        audio = f"audio/{prompt.id}_{label}.wav"
        write_wav(out / audio, samples)
        things.append({"label": label, "words": words(label), "audio": audio, "sound": name})
    return {"id": prompt.id, "prompt": prompt.text, "image": image, "things": things}


def _mark(folder: Path) -> str:
    """Says which draft decisions are about."""
    return file_hash(folder / DRAFT)[:16]


def build(
    out: Path, folder: Path, decisions: Path, *, masks: Path | None = None, segment: Segment | None = None
) -> Path:
    """Write the test set of a draft's accepted pictures to the new folder `out` and give it back.

    `decisions` is what the review page saved. A thing's mask is `masks`/<picture>_<class>.png (by default the draft's
    folder masks), or else what `segment` says; a picture that lacks one is left out and counted in dataset.json.
    """
    whole = _read_json(folder / DRAFT, "a draft of `samples is3`")
    rows: list[dict[str, Any]] = whole["pictures"]
    verdicts = _read_decisions(decisions, rows, _mark(folder))
    places = masks or folder / "masks"
    sources = {"draft": _mark(folder), "model": whole["model"], "decisions": dict(Counter(verdicts.values()))}
    without: list[str] = []
    with SetWriter(out, name="is3", version=VERSION, seed=whole["seed"]) as writer:
        for row in rows:
            if verdicts[row["id"]] == "keep":
                found = _masks_of(folder, row, places, segment)
                if found is None:
                    without.append(row["id"])
                else:
                    _write(writer, folder, row, found)
        if not writer.rows:
            raise UserError(
                f"{places}: expected masks <picture>_<class>.png of accepted pictures, got none for"
                f" {len(without)} of them; draw them, or give a function that segments"
            )
        writer.about["sources"] = {**sources, "pictures_without_masks": without}
    return out


def counts_line(root: Path) -> str:
    """Of a test set that `build` wrote: what became of the draft's pictures, in one line."""
    about = json.loads((root / "dataset.json").read_text(encoding="utf-8"))["sources"]
    counts = {name: about["decisions"].get(verdict, 0) for name, verdict in _VERDICTS.items()}
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"pictures: {told}; {len(about['pictures_without_masks'])} of the kept without a mask, left out"


def _masks_of(
    folder: Path, row: Mapping[str, Any], places: Path, segment: Segment | None
) -> list[npt.NDArray[np.bool_]] | None:
    """A mask a thing; None where one is missing or empty."""
    picture = read_image(folder / row["image"])
    found = []
    for thing in row["things"]:
        path = places / f"{row['id']}_{thing['label']}.png"
        if path.is_file():
            mask = read_image(path).max(axis=2) > 127
        elif segment is not None:
            mask = np.asarray(segment(picture, thing["words"]), dtype=bool)
        else:
            return None
        if mask.shape != picture.shape[:2]:
            (h, w), (height, width) = mask.shape, picture.shape[:2]
            raise UserError(
                f"mask of {row['id']}, {thing['label']}: expected its picture's size {width}x{height}, got {w}x{h};"
                " save it at that size"
            )
        if not mask.any():
            return None
        found.append(mask)
    return found


def _write(writer: SetWriter, folder: Path, row: Mapping[str, Any], masks: Sequence[npt.NDArray[np.bool_]]) -> None:
    """Two clips of one picture."""
    writer.place(row["image"]).write_bytes((folder / row["image"]).read_bytes())
    for thing, mask in zip(row["things"], masks, strict=True):
        clip_id = f"{row['id']}_{thing['label']}"
        writer.place(thing["audio"]).write_bytes((folder / thing["audio"]).read_bytes())
        box = box_of(mask)
        writer.add(
            clip_id, kind="visible", image=row["image"], audio=thing["audio"], mask=writer.write_mask(clip_id, mask),
            boxes=[box], box_labels=[thing["label"]], labels=[thing["label"]], group=row["id"], split="test",
            size_bin=size_bin(joint_side([box])), sound=thing["sound"],
        )  # fmt: skip


def _read_decisions(path: Path, rows: Sequence[Mapping[str, Any]], mark: str) -> dict[str, str]:
    """Picture -> keep, reject or undecided; UserError if the file is of another draft."""
    whole = _read_json(path, "decisions that the review page saved")
    if whole.get("draft") != mark:
        raise UserError(f"{path}: expected decisions about draft {mark}, got {whole.get('draft')!r}; review this one")
    verdicts = dict.fromkeys((str(row["id"]) for row in rows), "undecided")
    for name, verdict in whole.get("decisions", {}).items():
        if name not in verdicts:
            raise unknown(verdicts, name, f"picture in {path}:")
        if verdict not in ("keep", "reject"):
            raise UserError(f"{path}: expected keep or reject for {name}, got {verdict!r}; mend it")
        verdicts[name] = verdict
    if "keep" not in verdicts.values():
        raise UserError(f"{path}: expected at least one accepted picture, got none; review some")
    return verdicts


def _read_json(path: Path, what: str) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"{path}: expected {what}, got no such file; check the path")
    whole = read_json(path, what, "make it again")
    if not isinstance(whole, dict):
        raise UserError(f"{path}: expected {what}, got a {type(whole).__name__}; make it again")
    return whole
