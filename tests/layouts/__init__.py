"""Small copies of the data sets' real trees, with made media: by benchmark, a function that writes one.

`LAYOUTS[name](folder)` writes annotations in the published form and media where the data set keeps them.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple


class Tree(NamedTuple):
    """Where a copy lies; for `BENCHMARKS[name].load(annotations, root)`."""

    annotations: Path
    root: Path


def _writer(module: str, function: str = "write") -> Callable[[Path], Tree]:
    """`layouts.<module>.<function>`, imported when used, since those modules need Tree from here."""

    def write(folder: Path) -> Tree:
        return getattr(import_module(f"layouts.{module}"), function)(folder)

    return write


LAYOUTS: dict[str, Callable[[Path], Tree]] = {
    "vggss": _writer("vggss"),
    "vggss_heard": _writer("vggss", "write_heard"),
    "vggss_unheard": _writer("vggss", "write_unheard"),
    "vggss_4911": _writer("vggss", "write_4911"),
    "vggss_4692": _writer("vggss", "write_4692"),
    "vggss_4670": _writer("vggss", "write_4670"),
    "vggss_4655": _writer("vggss", "write_4655"),
    "vggss_openset_heard": _writer("vggss", "write_openset_heard"),
    "vggss_openset_unheard": _writer("vggss", "write_openset_unheard"),
    "vggss_extended": _writer("vggss", "write_extended"),
    "flickr": _writer("flickr"),
    "flickr_extended": _writer("flickr", "write_extended"),
    "is3": _writer("is3"),
    "vpo_ss": _writer("vpo", "write_ss"),
    "vpo_ms": _writer("vpo", "write_ms"),
    "avsbench_s4": _writer("avsbench", "write_s4"),
    "avsbench_ms3": _writer("avsbench", "write_ms3"),
    "avsbench_s4_boxes": _writer("avsbench", "write_s4_boxes"),
    "avsbench_ms3_boxes": _writer("avsbench", "write_ms3_boxes"),
    "music_solo": _writer("music", "write_solo"),
    "music_duet": _writer("music", "write_duet"),
    "audioset_instrument": _writer("audioset_instrument"),
    "music_synthetic": _writer("synthetic"),
    "realistic_music": _writer("synthetic"),
    "vggsound_synthetic": _writer("synthetic", "write_named"),
    "dailylife": _writer("synthetic", "write_named"),
    "urbansas": _writer("urbansas"),
    "avatar": _writer("avatar"),
    "samples": _writer("samples"),
}
