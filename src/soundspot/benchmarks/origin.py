"""What a result was made of, so that it can be made again: hashes of files and of the truth as read, and versions."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from soundspot.tensors import sha256
from soundspot.types import Clip, Target

ANNOTATION_ENDINGS = (".json", ".jsonl", ".csv", ".xml", ".txt", ".npy")
"""Of a folder of annotations, the files whose bytes are taken down; pictures of truth are in the truth's own hash."""
MOST_NAMED = 200
"""Files of a folder that are named one by one; of more, their common hash alone is kept."""
SCORING = ("soundspot", "numpy", "torch")
"""Packages whose versions stand in a result."""


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of Python, the machine's kind and the packages that are there; nothing is imported for it."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def taken_down(path: Path, most_named: int = MOST_NAMED) -> dict[str, Any]:
    """A file or a folder of annotations: its whole path, sha256, and of a folder the files that this is made of."""
    whole = path.resolve()
    if whole.is_file():
        return {"path": str(whole), "sha256": sha256(whole)}
    files = {
        file.relative_to(whole).as_posix(): sha256(file)
        for file in sorted(whole.rglob("*"))
        if file.suffix.lower() in ANNOTATION_ENDINGS and file.is_file()
    }
    found: dict[str, Any] = {"path": str(whole), "sha256": canonical_sha256(files), "num_files": len(files)}
    return {**found, "files": files} if len(files) <= most_named else found


def canonical_sha256(value: Any) -> str:
    """Of plain data: of its JSON with sorted keys and without spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def truth_sha256(targets: Sequence[Target]) -> str:
    """Of the truth as it was read, whatever file it came from and in whatever order; masks count by their content."""
    return canonical_sha256(sorted((_target(target) for target in targets), key=lambda each: str(each["clip_id"])))


def _target(target: Target) -> dict[str, Any]:
    return {
        "clip_id": target.clip_id,
        "kind": target.kind,
        "boxes": [[float(side) for side in box] for box in target.boxes],
        "box_labels": list(target.box_labels),
        "mask": _area(target.mask),
        "objects": _area(target.objects),
        "consensus": target.consensus,
        "labels": list(target.labels),
        "group": target.group,
        "video": target.video,
    }


def _area(area: Path | np.ndarray | None) -> str | None:
    if area is None:
        return None
    if isinstance(area, Path):
        return sha256(area) if area.is_file() else "no such file"
    return hashlib.sha256(repr(area.shape).encode() + np.packbits(area).tobytes()).hexdigest()


def clips_sha256(clips: Sequence[Clip], root: Path | None) -> str:
    """Of what a method was asked: ids, media relative to `root`, moments and labels, in whatever order."""
    rows = [
        {
            "id": clip.id,
            **{name: _within(getattr(clip, name), root) for name in ("image", "video", "audio")},
            "time_seconds": clip.time_seconds,
            "labels": list(clip.labels),
        }
        for clip in clips
    ]
    return canonical_sha256(sorted(rows, key=lambda row: str(row["id"])))


def _within(path: Path | None, root: Path | None) -> str | None:
    if path is None:
        return None
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else path.name
