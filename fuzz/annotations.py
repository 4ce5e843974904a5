"""Targets: every benchmark's annotations, each file of its tree by itself, and lists of clip ids."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from fuzz.aim import Aim, at
from fuzz.oracle import must
from layouts import LAYOUTS
from layouts.vpo import write_table
from soundspot.benchmarks import BENCHMARKS
from soundspot.data.check import defects
from soundspot.data.lists import read_clip_list, read_list
from soundspot.data.sets.vpo import read_vpo_table
from soundspot.types import Clip, Target

FILES: dict[str, tuple[str, ...]] = {
    "vggss": ("vggss.json",),
    "vggss_heard": ("vggss_heard_test.csv",),
    "vggss_extended": ("vggss_test_plus_silent.csv",),
    "flickr": ("flickr_test.csv", "Annotations/10000130166.xml"),
    "flickr_extended": ("flickr_test_plus_silent.csv",),
    "is3": ("synthetic3240_bbox.json",),
    "vpo_ms": ("vpo_ms_bbox.json",),
    "avsbench_s4": ("s4_meta_data.csv",),
    "avsbench_ms3": ("ms3_meta_data.csv",),
    "avsbench_s4_boxes": ("s4_box.json",),
    "music_solo": ("solotest.json",),
    "audioset_instrument": ("audioset_box.json",),
    "music_synthetic": ("box/1.npy",),
    "vggsound_synthetic": ("categories.json",),
    "urbansas": ("audio_annotations.csv", "video_annotations.csv"),
    "avatar": ("avatar.json",),
    "samples": ("scenes.jsonl",),
}
"""Of each benchmark's tree (a small real one, as tests/layouts writes it) the files that are spoilt."""
WITHOUT_MEDIA = ("urbansas",)
"""Their films would be probed each time, which is another reader's work."""


def _benchmark(name: str, file: str) -> Aim:
    def read(folder: Path) -> None:
        tree = folder / "annotations" if name == "urbansas" else folder
        root = None if name in WITHOUT_MEDIA else _root(folder)
        pairs = BENCHMARKS[name].load(tree, root)
        sound(pairs)
        for missing in BENCHMARKS[name].missing(tree):
            must(isinstance(missing.clip_id, str), "a missing clip without an id")

    inside = f"annotations/{file}" if name == "urbansas" else file
    return at(f"{name}-{file.replace('/', '-')}", inside, LAYOUTS[name], read)


def _root(folder: Path) -> Path:
    """Where the tree of a benchmark has its media."""
    places = [
        folder / name for name in ("media", "s4_data", "ms3_data", "solo", "audioset") if (folder / name).is_dir()
    ]
    return places[0] if places else folder


def sound(pairs: Sequence[tuple[Clip, Target]]) -> None:
    """Finding unless these are clips with a truth: as many boxes as labels, of four finite numbers."""
    must(len(pairs), "no clips at all")
    for clip, target in pairs:
        must(isinstance(clip.id, str) and clip.id == target.clip_id, f"a clip {clip.id!r} with the truth of another")
        must(clip.time_seconds is None or math.isfinite(clip.time_seconds), f"a clip at {clip.time_seconds} s")
        must(all(isinstance(label, str) for label in (*clip.labels, *target.labels)), "a label that is no text")
        must(len(target.box_labels) in (0, len(target.boxes)), "labels for other boxes")
        for box in target.boxes:
            must(len(box) == 4 and all(math.isfinite(side) for side in box), f"a box {box}")
    defects(target for _, target in pairs)


def _flickr_json(folder: Path) -> None:
    LAYOUTS["flickr"](folder / "tree")
    (folder / "flickr_test.csv").write_bytes((folder / "tree" / "flickr_test.csv").read_bytes())
    boxes = {"10000130166": [[64, 64, 192, 192]], "10007936344": [[0, 128, 128, 256], [0, 112, 128, 256]]}
    rows = {name: {"boxes_xyxy_256": some} for name, some in boxes.items()}
    (folder / "boxes.json").write_text(json.dumps(rows))


def _read_flickr_json(folder: Path) -> None:
    sound(BENCHMARKS["flickr"].load(folder / "boxes.json", None))
    BENCHMARKS["flickr"].missing(folder / "boxes.json")


def _vpo_table(folder: Path) -> None:
    write_table(folder, "ss")


def _read_vpo_table(folder: Path) -> None:
    root = folder / "VPO-SS"
    sound(read_vpo_table(root / "vpo_ss_data.csv", root, part="ss"))


IDS = {
    "ids.txt": "aaaaaaaaaaa_000010\nbbbbbbbbbbb_32000_42000.jpg\n",
    "ids.csv": '---g-f_I2yQ,1,"people marching",test\nabcdefghijk,30,"dog, barking",train\n',
    "ids.json": json.dumps(["one.jpg", {"file": "two", "class": "dog"}, {"id": "three"}]),
    "ids.jsonl": '"one"\n{"id": "two"}\n',
}


def _list(name: str) -> Aim:
    def read(folder: Path) -> None:
        rows = read_list(folder / name)
        must(all(isinstance(clip_id, str) for clip_id, _ in rows), "an id that is no text")
        chosen = read_clip_list(folder / name)
        must(len(chosen.ids) == len(rows), "another number of ids")

    return at(f"list-{name}", name, lambda folder: (folder / name).write_text(IDS[name]), read)


def _named(name: str, file: str) -> str:
    return f"{name}-{Path(file).suffix[1:]}" if len(FILES[name]) == 1 else f"{name}-{Path(file).stem}"


AIMS: dict[str, Aim] = {
    **{_named(name, file): _benchmark(name, file) for name, files in FILES.items() for file in files},
    "flickr-json": at("flickr-boxes", "boxes.json", _flickr_json, _read_flickr_json),
    "vpo-table": at("vpo-table", "VPO-SS/vpo_ss_data.csv", _vpo_table, _read_vpo_table),
    **{f"list-{name.removeprefix('ids.')}": _list(name) for name in IDS},
}
