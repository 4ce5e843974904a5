"""Write a made data set in soundspot's own layout, the one that soundspot.data.folder reads."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from soundspot.samples.sound import write_wav
from soundspot.types import Box, Kind, UserError

JPEG_QUALITY = 92


def content_hash(root: Path) -> str:
    """sha256 over the sorted names and the contents of all files below `root` but dataset.json."""
    whole = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p != root / "dataset.json"):
        whole.update(f"{path.relative_to(root).as_posix()} {file_hash(path)}\n".encode())
    return whole.hexdigest()


def file_hash(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class SetWriter:
    """Context manager: pictures, masks, sounds and rows go to a folder aside, which is moved to `out` once complete."""

    def __init__(
        self, out: Path, *, name: str, version: str, seed: int, sources: Mapping[str, object] | None = None
    ) -> None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"{out}: expected a new or empty folder for the data set, got one in use; name another")
        self.out = out
        self.root = out.with_name(f"{out.name}.part-{os.getpid()}")
        self.about = {"name": name, "version": version, "seed": seed, "sources": dict(sources or {})}
        self.rows: list[dict[str, Any]] = []

    def __enter__(self) -> SetWriter:
        self.root.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            shutil.rmtree(self.root, ignore_errors=True)
            return
        with (self.root / "scenes.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in self.rows)
        made_with = {package: version(package) for package in ("numpy", "pillow", "scipy", "av")}
        about = {
            **self.about,
            "clips": len(self.rows),
            "made_with": made_with,
            "sha256_scenes": file_hash(self.root / "scenes.jsonl"),
            "sha256": content_hash(self.root),
        }
        (self.root / "dataset.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        if self.out.exists():
            self.out.rmdir()
        self.root.replace(self.out)

    def write_picture(self, name: str, image: npt.NDArray[np.uint8]) -> str:
        """Save a picture as images/<name>.jpg and give that path."""
        relative = f"images/{name}.jpg"
        Image.fromarray(image).save(self.place(relative), quality=JPEG_QUALITY, subsampling=0)
        return relative

    def write_mask(self, name: str, mask: npt.NDArray[np.bool_]) -> str:
        """Save a mask as masks/<name>.png (0 or 255) and give that path."""
        relative = f"masks/{name}.png"
        Image.fromarray(mask.astype(np.uint8) * 255).save(self.place(relative))
        return relative

    def write_objects(self, name: str, masks: Sequence[npt.NDArray[np.bool_]]) -> str:
        """Save the number of the object seen at each pixel (0: none) as objects/<name>.png and give that path."""
        relative = f"objects/{name}.png"
        numbers = np.zeros(masks[0].shape, dtype=np.uint8)
        for number, mask in enumerate(masks, start=1):
            numbers[mask] = number
        Image.fromarray(numbers).save(self.place(relative))
        return relative

    def place(self, relative: str) -> Path:
        """Where to write a further file of the data set."""
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_sound(self, name: str, samples: npt.NDArray[np.float32]) -> str:
        """Save (N,) samples as audio/<name>.wav and give that path."""
        relative = f"audio/{name}.wav"
        write_wav(self.place(relative), samples)
        return relative

    def add(
        self,
        clip_id: str,
        *,
        kind: Kind,
        split: str,
        image: str | None = None,
        video: str | None = None,
        time_seconds: float | None = None,
        audio: str | None = None,
        mask: str | None = None,
        objects: str | None = None,
        boxes: Sequence[Box] = (),
        labels: Sequence[str] = (),
        box_labels: Sequence[str] = (),
        group: str | None = None,
        size_bin: str | None = None,
        sources: Sequence[Mapping[str, Any]] = (),
        sound: str | None = None,
        background: str | None = None,
    ) -> None:
        """Add a clip's row; `sources` lists every object in view, `sound` and `background` name what was used."""
        row = {
            "id": clip_id,
            "image": image,
            "video": video,
            "time_seconds": time_seconds,
            "audio": audio,
            "mask": mask,
            "objects": objects,
            "boxes": [[round(float(v), 6) for v in box] for box in boxes],
            "box_labels": list(box_labels),
            "labels": list(labels),
            "kind": kind,
            "group": group,
            "split": split,
            "size_bin": size_bin,
            "sound": sound,
            "background": background,
            "sources": list(sources),
        }
        self.rows.append({key: value for key, value in row.items() if value not in (None, [])})
