"""The list of all files that `paste` was made from, by sha256, so that others can make it again or see what differs."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from io import StringIO
from pathlib import Path

from soundspot.samples.layout import file_hash
from soundspot.samples.maker import Material

LISTING = "paste_files.csv.gz"


@lru_cache(maxsize=1)
def read_listed() -> dict[str, tuple[str, str]]:
    """Key ("cutouts/dog/dalmatian_image_0002") -> split and sha256 of the file."""
    text = gzip.decompress(files("soundspot.samples").joinpath(LISTING).read_bytes()).decode()
    return {row["key"]: (row["split"], row["sha256"]) for row in csv.DictReader(StringIO(text))}


def used_files(material: Mapping[str, Material]) -> dict[str, tuple[str, Path]]:
    """Key -> split and path of every file in use."""
    used: dict[str, tuple[str, Path]] = {}
    for split, part in material.items():
        used |= {f"cutouts/{c.label}/{c.name}": (split, c.path) for some in part.cutouts.values() for c in some}
        for sounds in part.sounds.values():
            used |= {f"sounds/{s.label}/{s.name}": (split, s.path) for s in sounds if s.path is not None}
        used |= {f"backgrounds/{path.stem}": (split, path) for path in part.backgrounds}
    return used


def compare(material: Mapping[str, Material]) -> dict[str, int]:
    """How many of the files in use are as listed (name, split and content), how many are not, how many are missing."""
    listed, used = read_listed(), used_files(material)
    same = sum(listed.get(key) == (split, file_hash(path)) for key, (split, path) in used.items())
    return {"as_listed": same, "others": len(used) - same, "missing": len(set(listed) - set(used))}


def write_listing(material: Mapping[str, Material], path: Path) -> None:
    """Write the list of the files in use, sorted, always the same bytes for the same files."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("key", "split", "sha256"))
    writer.writerows((key, split, file_hash(file)) for key, (split, file) in sorted(used_files(material).items()))
    path.write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))
